"""kill -9 at random moments: every acknowledged fact must be there afterwards, and nothing half-written.

python -m tests.jobs.crash_kill FOLDER --kills 1000 --seed 1
"""

import argparse
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

from tests.jobs.crash_facts import Fact, half_written, lost, open_store, parse, work

ACKS = 40  # acknowledgements, at most, after which a worker may be killed ...
PAUSE = 0.006  # ... and seconds, at most, after that


def worker(root: Path, pipe: int, seed: int) -> None:
    """Work until the end comes; never returns."""

    def ack(*fact: Any) -> None:
        os.write(pipe, (json.dumps(fact) + "\n").encode())

    try:
        store = open_store(root)
        store.recover(everything=True)
        work(store, 10**9, random.Random(seed), ack)
    except BaseException as error:  # noqa: BLE001 -- told to the parent
        ack("error", repr(error))
    finally:
        os._exit(1)


def kill_one(root: Path, seed: int, acks: int, after: float) -> list[Fact]:
    """Start a worker, kill it `after` seconds from so many acknowledgements, return all that it got."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        worker(root, writer, seed)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        said = [file.readline() for _ in range(acks)]
        time.sleep(after)
        os.kill(pid, signal.SIGKILL)
        said += file.readlines()
    os.waitpid(pid, 0)
    return parse(b"".join(said).decode().split("\n"))


def torture(root: Path, kills: int, seed: int) -> dict[str, Any]:
    """The whole test; see the keys of the result. This process forks, so it has no store open meanwhile."""
    rng = random.Random(seed)
    report: dict[str, Any] = {
        "kills": kills,
        "facts": 0,
        "lost": [],
        "half": [],
        "errors": [],
        "reopen_ms": [],
    }
    for number in range(kills):
        facts = kill_one(root, seed * 100_000 + number, rng.randint(0, ACKS), rng.uniform(0, PAUSE))
        report["errors"] += [fact for fact in facts if fact[0] == "error"]
        facts = [fact for fact in facts if fact[0] != "error"]
        began = time.perf_counter()
        store = open_store(root)
        store.list_jobs(50)
        report["reopen_ms"].append(1000 * (time.perf_counter() - began))
        report["facts"] += len(facts)
        report["lost"] += lost(store, facts)
        if number % 50 == 49 or number == kills - 1:
            report["half"] += half_written(store) + [str(finding) for finding in store.verify()]
            store.clean(0)  # keeps the store small, and cleans amid the wreckage
        store.close()
    times = sorted(report.pop("reopen_ms"))
    report["reopen_ms_p50"], report["reopen_ms_p99"] = times[len(times) // 2], times[int(len(times) * 0.99)]
    return report


def main() -> None:
    """Print the report as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    json.dump(torture(args.folder, args.kills, args.seed), sys.stdout)


if __name__ == "__main__":
    main()
