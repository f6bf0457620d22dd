"""The whole journey without a pointer, and keys that do nothing where they must not."""

from playwright.sync_api import expect

from scenehf.workflows import actions
from tests.scenehf.ui.conftest import ENDLESS, QUICK, eventually
from tests.scenehf.ui.steps import card, give, job_of, run, wait_for


def tab_to(page, wanted, most=60):
    """Press Tab until the focus is on what matches, as a person would."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
            return
    raise AssertionError(f"Tab does not lead to {wanted}")


def test_from_photo_to_files_by_keyboard_alone(new_page, url, store, photos):
    page = new_page(url)
    page.on("filechooser", lambda _: None)  # the browser needs a moment to learn that somebody waits for one
    tab_to(page, ".shf-drop input")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(photos[QUICK])
    wait_for(page, "Plan ready")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowDown")
    expect(card(page, 1)).to_have_class("shf-card is-selected")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Alt+ArrowDown")
    job = job_of(page)
    eventually(lambda: [step.id for step in actions.plan_of(store, job).extractions] == ["s2", "s1"])
    expect(page.get_by_role("button", name="Undo", exact=True)).to_be_enabled()
    page.keyboard.press("Control+z")
    eventually(lambda: [step.id for step in actions.plan_of(store, job).extractions] == ["s1", "s2"])

    tab_to(page, ".shf-run")
    page.keyboard.press("Enter")
    wait_for(page, "Needs review")
    page.keyboard.press("a")
    wait_for(page, "Done")
    page.keyboard.press("ArrowUp")
    seen = page.locator(".shf-stage").get_attribute("data-view")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".shf-stage")).not_to_have_attribute("data-view", str(seen))
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()

    tab_to(page, '.shf-export input[name="ora"]')
    page.keyboard.press("Space")
    tab_to(page, ".shf-export button")
    page.keyboard.press("Enter")
    expect(page.locator(".shf-files li")).to_have_count(3)


def test_enter_runs_and_escape_cancels(new_page, url, photos):
    page = new_page(url)
    give(page, photos[ENDLESS])
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Enter")
    wait_for(page, "Running")
    page.keyboard.press("Escape")
    wait_for(page, "Cancelled")


def test_keys_are_left_to_who_types_and_to_other_tabs(new_page, url, store, photos):
    page = new_page(url)
    give(page, photos[QUICK])
    run(page)
    wait_for(page, "Needs review")
    name = page.get_by_label("Name of the job")
    name.fill("")
    name.press_sequentially("a rare name")
    expect(page.locator(".shf-title .shf-badge")).to_have_text("Needs review")
    name.press("Enter")
    eventually(lambda: store.job(job_of(page)).title == "a rare name")
    page.get_by_role("tab", name="History").click()
    page.locator("body").press("a")
    page.wait_for_timeout(400)
    assert store.job(job_of(page)).state == "needs_review"
