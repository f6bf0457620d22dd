"""Following a job survives whatever happens to the page, and a person's word reaches the work at once."""

import pytest
from playwright.sync_api import expect

from tests.scenehf.ui.conftest import ENDLESS, QUICK, SLOW, eventually
from tests.scenehf.ui.steps import card, give, job_of, log_lines, run, select, wait_for
from tests.scenehf.ui.units import HOSTILE

TITLE = "<script>window.pwned=4</script><img src=x onerror=window.pwned=5>${window.pwned=6}"


def told(store, job):
    """Every log line of the job."""
    return [event.data["text"] for event in store.events(job, limit=5000) if event.type == "log"]


def reads_as(shown, said):
    """Whether the page shows these lines in order and none missing, as far back as it keeps them."""
    both = [line for line in shown if line in said]
    return both == said[-len(both) :] and len(both) >= min(len(said), 150)


def test_reload_and_second_tab_find_the_job_and_the_whole_log(new_page, url, store, photos):
    page = new_page(url)
    give(page, photos[ENDLESS])
    run(page)
    expect(page.locator(".shf-card").first.locator(".shf-badge")).to_have_text("Running")
    job = job_of(page)
    eventually(lambda: len(told(store, job)) > 8)
    page.reload()
    wait_for(page, "Running")
    second = page.context.new_page()
    second.goto(url)  # no id in the address: the browser remembers the job
    wait_for(second, "Running")
    assert job_of(second) == job
    page.get_by_role("button", name="Cancel").click()
    wait_for(second, "Cancelled")
    for each in (page, second):
        expect(each.locator(".shf-lines div").last).to_contain_text("Cancelled")
        assert reads_as(log_lines(each), told(store, job))


def test_cancel_pause_and_go_on(new_page, url, store, photos):
    page = new_page(url)
    give(page, photos[SLOW])
    job = job_of(page)
    run(page)
    expect(page.locator(".shf-card").first.locator(".shf-badge")).to_have_text("Running")
    page.get_by_role("button", name="Cancel").click()
    wait_for(page, "Cancelled")
    assert store.job(job).state == "cancelled"
    page.get_by_role("button", name="Run again").click()
    expect(page.locator(".shf-card").first.locator(".shf-badge")).to_have_text("Running")
    page.get_by_role("button", name="Pause").click()
    wait_for(page, "Needs review")
    expect(page.locator(".shf-card").first.locator(".shf-badge")).to_have_text("Done")
    expect(page.get_by_role("button", name="Continue")).to_be_visible()
    page.get_by_role("button", name="New photo").click()


def test_a_cut_line_is_said_and_mended_without_a_lost_line(new_page, url, store, photos, trouble):
    page = new_page(url)
    give(page, photos[ENDLESS])
    run(page)
    wait_for(page, "Running")
    job = job_of(page)
    trouble.expected = ("ERR_INTERNET_DISCONNECTED",)
    page.context.set_offline(True)
    expect(page.get_by_role("alert").filter(has_text="does not answer")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_role("alert").filter(has_text="does not answer")).to_be_hidden()
    page.get_by_role("button", name="Cancel").click()
    wait_for(page, "Cancelled")
    expect(page.locator(".shf-lines div").last).to_contain_text("Cancelled")
    assert reads_as(log_lines(page), told(store, job))


def test_names_are_only_names(new_page, url, store, photos):
    page = new_page(url)
    give(page, photos[QUICK])
    store.set_title(job_of(page), TITLE)
    run(page)
    wait_for(page, "Needs review")
    expect(page.get_by_label("Name of the job")).to_have_value(TITLE)
    expect(card(page, 1).locator(".shf-name")).to_have_value(HOSTILE[:80])
    for field, text in ((".shf-name", HOSTILE), (".shf-prompt", HOSTILE * 2)):
        for number in (0, 1):
            inside = select(page, number).locator(field)
            inside.fill(text)
            inside.press("Enter")
    page.get_by_label("Name of the job").fill(f"{TITLE} {HOSTILE}")
    page.get_by_label("Name of the job").press("Enter")
    eventually(lambda: HOSTILE in store.job(job_of(page)).title)
    page.reload()
    wait_for(page, "Needs review")
    expect(select(page, 1).locator(".shf-prompt")).to_have_value((HOSTILE * 2)[:500])
    page.get_by_role("tab", name="History").click()
    expect(page.locator("#history").get_by_text("${window.pwned=6}").first).to_be_visible()
    assert page.evaluate("window.pwned") is None
    assert page.locator("#layers script, #history script").count() == 0


@pytest.mark.slow
def test_nine_tabs_of_one_browser_all_follow(new_page, url, store, photos):
    first = new_page(url)
    give(first, photos[ENDLESS])
    run(first)
    wait_for(first, "Running")
    job = job_of(first)
    pages = [first]
    for _ in range(8):
        page = first.context.new_page()
        page.goto(f"{url}?job={job}")
        pages.append(page)
    for page in pages:
        wait_for(page, "Running")
    store.append(job, "log", {"text": "a mark for all"})
    for page in pages:
        page.get_by_text("a mark for all", exact=True).wait_for()
    pages[-1].get_by_role("button", name="Cancel").click()
    for page in pages:
        wait_for(page, "Cancelled")
