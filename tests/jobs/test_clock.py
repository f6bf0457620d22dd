"""A clock that is set forward or back while work is under way: nothing is lost, and nothing is done twice."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import jobs.events
import jobs.ledger
import jobs.queue
import jobs.steps
import jobs.upkeep
from jobs.context import Context
from jobs.runner import Runner
from jobs.store import Store

DAY = 86_400.0
LEASE = 0.3


class Clock:
    """The module `time`, with another time of day."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def time(self) -> float:
        return time.time() + self.ahead

    def time_ns(self) -> int:
        return time.time_ns() + round(self.ahead * 1e9)

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (jobs.queue, jobs.upkeep, jobs.steps, jobs.events, jobs.ledger):
        if hasattr(module, "time"):
            monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def run(store: Store) -> Iterator[Callable[[Callable[[Context], None]], str]]:
    """Runs a job with this workflow, whose lease is short; the id of the job when it has ended."""
    runners = []

    def start(workflow: Callable[[Context], None]) -> str:
        runners.append(Runner(store, {"edit": workflow}, lease=LEASE))
        runners[-1].start()
        job = store.create_job("edit", {}).id
        until = time.monotonic() + 20
        while store.job(job).state in ("queued", "running"):
            assert time.monotonic() < until
            time.sleep(0.01)
        return job

    yield start
    for runner in runners:
        runner.stop()


@pytest.mark.parametrize("jumps", [(DAY, -2 * DAY), (-DAY, 3 * DAY)])
def test_work_goes_on_once_through_every_jump(store: Store, run, clock: Clock, jumps: tuple[float, float]):
    began: list[str] = []

    def workflow(context: Context) -> None:
        for number, jump in enumerate((0.0, *jumps)):
            clock.ahead += jump
            key = f"s{number}"
            began.append(key)
            step = context.begin(key, number, key, {}, "")
            until = time.monotonic() + 2 * LEASE  # long enough for every look at the leases
            while time.monotonic() < until:
                context.check()
                time.sleep(0.01)
            context.end(key, step.attempt, "done", {})

    job = run(workflow)
    assert (store.job(job).state, store.job(job).attempt) == ("succeeded", 1)
    assert began == ["s0", "s1", "s2"]
    assert [(step.key, step.attempt, step.state) for step in store.steps(job)] == [
        (f"s{n}", 1, "done") for n in range(3)
    ]
    assert [event.seq for event in store.events(job)] == sorted(event.seq for event in store.events(job))


def test_new_jobs_are_the_newest_also_where_the_clock_was_set_back(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    clock.ahead = DAY
    older = store.create_job("edit", {}).id
    clock.ahead = -DAY
    monkeypatch.setattr(jobs.queue, "_last_id", 0)  # as after a restart
    newer = [store.create_job("edit", {}).id for _ in range(3)]
    assert [job.id for job in store.list_jobs()] == [*reversed(newer), older]


def test_cleaning_by_age_spares_what_seems_to_be_of_tomorrow(store: Store, clock: Clock):
    clock.ahead = DAY
    job = store.create_job("edit", {}, hold=True).id
    clock.ahead = 0
    assert store.clean(older_than_hours=1).jobs == 0
    assert store.job(job)
