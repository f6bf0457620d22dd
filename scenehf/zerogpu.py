"""ZeroGPU of Hugging Face's Spaces: a graphics card is lent to one call at a time, on the account of who asked for it.

Such a call is a generator at the level of a module, is known before the app starts, and runs in a process that is
forked for it: what goes in and out is pickled, and nothing that it changes is seen here. So a unit tells its progress
by yielding, and it is replayed into the run. Imported on ZeroGPU alone, before anything touches CUDA.
"""

import contextvars
import importlib
import queue
import threading
import time
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any

import spaces

from jobs.errors import Cancelled, UnitFailed, describe
from jobs.host import Host, Reply, Run
from jobs.job import Job
from jobs.preview import encode_preview
from jobs.store import Store
from scenehf.studio.budget import effort
from scenehf.workflows.make import MAKERS

Said = tuple[str, Any]  # what kind of message, and what it says

FINAL = ("result", "error", "stopped")
GRACE = 5.0  # seconds that a unit has to notice a cancel
BEAT = 0.5  # seconds of silence
LOAD = 30.0  # seconds to bring a model onto the card
MOST_TICKETS = 10_000
LATELY = 8  # calls of a model that tell how long it takes
MARGIN = 1.25
AGAIN = "Run it again: it then asks for the GPU for longer."
LATER = "Wait until your daily share of the GPU is back, or choose an engine that needs none."


def _cells(params: dict[str, Any]) -> float:
    """LivePortrait: a cell takes 0.05 s on a large card, and longer on the smallest one that is lent."""
    return LOAD + 0.2 * (params["last"] - params["first"]) if params["engine"] == "liveportrait" else 0.0


def _pictures(params: dict[str, Any]) -> float:
    """A model that draws here, in steps: a megapixel's step is taken to last a second."""
    spec = MAKERS[params["model"]]
    if spec.where != "local" or not hasattr(spec.chosen(params["options"]), "steps"):
        return 0.0
    sizes = [(given["width"], given["height"]) for given in params["images"]]
    return 2 * LOAD + effort(spec, params["options"], sizes)


# Units that need the card -> a guess of the seconds, until calls have told; 0 where these parameters need none.
GUESSES: Mapping[str, Callable[[dict[str, Any]], float]] = {"gaze.cells": _cells, "image.make": _pictures}


def _as_asked(entry: str, unit: str, params: dict[str, Any], files: dict[str, str], seconds: int) -> int:
    return seconds


@spaces.GPU(duration=_as_asked)  # type: ignore[untyped-decorator]
def on_gpu(
    entry: str, unit: str, params: dict[str, Any], files: dict[str, str], seconds: int
) -> Iterator[Said]:
    """Do a unit and yield what it says; the last two are how many seconds it took, and its result, its error, or that
    it stopped.

    entry: "module:function" of the table of units, as `jobs.host.Host` has it. seconds: to borrow the card for.
    """
    began = time.monotonic()
    said: queue.SimpleQueue[Said] = queue.SimpleQueue()
    run = _Speaking(said)

    def work() -> None:
        try:
            paths = {name: Path(path) for name, path in files.items()}
            data, blobs = _units(entry)[unit](params, paths, run)
            said.put(("result", (data, {name: bytes(blob) for name, blob in blobs.items()})))
        except Cancelled:
            said.put(("stopped", None))
        except Exception as error:  # noqa: BLE001 - the boundary of the process: it reaches the caller typed
            said.put(("error", describe(error)))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            try:
                message = said.get(timeout=BEAT)
            except queue.Empty:
                message = ("beat", None)  # a chance for the caller to be asked whether it still wants this
            if message[0] in FINAL:
                yield "took", time.monotonic() - began
            yield message
            if message[0] in FINAL:
                return
    finally:  # also where the caller closes the generator: then it wants no more
        run.cancelled.set()
        thread.join(GRACE)


@cache
def _units(entry: str) -> dict[str, Callable[..., Any]]:
    module, _, name = entry.partition(":")
    units: dict[str, Callable[..., Any]] = getattr(importlib.import_module(module), name)()
    return units


class _Speaking:
    """What a unit on the card reports to. Fits `models.requests.Run`."""

    def __init__(self, said: "queue.SimpleQueue[Said]") -> None:
        self._said = said
        self.cancelled = threading.Event()

    def progress(self, fraction: float, message: str = "") -> None:
        self._said.put(("progress", (float(fraction), message)))

    def preview(self, image: Any) -> None:
        self._said.put(("preview", encode_preview(image)[0]))

    def log(self, text: str) -> None:
        self._said.put(("log", text))

    def check(self) -> None:
        if self.cancelled.is_set():
            raise Cancelled

    def remember(self, key: str, value: Any) -> None:
        self._said.put(("remember", (key, value)))

    def recall(self, key: str) -> Any:
        """Nothing: what is remembered is for calls that cost, and none of those runs here."""
        return None


class TicketStore(Store):
    """A store that remembers, in memory, in whose request each job was last asked for: the card is lent on their
    account, by the context of that request."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._turn = threading.Lock()
        self._tickets: OrderedDict[str, contextvars.Context] = OrderedDict()

    def create_job(self, *args: Any, **options: Any) -> Job:
        """As the store does."""
        job = super().create_job(*args, **options)
        self._keep(job.id)
        return job

    def requeue(self, job_id: str) -> Job:
        """As the store does."""
        self._keep(job_id)
        return super().requeue(job_id)

    def ticket(self, job_id: str) -> contextvars.Context:
        """The context of the request; an empty one after a restart, which lends on the app's own account."""
        with self._turn:
            return self._tickets.get(job_id, contextvars.Context()).copy()

    def _keep(self, job_id: str) -> None:
        with self._turn:
            self._tickets[job_id] = contextvars.copy_context()
            self._tickets.move_to_end(job_id)
            while len(self._tickets) > MOST_TICKETS:
                self._tickets.popitem(last=False)


class _TakenBack(UnitFailed):
    """The seconds that were asked for were too few."""


class _Pace:
    """How long to borrow the card for a model, by what it took lately. What is asked for and not used is given back,
    but has to be in the visitor's account to begin with."""

    def __init__(self) -> None:
        self._ratios: deque[float] = deque(maxlen=LATELY)  # of what a call took, and its guess

    def seconds(self, guess: float) -> int:
        """To ask for: the longest of them with a margin, since a call may be the one that loads the model."""
        return ceil(guess * MARGIN * max(self._ratios)) if self._ratios else ceil(guess)

    def took(self, ratio: float) -> None:
        """A call ended in its time."""
        self._ratios.append(ratio)

    def taken_back(self) -> None:
        """One did not."""
        self._ratios.append(2 * max(self._ratios, default=1.0))


class ZeroHost(Host):
    """Sends units that need the card there, and all others to the process that is ours."""

    def __init__(self, entry: str, store: TicketStore, *, log: Path | None = None) -> None:
        super().__init__(entry, log=log)
        self._units_entry = entry
        self._store = store
        self._paces: defaultdict[str, _Pace] = defaultdict(_Pace)

    def call(self, unit: str, params: dict[str, Any], files: Mapping[str, Path], run: Run) -> Reply:
        """As `Host.call`."""
        guess = GUESSES[unit](params) if unit in GUESSES else 0.0
        if not guess:
            return super().call(unit, params, files, run)
        pace = self._paces[str(params.get("engine") or params["model"])]
        paths = {name: str(path) for name, path in files.items()}
        ticket = self._store.ticket(getattr(run, "job").id)  # noqa: B009 - a Context of jobs, which has one
        said = on_gpu(self._units_entry, unit, params, paths, pace.seconds(guess))
        try:
            while True:
                run.check()
                kind, what = self._next(ticket, said)
                if kind == "took":
                    pace.took(what / guess)
                elif kind in FINAL:
                    return _reply(kind, what)
                else:
                    _replay(kind, what, run)
        except _TakenBack:
            pace.taken_back()
            raise
        finally:
            ticket.run(said.close)

    @staticmethod
    def _next(ticket: contextvars.Context, said: Iterator[Said]) -> Said:
        try:
            return ticket.run(next, said)
        except StopIteration:
            raise _TakenBack("Ended", "The GPU was taken back before the work was done.", AGAIN) from None
        except (
            Exception
        ) as error:  # what the lender raises is for a page of Gradio's, and has no class of its own
            raise UnitFailed("NoGpu", f"There was no GPU for it: {error}", LATER) from error


def _reply(kind: str, what: Any) -> Reply:
    if kind == "result":
        return Reply(*what)
    if kind == "stopped":
        raise UnitFailed("Cancelled", "The unit stopped although nobody asked it to.", "Run it again.")
    raise UnitFailed(what["kind"], what["message"], what["hint"])


def _replay(kind: str, what: Any, run: Run) -> None:
    if kind == "progress":
        run.progress(*what)
    elif kind == "preview":
        run.preview(what)
    elif kind == "log":
        run.log(what)
    elif kind == "remember":
        run.remember(*what)
