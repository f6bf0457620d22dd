"""A real browser over exported sites, opened from a disk or from a server of this machine."""

import functools
import http.server
import io
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page

from tests.scenehf.gaze import sites

SQUARE = {"width": 800, "height": 800}  # so that the pointer reaches all four corners of a grid
PORTRAIT = "gaze-portrait"
STARTED = "[...document.querySelectorAll('gaze-portrait')].every((one) => one.canvas && !one.canvas.hidden)"


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None: ...


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With two sites: `sheets` and `cells`."""
    folder = tmp_path_factory.mktemp("gaze sites")  # people's folders have spaces
    sites.make(folder / "sheets", *sites.SHEETS)
    sites.make(folder / "cells", *sites.CELLS)
    return folder


@pytest.fixture(scope="package")
def served(folder: Path) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Silent, directory=str(folder))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(params=["disk", "server"])
def origin(request: pytest.FixtureRequest, folder: Path, served: str) -> str:
    """Where the sites are."""
    return folder.as_uri() if request.param == "disk" else served


@pytest.fixture
def trouble() -> list[str]:
    """Errors and foreign requests of the test's pages; the test that brings some about empties it."""
    return []


@pytest.fixture
def visit(browser: Browser, trouble: list[str]) -> Iterator[Callable[..., Page]]:
    """Opens pages, each in a profile of its own."""
    contexts: list[BrowserContext] = []

    def open_page(address: str, starts: bool = True, before: str = "", **options: object) -> Page:
        context = browser.new_context(**{"viewport": SQUARE, "reduced_motion": "reduce", **options})
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(before)
        page.on("pageerror", lambda error: trouble.append(f"error: {error}"))
        page.on("console", lambda line: trouble.append(line.text) if line.type == "error" else None)
        allowed = ("data:", "blob:", address.rsplit("/", 2)[0])
        page.on(
            "request", lambda r: None if r.url.startswith(allowed) else trouble.append(f"foreign: {r.url}")
        )
        page.goto(address)
        if starts:
            page.wait_for_function(STARTED)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert trouble == []


def portrait(page: Page, number: int = 0) -> Locator:
    return page.locator(PORTRAIT).nth(number)


def shown(page: Page, side: int, number: int = 0) -> tuple[int, int]:
    """The cell that is on the screen, read from its pixels."""
    box = portrait(page, number).bounding_box()
    assert box
    clip = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2, "width": 2, "height": 2}
    picture = Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")  # type: ignore[arg-type]
    return sites.cell_of(picture.getpixel((0, 0)), side)  # type: ignore[arg-type]


def shows(page: Page, side: int, cell: tuple[int, int], number: int = 0) -> None:
    """Wait until it shows this cell and rests there."""
    until = time.monotonic() + 10
    while (seen := shown(page, side, number)) != cell:
        assert time.monotonic() < until, f"shows {seen}, not {cell}"
        time.sleep(0.05)
    assert shown(page, side, number) == cell


def gaze(page: Page, number: int = 0) -> tuple[float, float]:
    x, y = portrait(page, number).evaluate("(one) => [one.gaze.x, one.gaze.y]")
    return x, y
