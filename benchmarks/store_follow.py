"""How soon a follower in another process sees an event, counted from before its durable commit.

python -m benchmarks.store_follow [FOLDER]
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.store_speed import JsonFiles
from jobs.store import Store

EVENTS = 300
GAP = 0.02  # seconds between events, on average
BAR = 25.0  # ms
WRITE = """
import sys, time
from pathlib import Path
from jobs.store import Store
store = Store(Path(sys.argv[1]), free_min=0, ballast=0)
for number in range(int(sys.argv[3])):
    time.sleep(float(sys.argv[4]) * (0.5 + number * 0.618 % 1))
    store.append(sys.argv[2], "log", {"t": time.monotonic()})
"""
WRITE_FILE = """
import json, os, sys, time
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for number in range(int(sys.argv[3])):
    time.sleep(float(sys.argv[4]) * (0.5 + number * 0.618 % 1))
    os.write(file, (json.dumps({"t": time.monotonic()}) + "\\n").encode())
    os.fdatasync(file)
"""


def store_lateness(root: Path) -> list[float]:
    """Seconds from each event to its follower, through `Store.follow`."""
    late: list[float] = []
    with Store(root / "store", free_min=0, ballast=0) as store:
        job = store.create_job("edit", {})
        writer = _start(WRITE, root / "store", job.id)
        after = store.last_seq()
        while len(late) < EVENTS:
            for event in store.follow(job.id, after, 10):
                late.append(time.monotonic() - event.data["t"])
                after = event.seq
        writer.wait()
    return late


def file_lateness(root: Path) -> list[float]:
    """The same through a file of JSON lines that is read every 100 ms, as a page that polls would."""
    import json

    peer = JsonFiles(root / "json")
    path = peer.root / "events.jsonl"
    path.touch()
    writer = _start(WRITE_FILE, path, "-")
    late: list[float] = []
    with path.open() as lines:
        while len(late) < EVENTS:
            time.sleep(0.1)
            late += [time.monotonic() - json.loads(line)["t"] for line in lines if line.endswith("\n")]
    writer.wait()
    return late


def _start(code: str, path: Path, job_id: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", code, str(path), job_id, str(EVENTS), str(GAP)])


def report(what: str, late: list[float]) -> float:
    """Print one line; p50 in ms."""
    ordered = [1000 * seconds for seconds in sorted(late)]
    p50, p95, p99 = (ordered[int(len(ordered) * part)] for part in (0.5, 0.95, 0.99))
    print(f"{what:36s}p50 {p50:6.1f} ms   p95 {p95:6.1f} ms   p99 {p99:6.1f} ms   {len(ordered)} events")
    return p50


def main() -> None:
    """Both, with the processor time of the follower and of one that waits in vain."""
    base = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=base) as folder:
        root = Path(folder)
        print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
        busy, began = time.process_time(), time.monotonic()
        p50 = report("follow the store", store_lateness(root))
        share = 100 * (time.process_time() - busy) / (time.monotonic() - began)
        print(
            f"    bar p50 < {BAR:g} ms: {'met' if p50 < BAR else 'MISSED'}; the follower used {share:.1f} % of a core"
        )
        theirs = report("    JSON lines, read every 100 ms", file_lateness(root))
        print(f"    ratio {theirs / p50:.1f}x sooner")
        with Store(root / "store", free_min=0, ballast=0) as store:
            busy = time.process_time()
            store.follow(None, store.last_seq(), 5)
            print(f"waiting in vain: {100 * (time.process_time() - busy) / 5:.2f} % of a core")


if __name__ == "__main__":
    main()
