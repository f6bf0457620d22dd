"""The parallax page in a real browser: it asks nobody, breaks nothing, moves, and names are only names."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from scenehf.export import parallax
from scenehf.scene import Layer, Scene
from tests.scenehf.scenes import NAMES, flat_scene, small_scene

SHIFTS = """[...document.querySelectorAll('#stage img')].map((image) => {
  const at = new DOMMatrix(getComputedStyle(image).transform); return [at.e, at.f];
})"""


@pytest.fixture
def trouble() -> list[str]:
    """Requests, errors and dialogs of the page."""
    return []


@pytest.fixture
def page(browser: Browser, trouble: list[str]) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 900, "height": 760}, reduced_motion="reduce")
    page = context.new_page()
    page.on(
        "request",
        lambda request: trouble.append(request.url) if request.url.startswith(("http", "ws")) else None,
    )
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("console", lambda message: trouble.append(message.text))
    page.on("dialog", lambda dialog: (trouble.append(dialog.message), dialog.dismiss()))
    yield page
    context.close()


def show(page: Page, scene: Scene, folder: Path) -> None:
    parallax.write(folder / "parallax.html", scene)
    page.goto((folder / "parallax.html").as_uri())
    until(page, "[...document.images].every((image) => image.complete && image.naturalWidth > 0)")


def until(page: Page, condition: str, seconds: float = 20) -> None:
    """Wait for a JavaScript expression; the page's policy forbids the evaluation that Playwright's own wait needs."""
    for _ in range(round(seconds * 20)):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never true: {condition}")


def settled(page: Page) -> list[list[float]]:
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.evaluate(SHIFTS)


def screenshot(page: Page) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)


def test_layers_move_with_the_mouse_by_their_depth(page: Page, trouble: list[str], tmp_path: Path) -> None:
    show(page, flat_scene(), tmp_path)
    assert settled(page) == [[0, 0]] * 3
    page.mouse.move(880, 740)
    plate, back, front = settled(page)
    assert (
        front[0] < back[0] < plate[0] and front[1] < back[1] < plate[1]
    )  # to the right and down: near ones go left
    assert plate[0] > 3 and front[0] < -10
    page.mouse.move(5, 5)
    plate, back, front = settled(page)
    assert front[0] > back[0] > plate[0]
    assert trouble == []


@pytest.mark.parametrize("corner", [(0, 0), (899, 0), (0, 759), (899, 759)])
def test_no_edge_shows(page: Page, corner: tuple[int, int], tmp_path: Path) -> None:
    plate = np.full((300, 400, 3), (0, 0, 255), np.uint8)
    sheet = np.zeros((300, 400, 4), np.uint8)
    sheet[:, 200:] = (255, 0, 0, 255)  # cut off by three edges of the picture
    show(page, Scene((Layer("a", "a", 1, sheet, 0, 0),), plate, plate), tmp_path)
    page.mouse.move(*corner)
    settled(page)
    box = page.locator("#frame").bounding_box()
    left, top = round(box["x"]), round(box["y"])
    right, bottom = round(box["x"] + box["width"]), round(box["y"] + box["height"])
    seen = screenshot(page)
    for rim in (
        seen[top + 8 : bottom - 8, right - 2],
        seen[top + 1, right - 300 : right - 8],
        seen[bottom - 2, right - 300 : right - 8],
    ):
        assert np.abs(rim - (255, 0, 0)).max() < 12
    assert np.abs(seen[top + 8 : bottom - 8, left + 1] - (0, 0, 255)).max() < 12


def test_arrow_keys_tilt_and_home_levels(page: Page, trouble: list[str], tmp_path: Path) -> None:
    show(page, flat_scene(), tmp_path)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    front = settled(page)[-1]
    assert front[0] < -1 and front[1] < -1
    page.keyboard.press("Home")
    assert settled(page) == [[0, 0]] * 3
    assert trouble == []


def test_calm_is_respected_and_idle_drifts(browser: Browser, page: Page, tmp_path: Path) -> None:
    show(page, flat_scene(), tmp_path)
    page.wait_for_timeout(400)
    assert settled(page) == [[0, 0]] * 3
    lively = browser.new_page(reduced_motion="no-preference")
    show(lively, flat_scene(), tmp_path)
    until(lively, f"Math.abs(({SHIFTS})[2][0]) > 1")
    lively.close()


def test_a_phone_tilts_after_a_tap_where_the_system_asks(browser: Browser, tmp_path: Path) -> None:
    context = browser.new_context(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 800})
    phone = context.new_page()
    phone.add_init_script(
        "DeviceOrientationEvent.requestPermission = async () => { window.asked = true; return 'granted'; };"
    )
    show(phone, flat_scene(), tmp_path)
    phone.get_by_role("button", name="Tilt with your phone").tap()
    until(phone, "window.asked")
    phone.locator("#tilt").wait_for(state="hidden")
    for gamma in (0, 15):
        phone.evaluate(
            f"dispatchEvent(new DeviceOrientationEvent('deviceorientation', {{alpha: 0, beta: 40, gamma: {gamma}}}))"
        )
    until(phone, f"({SHIFTS})[2][0] < -2")
    context.close()


def test_hostile_names_are_inert(page: Page, trouble: list[str], tmp_path: Path) -> None:
    show(page, small_scene(), tmp_path)
    page.wait_for_timeout(200)
    assert trouble == []
    assert page.evaluate("document.images.length") == 4
    assert page.evaluate("[...document.images].map((image) => image.alt)") == ["Plate", *reversed(NAMES)]
    assert page.evaluate("document.scripts.length") == 1


def test_nothing_can_be_smuggled_past_the_policy(page: Page, tmp_path: Path) -> None:
    show(page, small_scene(), tmp_path)
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.owned = true\">')"
    )
    page.wait_for_timeout(200)
    assert page.evaluate("window.owned") is None


def test_the_page_stands_alone_and_stays_small() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (1200, 1600, 4), dtype=np.uint8)
    noise[..., 3] = 255
    layers = tuple(Layer(str(i), str(i), i, noise, 0, 0) for i in range(2))
    page = parallax.html(Scene(layers, noise[..., :3], noise[..., :3]))
    assert len(page) < 8_200_000
    assert not re.search(r"https?://|//[a-z]+\.", re.sub(r"base64,[^\"]+", "", page))


def test_at_rest_the_page_shows_the_scene(page: Page, tmp_path: Path) -> None:
    show(page, flat_scene(), tmp_path)
    box = page.locator("#frame").bounding_box()
    seen = screenshot(page)
    # The middles of the two squares and a spot of the plate, in fractions of the canvas; the frame cuts its rim.
    margin = float(re.search(r"--margin: ([\d.]+)", parallax.html(flat_scene()))[1])
    for x, y, colour in (
        (260 / 400, 0.5, (255, 0, 0)),
        (140 / 400, 0.5, (0, 255, 0)),
        (0.9, 0.9, (0, 0, 255)),
    ):
        across = box["x"] + box["width"] * (x * (1 + 2 * margin) - margin)
        down = box["y"] + box["height"] * (y * (1 + 2 * margin) - margin)
        assert np.abs(seen[round(down), round(across)] - colour).max() < 12
