"""The exported portrait in a real browser, by what is on the screen."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from benchmarks.silence import SILENT
from scenehf.gaze import site, sprites, webp
from tests.conftest import ROOT
from tests.scenehf.gaze import sites
from tests.scenehf.gaze.conftest import SQUARE, gaze, portrait, shown, shows
from tests.scenehf.gaze.sites import CELLS, SHEETS

Visit = Callable[..., Page]
SIDES = {"sheets": SHEETS[0], "cells": CELLS[0]}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
MOST_PIXELS = 128 * 512 * 512
COUNT = """() => {
  window.moves = 0;
  document.querySelector("gaze-portrait").addEventListener("gaze", () => { moves += 1; });
}"""
TILT = "([beta, gamma]) => dispatchEvent(new DeviceOrientationEvent('deviceorientation', { beta, gamma }))"
DECODED = "customElements.get('gaze-portrait').decoded"


@pytest.mark.parametrize("kind", SIDES)
def test_it_looks_into_every_corner(visit: Visit, origin: str, kind: str):
    side = SIDES[kind]
    page = visit(f"{origin}/{kind}/index.html")
    assert portrait(page).evaluate("(one) => one.pictures.constructor.name").lower() == kind
    shows(page, side, (side // 2, side // 2))
    box = portrait(page).bounding_box()
    assert box
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for x, y in [(1, -1), (1, 1), (-1, 1), (-1, -1), (0, 0)]:
        page.mouse.move(*(
            min(SQUARE["width"] - 1, max(0, at + along * 400)) for at, along in zip(middle, (x, y), strict=True)
        ))  # fmt: skip
        shows(page, side, ((y + 1) * (side - 1) // 2, (x + 1) * (side - 1) // 2))


def test_the_wider_side_of_the_window_is_the_measure(visit: Visit, origin: str):
    page = visit(f"{origin}/sheets/index.html", viewport={"width": 1200, "height": 600})
    box = portrait(page).bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2 + 300, box["y"] + box["height"] / 2 - 150)
    page.wait_for_timeout(200)
    assert gaze(page) == pytest.approx((0.5, -0.25), abs=0.01)
    shows(page, SIDES["sheets"], (2, 3))  # the nearest cell: -0.25 is half a step, and halves go down


def test_a_finger_inside_reaches_every_corner_and_scrolls_nothing(visit: Visit, origin: str):
    page = visit(f"{origin}/cells/index.html", **PHONE)
    assert portrait(page).evaluate("(one) => [one.side, one.pictures.constructor.name]") == [
        CELLS[1],
        "Sheets",
    ]
    box = portrait(page).bounding_box()
    assert box
    side = CELLS[1]
    for down, right in [(0, 0), (0, 1), (1, 1), (1, 0)]:
        x = box["x"] + (box["width"] - 8) * right + 4
        y = box["y"] + (box["height"] - 8) * down * 0.85 + 4  # the lower right corner is the button's
        page.touchscreen.tap(x, y)
        shows(page, side, (down * (side - 1), right * (side - 1)))
    page.touchscreen.tap(200, 10)  # outside
    shows(page, side, (side - 1, 0))
    assert page.evaluate("getComputedStyle(document.querySelector('gaze-portrait')).touchAction") == "none"
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_the_arrow_keys_turn_it(visit: Visit, origin: str):
    page, side = visit(f"{origin}/sheets/index.html"), SIDES["sheets"]
    page.keyboard.press("Tab")
    canvas = portrait(page).locator("canvas")
    assert canvas.evaluate("(canvas) => canvas.matches(':focus-visible')")
    assert canvas.get_attribute("role") == "img" and "arrow keys" in (
        canvas.get_attribute("aria-label") or ""
    )
    for _ in range(11):
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowUp")
    shows(page, side, (0, side - 1))
    page.keyboard.press("Home")
    shows(page, side, (side // 2, side // 2))


def test_it_moves_smoothly_and_its_eyes_are_never_quite_still(visit: Visit, origin: str):
    page = visit(f"{origin}/sheets/index.html", reduced_motion="no-preference")
    page.evaluate(COUNT)
    page.mouse.move(799, 400)
    page.wait_for_function("moves > 10")  # not one jump
    page.wait_for_timeout(1500)
    rested = page.evaluate("moves")
    assert gaze(page)[0] == pytest.approx(1, abs=0.01)
    page.wait_for_function(f"moves > {rested}", timeout=8000)
    assert abs(gaze(page)[0] - 1) < 0.13  # a glance


SKIN, EYE = (200, 60, 60), (60, 60, 200)
LIDS = {"upper": [[x / 10, 0.4] for x in range(2, 9)], "lower": [[x / 10, 0.6] for x in range(2, 9)]}
# What is seen in the middle of the eye, frame by frame: red is skin.
WATCH = """() => {
  const { painter, canvas } = document.querySelector("gaze-portrait");
  const paint = painter.paint.bind(painter);
  window.reds = [];
  painter.paint = (...given) => {
    paint(...given);
    reds.push(canvas.getContext("2d").getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data[0]);
  };
}"""


@pytest.fixture
def eyed(folder: Path) -> None:
    """A site `eyed`, whose cells are one open eye with skin above."""
    cells = sites.atlas(5, (64, 64))
    for cell in cells.values():
        cell[:26], cell[26:] = SKIN, EYE
    about = sites.about(5, 4, (64, 64)) | {"eyes": [LIDS | {"right": [0, 0], "down": [0, 0], "brow": 0.1}]}
    sheets = dict(sprites.encoded(cells, 4, SILENT))
    site.write_site(folder / "eyed", sheets, about, None, webp.encode(cells[2, 2]))


@pytest.mark.usefixtures("eyed")
def test_a_blink_draws_the_lids_down_and_up_again(visit: Visit, served: str):
    page = visit(f"{served}/eyed/index.html")
    page.evaluate(WATCH)
    portrait(page).evaluate("(one) => one.blink()")
    page.wait_for_function("reds.some((red) => red > 150) && reds.at(-1) < 100")


@pytest.mark.usefixtures("eyed")
def test_it_blinks_by_itself_unless_motion_is_reduced(visit: Visit, served: str):
    often = "Math.random = () => 0.1"
    lively = visit(f"{served}/eyed/index.html", before=often, reduced_motion="no-preference")
    calm = visit(f"{served}/eyed/index.html", before=often)
    for page in (lively, calm):
        page.evaluate(WATCH)
    lively.wait_for_function("reds.some((red) => red > 150)")
    assert not calm.evaluate("reds.some((red) => red > 150)")


@pytest.mark.pixi
@pytest.mark.usefixtures("eyed")
def test_pixi_draws_the_same(visit: Visit, served: str, folder: Path):
    """Wants PixiJS 8 as .venv/.cache/pixi.min.js (`npm pack pixi.js`, then dist/pixi.min.js)."""
    shutil.copy(ROOT / ".venv/.cache/pixi.min.js", folder / "cells" / "pixi.min.js")
    page = visit(f"{served}/cells/index.html", starts=False)
    page.evaluate("""() => new Promise((resolve) => {
      document.querySelector("gaze-portrait").remove();
      const script = Object.assign(document.createElement("script"), { src: "pixi.min.js", onload: resolve });
      document.head.append(script);
    })""")
    page.evaluate(
        "document.querySelector('main').innerHTML = '<gaze-portrait src=\".\" renderer=\"pixi\"></gaze-portrait>'"
    )
    page.wait_for_function("document.querySelector('gaze-portrait').painter?.app")
    for x, y in ((-1, -1), (1, -1), (0, 0), (1, 1)):
        portrait(page).evaluate(f"(one) => {{ one.gaze = {{ x: {x}, y: {y} }}; }}")
        shows(page, 9, (round(4 + 4 * y), round(4 + 4 * x)))


def test_reduced_motion_means_no_glances_and_no_easing(visit: Visit, origin: str):
    page = visit(f"{origin}/sheets/index.html")
    page.evaluate(COUNT)
    page.mouse.move(799, 400)
    page.wait_for_function("moves > 0")
    page.wait_for_timeout(6000)
    assert page.evaluate("moves") == 1


def test_it_follows_the_size_it_is_given(visit: Visit, origin: str):
    page, side = visit(f"{origin}/cells/index.html"), SIDES["cells"]
    width = "document.querySelector('gaze-portrait').canvas.width"
    assert page.evaluate(width) == 512
    page.set_viewport_size({"width": 320, "height": 600})
    page.wait_for_function(f"{width} === 288")
    page.mouse.move(0, 0)
    page.mouse.move(319, 300)
    page.wait_for_timeout(300)
    assert shown(page, side)[1] > side // 2
    assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_two_on_one_page_and_one_that_leaves(visit: Visit, origin: str, folder: Path):
    (folder / "two.html").write_text(
        '<!doctype html><link rel="icon" href="data:,"><body style="margin:0;display:flex">'
        '<script src="sheets/gaze-portrait.js"></script>'
        '<gaze-portrait src="sheets" style="width:300px" label="First"></gaze-portrait>'
        '<gaze-portrait src="cells/" style="width:300px;margin-left:200px"></gaze-portrait>'
    )
    page = visit(f"{origin}/two.html")
    page.mouse.move(400, 150)
    page.wait_for_timeout(300)
    assert gaze(page, 0)[0] > 0.5 and gaze(page, 1)[0] < -0.5
    assert shown(page, SIDES["sheets"], 0)[1] > 2 and shown(page, SIDES["cells"], 1)[1] < 3
    assert portrait(page, 0).locator("canvas").get_attribute("aria-label") == "First"
    page.evaluate("gone = document.querySelectorAll('gaze-portrait')[1]; gone.remove(); was = gone.gaze.x")
    page.mouse.move(799, 799)
    page.wait_for_timeout(300)
    assert page.evaluate("gone.gaze.x === was")
    page.evaluate("document.body.append(gone)")
    page.mouse.move(10, 400)
    page.wait_for_timeout(500)
    assert page.evaluate("gone.gaze.x < was")
    page.evaluate("document.body.replaceChildren()")
    assert page.evaluate(DECODED) == {"cells": 0, "pixels": 0}


def test_no_more_cells_stay_decoded_than_allowed(visit: Visit, origin: str):
    page = visit(f"{origin}/cells/index.html")
    for row in range(SIDES["cells"]):
        for column in range(SIDES["cells"]):
            page.mouse.move(799 * column / 8, 799 * row / 8)
            page.wait_for_timeout(20)
            assert page.evaluate(DECODED)["pixels"] <= MOST_PIXELS
    assert page.evaluate(DECODED)["cells"] == MOST_PIXELS // (832 * 832)


def test_a_page_can_steer_it_and_listen(visit: Visit, origin: str):
    page = visit(f"{origin}/sheets/index.html")
    page.evaluate("""() => {
      const one = document.querySelector("gaze-portrait");
      one.addEventListener("gaze", (event) => { window.told = event.detail; });
      one.gaze = { x: -5, y: 1 };
    }""")
    shows(page, SIDES["sheets"], (4, 0))
    assert page.evaluate("told") == {"x": -1, "y": 1}
    page.evaluate("document.querySelector('gaze-portrait').setAttribute('src', '../cells')")
    page.wait_for_function("document.querySelector('gaze-portrait').side === 9")
    shows(page, SIDES["cells"], (8, 0))


def test_a_phone_that_tilts_away_is_still_looked_at_from(visit: Visit, origin: str):
    asks_nobody = (
        "DeviceOrientationEvent.requestPermission = undefined"  # as Android's Chrome, and not each Chromium
    )
    page, side = visit(f"{origin}/cells/index.html", before=asks_nobody, **PHONE), CELLS[1]
    button = page.get_by_role("button", name="Tilt")
    page.evaluate(TILT, [45, 10])
    assert gaze(page) == (0, 0)
    button.tap()
    expect(button).to_have_attribute("aria-pressed", "true")  # the click comes some time after the tap
    page.evaluate(TILT, [45, 10])  # how it is held now is straight ahead
    page.wait_for_timeout(100)
    assert gaze(page) == pytest.approx((0, 0))
    page.evaluate(TILT, [20, 35])
    shows(page, side, (side - 1, 0))
    button.tap()
    expect(button).to_have_attribute("aria-pressed", "false")
    page.evaluate(TILT, [45, 10])
    page.wait_for_timeout(100)
    shows(page, side, (side - 1, 0))


@pytest.mark.parametrize("answer", ["granted", "denied"])
def test_iphones_ask_first(visit: Visit, origin: str, answer: str):
    asks = f"DeviceOrientationEvent.requestPermission = async () => '{answer}'"
    page = visit(f"{origin}/cells/index.html", before=asks, **PHONE)
    button = page.get_by_role("button", name="Tilt")
    page.evaluate("""() => { asked = 0; const ask = DeviceOrientationEvent.requestPermission;
      DeviceOrientationEvent.requestPermission = async () => { asked += 1; return ask(); }; }""")
    button.tap()
    page.wait_for_function("asked === 1")
    expect(button).to_have_attribute("aria-pressed", str(answer == "granted").lower())


def test_no_button_where_nothing_tilts(visit: Visit, origin: str):
    page = visit(f"{origin}/sheets/index.html")
    assert page.get_by_role("button", name="Tilt").count() == 0


def test_without_scripts_there_is_a_picture(visit: Visit, origin: str):
    page = visit(f"{origin}/cells/index.html", starts=False, java_script_enabled=False)
    assert shown(page, SIDES["cells"]) == (4, 4)


def test_without_its_cells_it_uses_the_sheets_of_phones(
    visit: Visit, origin: str, folder: Path, trouble: list[str]
):
    shutil.copytree(folder / "cells", folder / "fewer", dirs_exist_ok=True)
    (folder / "fewer/cells.js").unlink(missing_ok=True)
    page = visit(f"{origin}/fewer/index.html")
    page.mouse.move(799, 799)
    page.wait_for_timeout(300)
    assert shown(page, CELLS[1]) == (3, 3)
    assert (len(trouble) == 1 and "ERR_FILE_NOT_FOUND" in trouble[0]) or "404" in trouble[0]
    trouble.clear()


def test_without_anything_the_picture_stays_and_the_page_is_told(
    visit: Visit, origin: str, folder: Path, trouble: list[str]
):
    (folder / "bare").mkdir(exist_ok=True)
    for name in ("index.html", "gaze-portrait.js", "still.webp"):
        shutil.copy(folder / "cells" / name, folder / "bare" / name)
    told = "addEventListener('error', (event) => { window.told = String(event.detail); }, true)"
    page = visit(f"{origin}/bare/index.html", starts=False, before=told)
    page.wait_for_function("window.told")
    assert shown(page, SIDES["cells"]) == (4, 4)
    assert trouble
    trouble.clear()


def test_a_folder_of_gaze_app_is_shown_as_well(visit: Visit, served: str, folder: Path, trouble: list[str]):
    shutil.copytree(folder / "sheets", folder / "theirs", dirs_exist_ok=True)
    (folder / "theirs/metadata.js").unlink(missing_ok=True)
    page = visit(f"{served}/theirs/index.html")
    shows(page, SIDES["sheets"], (2, 2))
    assert len(trouble) == 1 and "404" in trouble[0]
    trouble.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everyone_can_use_the_page(visit: Visit, origin: str, scheme: str):
    page = visit(f"{origin}/sheets/index.html", color_scheme=scheme)
    page.get_by_text("Embed", exact=True).click()
    found = Axe().run(page)
    assert [broken["id"] for broken in found.response["violations"]] == []
