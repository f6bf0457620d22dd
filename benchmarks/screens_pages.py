"""What the rows of `benchmarks.screens` share: the browser, jobs to look at, and how a figure is printed."""

import io
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect

from jobs.job import Job
from jobs.store import Store
from scenehf.layers.plan import ExtractStep, arrange
from scenehf.workflows import actions
from scenehf.workflows.extract import Params

Box = tuple[float, float, float, float]
VIEWPORT = {"width": 1280, "height": 900}
ONE: tuple[Box, ...] = ((0.1, 0.15, 0.55, 0.9),)

# Times between two frames, in ms, from now on.
START_FRAMES = """() => {
  const bench = (window.bench = { frames: [] });
  let before = performance.now();
  const step = (now) => {
    bench.frames.push(now - before);
    before = now;
    bench.next = requestAnimationFrame(step);
  };
  bench.next = requestAnimationFrame(step);
}"""
TAKE_FRAMES = "() => { cancelAnimationFrame(bench.next); return bench.frames.slice(2); }"


class Desk:
    """One app that is looked at. trouble: errors on its pages, and requests that left its machine."""

    def __init__(self, browser: Browser, address: str, store: Store) -> None:
        self.browser = browser
        self.address = address
        self.store = store
        self.trouble: list[str] = []
        self.requests = 0

    def context(self) -> BrowserContext:
        """A fresh browser profile whose pages are watched for trouble."""
        context = self.browser.new_context(viewport=VIEWPORT)  # type: ignore[arg-type]
        context.set_default_timeout(60_000)
        context.on("weberror", lambda error: self.trouble.append(f"error: {error.error}"))
        context.on("console", lambda line: self._said(line.type, line.text))
        context.on("request", lambda asked: self._asked(asked.url))
        return context

    def page(self, job: Job | None = None, context: BrowserContext | None = None) -> Page:
        """A page that shows the job, or the empty start."""
        page = (context or self.context()).new_page()
        page.goto(f"{self.address}/?job={job.id}" if job else self.address)
        if job:
            page.locator(".shf-card").first.wait_for()
        return page

    def job(self, photo: bytes, boxes: Sequence[Box], title: str = "benchmark.png") -> Job:
        """A job with a confirmed plan, so that it runs at once."""
        steps = [ExtractStep(id=f"s{n}", name=f"Layer {n}", z=1, box=box) for n, box in enumerate(boxes, 1)]
        params = Params(plan=arrange("", list(steps)), headless=True, confirmed=True)
        return actions.create(self.store, photo, title, params=params)

    def settled(self, job: Job, state: str = "succeeded", seconds: float = 300) -> None:
        """Wait until the job has come to this state."""
        until = time.monotonic() + seconds
        while (now := self.store.job(job.id).state) != state:
            if time.monotonic() > until or now == "failed":
                raise RuntimeError(f"the job is {now}: {self.store.job(job.id).error}")
            time.sleep(0.05)

    def cancel(self, *jobs: Job) -> None:
        """End jobs that would never end."""
        for job in jobs:
            self.store.request_cancel(job.id)
        for job in jobs:
            self.settled(job, "cancelled", 60)

    def _said(self, kind: str, text: str) -> None:
        if kind == "error":
            self.trouble.append(f"console: {text}")

    def _asked(self, url: str) -> None:
        self.requests += 1
        if not url.startswith((self.address, "data:", "blob:", "about:")):
            self.trouble.append(f"foreign: {url}")


def photo(kind: int, width: int = 768, height: int = 512) -> bytes:
    """A PNG with some texture; the stand-in units read `kind` from its first pixel."""
    rng = np.random.default_rng(1)
    x, y = np.linspace(0, 9, width)[None], np.linspace(0, 7, height)[:, None]
    waves = [120 + 70 * np.sin(x + n) + 30 * np.cos(y * (2 + n) + x) for n in range(3)]
    # Noise in tiles: every pixel differs from its neighbours, and the file is still made quickly.
    noise = np.tile(rng.integers(-12, 13, (64, 64, 3)), (math.ceil(height / 64), math.ceil(width / 64), 1))
    pixels = np.clip(np.stack(waves, axis=-1) + noise[:height, :width], 0, 255).astype(np.uint8)
    pixels[0, 0, 0] = kind
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def wait_for(page: Page, state: str) -> None:
    """Until the job's badge says so."""
    expect(page.locator(".shf-title .shf-badge")).to_have_text(state, timeout=60_000)


def drawn(page: Page, view: str) -> None:
    """Go to a view of the picture and wait until it is drawn."""
    page.locator(f".shf-views [data-view={view}]").click()
    expect(page.locator(".shf-stage canvas")).to_have_attribute("data-drawn", view, timeout=60_000)


def eventually(page: Page, holds: Callable[[], object], seconds: float = 60) -> None:
    """Wait until it holds, while the page's events are heard."""
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            raise RuntimeError("waited in vain")
        page.wait_for_timeout(30)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


@dataclass
class Table:
    """Prints rows as they come. missed: names of those that missed their bar."""

    missed: list[str] = field(default_factory=list)

    def row(
        self,
        name: str,
        value: float,
        unit: str = "",
        bar: float | None = None,
        *,
        least: bool = False,
        more: str = "",
    ) -> None:
        """bar: below it is a pass; least: it and everything above it is. None: no bar."""
        grade = ""
        if bar is not None:
            met = value >= bar if least else value < bar or value == bar == 0
            grade = f"{'>=' if least else '<' if bar else '='} {bar:g}: {'pass' if met else 'MISSED'}"
            if not met:
                self.missed.append(name)
        print(f"{name:42s} {value:8.4g} {unit:5s} {grade:16s} {more}", flush=True)

    def frames(self, name: str, intervals: Sequence[float], more: str = "") -> None:
        """A row for frames per second, from the times between them in ms."""
        p50, p95 = percentile(intervals, 0.5), percentile(intervals, 0.95)
        said = f"p95 {p95:.1f} ms, worst {max(intervals):.0f} ms, {len(intervals)} frames. {more}"
        # A display of 60 Hz makes 16.67 ms; clocks of browsers round.
        self.row(name, round(1000 / p50, 1), "fps", 59.5, least=True, more=said)
