"""Mending a plan and its results by hand: names, order, attempts, what covers what, and taking it all back."""

from playwright.sync_api import expect

from scenehf.workflows import actions
from tests.scenehf.ui.conftest import QUICK, eventually
from tests.scenehf.ui.steps import card, finish, give, job_of, run, select, wait_for


def names(page):
    """The layers' names, front to back."""
    return page.locator('.shf-card[data-action="extract"] .shf-name').evaluate_all(
        "all => all.map(n => n.value)"
    )


def test_a_plan_is_edited_in_place_and_every_edit_can_be_undone(new_page, url, store, photos):
    page = new_page(url)
    give(page, photos[QUICK])
    job = job_of(page)
    before = actions.plan_of(store, job)
    undo = page.get_by_role("button", name="Undo", exact=True)
    expect(undo).to_be_disabled()

    first = select(page, 0)
    first.locator(".shf-name").fill("Red cup")
    first.locator(".shf-name").press("Enter")
    first.locator(".shf-prompt").fill("a cup with its saucer")
    first.locator(".shf-prompt").press("Enter")
    eventually(lambda: actions.plan_of(store, job).step("s1").prompt == "a cup with its saucer")
    assert actions.plan_of(store, job).step("s1").name == "Red cup"

    first.locator(".shf-grip").press("ArrowDown")
    eventually(lambda: [step.id for step in actions.plan_of(store, job).extractions] == ["s2", "s1"])
    expect(card(page, 1).locator(".shf-name")).to_have_value("Red cup")

    select(page, 0).locator(".shf-remove").click()
    expect(page.locator(".shf-card")).to_have_count(3)
    assert names(page) == ["Red cup"]

    for _ in range(4):
        expect(undo).to_be_enabled()
        plan = actions.plan_of(store, job)
        undo.click()
        eventually(lambda plan=plan: actions.plan_of(store, job) != plan)
    assert actions.plan_of(store, job) == before
    expect(undo).to_be_disabled()


def test_layers_are_dragged_into_another_order(new_page, url, store, photos):
    page = new_page(url)
    give(page, photos[QUICK])
    grip, other = card(page, 0).locator(".shf-grip"), card(page, 1).bounding_box()
    held = grip.bounding_box()
    page.mouse.move(held["x"] + 5, held["y"] + 5)
    page.mouse.down()
    page.mouse.move(held["x"] + 5, other["y"] + other["height"] - 4, steps=6)
    page.mouse.up()
    job = job_of(page)
    eventually(lambda: [step.id for step in actions.plan_of(store, job).extractions] == ["s2", "s1"])
    expect(card(page, 1).locator(".shf-name")).to_have_value("Left thing")


def test_attempts_are_kept_compared_and_chosen(new_page, url, store, photos):
    page = new_page(url)
    give(page, photos[QUICK])
    run(page)
    wait_for(page, "Needs review")
    bad = card(page, 1)
    expect(bad.locator(".shf-findings")).to_contain_text("How far several ways of cutting")
    bad.locator(".shf-retry").click()
    wait_for(page, "Done")
    select(page, 1)
    attempts = bad.locator(".shf-attempt")
    expect(attempts).to_have_count(2)
    attempts.first.click()
    expect(page.locator(".shf-caption")).to_contain_text("attempt 2 left, attempt 1 right")
    page.get_by_role("button", name="Side by side").click()
    bad.get_by_role("button", name="Use attempt 1").click()
    wait_for(page, "Needs review")  # it is doubted again, as it was
    assert actions.chosen(store, job_of(page), "s2").attempt == 1
    page.get_by_role("button", name="Undo", exact=True).click()
    wait_for(page, "Done")
    assert actions.chosen(store, job_of(page), "s2").attempt == 2


def test_what_covers_a_layer_is_painted_out_first(new_page, url, store, photos):
    page = new_page(url)
    give(page, photos[QUICK])
    finish(page)
    second = select(page, 1)
    second.locator(".shf-under").click()
    expect(second.get_by_role("checkbox", name="Left thing")).to_be_checked()  # their boxes overlap
    second.get_by_role("button", name="Paint out and retry").click()
    expect(page.locator(".shf-card")).to_have_count(5)
    wait_for(page, "Done")
    plan = actions.plan_of(store, job_of(page))
    assert plan.plates[0].removes == ("s1",)
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.locator(".shf-card")).to_have_count(4)


def test_a_finished_scene_follows_its_plan_and_layers_go_home_alone(new_page, url, store, photos):
    page = new_page(url)
    give(page, photos[QUICK])
    finish(page)
    first = select(page, 0)
    first.locator(".shf-name").fill("Cup")
    first.locator(".shf-name").press("Enter")
    job = job_of(page)
    eventually(lambda: "Cup" in str(actions.chosen(store, job, "scene").result.get("layers")))
    wait_for(page, "Done")
    first.locator(".shf-eye").click()
    expect(page.locator(".shf-stage")).to_have_attribute("data-view", "scene")
    expect(first.locator(".shf-eye")).to_have_attribute("aria-label", "Show Cup in the scene")
    with page.expect_download() as started:
        first.get_by_role("link", name="Download Cup").click()
    assert started.value.suggested_filename == "quick-cup.png"


def test_the_background_is_removed_again(new_page, url, store, photos):
    page = new_page(url)
    give(page, photos[QUICK])
    finish(page)
    select(page, 0).locator(".shf-rematte").click()
    expect(card(page, 0).locator(".shf-what")).to_contain_text("attempt 2 of 2")
    made = [step for step in store.steps(job_of(page)) if step.key == "s1"]
    assert made[-1].params["redo"]["mode"] == "rematte"
