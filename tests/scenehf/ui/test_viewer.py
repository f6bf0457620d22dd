"""The picture: what the canvas draws, down to single pixels, and what pointers, wheel and keys do to it."""

import base64
import io
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from jobs.store import Store
from scenehf.workflows.making import SOURCE, asset_name
from tests.scenehf.ui.conftest import DESKTOP, QUICK, Trouble, eventually
from tests.scenehf.ui.steps import job_of, wait_for

WIDTH, HEIGHT = 256, 192  # of the photo, see conftest.photo
LEFT_THING = (0.3, 0.55)  # the middle of the first layer, as shares of the photo, see units.BOXES
NOTHING = (0.55, 0.05)  # outside both layers
STAGE = ".shf-stage"


@pytest.fixture(scope="module")
def done(served: tuple[str, Store], browser: Browser, photos: dict[int, Path]) -> str:
    """The address of a job whose scene is done."""
    page = browser.new_page(viewport=DESKTOP)
    page.goto(served[0])
    page.get_by_label("Photo", exact=True).set_input_files(photos[QUICK])
    page.locator(".shf-run").click()
    page.locator(".shf-accept:visible").first.click()
    wait_for(page, "Done")
    address = page.url
    page.close()
    return address


@pytest.fixture
def page(new_page: Callable[..., Page], done: str) -> Page:
    """The done job, with its scene drawn."""
    page = new_page(done)
    _drawn(page, "scene")
    page.locator(STAGE).scroll_into_view_if_needed()
    return page


def test_single_pixels_are_those_of_the_photo(page: Page, store: Store) -> None:
    _view(page, "photo")
    page.locator(STAGE).focus()
    for percent in (300, 400, 600, 800):
        page.keyboard.press("+")
        expect(page.locator(".shf-percent")).to_have_text(f"{percent} %")
    source = _asset(store, page, SOURCE)[..., :3]

    def exact() -> bool:
        shown = _canvas(page)
        high, wide = shown.shape[:2]
        x0, y0 = _whole(wide / 2 - 8 * WIDTH / 2), _whole(high / 2 - 8 * HEIGHT / 2)
        xs, ys = np.arange(80, 176), np.arange(64, 128)
        # Every corner of a square has its colour: nothing is smoothed.
        return all(
            np.array_equal(shown[np.ix_(y0 + 8 * ys + inside, x0 + 8 * xs + inside)], source[np.ix_(ys, xs)])
            for inside in (0, 4, 7)
        )

    eventually(exact)


def test_alpha_is_the_mask(page: Page, store: Store) -> None:
    _select(page, 0)
    _view(page, "alpha")
    mask = _asset(store, page, asset_name("s1", 1, "alpha.png"))
    ys, xs = np.mgrid[4:HEIGHT:9, 4:WIDTH:9]

    def same() -> bool:
        shown = _canvas(page)
        at = [
            _pixel(shown, (x + 0.5) / WIDTH, (y + 0.5) / HEIGHT)
            for y, x in zip(ys.flat, xs.flat, strict=True)
        ]
        return np.array_equal(np.array(at), np.repeat(mask[ys, xs].reshape(-1, 1), 3, axis=1))

    eventually(same)


def test_a_hidden_layer_lets_the_plate_show(page: Page, store: Store) -> None:
    plate = _asset(store, page, asset_name("p1", 1, "plate.png"))[..., :3]
    _select(page, 0)
    _view(page, "scene")
    x, y = (round(share * side) for share, side in zip(LEFT_THING, (WIDTH, HEIGHT), strict=True))
    there = ((x + 0.5) / WIDTH, (y + 0.5) / HEIGHT)
    assert not np.array_equal(_pixel(_canvas(page), *there), plate[y, x])
    page.locator(".shf-card .shf-eye").first.click()
    eventually(lambda: np.array_equal(_pixel(_canvas(page), *there), plate[y, x]))


def test_the_wipe_moves_by_keys(page: Page) -> None:
    _select(page, 0)
    _view(page, "compare")
    line = page.get_by_role("slider", name="Divider between the two pictures")
    expect(line).to_have_attribute("aria-valuenow", "50")
    before = _pixel(_canvas(page), *NOTHING)
    assert before.min() > 200  # the checkerboard: the first layer has nothing there
    line.focus()
    for key, value in (("ArrowRight", "52"), ("PageUp", "62"), ("Shift+ArrowLeft", "52"), ("PageUp", "62")):
        page.keyboard.press(key)
        expect(line).to_have_attribute("aria-valuenow", value)
    eventually(lambda: _pixel(_canvas(page), *NOTHING).max() < 200)  # the photo
    page.keyboard.press("Home")
    expect(line).to_have_attribute("aria-valuenow", "0")
    page.get_by_role("button", name="Side by side").click()
    expect(line).to_be_hidden()


def test_the_wheel_keeps_the_point_under_the_pointer(page: Page, store: Store) -> None:
    _view(page, "photo")
    source = _asset(store, page, SOURCE)[..., :3]
    box = page.locator("canvas").bounding_box()
    assert box is not None
    at_x, at_y = round(box["x"] + 300), round(box["y"] + 380)  # events of a wheel tell of whole pixels
    stage_x, stage_y = at_x - box["x"], at_y - box["y"]
    left, top = _place(box["width"], box["height"], 0, 0)
    scale = min(box["width"] / WIDTH, box["height"] / HEIGHT)
    x, y = (stage_x - left) / scale, (stage_y - top) / scale  # the point of the photo there
    page.mouse.move(at_x, at_y)
    while page.locator(".shf-percent").inner_text() != "3200 %":
        page.mouse.wheel(0, -240)

    def kept() -> bool:
        shown = _canvas(page)
        square = np.all(shown == source[int(y), int(x)], axis=-1)
        rows, columns = (np.flatnonzero(square.sum(axis=side) >= 24) for side in (1, 0))
        if not len(rows) or not len(columns):
            return False
        # One pixel of the photo is 32 wide now, less one for the line of the grid before it.
        return (
            abs(columns[0] - 1 + 32 * (x % 1) - stage_x) <= 1
            and abs(rows[0] - 1 + 32 * (y % 1) - stage_y) <= 1
        )

    eventually(kept)


def test_the_wheel_scrolls_the_page_past_a_picture_that_fits(page: Page) -> None:
    page.locator(STAGE).scroll_into_view_if_needed()
    page.evaluate("scrollTo(0, 0)")
    page.locator(STAGE).hover()
    page.mouse.wheel(0, 120)
    eventually(lambda: page.evaluate("scrollY") > 0)
    expect(page.get_by_role("button", name="Fit the picture")).to_have_attribute("aria-pressed", "true")


def test_a_layer_is_dragged_and_put_back(page: Page) -> None:
    rested = _canvas(page)
    box = page.locator("canvas").bounding_box()
    assert box is not None
    x, y = _place(box["width"], box["height"], *LEFT_THING)
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.mouse.down()
    page.mouse.move(box["x"] + x + 60, box["y"] + y - 30, steps=4)
    page.mouse.up()
    eventually(lambda: not np.array_equal(_canvas(page), rested))
    page.mouse.dblclick(box["x"] + x + 60, box["y"] + y - 30)
    eventually(lambda: np.array_equal(_canvas(page), rested))


def test_tilt_answers_the_arrow_keys(page: Page) -> None:
    page.get_by_role("button", name="Tilt").click()
    page.wait_for_timeout(300)  # the tilt enlarges the picture a little, and then rests
    rested = _canvas(page)
    page.keyboard.press("ArrowRight")
    eventually(lambda: not np.array_equal(_canvas(page), rested))
    expect(page.locator(STAGE)).to_have_attribute("data-view", "scene")


def test_pictures_that_fail_come_when_they_can(
    new_page: Callable[..., Page], done: str, trouble: Trouble
) -> None:
    page = new_page("/".join(done.split("/")[:3]))
    trouble.expected = ("Failed to load resource",)
    page.route("**/scenehf/asset/**", lambda route: route.abort())
    page.evaluate("address => history.replaceState(null, '', address)", done)
    page.reload()
    expect(page.locator(".shf-percent")).not_to_have_text(
        "100 %"
    )  # the fit: the picture lives without its pixels
    assert page.locator("canvas").get_attribute("data-drawn") is None
    page.unroute("**/scenehf/asset/**")
    page.locator(STAGE).focus()

    def drawn() -> bool:
        page.keyboard.press("0")
        return page.locator("canvas").get_attribute("data-drawn") == "scene"

    eventually(drawn)


def _drawn(page: Page, name: str) -> None:
    expect(page.locator("canvas")).to_have_attribute("data-drawn", name)


def _view(page: Page, name: str) -> None:
    page.locator(f".shf-views [data-view={name}]").click()
    _drawn(page, name)


def _select(page: Page, place: int) -> None:
    page.locator(".shf-card .shf-pick").nth(place).click()


def _asset(store: Store, page: Page, name: str) -> np.ndarray:
    asset = store.asset(job_of(page), name)
    return np.asarray(Image.open(store.files.path(asset.sha256)))


def _canvas(page: Page) -> np.ndarray:
    """What the canvas shows, RGB."""
    address = page.evaluate("document.querySelector('.shf-stage canvas').toDataURL('image/png')")
    data = base64.b64decode(address.split(",", 1)[1])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def _place(wide: float, high: float, x: float, y: float) -> tuple[float, float]:
    """Where a point of the photo (0..1) lies on a canvas that shows all of it."""
    scale = min(wide / WIDTH, high / HEIGHT)
    left, top = _whole(wide / 2 - WIDTH * scale / 2), _whole(high / 2 - HEIGHT * scale / 2)
    return left + x * WIDTH * scale, top + y * HEIGHT * scale


def _pixel(shown: np.ndarray, x: float, y: float) -> np.ndarray:
    """The colour at a point of the photo (0..1) while the whole photo fits."""
    left, top = _place(shown.shape[1], shown.shape[0], x, y)
    return shown[int(top), int(left)]


def _whole(value: float) -> int:
    """Rounded as the page does, halves up."""
    return math.floor(value + 0.5)
