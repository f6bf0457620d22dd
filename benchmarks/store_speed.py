"""How fast the job store is, against durable JSON files and persist-queue (PyPI), in one run on one disk.

python -m benchmarks.store_speed [FOLDER]
"""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jobs.files import sync_dir
from jobs.queue import new_id
from jobs.store import Store

PARAMS = {"prompt": "x" * 200, "seed": 1, "model": "m" * 20}
PICTURE = 500_000  # bytes of a finished step's asset
JOBS = 10_000
ROUNDS = 3  # the best of them counts: other work on the machine only ever slows

Figure = tuple[float, float, float]  # per second, p50 ms, p99 ms


def measure(act: Callable[[int], Any], times: int) -> Figure:
    """Run `act` so often."""
    took = []
    for number in range(times):
        began = time.perf_counter()
        act(number)
        took.append(time.perf_counter() - began)
    ordered = sorted(took)
    return times / sum(took), 1000 * ordered[times // 2], 1000 * ordered[int(times * 0.99)]


def best(make: Callable[[], Callable[[int], Any]], times: int) -> Figure:
    """The best of some rounds, each on something fresh."""
    return max(measure(make(), times) for _ in range(ROUNDS))


class JsonFiles:
    """The plain way: one folder per job, job.json replaced durably, events appended durably."""

    def __init__(self, root: Path, *, durable: bool = True) -> None:
        self.root = root
        self._durable = durable
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)

    def create(self) -> str:
        """A new job."""
        job_id = new_id()
        folder = self.root / job_id
        folder.mkdir()
        record = {"id": job_id, "state": "queued", "title": "t", "created": time.time(), "params": PARAMS}
        self._write(folder / "job.json", json.dumps(record).encode())
        if self._durable:
            sync_dir(self.root)
        return job_id

    def append(self, job_id: str, number: int) -> None:
        """One event."""
        line = json.dumps({"time": time.time(), "n": number}) + "\n"
        fd = os.open(self.root / job_id / "events.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(fd, line.encode())
            os.fdatasync(fd)
        finally:
            os.close(fd)

    def newest(self, limit: int) -> list[Any]:
        """A page of jobs."""
        names = sorted((entry.name for entry in os.scandir(self.root)), reverse=True)[:limit]
        return [json.loads((self.root / name / "job.json").read_bytes()) for name in names]

    def _write(self, path: Path, data: bytes) -> None:
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            file.write(data)
            if self._durable:
                file.flush()
                os.fsync(file.fileno())
        part.rename(path)
        if self._durable:
            sync_dir(path.parent)


def fresh(root: Path) -> Store:
    """An empty store."""
    shutil.rmtree(root, ignore_errors=True)
    return Store(root, free_min=0, ballast=0)


def creating(root: Path) -> None:
    """Jobs per second that are safe when the call returns."""

    def ours() -> Callable[[int], Any]:
        store = fresh(root / "store")
        return lambda _: store.create_job("edit", PARAMS, title="t")

    def files() -> Callable[[int], Any]:
        peer = JsonFiles(root / "json")
        return lambda _: peer.create()

    def queue() -> Callable[[int], Any]:
        from persistqueue import SQLiteAckQueue

        shutil.rmtree(root / "queue", ignore_errors=True)
        peer = SQLiteAckQueue(str(root / "queue"))
        return lambda _: peer.put(PARAMS)

    mine = report("create a job", best(ours, 500))
    compare(mine, "durable JSON files", best(files, 300))
    try:
        compare(mine, "persist-queue: put", best(queue, 500))
    except ImportError:
        print("    persist-queue is not installed")


def appending(root: Path) -> None:
    """Events per second, each acknowledged alone."""
    store, peer = fresh(root / "store"), JsonFiles(root / "json")
    job_id, other = store.create_job("edit", PARAMS).id, peer.create()
    mine = report("append an event", measure(lambda n: store.append(job_id, "log", {"n": n}), 2000))
    compare(mine, "durable JSON lines", measure(lambda n: peer.append(other, n), 2000))


def finishing(root: Path) -> None:
    """Steps with a picture of half a megabyte: begun, and ended with everything durable."""
    store = fresh(root / "store")
    store.create_job("edit", PARAMS)
    job = store.claim("me")
    assert job is not None
    pictures = [os.urandom(PICTURE) for _ in range(100)]

    def step(number: int) -> None:
        key = f"s{number}"
        store.begin_step(job.id, job.attempt, key, number, key, {}, "k")
        items = [(f"{key}/out", pictures[number], "image/png")]
        store.end_step(job.id, job.attempt, key, 1, "done", {}, items)

    report("begin and end a step with 0.5 MB", measure(step, len(pictures)))


def listing(root: Path) -> None:
    """Pages of a long history."""
    store, peer = fresh(root / "store"), JsonFiles(root / "json", durable=False)
    store.rows("PRAGMA synchronous = OFF")  # only while the history is made up
    for number in range(JOBS):
        store.create_job("edit", PARAMS, title=f"picture {number}", hold=number % 100 == 0)
        peer.create()
    mine = report(f"newest 50 of {JOBS}", measure(lambda _: store.list_jobs(50), 300), bar=5.0)
    compare(mine, "JSON files", measure(lambda _: peer.newest(50), 30))
    middle = store.list_jobs(JOBS // 2)[-1].id
    report("50 from the middle", measure(lambda _: store.list_jobs(50, before=middle), 300))
    report("50 in a rare state", measure(lambda _: store.list_jobs(50, state="needs_review"), 300))
    report("search, found often", measure(lambda _: store.list_jobs(50, search="Picture 9"), 100))
    report("search, found nowhere", measure(lambda _: store.list_jobs(50, search="zebra"), 100))
    report("jobs per state", measure(lambda _: store.counts(), 100))
    store.close()

    def opened(_: int) -> None:
        with Store(root / "store", free_min=0, ballast=0) as again:
            again.list_jobs(50)

    report("open the store, first page", measure(opened, 30))


def report(what: str, figure: Figure, bar: float | None = None) -> Figure:
    """Print one line. bar: milliseconds that p50 must stay under."""
    verdict = "" if bar is None else f"   bar p50 < {bar:g} ms: {'met' if figure[1] < bar else 'MISSED'}"
    print(f"{what:36s}{figure[0]:10.0f}/s   p50 {figure[1]:8.3f} ms   p99 {figure[2]:8.3f} ms{verdict}")
    return figure


def compare(mine: Figure, peer: str, theirs: Figure) -> None:
    """Print a peer's line with the ratio of the speeds."""
    report(f"    {peer}", theirs)
    print(f"    ratio {mine[0] / theirs[0]:.2f}x")


def main() -> None:
    """All of it."""
    base = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=base) as folder:
        root = Path(folder)
        print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, folder {root}")
        for part in (creating, appending, finishing, listing):
            part(root)


if __name__ == "__main__":
    main()
