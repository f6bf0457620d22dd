"""Rows of `benchmarks.screens` about following: how soon the page shows what happened, and what it takes to come up."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, Route

from benchmarks.screens_pages import (
    ONE,
    VIEWPORT,
    Desk,
    Table,
    eventually,
    median,
    percentile,
    photo,
    wait_for,
)
from benchmarks.screens_units import HOLD, QUICK
from jobs.job import Job

CARDS = 48
TABS = 9
STALL = 5.0  # seconds after which a tab counts as one that no longer follows
POLL = "**/gradio_api/component_server**"

# Lateness in ms of every line "mark TIME" that enters the log; `painted`: counted until the frame after it is begun.
WATCH_MARKS = """(painted) => {
  window.late = [];
  const count = (began, name) => window.late.push([name, Date.now() - began]);
  new MutationObserver((changes) => {
    for (const node of changes.flatMap((change) => [...change.addedNodes])) {
      const mark = /mark (\\S+) (\\S+)/.exec(node.textContent);
      if (!mark) continue;
      if (painted) requestAnimationFrame(() => requestAnimationFrame(() => count(mark[2], mark[1])));
      else count(mark[2], mark[1]);
    }
  }).observe(document.querySelector(".shf-lines"), { childList: true });
}"""

# When, after the navigation, the page's own script hears the drop zone, and when HOLDS is first true in a frame.
STAMPS = """(() => {
  window.stamps = {};
  const listen = EventTarget.prototype.addEventListener;
  EventTarget.prototype.addEventListener = function (kind, ...rest) {
    const drops = kind === "change" && this.type === "file" && this.closest(".shf-drop");
    if (drops) window.stamps.script = performance.now();
    return listen.call(this, kind, ...rest);
  };
  const visible = (selector) => {
    const node = document.querySelector(selector);
    return Boolean(node) && node.getClientRects().length > 0;
  };
  const text = (selector) => (document.querySelector(selector) || {}).textContent || "";
  const look = () => {
    if (HOLDS) requestAnimationFrame(() => (window.stamps.shown = performance.now()));
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})();"""

# From a click on Cancel until the frame after the badge has said so.
WATCH_CANCEL = """() => {
  window.took = null;
  let began = 0;
  const button = document.querySelector(".shf-cancel");
  const badge = document.querySelector(".shf-title .shf-badge");
  button.addEventListener("click", () => { began = performance.now(); }, { capture: true, once: true });
  new MutationObserver(() => {
    if (!began || badge.textContent !== "Cancelled") return;
    requestAnimationFrame(() => requestAnimationFrame(() => (window.took ??= performance.now() - began)));
  }).observe(badge, { childList: true, characterData: true, subtree: true });
}"""

# From the arrival of a marked answer until two frames after the last card is there, and until all pictures are.
WATCH_CARDS = """(() => {
  const plain = window.fetch;
  window.fetch = async (...given) => {
    const answer = await plain.apply(window, given);
    const count = Number(answer.headers.get("x-cards"));
    if (count) watch(count, performance.now());
    return answer;
  };
  function watch(count, began) {
    window.cards = {};
    const cards = () => document.querySelectorAll(".shf-steps > .shf-card");
    const look = () => {
      if (cards().length !== count) return;
      watcher.disconnect();
      requestAnimationFrame(() => requestAnimationFrame(() => (window.cards.painted = performance.now() - began)));
      pictures();
    };
    const pictures = () => {
      const all = [...document.querySelectorAll(".shf-steps .shf-thumb img")];
      if (all.every((image) => image.complete && image.naturalWidth)) window.cards.pictures = performance.now() - began;
      else setTimeout(pictures, 10);
    };
    const watcher = new MutationObserver(look);
    watcher.observe(document.querySelector(".shf-steps"), { childList: true });
  }
})();"""


def _mark(desk: Desk, job: Job, name: str) -> None:
    """A line in the job's log that says when it was written, as the browser counts."""
    desk.store.append(job.id, "log", {"text": f"mark {name} {1000 * time.time():.1f}"})


def latency(desk: Desk, table: Table, quick: bool) -> None:
    """From before the commit of an event, in another process than the server, until its line is painted."""
    events = 20 if quick else 80
    job = desk.job(photo(HOLD), ONE)
    page = desk.page(job)
    wait_for(page, "Running")
    page.evaluate(WATCH_MARKS, True)
    moments = np.random.default_rng(1)
    for number in range(events):
        page.wait_for_timeout(moments.uniform(40, 700))
        _mark(desk, job, str(number))
    eventually(page, lambda: page.evaluate("late.length") >= events)
    late = [took for _, took in page.evaluate("late")]
    more = f"p95 {percentile(late, 0.95):.0f} ms, worst {max(late):.0f} ms, {events} events"
    table.row("event to painted line, p50", percentile(late, 0.5), "ms", 300, more=more)
    desk.cancel(job)
    page.context.close()


def cancel(desk: Desk, table: Table, quick: bool) -> None:
    """From the click to the badge; the unit looks every 50 ms whether to stop."""
    took = []
    for _ in range(2 if quick else 5):
        job = desk.job(photo(HOLD), ONE)
        page = desk.page(job)
        wait_for(page, "Running")
        page.locator(".shf-lines", has_text="part 1").wait_for()
        page.evaluate(WATCH_CANCEL)
        page.locator(".shf-cancel").click()
        eventually(page, lambda page=page: page.evaluate("took") is not None)  # type: ignore[misc]
        took.append(page.evaluate("took") / 1000)
        desk.settled(job, "cancelled")
        page.context.close()
    table.row("Cancel to its badge", median(took), "s", 1, more=f"worst {max(took):.2f} s of {len(took)}")


def reattach(desk: Desk, table: Table, quick: bool) -> None:
    """A reload while the job runs, until its badge and all its lines are back."""
    job = desk.job(photo(HOLD), ONE)
    page = desk.page(job)
    wait_for(page, "Running")
    _mark(desk, job, "before")
    page.locator(".shf-lines", has_text="mark before").wait_for()
    holds = 'text(".shf-title .shf-badge") === "Running" && text(".shf-lines").includes("mark before")'
    page.add_init_script(STAMPS.replace("HOLDS", holds))
    own, whole = [], []
    for _ in range(2 if quick else 5):
        page.reload()
        eventually(page, lambda: page.evaluate("stamps.shown"))
        stamps = page.evaluate("stamps")
        own.append((stamps["shown"] - stamps["script"]) / 1000)
        whole.append(stamps["shown"] / 1000)
    more = f"worst {max(own):.2f} s; from the reload {median(whole):.2f} s, the rest is Gradio's own page"
    table.row("re-attach, from the page's script on", median(own), "s", 1, more=more)
    desk.cancel(job)
    page.context.close()


def nine_tabs(desk: Desk, table: Table, quick: bool) -> None:
    """Every tab of one browser follows a job of its own, and all share the browser's few connections."""
    rounds = 3 if quick else 8
    context = desk.context()
    jobs = [desk.job(photo(HOLD), ONE, f"tab {number}.png") for number in range(TABS)]
    pages = [desk.page(job, context) for job in jobs]
    for page in pages:
        page.evaluate(WATCH_MARKS, False)
    running = sum(desk.store.job(job.id).state == "running" for job in jobs)
    seen = sum(not page.evaluate("document.hidden") for page in pages)
    for number in range(rounds):
        pages[0].wait_for_timeout(1000 + 75 * number)
        for job in jobs:
            _mark(desk, job, str(number))
    pages[0].wait_for_timeout(1000 * STALL)
    late = [[took for _, took in page.evaluate("late")] for page in pages]
    taken = [took for each in late for took in each]
    more = f"p50 {median(taken):.0f} ms of {len(taken)}; {running} jobs run, the others wait; {seen} tabs visible"
    table.row("nine tabs: slowest line", max(taken) / 1000, "s", 1, more=more)
    table.row(
        "nine tabs: stalls", TABS * rounds - len(taken), "", 0, more=f"lines not there after {STALL:g} s"
    )
    context.close()
    desk.cancel(*jobs)


def ready(desk: Desk, table: Table, bare: str, quick: bool) -> None:
    """From navigation to the drop zone, visible and heard by its script, against Gradio's smallest page."""
    ours, theirs = [], []
    drop = STAMPS.replace("HOLDS", 'window.stamps.script && visible(".shf-drop")')
    text = STAMPS.replace("HOLDS", 'visible("textarea")')
    for number in range(3 if quick else 17):
        context = desk.browser.new_context(viewport=VIEWPORT)  # type: ignore[arg-type]
        took = _load(context.new_page(), desk.address, drop)
        context.close()
        context = desk.browser.new_context(viewport=VIEWPORT)  # type: ignore[arg-type]
        other = _load(context.new_page(), bare, text)
        context.close()
        if number:  # the first loads warm both servers
            ours.append(took)
            theirs.append(other)
    ratio = median(ours) / median(theirs)
    more = f"{median(ours):.0f} ms, Gradio's own {median(theirs):.0f} ms, {len(ours)} loads each"
    table.row("page ready, of a bare Gradio page", ratio, "x", 1.5, more=more)


def _load(page: Page, address: str, stamps: str) -> float:
    page.add_init_script(stamps)
    page.goto(address)
    page.wait_for_function("window.stamps.shown")
    return float(page.evaluate("stamps.shown"))


def takes_a_file(desk: Desk, folder: Path) -> None:
    """What `ready` calls ready is: a file given at that moment becomes a job."""
    file = folder / "ready.png"
    file.write_bytes(photo(QUICK))
    context = desk.context()
    page = context.new_page()
    _load(page, desk.address, STAMPS.replace("HOLDS", 'window.stamps.script && visible(".shf-drop")'))
    page.get_by_label("Photo", exact=True).set_input_files(file)
    wait_for(page, "Plan ready")
    context.close()


def cards(desk: Desk, table: Table, quick: bool) -> None:
    """An answer of the app is given 48 steps, each with a picture of its own address."""
    job = desk.job(photo(QUICK), ONE)
    desk.settled(job)
    page = desk.context().new_page()
    page.add_init_script(WATCH_CARDS)
    script = _Answers()
    page.route(POLL, script.answer)
    page.goto(f"{desk.address}/?job={job.id}")
    page.locator(".shf-card").first.wait_for()
    took, pictures = [], []
    for number in range(3 if quick else 9):
        script.count = CARDS
        page.wait_for_function(f"document.querySelectorAll('.shf-card').length === {CARDS}")
        page.wait_for_function("cards.painted && cards.pictures")
        took.append(page.evaluate("cards.painted") / 1000)
        pictures.append(page.evaluate("cards.pictures") / 1000)
        script.count = -1
        page.wait_for_function(f"document.querySelectorAll('.shf-card').length < {CARDS}")
        page.wait_for_timeout(100 * number)
    more = f"worst {max(took):.2f} s of {len(took)}; first time with all pictures {pictures[0]:.2f} s"
    table.row(f"answer to {CARDS} step cards", median(took), "s", 0.6, more=more)
    page.unroute(POLL)
    page.context.close()


class _Answers:
    """Passes the app's answers on, or puts a view with `count` steps into the next one; -1: the view as it was."""

    def __init__(self) -> None:
        self.count = 0
        self._view: dict[str, Any] = {}

    def answer(self, route: Route) -> None:
        """Handler of the polls."""
        answer = route.fetch()
        told = answer.json()
        if told.get("view"):
            self._view = told["view"]
        wanted, self.count = self.count, 0
        if not wanted or not self._view:
            return route.fulfill(json=told)
        told["view"] = self._view if wanted < 0 else self._many(wanted)
        headers = {"content-type": "application/json"} | ({"x-cards": str(wanted)} if wanted > 0 else {})
        return route.fulfill(headers=headers, body=json.dumps(told))

    def _many(self, count: int) -> dict[str, Any]:
        *layers, plate, scene = self._view["steps"]
        steps = [_renamed(layers[n % len(layers)], n) for n in range(count - 2)]
        return self._view | {"steps": [*steps, plate, scene]}


def _renamed(step: dict[str, Any], number: int) -> dict[str, Any]:
    return step | {"key": f"x{number}", "name": f"Layer {number}", "thumb": f"{step['thumb']}&n={number}"}
