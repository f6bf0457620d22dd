"""What the crash tests share: a workload that says what the store acknowledged, and the check that it is all there.

A fact is a list, written as one line of JSON only after the store's method has returned. "del?" announces a deletion
before it begins, because a crash may come before its acknowledgement.
"""

import hashlib
import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jobs.database
import jobs.events
import jobs.files
from jobs.job import Job
from jobs.store import Store

Fact = list[Any]
Acknowledge = Callable[..., None]
SIZES = (700, 9_000, 40_000)  # bytes of assets
KEYS = ("s1", "s2", "s3")


def mutate(name: str) -> None:
    """Break one law on purpose, in this process. A test that does not notice proves nothing."""
    if name == "no-fsync":
        jobs.files.sync_file = lambda fd: None
    elif name == "no-dir-fsync":
        jobs.files.sync_dir = lambda folder: None
    elif name == "normal":
        relaxed = tuple(pragma.replace("FULL", "NORMAL") for pragma in jobs.database.PRAGMAS)
        jobs.database.PRAGMAS = relaxed
    elif name == "no-fence":
        jobs.events.OWNED = "SELECT * FROM job WHERE id = ?1 AND ?2 IS NOT NULL"
    elif name:
        raise ValueError(name)


def open_store(root: Path) -> Store:
    """A small store: no ballast, no demand for free space."""
    return Store(root, free_min=0, ballast=0)


def work(store: Store, rounds: int, rng: random.Random, ack: Acknowledge) -> None:
    """Whole lives of jobs, resuming first what an earlier process left."""
    for number in range(rounds):
        shared = rng.randbytes(500)
        created = store.create_job(
            "edit", {"n": number}, title="a title", assets=[("in", shared, "image/png")]
        )
        ack("job", created.id)
        job = store.claim("worker", 60)
        assert job is not None
        ack("claim", job.id, job.attempt)
        for position, key in enumerate(KEYS):
            _do_step(store, job, key, position, shared, rng, ack)
        store.finish_job(job.id, job.attempt, "succeeded")
        ack("succeeded", job.id)
        if number % 4 == 3:
            ack("del?", job.id)
            store.delete_job(job.id)
            ack("del", job.id)


def _do_step(
    store: Store, job: Job, key: str, position: int, shared: bytes, rng: random.Random, ack: Acknowledge
) -> None:
    chosen = {step.key: step for step in store.chosen_steps(job.id)}
    if key in chosen and chosen[key].state == "done":
        return
    seq = store.append(job.id, "log", {"text": key}, fence=job.attempt)
    ack("event", job.id, seq)
    step = store.begin_step(job.id, job.attempt, key, position, key, {}, "input")
    ack("begun", job.id, key, step.attempt)
    data = rng.randbytes(rng.choice(SIZES))
    # The second asset has the same bytes as another one: de-duplication must survive crashes as well.
    items = [
        (f"{key}/out", data, "image/png"),
        (f"{key}/same", shared, "image/png"),
        ("last", data, "image/png"),
    ]
    store.end_step(job.id, job.attempt, key, step.attempt, "done", {"by": key}, items)
    ack("done", job.id, key, step.attempt, hashlib.sha256(data).hexdigest())


def lost(store: Store, facts: Iterable[Fact]) -> list[Fact]:
    """The acknowledged facts that the store does not know."""
    facts = list(facts)
    gone = {fact[1] for fact in facts if fact[0] == "del?"}
    return [fact for fact in facts if not _holds(store, fact, gone)]


def _holds(store: Store, fact: Fact, gone: set[str]) -> bool:
    kind, job_id, *rest = fact
    if kind == "del":
        return store.row("SELECT 1 FROM job WHERE id = ?", (job_id,)) is None
    if kind == "del?" or job_id in gone:
        return True
    if kind == "job":
        sql, args = "SELECT 1 FROM job JOIN asset ON job_id = id WHERE id = ? AND name = 'in'", (job_id,)
    elif kind == "claim":
        sql, args = "SELECT 1 FROM job WHERE id = ? AND attempt >= ?", (job_id, *rest)
    elif kind == "event":
        sql, args = "SELECT 1 FROM event WHERE job_id = ? AND seq = ?", (job_id, *rest)
    elif kind == "begun":
        sql, args = "SELECT 1 FROM step WHERE job_id = ? AND key = ? AND attempt = ?", (job_id, *rest)
    elif kind == "done":
        key, attempt, sha256 = rest
        sql = (
            "SELECT 1 FROM step JOIN asset USING(job_id) WHERE job_id = ? AND key = ? AND attempt = ?"
            " AND state = 'done' AND asset.name = ? AND sha256 = ?"
        )
        args = (job_id, key, attempt, f"{key}/out", sha256)
    else:
        sql, args = "SELECT 1 FROM job WHERE id = ? AND state = 'succeeded'", (job_id,)
    return store.row(sql, args) is not None


def half_written(store: Store) -> list[str]:
    """Everything visible that is not whole: states without their event, done steps without their files."""
    job_states = """
        SELECT id FROM job WHERE state IS NOT (SELECT data ->> 'state' FROM event
        WHERE job_id = id AND type = 'job' ORDER BY seq DESC LIMIT 1)"""
    step_states = """
        SELECT job_id, key FROM step WHERE state IS NOT (SELECT data ->> 'state' FROM event
        WHERE event.job_id = step.job_id AND type = 'step' AND data ->> 'key' = key
        AND data ->> 'attempt' = attempt ORDER BY seq DESC LIMIT 1)"""
    files = """
        SELECT job_id, key FROM step WHERE state = 'done' AND 2 <> (SELECT count(*) FROM asset
        WHERE asset.job_id = step.job_id AND name IN(key || '/out', key || '/same'))"""
    twice = """
        SELECT job_id, data ->> 'key' FROM event WHERE type = 'step' AND data ->> 'state' = 'done'
        GROUP BY 1, 2 HAVING count(*) > 1"""
    unfinished = """
        SELECT id FROM job WHERE state = 'succeeded' AND kind = 'edit'
        AND 3 <> (SELECT count(*) FROM step WHERE job_id = id AND state = 'done' AND chosen = 1)"""
    checks = {
        "job state without its event": job_states,
        "step state without its event": step_states,
        "done step without its files": files,
        "step done twice": twice,
        "succeeded job with open steps": unfinished,
    }
    return [f"{what}: {tuple(row)}" for what, sql in checks.items() for row in store.rows(sql)]


def parse(lines: Iterable[str]) -> list[Fact]:
    """Facts of whole lines; a killed process may leave half a line at the end."""
    return [json.loads(line) for line in lines if line.endswith("]")]
