"""The History tab: a thousand jobs in a small window, searched, renamed, copied, opened."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from scenehf.layers.plan import Plan
from scenehf.workflows import actions
from tests.scenehf.ui.conftest import DESKTOP, PHONE, QUICK, eventually, photo
from tests.scenehf.ui.shelf import LONG, MANY, add, add_many, history, ids, row, rows, titles
from tests.scenehf.ui.steps import job_of
from tests.scenehf.ui.units import HOSTILE


def test_a_thousand_jobs_are_few_elements(at, new_page, shelf):
    add_many(shelf, MANY)
    page = new_page(at)
    expect(history(page).first).to_be_visible()
    assert titles(page)[0] == "old 0999.jpg"
    expect(page.locator(".shf-facts")).to_contain_text("1,000 jobs · ")
    most = 0
    page.locator(".shf-jobs").hover()
    for _ in range(20):
        page.mouse.wheel(0, 900)
        page.wait_for_timeout(30)
        most = max(most, rows(page).count())
    assert most <= 40
    last = page.locator(f".shf-row[aria-rowindex='{MANY}']")
    page.evaluate("document.querySelector('.shf-jobs').scrollTop = 1e9")
    expect(last).to_be_visible()
    expect(last).to_contain_text("old 0000.jpg")
    assert rows(page).count() <= 40
    drawn = [int(index) for index in rows(page).evaluate_all("r => r.map(x => x.ariaRowIndex)")]
    page.wait_for_timeout(300)
    assert sorted(drawn) == list(range(min(drawn), MANY + 1))
    order = rows(page).evaluate_all("r => r.map(x => Number(x.ariaRowIndex))")
    assert order == sorted(order)  # for readers and the Tab key


def test_search_state_and_kind(at, new_page, shelf):
    add_many(shelf, 150)
    add(shelf, "Straße.png")
    add(shelf, "broken.png", state="failed")
    page = new_page(at)
    expect(history(page).first).to_be_visible()
    expect(page.get_by_label("Kind")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.get_by_label("Search titles")).to_be_focused()
    page.keyboard.type("STRASSE")
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("Straße.png")
    page.get_by_label("Search titles").fill("nothing of the kind")
    expect(page.get_by_text("Nothing matches.")).to_be_visible()
    page.get_by_role("button", name="Clear search").click()
    expect(rows(page).nth(2)).to_be_visible()
    page.get_by_label("State").select_option("failed")
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("broken.png")
    expect(page.locator(".shf-facts")).to_contain_text("1 of 152 jobs")
    page.get_by_label("State").select_option("")

    add(shelf, "other.png", kind="image.other")
    expect(page.get_by_label("Kind")).to_be_visible(timeout=LONG)
    page.get_by_label("Kind").select_option("image.other")
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("other.png")
    expect(rows(page)).to_contain_text("image.other")


def test_an_empty_store_says_what_to_do(at, new_page):
    page = new_page(at)
    history(page)
    expect(page.get_by_text("No jobs yet. Open a photo in the Layers tab")).to_be_visible()
    expect(page.get_by_role("button", name="Clear search")).to_be_hidden()


def test_rows_stay_fresh_and_in_their_place(at, new_page, shelf):
    add_many(shelf, 200)
    job = add(shelf, "watched.png", state="queued")
    page = new_page(at)
    history(page)
    expect(row(page, "watched.png")).to_contain_text("Queued")
    with shelf.tx() as db:
        db.execute("UPDATE job SET state = 'failed' WHERE id = ?", (job,))
    expect(row(page, "watched.png")).to_contain_text("Failed")

    page.mouse.move(5, 5)
    add(shelf, "second.png")
    expect(rows(page).filter(has_text="second.png")).to_be_visible()
    assert titles(page)[:2] == ["second.png", "watched.png"]

    page.evaluate("document.querySelector('.shf-jobs').scrollTop = 2800")
    mark = row(page, "old 0150.jpg")
    expect(mark).to_be_visible()
    place = mark.bounding_box()
    add(shelf, "third.png")
    shelf.set_title(sorted(ids(shelf))[150], "told elsewhere")
    expect(page.get_by_role("button", name="1 new job")).to_be_visible()
    expect(row(page, "told elsewhere")).to_be_visible()
    assert row(page, "told elsewhere").bounding_box() == place
    page.get_by_role("button", name="1 new job").click()
    expect(row(page, "third.png")).to_be_focused()
    expect(page.get_by_role("button", name="1 new job")).to_be_hidden()


def test_renaming_in_place(at, new_page, shelf):
    job = add(shelf, "before.png")
    add(shelf, "other.png")
    page = new_page(at)
    expect(history(page)).to_have_count(2)
    field = page.get_by_role("textbox", name="New name")

    row(page, "before.png").get_by_role("button", name="Open before.png").dblclick()
    expect(field).to_be_focused()
    field.fill("never")
    page.keyboard.press("Escape")
    expect(row(page, "before.png")).to_be_focused()
    page.keyboard.press("F2")
    field.fill("  ")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="A job needs a name.")).to_be_visible()
    shelf.set_title(job, "from elsewhere")
    field.fill(HOSTILE)
    page.wait_for_timeout(2500)  # a look in between
    expect(field).to_have_value(HOSTILE)
    page.keyboard.press("Enter")
    expect(rows(page).nth(0).or_(rows(page).nth(1)).filter(has_text=HOSTILE)).to_be_visible()
    eventually(lambda: shelf.job(job).title == HOSTILE)
    page.wait_for_timeout(2500)
    expect(row(page, HOSTILE)).to_be_visible()
    assert page.evaluate("window.pwned") is None
    page.get_by_role("button", name="Rename other.png").click()
    field.fill("x" * 300)
    expect(field).to_have_js_property("maxLength", 200)


def test_opening_and_copying(at, new_page, shelf, photos):
    made = actions.create(shelf, photo(QUICK), "first.png")
    step = {"id": "s1", "action": "extract", "name": "Thing", "z": 1, "box": [0.1, 0.1, 0.5, 0.5]}
    plate = {"id": "p1", "action": "plate", "name": "Back", "removes": ["s1"], "depends_on": ["s1"]}
    plan = {"version": 1, "scene": "a thing", "steps": [step, plate]}
    shelf.claim("a test")
    shelf.finish_job(made.id, 1, "needs_review")
    actions.set_plan(shelf, made.id, Plan.model_validate(plan))
    add(shelf, "picture", kind="image.other")
    page = new_page(at)
    expect(history(page)).to_have_count(2)
    expect(row(page, "picture").get_by_role("button", name="Duplicate")).to_be_hidden()
    row(page, "first.png").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="first.png")).to_be_visible()
    assert job_of(page) == made.id

    history(page)
    row(page, "first.png").get_by_role("button", name="Duplicate first.png").click()
    expect(page.get_by_role("heading", name="first.png copy")).to_be_visible()
    copy = job_of(page)
    assert copy != made.id
    assert shelf.read(copy, "source.png") == shelf.read(made.id, "source.png")
    assert actions.plan_of(shelf, copy) == actions.plan_of(shelf, made.id)
    history(page)
    row(page, "picture").locator(".shf-row-meta").click()
    expect(page.get_by_role("heading", name="picture")).to_be_visible()


def test_cleaning_says_how_many_before_and_how_much_after(at, new_page, shelf):
    add_many(shelf, 30)
    add(shelf, "today")
    page = new_page(at)
    history(page)
    page.get_by_role("button", name="Clean up…").click()
    page.get_by_role("button", name="Delete 30 jobs").click()
    expect(page.get_by_text(re.compile(r"Deleted 30 jobs; .+ free again"))).to_be_visible()
    expect(rows(page)).to_have_count(1)
    assert titles(page) == ["today"]
    assert [job.title for job in shelf.list_jobs()] == ["today"]
    page.get_by_label("Clean up").get_by_role("combobox").select_option("1")
    expect(page.get_by_text("There are none.")).to_be_visible()


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_by_keyboard_and_on_a_narrow_screen(at, new_page, shelf, viewport):
    add_many(shelf, 120)
    job = add(shelf, HOSTILE)
    page = new_page(at, viewport)
    expect(history(page).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert page.locator(".shf-row[tabindex='0']").count() == 1
    page.get_by_label("Search titles").press("ArrowDown")
    expect(rows(page).filter(has_text=HOSTILE)).to_be_focused()
    for _ in range(30):
        page.keyboard.press("ArrowDown")
    expect(row(page, "old 0090.jpg")).to_be_focused()
    inside = page.evaluate(
        "[document.activeElement, document.querySelector('.shf-jobs')].map(e => e.getBoundingClientRect())"
        ".map(r => [r.top, r.bottom])"
    )
    assert inside[1][0] <= inside[0][0] and inside[0][1] <= inside[1][1] + 1
    page.keyboard.press("Home")
    expect(rows(page).filter(has_text=HOSTILE)).to_be_focused()
    if viewport is PHONE:
        expect(page.locator("[data-act=delete]:visible")).to_have_count(0)
        page.get_by_role("button", name="More for").first.click()
        expect(page.locator("[data-act=delete]:visible")).to_have_count(1)
    heights = rows(page).evaluate_all("r => [...new Set(r.map(x => x.offsetHeight))]")
    assert heights == [56]
    assert page.evaluate("window.pwned") is None
    assert shelf.job(job).title == HOSTILE


def test_strangers_see_only_their_own_jobs(at_public, new_page, shelf):
    mine, theirs = add(shelf, "mine.png"), add(shelf, "theirs.png")
    page = new_page(at_public)
    page.evaluate("id => localStorage.setItem('scenehf-own-jobs', JSON.stringify([id]))", mine)
    expect(history(page)).to_have_count(1)
    expect(page.locator(".shf-facts")).to_have_text("1 job")
    expect(page.get_by_role("button", name="Clean up…")).to_be_hidden()
    page.get_by_label("Search titles").fill("theirs")
    expect(page.get_by_text("Nothing matches.")).to_be_visible()
    page.get_by_label("Search titles").fill("MINE")
    expect(rows(page)).to_have_count(1)

    asked = [
        call(page, "jobs", [], {}, None, 1000),
        call(page, "fresh", [], {}, [[None, ""], [None, ""]]),
        call(page, "facts", []),
        call(page, "cleanable", 1),
        call(page, "clean", 1),
    ]
    assert theirs not in json.dumps(asked)
    assert [answer.get("error", "")[:12] for answer in asked[3:]] == ["That is not ", "That is not "]
    assert ids(shelf) == {mine, theirs}


def call(page: Page, name: str, *given: object) -> dict[str, object]:
    """What the server answers to anybody who asks."""
    return page.evaluate(
        """async ([name, given]) => {
            const { root, api_prefix, components } = window.gradio_config;
            const id = components.find((each) => each.props.elem_id === "history").id;
            const body = { data: given, fn_name: name, component_id: id, session_hash: "x" };
            const headers = { "Content-Type": "application/json" };
            return (await fetch(`${root}${api_prefix}/component_server/`,
                { method: "POST", headers, body: JSON.stringify(body) })).json();
        }""",
        [name, list(given)],
    )


def test_nonsense_is_refused_in_a_sentence(at, new_page, shelf):
    job = add(shelf, "here")
    page = new_page(at)
    assert "error" in call(page, "jobs", [], {"nonsense": 1}, None, 10)
    assert "error" in call(page, "rename", job, " \n ")
    assert "error" in call(page, "rename", job, "x" * 201)
    assert "error" in call(page, "rename", "nobody", "x")
    assert "error" in call(page, "duplicate", "nobody")
    assert "error" in call(page, "clean", 0)
    assert call(page, "remove", ["nobody"]) == {"kept": {}}
    assert call(page, "rename", job, " a\n b ") == {"title": "a b"}
