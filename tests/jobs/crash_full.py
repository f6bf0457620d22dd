"""A full disk: the error is typed, nothing acknowledged is lost, reading works, and cleaning works.

As root on a small disk in memory (tmpfs), of bytes or of inodes; without root under a limit on the size of files.
The limit stops the log of the database as a full disk does, but no room can be freed under it.

python -m tests.jobs.crash_full FOLDER --kind bytes|inodes|limit
"""

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from jobs.errors import StoreFull
from jobs.job import Job
from jobs.store import Store
from tests.jobs.crash_facts import half_written

DISKS = {"bytes": "size=48m", "inodes": "size=32m,nr_inodes=420"}
ASSET = {"bytes": 100_000, "inodes": 2_000, "limit": 5_000}
LIMIT = 3 << 20  # bytes a file may have: less than the log grows to before it is written back


def can_mount() -> bool:
    """Whether this user may mount a tmpfs here."""
    return (
        os.geteuid() == 0
        and subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0
    )


def fill(store: Store, size: int) -> tuple[Job, list[str], list[int], str]:
    """Write until nothing goes any more: (job, acknowledged steps, acknowledged events, the error)."""
    store.create_job("edit", {}, title="the one that fills the disk")
    job = store.claim("worker", 9_999)
    assert job is not None
    steps, events, said = [], [], ""
    try:
        while True:
            key = f"s{len(steps)}"
            store.begin_step(job.id, job.attempt, key, len(steps), key, {}, "")
            items = [(f"{key}/out", os.urandom(size), "image/png"), (f"{key}/same", b"same", "image/png")]
            store.end_step(job.id, job.attempt, key, 1, "done", {}, items)
            steps.append(key)
    except StoreFull as error:
        said = str(error)
    try:
        while len(events) < 20_000:
            events.append(store.append(job.id, "log", {"text": "x" * 500}))
    except StoreFull:
        pass
    return job, steps, events, said


def torture(root: Path, kind: str) -> dict[str, Any]:
    """Fill, look, reopen, clean; see the keys of the result."""
    store = Store(root, free_min=0)
    job, steps, events, said = fill(store, ASSET[kind])
    report: dict[str, Any] = {"steps": len(steps), "events": len(events), "said": said}
    store.close()
    store = Store(root, free_min=0)  # it must open on a full disk, too
    done = {step.key for step in store.steps(job.id) if step.state == "done"}
    report["lost"] = len(set(steps) - done) + sum(
        store.row("SELECT 1 FROM event WHERE seq = ?", (seq,)) is None for seq in events
    )
    report["unsound"] = half_written(store) + [str(finding) for finding in store.verify()]
    report["left_over"] = store.disk_use().temporary
    report["listed"] = [each.id for each in store.list_jobs()] == [job.id]
    if kind != "limit":
        report["cleaned"] = store.clean(all=True).jobs
        report["free"] = store.disk_use().free
        report["ballast"] = store.disk_use().ballast
        report["usable"] = store.create_job("edit", {}, assets=[("in", bytes(100_000), "image/png")]).state
    store.close()
    return report


def main() -> None:
    """Print the report as JSON. The disk is mounted in a namespace of this process alone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kind", choices=tuple(ASSET), default="bytes")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.kind in DISKS and not args.inside:
        again = [sys.executable, "-m", "tests.jobs.crash_full", *sys.argv[1:], "--inside"]
        sys.exit(subprocess.run(["unshare", "--mount", *again]).returncode)
    shutil.rmtree(args.folder, ignore_errors=True)
    args.folder.mkdir(parents=True)
    if args.kind in DISKS:
        mount = ["mount", "-t", "tmpfs", "-o", DISKS[args.kind], "tmpfs", str(args.folder)]
        subprocess.run(mount, check=True)
    else:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))
    json.dump(torture(args.folder / "store", args.kind), sys.stdout)


if __name__ == "__main__":
    main()
