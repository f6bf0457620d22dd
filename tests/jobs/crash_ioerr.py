"""A disk that fails: one call to the system, or every one from then on, returns an error. Needs strace.

The store must answer with one of its own errors or end the process; what it acknowledged stays, nothing is unsound.

python -m tests.jobs.crash_ioerr FOLDER --points 250 --seed 1
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from jobs.errors import StoreError
from tests.jobs.crash_facts import half_written, lost, open_store, parse, work

ROUNDS = 6
# Call, error, about how often the workload makes it, and whether it goes on failing.
FAULTS = (
    ("fsync", "EIO", 60, ""), ("fsync", "EIO", 60, "+"), ("fdatasync", "EIO", 60, ""), ("fdatasync", "EIO", 60, "+"),
    ("pwrite64", "EIO", 500, ""), ("pwrite64", "ENOSPC", 500, ""), ("pwrite64", "ENOSPC", 500, "+"),
    ("write", "ENOSPC", 90, ""), ("rename", "EIO", 20, ""), ("unlink", "EACCES", 40, "+"),
    ("openat", "EMFILE", 900, ""),
)  # fmt: skip


def fail_once(folder: Path, fault: tuple[str, str, int, str], when: int, seed: int) -> dict[str, Any]:
    """One run of the workload with one fault: what was lost, what is unsound, which error came."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    call, error, _, on = fault
    inject = ["-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={when}{on}"]
    command = [sys.executable, "-m", "tests.jobs.crash_ioerr", str(folder), "--seed", str(seed), "--work"]
    subprocess.run(["strace", "-f", "-o", os.devnull, *inject, *command], capture_output=True, timeout=100)
    acks = folder / "acks"
    facts = parse(acks.read_text().split("\n")) if acks.exists() else []
    came = [fact[1] for fact in facts if fact[0] == "error"]
    facts = [fact for fact in facts if fact[0] not in ("error", "open")]
    with open_store(folder / "root") as store:
        unsound = half_written(store) + [str(finding) for finding in store.verify()]
        left = len(list(store.files.temporary.iterdir()))
        missing = lost(store, facts)
        store.delete_job(store.create_job("edit", {}, assets=[("in", b"usable again", "text/plain")]).id)
    where = f"{call} {error} {when}{on}"
    return {
        "where": where,
        "facts": len(facts),
        "lost": missing,
        "unsound": unsound,
        "came": came,
        "left": left,
    }


def torture(folder: Path, points: int, seed: int) -> dict[str, Any]:
    """The whole test; see the keys of the result. untyped: errors that were not the store's own."""
    rng = random.Random(seed)
    report: dict[str, Any] = {"points": points, "facts": 0, "errors": 0, "bad": [], "untyped": [], "left": 0}
    for number in range(points):
        fault = FAULTS[number % len(FAULTS)]
        result = fail_once(folder, fault, rng.randint(1, fault[2]), seed)
        report["facts"] += result["facts"]
        report["errors"] += bool(result["came"])
        report["left"] += result["left"]
        report["untyped"] += [
            (result["where"], came) for came in result["came"] if not came.startswith("store: ")
        ]
        if result["lost"] or result["unsound"]:
            report["bad"].append(result)
    return report


def run_workload(folder: Path, seed: int) -> None:
    """The process whose disk fails."""
    acks = os.open(folder / "acks", os.O_WRONLY | os.O_CREAT, 0o600)

    def ack(*fact: Any) -> None:
        try:
            os.write(acks, (json.dumps(fact) + "\n").encode())
        except OSError:  # the fault hit our own file: nothing was acknowledged, and the run is over
            os._exit(0)

    try:
        store = open_store(folder / "root")
        store.rows("PRAGMA wal_autocheckpoint = 40")
        work(store, ROUNDS, random.Random(seed), ack)
        store.close()
    except StoreError as error:
        ack("error", f"store: {error!r}")
    except Exception as error:  # noqa: BLE001 -- told to the parent
        ack("error", repr(error))


def main() -> None:
    """Print the report as JSON, or be the traced process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--points", type=int, default=250)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        run_workload(args.folder, args.seed)
    else:
        json.dump(torture(args.folder.absolute(), args.points, args.seed), sys.stdout)


if __name__ == "__main__":
    main()
