"""What a person does on the page, in the words of the tests."""

import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect


def give(page: Page, file: Path) -> None:
    """Choose a photo and wait for its plan."""
    page.get_by_label("Photo", exact=True).set_input_files(file)
    wait_for(page, "Plan ready")


def run(page: Page) -> None:
    """Press the button that says what it costs."""
    button = page.locator(".shf-run")
    expect(button).to_have_text(re.compile(r"^Run · free · about \d+ s$"))
    button.click()


def finish(page: Page) -> None:
    """Run the plan and accept what the stand-in engine is never sure of."""
    run(page)
    wait_for(page, "Needs review")
    page.locator(".shf-accept:visible").click()
    wait_for(page, "Done")


def card(page: Page, number: int) -> Locator:
    """The card of the step at this place, from 0."""
    return page.locator(".shf-card").nth(number)


def select(page: Page, number: int) -> Locator:
    """Open that card."""
    card(page, number).locator(".shf-what").click()
    return card(page, number)


def wait_for(page: Page, state: str) -> None:
    """Until the job's badge says so."""
    expect(page.locator(".shf-title .shf-badge:visible")).to_have_text(state)


def log_lines(page: Page) -> list[str]:
    return page.locator(".shf-lines div span").all_text_contents()


def job_of(page: Page) -> str:
    """The id in the address."""
    return page.evaluate("new URL(location.href).searchParams.get('job')")
