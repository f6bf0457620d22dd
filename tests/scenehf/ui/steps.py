"""What a person does on the page, in the words of the tests."""

from pathlib import Path

from playwright.sync_api import Page, expect


def give(page: Page, file: Path) -> None:
    """Choose a photo and wait for its plan."""
    page.get_by_label("Photo", exact=True).set_input_files(file)
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()


def run(page: Page) -> None:
    page.get_by_role("button", name="Run", exact=True).click()


def wait_for(page: Page, state: str) -> None:
    """Until the job's badge says so."""
    expect(page.locator(".shf-title .shf-badge")).to_have_text(state)


def log_lines(page: Page) -> list[str]:
    return page.locator(".shf-lines div span").all_text_contents()


def job_of(page: Page) -> str:
    """The id in the address."""
    return page.evaluate("new URL(location.href).searchParams.get('job')")
