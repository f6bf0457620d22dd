"""What a running job holds in its hands: how it reports, keeps results, and learns that it should stop."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs.assets import AssetItem
from jobs.errors import Cancelled, Interrupted, LostLease, NoSuchAsset, Paused
from jobs.host import Host, Reply
from jobs.job import Job, Step, StepState
from jobs.preview import PREVIEW_GAP, Picture, encode_preview
from jobs.store import Store

PROGRESS_GAP = 0.25  # seconds between two progress events: more cannot be read
LOOK_GAP = 0.05  # seconds between two looks at the cancel flag
ETA_MIN = 0.02  # fraction done before a guess of the rest is worth showing


class Progress:
    """Progress of one run: at most four events a second, and the last one is always written."""

    def __init__(self, store: Store, job: Job) -> None:
        self._store = store
        self._job = job
        self._turn = threading.Lock()
        self._began = time.monotonic()
        self._first: tuple[float, float] | None = (
            None  # time and fraction of the first report, to guess the rest from
        )
        self._written = 0.0
        self._pending: tuple[float, str] | None = None

    def report(self, fraction: float, message: str) -> None:
        """Note it; write it if the last event is old enough."""
        fraction = min(1.0, max(0.0, fraction))
        with self._turn:
            if self._first is None:
                self._first = (time.monotonic(), fraction)
            self._pending = (fraction, message)
        self.flush(gap=PROGRESS_GAP)

    def flush(self, gap: float = 0.0) -> None:
        """Write what is pending, unless an event was written less than `gap` seconds ago."""
        now = time.monotonic()
        with self._turn:
            if self._pending is None or now - self._written < gap:
                return
            fraction, message = self._pending
            self._pending, self._written = None, now
        data = {
            "fraction": fraction,
            "message": message,
            "elapsed": now - self._began,
            "eta": self._eta(now, fraction),
        }
        self._store.append(self._job.id, "progress", data, fence=self._job.attempt)

    def _eta(self, now: float, fraction: float) -> float | None:
        """Seconds to go at the speed since the first report; a resumed job starts its clock where it resumes."""
        since, done = self._first or (now, fraction)
        if fraction - done < ETA_MIN:
            return None
        return (now - since) * (1 - fraction) / (fraction - done)


class Signals:
    """Reasons to stop that come from the runner, set from its thread."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.lost = threading.Event()


class Context:
    """One run of one job. Fits `models.requests.Run`. `job` is as it was claimed; `fence` guards every write."""

    def __init__(
        self, store: Store, job: Job, host: Host | None = None, signals: Signals | None = None
    ) -> None:
        self.store = store
        self.job = job
        self.fence = job.attempt
        self.signals = signals or Signals()
        self._host = host
        self._progress = Progress(store, job)
        self._looked = 0.0
        self._previewed = 0.0

    def progress(self, fraction: float, message: str = "") -> None:
        """Work done, `fraction` in [0, 1]."""
        self._progress.report(fraction, message)

    def flush(self, gap: float = 0.0) -> None:
        """Write the progress that is held back, unless the last was written less than `gap` seconds ago."""
        self._progress.flush(gap)

    def preview(self, image: Picture | bytes) -> None:
        """Show an intermediate picture; dropped if the last one is younger than half a second."""
        now = time.monotonic()
        if now - self._previewed >= PREVIEW_GAP:
            self._previewed = now
            self.store.put_preview(self.job.id, self.fence, *encode_preview(image))

    def log(self, text: str) -> None:
        """Add one line to the log."""
        self.store.append(self.job.id, "log", {"text": text}, fence=self.fence)

    def check(self) -> None:
        """Raise Cancelled, Interrupted or LostLease if the work must stop. Cheap: call it between units of work."""
        if self.signals.lost.is_set():
            raise LostLease(f"Run {self.fence} of job {self.job.id} is over.")
        if self.signals.stopping.is_set():
            raise Interrupted
        now = time.monotonic()
        if now - self._looked >= LOOK_GAP:
            self._looked = now
            if self._now().cancel_requested:
                raise Cancelled

    def remember(self, key: str, value: Any) -> None:
        """Keep a JSON value durably, to find it again after a crash."""
        self.store.append(self.job.id, "note", {"key": key, "value": value}, fence=self.fence)

    def recall(self, key: str) -> Any:
        """The value kept under `key`, or None."""
        return self.store.note(self.job.id, key)

    def set_params(self, params: dict[str, Any]) -> None:
        """Replace the job's params, for example when the plan is made; `job` keeps what it was claimed with."""
        self.store.set_params(self.job.id, params, fence=self.fence)

    def save(self, name: str, data: bytes | Path, mime: str) -> None:
        """Store one asset, or replace it."""
        self.store.put_assets(self.job.id, [(name, data, mime)], fence=self.fence)

    def has(self, name: str) -> bool:
        """Whether the job has an asset of this name."""
        try:
            self.store.asset(self.job.id, name)
        except NoSuchAsset:
            return False
        return True

    def read(self, name: str) -> bytes:
        """The bytes of an asset."""
        return self.store.read(self.job.id, name)

    def path(self, name: str) -> Path:
        """The file of an asset, to be read only."""
        return self.store.path(self.job.id, name)

    def part(self, low: float, high: float) -> "Context":
        """The same run, whose progress 0..1 is low..high of this one."""
        return Part(self, low, high)

    def begin(self, key: str, position: int, name: str, params: dict[str, Any], input_key: str) -> Step:
        """Start a step, see `Store.begin_step`. Raises Paused if a person asked for it."""
        self.check()
        if self._now().pause_requested:
            raise Paused("a person asked for a pause")
        return self.store.begin_step(self.job.id, self.fence, key, position, name, params, input_key)

    def end(
        self,
        key: str,
        attempt: int,
        state: StepState,
        result: dict[str, Any],
        assets: Sequence[AssetItem] = (),
        error: dict[str, Any] | None = None,
    ) -> Step:
        """Finish a step: it, its assets and its event become visible together."""
        self.flush()
        return self.store.end_step(self.job.id, self.fence, key, attempt, state, result, assets, error)

    def call(self, unit: str, params: dict[str, Any], files: dict[str, Path] | None = None) -> Reply:
        """Do a unit of heavy work in the host process, see `Host.call`."""
        if self._host is None:
            raise RuntimeError("this context was made without a host")
        return self._host.call(unit, params, files or {}, self)

    def _now(self) -> Job:
        """The job as it is now; LostLease if this run is over."""
        job = self.store.job(self.job.id)
        if job.state != "running" or job.attempt != self.fence:
            raise LostLease(f"Run {self.fence} of job {self.job.id} is over.")
        return job


class Part(Context):
    """A stretch of a run: everything is the whole run's, only progress is scaled."""

    def __init__(self, whole: Context, low: float, high: float) -> None:
        self.__dict__.update(whole.__dict__)
        self._whole, self._low, self._high = whole, low, high

    def progress(self, fraction: float, message: str = "") -> None:
        """Work done of this part, `fraction` in [0, 1]."""
        fraction = min(1.0, max(0.0, fraction))
        self._whole.progress(self._low + fraction * (self._high - self._low), message)

    def preview(self, image: Picture | bytes) -> None:
        """Show an intermediate picture, at the rate of the whole run."""
        self._whole.preview(image)
