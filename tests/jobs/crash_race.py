"""Workers race for jobs, are killed, and stall past their lease (zombies): every step is done once, by its owner.

python -m tests.jobs.crash_race FOLDER --jobs 200 --kills 150 [--mutant no-fence]
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from jobs.errors import IllegalMove, LostLease
from jobs.job import Job
from jobs.store import Store
from tests.jobs.crash_facts import half_written, mutate, open_store

WORKERS = 4
KEYS = ("s1", "s2", "s3")
LEASE = 0.2  # seconds
STALL = (0.2, 0.5)  # seconds, of a zombie: it wakes up while another worker does its step
STALLS = 0.1  # how often a step stalls
TIMEOUT = 180.0


def worker(root: Path, seed: int, mutant: str) -> None:
    """Claim and do jobs until none is left; never returns."""
    code = 3
    try:
        mutate(mutant)
        rng, store = random.Random(seed), open_store(root)
        while store.row("SELECT 1 FROM job WHERE state IN('queued', 'running') LIMIT 1"):
            store.recover()
            job = store.claim(f"worker {os.getpid()}", LEASE)
            if job is None:
                time.sleep(0.02)
                continue
            try:
                do(store, job, rng)
            except (LostLease, IllegalMove):
                store.append(job.id, "refused", {"attempt": job.attempt})
        code = 0
    except BaseException as error:  # noqa: BLE001 -- told to the parent
        (root / f"error-{os.getpid()}").write_text(repr(error))
    finally:
        os._exit(code)


def do(store: Store, job: Job, rng: random.Random) -> None:
    """One job as a runner does it, but for heartbeats: whoever stalls has lost it."""
    done = {step.key for step in store.chosen_steps(job.id) if step.state == "done"}
    for position, key in enumerate(KEYS):
        if key in done:
            continue
        step = store.begin_step(job.id, job.attempt, key, position, key, {}, "")
        time.sleep(rng.uniform(*STALL) if rng.random() < STALLS else rng.choice((0.001, 0.01, 0.1)))
        items = [(f"{key}/out", rng.randbytes(2000), "image/png"), (f"{key}/same", b"same", "image/png")]
        store.end_step(job.id, job.attempt, key, step.attempt, "done", {"run": job.attempt}, items)
    store.finish_job(job.id, job.attempt, "succeeded")


def by_strangers(store: Store) -> int:
    """How many steps were finished by a run that did not own the job then; and jobs that succeeded twice."""
    found, owner = 0, {}
    results = {(step.job_id, step.key, step.attempt): step.result for job in store.list_jobs(10_000)
               for step in store.steps(job.id)}  # fmt: skip
    after = 0
    while page := store.events(after=after):
        for event in page:
            after, data = event.seq, event.data
            if event.type == "job":
                found += data["state"] == "succeeded" and data["was"] != "running"
                owner[event.job_id] = data.get("attempt")
            elif event.type == "step" and data["state"] == "done":
                result = results[event.job_id, data["key"], data["attempt"]]
                found += result["run"] != owner[event.job_id]
    return found


def torture(root: Path, jobs: int, kills: int, seed: int, mutant: str) -> dict[str, Any]:
    """The whole test; see the keys of the result."""
    with open_store(root) as store:
        for _ in range(jobs):
            store.create_job("edit", {})
    rng, deadline = random.Random(seed), time.monotonic() + TIMEOUT
    pids: set[int] = set()
    born = killed = 0
    while pids or killed < kills:
        while killed < kills and len(pids) < WORKERS:
            born += 1
            pid = os.fork()
            if pid == 0:
                worker(root, seed * 1000 + born, mutant)
            pids.add(pid)
        time.sleep(rng.uniform(0.01, 0.06))
        if killed < kills and len(pids) == WORKERS:
            os.kill(rng.choice(sorted(pids)), signal.SIGKILL)
            killed += 1
        pids = {pid for pid in pids if not os.waitpid(pid, os.WNOHANG)[0]}
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(pids)} workers do not come to an end")
    with open_store(root) as store:
        refused = store.row("SELECT count(*) FROM event WHERE type = 'refused'")[0]
        unsound = half_written(store) + [str(finding) for finding in store.verify()]
        counts = store.counts()
        strangers = by_strangers(store)
    errors = [path.read_text() for path in root.glob("error-*")]
    return {"counts": counts, "kills": killed, "refused": refused, "strangers": strangers,
            "unsound": unsound, "errors": errors}  # fmt: skip


def main() -> None:
    """Print the report as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--kills", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mutant", default="")
    args = parser.parse_args()
    shutil.rmtree(args.folder, ignore_errors=True)
    json.dump(torture(args.folder, args.jobs, args.kills, args.seed, args.mutant), sys.stdout)


if __name__ == "__main__":
    main()
