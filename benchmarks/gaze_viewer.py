"""The exported portrait in a browser: `python -m benchmarks.gaze_viewer [--side 30] [--cell 512]`.

A site of cells that are as rough as photos, opened from the disk in headless Chromium, while the pointer sweeps all
over it. Printed: what a person downloads, how long frames take, how many cells were drawn and stay decoded.
"""

import argparse
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from playwright.sync_api import Page, sync_playwright

from benchmarks.screens_pages import percentile
from benchmarks.silence import SILENT
from scenehf.gaze import grid, site, sprites, webp

SLOWEST = 20.0  # ms, of 95 frames of 100
MOST_PIXELS = 128 * 512 * 512
SECONDS = 8.0
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
GRAIN, COARSE = 6.0, 60.0  # levels of the noise of pixels, and of patches of a 16th of the cell

# The pointer runs along a curve that crosses the whole window about once a second; every frame is timed.
SWEEP = """(seconds) => new Promise((resolve) => {
  const one = document.querySelector("gaze-portrait");
  const times = [];
  const began = performance.now();
  let [last, wanted, cells] = [0, "", 0];
  let drawn = 0;
  const context = one.canvas.getContext("2d");
  const draw = context.drawImage.bind(context);
  context.drawImage = (...all) => { drawn += 1; draw(...all); };
  const frame = (now) => {
    if (last) times.push(now - last);
    last = now;
    const cell = [one.gaze.y, one.gaze.x].map((at) => Math.floor(((at + 1) / 2) * (one.side - 1) + 0.5)).join();
    if (cell !== wanted) cells += 1;
    wanted = cell;
    const passed = (now - began) / 1000;
    if (passed > seconds) return resolve({ times, drawn, cells });
    const [x, y] = [Math.sin(passed * 4.1), Math.sin(passed * 2.9)];
    const at = { clientX: innerWidth / 2 * (1 + x), clientY: innerHeight / 2 * (1 + y), pointerType: "mouse" };
    dispatchEvent(new PointerEvent("pointermove", at));
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})"""


# What the machine gives to a page that draws one pixel per frame.
BARE = """(seconds) => new Promise((resolve) => {
  const times = [];
  const context = document.body.appendChild(document.createElement("canvas")).getContext("2d");
  const began = performance.now();
  let last = 0;
  const frame = (now) => {
    if (last) times.push(now - last);
    last = now;
    context.fillStyle = `rgb(${times.length % 256} 0 0)`;
    context.fillRect(0, 0, 1, 1);
    if (now - began > 1000 * seconds) resolve(times);
    else requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})"""


def rough(side: int, size: int) -> sprites.Atlas:
    """Cells that compress about as photos do, and differ from their neighbours."""
    random = np.random.default_rng(1)
    cells = sprites.Atlas(side, (size, size))
    for row, column in grid.order(side):
        patches = random.normal(128, COARSE, (16, 16, 3)).astype(np.float32)
        picture = cv2.resize(patches, (size, size), interpolation=cv2.INTER_CUBIC)
        grain = cv2.resize(
            random.normal(0, GRAIN, (size // 2, size // 2, 1)).astype(np.float32), (size, size)
        )
        shift = row + column - side
        cells.put((row, column), np.clip(picture + grain[..., None] + shift, 0, 255).astype(np.uint8))
    return cells


def exported(folder: Path, side: int, size: int) -> None:
    """Write the site."""
    cells = rough(side, size)
    mobile = grid.mobile_side(side)
    with ThreadPoolExecutor(sprites.ENCODERS) as pool:
        encoded: dict[tuple[int, int], bytes] = dict(
            zip(cells, pool.map(webp.encode, cells.values()), strict=True)
        )
    about = site.metadata(
        side=side, mobile=mobile, size=(size, size), alpha=False, engine="mesh", ranges={}, calibration={},
        face_box=None,
    )  # fmt: skip
    sheets = dict(sprites.encoded(cells, mobile, SILENT))
    single = encoded.items() if site.needs_cells(side, (size, size)) else None
    site.write_site(folder, sheets, about, single, encoded[side // 2, side // 2])


def payload(folder: Path) -> None:
    """Print what each kind of visitor downloads."""
    page = sum((folder / name).stat().st_size for name in ("index.html", "gaze-portrait.js", "metadata.js"))
    cells = folder / "cells.js"
    sheets, mobile = (
        sum((folder / f"q{number}{kind}.webp").stat().st_size for number in range(4)) for kind in ("", "_20")
    )
    desktop = cells.stat().st_size if cells.exists() else sheets
    print(f"  desktop {(page + desktop) / 1e6:.1f} MB, phones {(page + mobile) / 1e6:.1f} MB")


def swept(page: Page, folder: Path) -> dict[str, Any]:
    """Times of the frames of a sweep; not the first one, in which the browser still compiles."""
    page.goto((folder / "index.html").as_uri())
    page.wait_for_function(
        "(one => one?.canvas && !one.canvas.hidden)(document.querySelector('gaze-portrait'))"
    )
    page.evaluate(SWEEP, 1.0)
    told: dict[str, Any] = page.evaluate(SWEEP, SECONDS)
    told["decoded"] = page.evaluate("customElements.get('gaze-portrait').decoded")
    return told


def main() -> None:
    """Print every row; the exit status is 1 if a bar was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=grid.DESKTOP)
    parser.add_argument("--cell", type=int, default=512, help="px")
    parser.add_argument("--site", type=Path, help="an exported folder to measure in place of rough cells")
    asked = parser.parse_args()
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = asked.site.resolve() if asked.site else Path(scratch)
        if not asked.site:
            exported(folder, asked.side, asked.cell)
        print(folder if asked.site else f"{asked.side} x {asked.side} rough cells of {asked.cell} px")
        payload(folder)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        bare = page.evaluate(BARE, SECONDS)
        told = swept(page, folder)
        browser.close()
    times, decoded = told["times"], told["decoded"]
    slow, bounded = percentile(times, 0.95), decoded["pixels"] <= MOST_PIXELS
    for name, some in (("a bare page", bare), ("the portrait", times)):
        middle, late = percentile(some, 0.5), percentile(some, 0.95)
        print(
            f"  frames of {name}: p50 {middle:.1f}, p95 {late:.1f}, max {max(some):.1f} ms over {len(some)}"
        )
    print(f"  p95 <= {SLOWEST:g} ms: {'pass' if slow <= SLOWEST else 'miss'}")
    print(f"  {told['drawn']} cells drawn of {told['cells']} that were due")
    print(
        f"  decoded: {decoded['cells']} cells, {decoded['pixels'] * 4 / 1e6:.0f} MB: {'pass' if bounded else 'miss'}"
    )
    sys.exit(int(slow > SLOWEST or not bounded))


if __name__ == "__main__":
    main()
