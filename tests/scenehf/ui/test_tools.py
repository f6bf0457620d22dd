"""The drawing tools on the picture: what is drawn arrives in the store, to the pixel."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from jobs.store import Store
from scenehf.layers.plan import ExtractStep
from scenehf.workflows import actions
from tests.scenehf.ui.conftest import PHONE, QUICK, eventually
from tests.scenehf.ui.steps import give, job_of, run, select, wait_for
from tests.scenehf.ui.units import BOXES

BIG = (2400, 1600)
GREEN, RED, CLEAR = (0, 255, 0, 255), (255, 0, 0, 255), (0, 0, 0, 0)


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo of BIG size that is quick to send."""
    picture = np.full((BIG[1], BIG[0], 3), 120, np.uint8)
    picture[0, 0] = QUICK
    file = tmp_path_factory.mktemp("big") / "big.png"
    Image.fromarray(picture).save(file)
    return file


@pytest.fixture
def opened(new_page: Callable[..., Page], url: str, photos: dict[int, Path]) -> Page:
    """A page with the plan of the small photo."""
    page = new_page(url)
    give(page, photos[QUICK])
    expect(page.locator(".shf-stage canvas[data-drawn=photo]")).to_be_visible()
    return page


def extracts(store: Store, page: Page) -> tuple[ExtractStep, ...]:
    return actions.plan_of(store, job_of(page)).extractions


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a place of the picture, in shares of it, is on the page. The picture is seen whole."""
    frame = page.locator(".shf-stage canvas").bounding_box()
    assert frame
    ratio = float(page.locator(".shf-stage").evaluate("node => node.style.getPropertyValue('--ratio')"))
    width = min(frame["width"], frame["height"] * ratio)
    left = frame["x"] + (frame["width"] - width) / 2
    top = frame["y"] + (frame["height"] - width / ratio) / 2
    return left + x * width, top + y * width / ratio


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*at(page, *start))
    page.mouse.down()
    page.mouse.move(*at(page, *end), steps=6)
    page.mouse.up()


def tool(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_a_drawn_box_becomes_a_step(opened: Page, store: Store) -> None:
    tool(opened, "Add by box")
    drag(opened, (0.2, 0.25), (0.6, 0.75))
    expect(opened.get_by_label("Name", exact=True)).to_be_focused()
    opened.keyboard.type("Cup")
    opened.keyboard.press("Enter")
    eventually(lambda: len(extracts(store, opened)) == 3)
    added = extracts(store, opened)[0]
    assert added.name == "Cup"
    assert added.box == pytest.approx((0.2, 0.25, 0.6, 0.75), abs=0.01)
    expect(opened.locator(".shf-tray")).to_be_hidden()


def test_a_box_by_keys_alone(opened: Page, store: Store) -> None:
    opened.get_by_role("button", name="Add by box").focus()
    opened.keyboard.press("Enter")
    expect(opened.locator(".shf-stage")).to_be_focused()
    opened.keyboard.press("Enter")  # places it: half of the photo, in the middle
    opened.keyboard.press("Shift+ArrowLeft")
    opened.keyboard.press("ArrowUp")
    opened.keyboard.press("Alt+Shift+ArrowRight")
    opened.keyboard.press("Enter")
    eventually(lambda: len(extracts(store, opened)) == 3)
    added = extracts(store, opened)[0]
    assert added.name == "Object"
    assert added.box == pytest.approx((54 / 256, 47 / 192, 192 / 256, 143 / 192))


def test_escape_leaves_nothing_behind(opened: Page, store: Store) -> None:
    tool(opened, "Add by box")
    drag(opened, (0.2, 0.25), (0.6, 0.75))
    opened.keyboard.press("Escape")
    expect(opened.locator(".shf-tray")).to_be_hidden()
    expect(opened.locator(".shf-box")).to_have_count(2)
    assert len(extracts(store, opened)) == 2


def test_the_selected_box_is_moved_and_resized(opened: Page, store: Store) -> None:
    select(opened, 0)
    x0, y0, x1, y1 = BOXES["s1"]
    drag(opened, (0.3, 0.5), (0.4, 0.55))
    moved = (x0 + 0.1, y0 + 0.05, x1 + 0.1, y1 + 0.05)
    eventually(lambda: extracts(store, opened)[0].box == pytest.approx(moved, abs=0.01))
    drag(opened, (moved[2], moved[3]), (0.7, 0.8))
    eventually(lambda: extracts(store, opened)[0].box == pytest.approx((*moved[:2], 0.7, 0.8), abs=0.01))
    before = extracts(store, opened)[0].box
    assert before
    opened.locator(".shf-box.is-selected").focus()
    opened.keyboard.press("Shift+ArrowRight")
    opened.keyboard.press("Alt+ArrowDown")
    after = (before[0] + 10 / 256, before[1], before[2] + 10 / 256, before[3] + 1 / 192)
    eventually(lambda: extracts(store, opened)[0].box == pytest.approx(after))


def test_a_box_stays_inside_the_photo(opened: Page, store: Store) -> None:
    select(opened, 0)
    opened.locator(".shf-box.is-selected").focus()
    for _ in range(10):
        opened.keyboard.press("Shift+ArrowUp")
    x0, y0, x1, y1 = BOXES["s1"]
    eventually(lambda: extracts(store, opened)[0].box == pytest.approx((x0, 0, x1, y1 - y0)))


def test_clicks_keep_and_drop(opened: Page, store: Store) -> None:
    tool(opened, "Add by clicks")
    opened.mouse.click(*at(opened, 0.7, 0.8))
    opened.mouse.click(*at(opened, 0.9, 0.9))
    opened.keyboard.press("ControlOrMeta+z")
    opened.mouse.click(*at(opened, 0.8, 0.9), button="right")
    opened.keyboard.down("Alt")
    opened.mouse.click(*at(opened, 0.6, 0.7))
    opened.keyboard.up("Alt")
    expect(opened.locator(".shf-tally")).to_have_text("1 keep, 2 drop")
    opened.keyboard.press("ArrowLeft")  # the cross stands where the last click was
    opened.keyboard.press("Enter")
    tool(opened, "Add layer")
    eventually(lambda: len(extracts(store, opened)) == 3)
    points = extracts(store, opened)[0].points
    assert [label for *_, label in points] == [1, 0, 0, 1]
    wanted = [(0.7, 0.8), (0.8, 0.9), (0.6, 0.7), (0.6 - 1 / 256, 0.7)]
    assert np.allclose([point[:2] for point in points], wanted, atol=0.01)


def test_points_of_a_step_are_moved_and_deleted(opened: Page, store: Store) -> None:
    select(opened, 0).get_by_role("button", name="Clicks").click()
    opened.mouse.click(*at(opened, 0.3, 0.5))
    opened.mouse.click(*at(opened, 0.2, 0.3))
    tool(opened, "Use points")
    eventually(lambda: len(extracts(store, opened)[0].points) == 2)
    opened.get_by_role("button", name="Keep point 2").focus()
    opened.keyboard.press("Delete")
    eventually(lambda: len(extracts(store, opened)[0].points) == 1)
    drag(opened, (0.3, 0.5), (0.4, 0.6))
    eventually(lambda: np.allclose(extracts(store, opened)[0].points[0], (0.4, 0.6, 1), atol=0.01))
    assert extracts(store, opened)[0].box == BOXES["s1"]


def test_strokes_arrive_to_the_pixel(
    new_page: Callable[..., Page], url: str, store: Store, big: Path
) -> None:
    page = new_page(url)
    give(page, big)
    run(page)
    wait_for(page, "Needs review")
    select(page, 0).get_by_role("button", name="Refine").click()
    expect(page.get_by_role("button", name="Apply")).to_be_disabled()
    radius = int(page.locator(".shf-value").first.inner_text().removesuffix(" px")) / 2
    page.keyboard.press("Space")
    page.keyboard.press("d")
    for _ in range(6):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Space")
    page.keyboard.press("ControlOrMeta+z")
    drag(page, (0.1, 0.1), (0.3, 0.1))
    page.keyboard.press("ControlOrMeta+z")
    for label, key, times in (("Feather", "ArrowRight", 7), ("Grow", "ArrowLeft", 3)):
        page.get_by_label(label, exact=True).focus()
        for _ in range(times):
            page.keyboard.press(key)
    page.keyboard.press("Enter")
    expect(page.locator(".shf-tray")).to_be_hidden()
    redo = actions.params_of(store.job(job_of(page))).redo["s1"]
    assert (redo.mode, redo.feather, redo.grow) == ("refine", 7, -3)
    assert redo.strokes
    drawn = np.asarray(Image.open(io.BytesIO(store.read(job_of(page), redo.strokes))))
    y, x = np.indices((BIG[1], BIG[0])) + 0.5
    wanted = np.zeros((BIG[1], BIG[0], 4), np.uint8)
    wanted[(x - 1200) ** 2 + (y - 800) ** 2 <= radius**2] = GREEN
    wanted[(x - 1260) ** 2 + (y - 800) ** 2 <= radius**2] = RED
    assert drawn.shape == wanted.shape
    assert np.array_equal(drawn, wanted)


@pytest.mark.slow
def test_a_stroke_by_mouse_and_the_eraser(
    new_page: Callable[..., Page], url: str, store: Store, big: Path
) -> None:
    page = new_page(url)
    give(page, big)
    run(page)
    wait_for(page, "Needs review")
    select(page, 0).get_by_role("button", name="Refine").click()
    radius = int(page.locator(".shf-value").first.inner_text().removesuffix(" px")) / 2
    drag(page, (0.1, 0.5), (0.6, 0.5))
    page.keyboard.press("e")
    drag(page, (0.3, 0.4), (0.3, 0.6))
    tool(page, "Apply")
    expect(page.locator(".shf-tray")).to_be_hidden()
    redo = actions.params_of(store.job(job_of(page))).redo["s1"]
    assert redo.strokes
    assert (redo.feather, redo.grow) == (0, 0)
    drawn = np.asarray(Image.open(io.BytesIO(store.read(job_of(page), redo.strokes))))
    assert {tuple(colour) for colour in np.unique(drawn.reshape(-1, 4), axis=0)} == {GREEN, CLEAR}
    middle, reach = 800, int(radius)
    assert (drawn[middle - reach + 4 : middle + reach - 4, 260:640] == GREEN).all()
    assert (drawn[middle, 800:1400] == GREEN).all()
    assert not drawn[:, 720 - reach + 4 : 720 + reach - 4].any()
    assert not drawn[: middle - reach - 4].any()
    assert not drawn[middle + reach + 4 :].any()


def test_closing_the_brush_leaves_nothing(opened: Page) -> None:
    run(opened)
    wait_for(opened, "Needs review")
    select(opened, 0).get_by_role("button", name="Refine").click()
    drag(opened, (0.3, 0.3), (0.5, 0.5))
    expect(opened.get_by_role("button", name="Undo the last stroke")).to_be_enabled()
    opened.keyboard.press("ControlOrMeta+z")
    expect(opened.get_by_role("button", name="Apply")).to_be_disabled()
    opened.keyboard.press("Escape")
    expect(opened.locator(".shf-tray")).to_be_hidden()
    expect(opened.locator(".shf-stage canvas")).not_to_have_css("cursor", "none")


def test_the_trays_fit_a_phone(new_page: Callable[..., Page], url: str, photos: dict[int, Path]) -> None:
    page = new_page(url, PHONE, has_touch=True)
    give(page, photos[QUICK])
    tool(page, "Add by clicks")
    page.get_by_role("button", name="Drop", exact=True).tap()
    page.touchscreen.tap(*at(page, 0.5, 0.5))
    page.get_by_role("button", name="Keep", exact=True).tap()
    page.touchscreen.tap(*at(page, 0.3, 0.5))
    expect(page.locator(".shf-tally")).to_have_text("1 keep, 1 drop")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
