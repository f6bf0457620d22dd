"""A real server over a real store, runner and worker process; only the heavy units are stand-ins. A real browser."""

import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect

from jobs.host import Host
from jobs.runner import Runner
from jobs.store import Store
from scenehf.settings import load
from scenehf.worker import WORKFLOWS

expect.set_options(timeout=30_000)  # ms: two busy cores are slow

UNITS = "tests.scenehf.ui.units:units"
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
QUICK, ENDLESS, SLOW = 5, 210, 255  # red of the top left pixel, see units.py


def photo(pace: int, size: tuple[int, int] = (256, 192)) -> bytes:
    """A PNG that the stand-in units treat at this pace."""
    picture = np.random.default_rng(1).integers(40, 160, (size[1], size[0], 3), np.uint8)
    picture[0, 0] = pace
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="package")
def photos(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Files of a quick and of a slow photo, and of one that is done only when it is cancelled."""
    folder = tmp_path_factory.mktemp("photos")
    files = {QUICK: folder / "quick.png", SLOW: folder / "slow.png", ENDLESS: folder / "endless.png"}
    for pace, file in files.items():
        file.write_bytes(photo(pace))
    return files


@pytest.fixture(autouse=True)
def same_environment() -> Iterator[None]:
    """A server of this process takes its folders from the environment: what a test sets there goes with it."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Store]]:
    """(address, store) of one server for all tests of the screens."""
    with serving(tmp_path_factory.mktemp("screens"), UNITS) as address_and_store:
        yield address_and_store


@contextmanager
def serving(data: Path, units: str) -> Iterator[tuple[str, Store]]:
    """(address, store) of a server over this data folder, whose worker process has these units."""
    before = dict(os.environ)
    settings = load(data=data)
    os.environ["SCENEHF_HOME"] = str(data)  # for the worker process
    from scenehf.ui.build import Screens

    store, host = Store(settings.store), Host(units)
    runner = Runner(store, WORKFLOWS, host)
    runner.start()
    screens = Screens(store, settings.uploads)
    yield screens.serve(None).url.rstrip("/"), store
    screens.close()
    runner.stop()
    host.close()
    store.close()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def url(served: tuple[str, Store]) -> str:
    return served[0]


@pytest.fixture
def store(served: tuple[str, Store]) -> Store:
    return served[1]


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Store]:
    """A store of its own: these tests count rows."""
    with Store(tmp_path / "store", free_min=0, ballast=0) as store:
        yield store


@pytest.fixture
def at(shelf: Store, tmp_path: Path) -> Iterator[str]:
    """Where its screens are; nobody runs its jobs."""
    from scenehf.ui.build import Screens

    screens = Screens(shelf, tmp_path / "uploads")
    yield screens.serve(None).url.rstrip("/")
    screens.close()


@pytest.fixture
def at_public(shelf: Store, tmp_path: Path) -> Iterator[str]:
    """The same, open to strangers."""
    from scenehf.ui.build import Screens

    screens = Screens(shelf, tmp_path / "public-uploads", public=True)
    yield screens.serve(None).url.rstrip("/")
    screens.close()


class Trouble(list[str]):
    """What went wrong on the pages of a test. expected: words of what the test brought about itself."""

    expected: tuple[str, ...] = ()

    def unexpected(self) -> list[str]:
        return [line for line in self if not any(word in line for word in self.expected)]


@pytest.fixture
def trouble() -> Trouble:
    return Trouble()


@pytest.fixture
def new_page(browser: Browser, trouble: Trouble) -> Iterator[Callable[..., Page]]:
    """Opens pages, each in a browser profile of its own, and fails the test on any error or foreign request."""
    contexts: list[BrowserContext] = []

    def open_page(address: str, viewport: dict[str, int] = DESKTOP, **options: object) -> Page:
        context = browser.new_context(viewport=viewport, reduced_motion="reduce", **options)
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: trouble.append(f"error: {error}"))
        page.on(
            "console", lambda line: trouble.append(f"console: {line.text}") if line.type == "error" else None
        )
        origin = "/".join(address.split("/")[:3])
        page.on(
            "request",
            lambda asked: trouble.append(f"foreign: {asked.url}") if _foreign(asked.url, origin) else None,
        )
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert trouble.unexpected() == []


def _foreign(address: str, origin: str) -> bool:
    return not address.startswith((origin, "data:", "blob:", "about:"))


def eventually(holds: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until it holds."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.03)
