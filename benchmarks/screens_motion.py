"""Rows of `benchmarks.screens` about movement: the brush, the picture under wheel and hand, and the list of jobs."""

import math
import secrets
import time
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import FloatRect, Page

from benchmarks.screens_pages import (
    ONE,
    START_FRAMES,
    TAKE_FRAMES,
    Desk,
    Table,
    drawn,
    percentile,
    photo,
    wait_for,
)
from benchmarks.screens_units import QUICK, WHOLE
from jobs.database import dumps
from jobs.queue import fold
from jobs.store import Store
from scenehf.workflows.extract import KIND

BEAT = 8  # ms between two movements of the pointer: faster than frames, as a good mouse is
NOTCH = 60  # px of a wheel per beat
WHOLE_CANVAS = ((0.0, 0.0, 1.0, 1.0),) * 4
LARGE = (4000, 3000)
PERCENT = ".shf-percent"
JOBS = 10_000
THUMBS = 60  # different pictures among the jobs

# Whether every block of `side` px of the middle of the canvas has one colour, and neighbours differ.
SQUARES = """(side) => {
  const canvas = document.querySelector(".shf-stage canvas");
  const wide = 12 * side;
  const [left, top] = [Math.round(canvas.width / 2 - wide / 2), Math.round(canvas.height / 2 - wide / 2)];
  const { data } = canvas.getContext("2d").getImageData(left, top, wide, wide);
  const colour = (x, y) => data.slice(4 * (y * wide + x), 4 * (y * wide + x) + 3).join();
  const changes = new Set();
  for (let x = 1; x < wide; x += 1) {
    for (let y = 0; y < wide; y += 1) if (colour(x, y) !== colour(x - 1, y)) changes.add(x % side);
  }
  return changes.size === 1;
}"""

COUNT_ROWS = """() => {
  bench.rows = 0;
  const count = () => {
    bench.rows = Math.max(bench.rows, document.querySelectorAll(".shf-row").length);
    bench.counting = requestAnimationFrame(count);
  };
  count();
}"""


def brush(desk: Desk, table: Table, quick: bool) -> None:
    """Strokes along a curve over a layer of a 2400 x 1600 photo."""
    job = desk.job(photo(QUICK, 2400, 1600), ONE)
    desk.settled(job)
    page = desk.page(job)
    wait_for(page, "Done")
    page.locator(".shf-card").first.locator(".shf-pick").click()
    page.locator(".shf-card.is-selected .shf-refine").click()
    page.locator(".shf-tray .shf-primary").wait_for()
    page.wait_for_timeout(1500)  # the layer's mask is fetched and laid over the photo
    stage = _stage(page)
    frames = []
    for stroke in range(1 if quick else 2):
        page.mouse.move(*_curve(stage, stroke, 0))
        page.mouse.down()
        page.evaluate(START_FRAMES)
        for share in _beats(page, 2):
            page.mouse.move(*_curve(stage, stroke, share))
        frames += page.evaluate(TAKE_FRAMES)
        page.mouse.up()
    table.frames("brush on 2400 x 1600", frames)
    page.context.close()


def scene(desk: Desk, table: Table, quick: bool) -> None:
    """A scene of four layers and a plate of 12 megapixels each: wheel from the fit to 32 times and back, and drags."""
    job = desk.job(photo(WHOLE, *LARGE), WHOLE_CANVAS)
    desk.settled(job)
    page = desk.page(job)
    wait_for(page, "Done")
    drawn(page, "scene")
    stage = _stage(page)
    page.mouse.move(stage["x"] + stage["width"] * 0.45, stage["y"] + stage["height"] * 0.5)
    cold = _zoomed(page)
    page.wait_for_timeout(8000)  # all pixels of all layers arrive
    warm = _zoomed(page)
    for percent in ("400 %", "100 %", "50 %") if quick else ("1600 %", "400 %", "150 %", "100 %", "50 %"):
        _zoom_to(page, percent)
        warm += _panned(page, stage)
    first = f"while its pixels arrive: p50 {percentile(cold, 0.5):.1f} ms, worst {max(cold):.0f} ms"
    table.frames("scene of 5 x 12 MP: zoom and pan", warm, first)
    _zoom_to(page, "800 %")
    page.wait_for_timeout(500)
    shown = bool(page.evaluate(SQUARES, 8))
    table.row("single pixels at 800 %", float(shown), "", 1, least=True)
    page.context.close()


def _stage(page: Page) -> FloatRect:
    box = page.locator(".shf-stage").bounding_box()
    assert box is not None
    return box


def _beats(page: Page, seconds: float) -> Iterator[float]:
    """0..1 over that time, as often as the page takes it."""
    began = time.perf_counter()
    while (share := (time.perf_counter() - began) / seconds) < 1:
        yield share
        page.wait_for_timeout(BEAT)


def _curve(stage: FloatRect, stroke: int, share: float) -> tuple[float, float]:
    """A loop over the middle of the stage."""
    turn = 2 * math.pi * share
    x, y = 0.5 + 0.25 * math.sin(turn + stroke), 0.5 + 0.25 * math.sin(2 * turn)
    return stage["x"] + x * stage["width"], stage["y"] + y * stage["height"]


def _zoomed(page: Page) -> list[float]:
    """Times between frames from the fit to the closest look and back."""
    page.get_by_role("button", name="Fit the picture").click()
    stage = _stage(page)
    page.mouse.move(stage["x"] + stage["width"] * 0.45, stage["y"] + stage["height"] * 0.5)
    page.wait_for_timeout(300)
    page.evaluate(START_FRAMES)
    for sign, end in ((-1, "3200 %"), (1, None)):
        for _ in range(300):
            page.mouse.wheel(0, sign * NOTCH)
            page.wait_for_timeout(BEAT)
            if page.locator(PERCENT).text_content() == end or (end is None and _fits(page)):
                break
    return list(page.evaluate(TAKE_FRAMES))


def _fits(page: Page) -> bool:
    return page.get_by_role("button", name="Fit the picture").get_attribute("aria-pressed") == "true"


def _zoom_to(page: Page, percent: str) -> None:
    """By the buttons, which stop at round figures."""
    wanted = float(percent.split()[0])
    for _ in range(40):
        now = page.locator(PERCENT).text_content() or ""
        if now == percent:
            return
        sign = "in" if float(now.split()[0]) < wanted else "out"
        page.get_by_role("button", name=f"Zoom {sign}").click()
        page.wait_for_timeout(30)
    raise RuntimeError(f"the zoom does not come to {percent}")


def _panned(page: Page, stage: FloatRect) -> list[float]:
    """Times between frames of one drag of the whole picture."""
    page.mouse.move(*_curve(stage, 0, 0))
    page.wait_for_timeout(300)
    page.mouse.down(button="middle")
    page.evaluate(START_FRAMES)
    for share in _beats(page, 1):
        page.mouse.move(*_curve(stage, 0, share))
    frames = list(page.evaluate(TAKE_FRAMES))
    page.mouse.up(button="middle")
    return frames


def history(desk: Desk, table: Table, quick: bool) -> None:
    """The list of all jobs, scrolled by the wheel, and its far end."""
    fill(desk.store, JOBS)
    page = desk.page()
    page.locator(".shf-drop").wait_for()
    page.wait_for_timeout(1000)
    found = history_rows(page, desk.store, 3 if quick else 8)
    more = f"to the last row {found['jump']:.2f} s"
    table.row(f"History of {found['jobs']} jobs: first rows", found["first"], "s", more=more)
    frames = found["frames"]
    more = (
        f"p50 {percentile(frames, 0.5):.1f} ms, worst {max(frames):.0f} ms, {found['scrolled']} rows passed"
    )
    table.row("History: p95 frame while scrolling", percentile(frames, 0.95), "ms", 34, more=more)
    table.row("History: rows in the page at most", found["rows"], "", 201)
    page.context.close()


def history_rows(page: Page, store: Store, seconds: float) -> dict[str, Any]:
    """Open the tab, scroll by wheel for some seconds, go to the end. first, jump: seconds. frames: ms between two."""
    began = time.perf_counter()
    page.get_by_role("tab", name="History").click()
    page.locator(".shf-row").first.wait_for()
    first = time.perf_counter() - began
    page.wait_for_timeout(500)
    page.locator(".shf-jobs").hover()
    page.evaluate(START_FRAMES)
    page.evaluate(COUNT_ROWS)
    for _ in _beats(page, seconds):
        page.mouse.wheel(0, 2 * NOTCH)
    frames = page.evaluate(TAKE_FRAMES)
    rows = page.evaluate("cancelAnimationFrame(bench.counting), bench.rows")
    scrolled = page.evaluate(
        "(list) => Math.round(list.scrollTop / list.querySelector('.shf-row').offsetHeight)",
        page.locator(".shf-jobs").element_handle(),
    )
    total = store.count_jobs()
    began = time.perf_counter()
    page.evaluate("const list = document.querySelector('.shf-jobs'); list.scrollTop = list.scrollHeight")
    page.locator(f".shf-row[aria-rowindex='{total}']").wait_for()
    jump = time.perf_counter() - began
    return {"jobs": total, "first": first, "jump": jump, "frames": frames, "rows": rows, "scrolled": scrolled}


def fill(store: Store, count: int) -> None:
    """So many jobs of all ages and states with pictures, past the queue: as if they had run."""
    now = time.time()
    states = ("succeeded", "needs_review", "succeeded", "failed", "succeeded", "cancelled")
    thumbs = [store.files.put(photo(number, 360, 270)) for number in range(THUMBS)]
    params = dumps({"name": "x", "plan": None})
    with store.tx() as db:
        for number in range(count):
            made = now - 600.0 * (count - number)
            job = f"{int(1000 * made):012x}{secrets.token_hex(8)}"
            title = f"harbour {number:05d}.jpg"
            state = states[number % len(states)]
            db.execute(
                "INSERT INTO job(id,kind,state,title,search,params,created,updated) VALUES(?,?,?,?,?,?,?,?)",
                (job, KIND, state, title, fold(title), params, made, made + 60),
            )
            sha, size = thumbs[number % THUMBS]
            db.execute("INSERT INTO asset VALUES(?,?,?,?,?)", (job, "thumb.png", sha, size, "image/png"))
            for step in range(5):
                times = (made + 10 * step, made + 10 * step + 8.5)
                db.execute(
                    "INSERT INTO step VALUES(?,?,1,?,?,?,1,'{}','k','{}',NULL,?,?)",
                    (job, f"s{step}", step, f"s{step}", "done", *times),
                )
