"""Deleting in the History tab: at once on the screen, later in the store, with a way back."""

import time

import pytest
from playwright.sync_api import expect

from scenehf.workflows.extract import KIND, Params
from tests.scenehf.ui.conftest import eventually
from tests.scenehf.ui.shelf import LONG, UNDO, add, bar, history, ids, row, rows, titles


def test_deleting_can_be_undone(at, new_page, shelf):
    names = ["a", "b", "c", "d"]
    jobs = {name: add(shelf, name) for name in names}
    page = new_page(at)
    expect(history(page)).to_have_count(4)
    row(page, "c").get_by_role("button", name="Delete c").click()
    expect(page.get_by_role("status").filter(has_text="Deleted c")).to_be_visible()
    assert titles(page) == ["d", "b", "a"]
    expect(row(page, "b")).to_be_focused()
    page.keyboard.press("Delete")
    expect(bar(page)).to_contain_text("Deleted 2 jobs")
    expect(page.locator(".shf-facts")).to_contain_text("2 jobs")
    page.wait_for_timeout(2500)  # a look in between does not bring them back
    assert titles(page) == ["d", "a"]
    assert ids(shelf) == set(jobs.values())
    page.get_by_role("button", name="Undo").click()
    assert titles(page) == ["d", "c", "b", "a"]
    expect(bar(page).get_by_role("button")).to_be_hidden()

    row(page, "d").focus()
    page.keyboard.press("Delete")
    expect(rows(page)).to_have_count(3)
    page.keyboard.press("Control+z")
    expect(rows(page)).to_have_count(4)
    expect(row(page, "d")).to_be_focused()
    assert ids(shelf) == set(jobs.values())


@pytest.mark.slow
def test_a_deleted_job_goes_after_a_while(at, new_page, shelf):
    gone, kept = add(shelf, "gone"), add(shelf, "kept")
    page = new_page(at)
    expect(history(page)).to_have_count(2)
    row(page, "gone").get_by_role("button", name="Delete gone").click()
    page.mouse.move(5, 5)
    began = time.monotonic()
    eventually(lambda: ids(shelf) == {kept}, UNDO + 8)
    assert time.monotonic() - began > UNDO - 1
    assert gone not in ids(shelf)
    expect(bar(page).get_by_role("button")).to_be_hidden()


@pytest.mark.parametrize("way", ["another tab", "reload", "close"])
def test_a_deletion_is_kept_when_the_page_goes(at, new_page, shelf, way):
    add(shelf, "gone")
    page = new_page(at)
    expect(history(page)).to_have_count(1)
    row(page, "gone").get_by_role("button", name="Delete gone").click()
    expect(bar(page)).to_contain_text("Deleted gone")
    if way == "another tab":
        page.get_by_role("tab", name="Layers").click()
    elif way == "reload":
        page.reload()
    else:
        page.close()
    eventually(lambda: not ids(shelf), UNDO - 2)


def test_a_running_job_cannot_be_deleted(at, new_page, shelf):
    add(shelf, "idle")
    shelf.create_job(KIND, Params().model_dump(mode="json"), title="busy")
    assert shelf.claim("a test", lease=3600) is not None
    page = new_page(at)
    history(page)
    button = row(page, "busy").get_by_role("button", name="Delete busy")
    expect(button).to_be_disabled()
    expect(button).to_have_attribute("title", "Cancel it first")
    row(page, "busy").focus()
    page.keyboard.press("Delete")
    expect(rows(page)).to_have_count(2)
    expect(bar(page).get_by_role("button")).to_be_hidden()


def test_a_job_that_begins_to_run_comes_back(at, new_page, shelf):
    shelf.create_job(KIND, Params().model_dump(mode="json"), title="quick to start")
    page = new_page(at)
    expect(history(page)).to_have_count(1)
    row(page, "quick to start").get_by_role("button", name="Delete").click()
    expect(rows(page)).to_have_count(0)
    page.mouse.move(5, 5)
    page.get_by_label("Search titles").focus()  # the bar waits longer while somebody is on it
    assert shelf.claim("a test", lease=3600) is not None
    expect(page.get_by_role("alert").filter(has_text="Cancel it first")).to_be_visible(timeout=LONG)
    expect(rows(page)).to_have_count(1)
