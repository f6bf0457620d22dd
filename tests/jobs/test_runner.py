"""The runner: outcomes, interruption, resuming after kill -9, one lane per store."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobs.context import Context
from jobs.errors import LostLease, Paused, StoreFull
from jobs.host import Host
from jobs.job import Job
from jobs.lane import Lane
from jobs.queue import LEASE
from jobs.runner import BEATS, Runner, Workflow
from jobs.store import Store
from tests.jobs.crash_facts import half_written

ROOT = Path(__file__).parents[2]
ENTRY = "tests.jobs.units:units"
Start = Callable[..., Runner]


@pytest.fixture
def start(store: Store) -> Iterator[Start]:
    """Starts a runner over one workflow, kind "edit"."""
    started: list[Runner] = []

    def begin(workflow: Workflow, host: Host | None = None, **options: float) -> Runner:
        runner = Runner(store, {"edit": workflow}, host, **options)
        started.append(runner)
        runner.start()
        return runner

    yield begin
    for runner in started:
        runner.stop()


def until(store: Store, job: Job, *states: str, within: float = 30) -> Job:
    """The job, as soon as it is in one of these states."""
    deadline = time.monotonic() + within
    while (now := store.job(job.id)).state not in states:
        assert time.monotonic() < deadline, f"still {now.state}"
        store.follow(job.id, store.last_seq(), 0.05)
    return now


def step(context: Context, key: str, act: Callable[[], None] = lambda: None) -> None:
    """One step, unless it is done."""
    if key in {each.key for each in context.store.chosen_steps(context.job.id) if each.state == "done"}:
        return
    begun = context.begin(key, int(key[1:]), key, {}, "k")
    act()
    context.end(
        key, begun.attempt, "done", {"run": context.fence}, [(f"{key}/out", key.encode(), "text/plain")]
    )


def test_a_workflow_that_returns_has_succeeded(store: Store, start: Start):
    job = store.create_job("edit", {})
    other = store.create_job("unknown kind", {})
    start(lambda context: step(context, "s1"))
    until(store, job, "succeeded")
    assert store.read(job.id, "s1/out") == b"s1"
    assert store.job(other.id).state == "queued"


def test_room_that_a_full_disk_took_is_set_aside_again(tmp_path: Path):
    with Store(tmp_path / "roomy", free_min=0, ballast=1 << 16) as store:
        store.ballast.drop()
        runner = Runner(store, {"edit": lambda context: None})
        runner.start()
        until(store, store.create_job("edit", {}), "succeeded")
        runner.stop()
        assert store.ballast.held() == 1 << 16


def test_new_jobs_start_at_once(store: Store, start: Start):
    start(lambda context: None)
    until(store, store.create_job("edit", {}), "succeeded")
    began = time.monotonic()
    until(store, store.create_job("edit", {}), "succeeded")
    assert time.monotonic() - began < LEASE / BEATS / 2, "not found by the next heartbeat"


def test_exceptions_become_kind_message_and_hint(
    store: Store, start: Start, caplog: pytest.LogCaptureFixture
):
    def fail(context: Context) -> None:
        context.begin("s1", 1, "cup", {}, "k")
        raise StoreFull("No room.")

    start(fail)
    job = until(store, store.create_job("edit", {}), "failed")
    assert job.error == {"kind": "StoreFull", "message": "No room.", "hint": StoreFull.hint}
    assert [each.state for each in store.steps(job.id)] == ["failed"]
    assert "Traceback" not in json.dumps([event.data for event in store.events(job.id)])
    assert "Traceback" in caplog.text


def test_a_step_left_running_fails_the_job(store: Store, start: Start):
    start(lambda context: context.begin("s1", 1, "cup", {}, "k") and None)
    job = until(store, store.create_job("edit", {}), "failed", "succeeded")
    assert job.error is not None and "s1 still runs" in job.error["message"]


def test_paused_by_the_workflow_and_by_a_person(store: Store, start: Start):
    entered, go_on = threading.Event(), threading.Event()

    def work(context: Context) -> None:
        step(context, "s1", lambda: (entered.set(), go_on.wait(5)))
        step(context, "s2")
        if context.recall("seen") is None:
            context.remember("seen", True)
            raise Paused("coverage 0.99 is above 0.4")

    start(work)
    job = store.create_job("edit", {})
    assert entered.wait(5)
    store.request_pause(job.id)
    go_on.set()
    until(store, job, "needs_review")
    assert [(each.key, each.state) for each in store.steps(job.id)] == [("s1", "done")]
    store.requeue(job.id)
    until(store, job, "running")
    until(store, job, "needs_review")
    assert store.events(job.id)[-1].data["reason"] == "coverage 0.99 is above 0.4"
    store.requeue(job.id)
    until(store, job, "succeeded")
    assert [(each.key, each.attempt, each.result["run"]) for each in store.steps(job.id)] == [
        ("s1", 1, 1),
        ("s2", 1, 2),
    ]


def test_cancel_of_running_work(store: Store, start: Start):
    def work(context: Context) -> None:
        context.begin("s1", 1, "cup", {}, "k")
        while True:
            context.check()
            time.sleep(0.005)

    start(work)
    job = store.create_job("edit", {})
    while not store.steps(job.id):
        time.sleep(0.01)
    store.request_cancel(job.id)
    until(store, job, "cancelled", within=LEASE / BEATS / 2)
    assert [each.state for each in store.steps(job.id)] == ["cancelled"]


def test_cancel_reaches_the_host_and_a_crash_there_fails_the_job_only(
    store: Store, start: Start, tmp_path: Path
):
    def work(context: Context) -> None:
        context.part(0.5, 1.0).call(context.job.params["unit"], context.job.params)

    host = Host(ENTRY, log=tmp_path / "log")
    start(work, host)
    job = store.create_job("edit", {"unit": "spin"})
    until(store, job, "running")
    time.sleep(0.5)
    store.request_cancel(job.id)
    until(store, job, "cancelled", within=3)
    failed = until(store, store.create_job("edit", {"unit": "die", "signal": "SIGSEGV"}), "failed")
    assert failed.error is not None and failed.error["kind"] == "HostCrashed"
    refused = until(store, store.create_job("edit", {"unit": "refuse"}), "failed")
    assert refused.error is not None and refused.error["kind"] == "Unwilling"
    fine = until(store, store.create_job("edit", {"unit": "echo"}), "succeeded")
    types = [event.type for event in store.events(fine.id)]
    assert types == ["job", "job", "progress", "log", "preview", "note", "job"]
    assert store.events(fine.id)[2].data["fraction"] == 0.75


def test_stop_gives_everything_back_within_five_seconds(store: Store, start: Start, tmp_path: Path):
    """Work that listens, work in the host that does not, and a thread that cannot be stopped at all."""
    never = threading.Event()

    def work(context: Context) -> None:
        context.begin("s1", 1, "cup", {}, "k")
        if context.job.params["how"] == "listens":
            while True:
                context.check()
                time.sleep(0.01)
        elif context.job.params["how"] == "host":
            context.call("nap", {})
        never.wait(30)
        with pytest.raises(LostLease):
            context.log("too late")

    runner = start(work, Host(ENTRY, log=tmp_path / "log"))
    jobs = [store.create_job("edit", {"how": how}) for how in ("listens", "host", "never")]
    for job in jobs:
        until(store, job, "running")
    time.sleep(0.5)
    began = time.monotonic()
    runner.stop()
    assert time.monotonic() - began < 20, "nobody waits for what does not listen"
    for job in jobs:
        assert store.job(job.id).state == "queued"
        assert store.events(job.id)[-1].data == {"state": "queued", "was": "running", "reason": "interrupted"}
        assert [each.state for each in store.steps(job.id)] == ["pending"]
    assert not runner.leading
    never.set()


def test_only_the_holder_of_the_lane_executes_and_the_next_takes_over(store: Store, start: Start):
    first = start(lambda context: None)
    until(store, store.create_job("edit", {}), "succeeded")
    second = start(lambda context: None)
    time.sleep(0.2)
    assert (first.leading, second.leading) == (True, False)
    first.stop()
    until(store, store.create_job("edit", {}), "succeeded")
    assert second.leading


def test_threads_run_jobs_side_by_side_but_no_more_than_asked(store: Store, start: Start):
    turn, now, most = threading.Lock(), [0], [0]

    def work(context: Context) -> None:
        with turn:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.05)
        with turn:
            now[0] -= 1

    jobs = [store.create_job("edit", {}) for _ in range(9)]
    start(work, threads=3)
    for job in jobs:
        until(store, job, "succeeded")
    assert most[0] == 3


def test_heartbeats_keep_the_lease_and_a_lost_one_stops_the_work(store: Store, start: Start):
    lost = threading.Event()

    def work(context: Context) -> None:
        try:
            while True:
                context.check()
                time.sleep(0.01)
        except LostLease:
            lost.set()
            raise

    runner = start(work, lease=0.6)
    job = store.create_job("edit", {})
    until(store, job, "running")
    time.sleep(1.5)
    assert store.recover() == 0
    assert store.job(job.id).attempt == 1
    runner._stopping.set()  # so that it is not claimed again
    assert store.recover(everything=True) == 1
    assert lost.wait(5)
    assert store.job(job.id).state == "queued"


def test_a_full_disk_is_written_down_with_the_help_of_the_ballast(
    store: Store, start: Start, monkeypatch: pytest.MonkeyPatch
):
    dropped = threading.Event()
    finish = store.finish_job

    def full(*args: object, **more: object) -> Job:
        if not dropped.is_set():
            raise StoreFull("No room.")
        return finish(*args, **more)

    monkeypatch.setattr(store, "finish_job", full)
    monkeypatch.setattr(store.ballast, "drop", dropped.set)

    def work(context: Context) -> None:
        raise StoreFull("No room.")

    start(work)
    job = until(store, store.create_job("edit", {}), "failed")
    assert job.error is not None and job.error["kind"] == "StoreFull"


PROCESS = """
import sys, time
from pathlib import Path
from jobs.runner import Runner
from jobs.store import Store
from tests.jobs.test_runner import step
def work(context):
    for number in range(20):
        step(context, f"s{number}", lambda: time.sleep(60 if number == int(sys.argv[2]) else 0.1))
runner = Runner(Store(Path(sys.argv[1]), free_min=0, ballast=0), {"edit": work})
runner.start()
print("started", flush=True)
sys.stdin.read()
runner.stop()
"""


def run_process(store: Store, stuck: int = -1) -> "subprocess.Popen[str]":
    """A process that runs jobs of twenty steps. stuck: the step that it does not come to the end of."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(store.root), str(stuck)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def test_after_kill_9_a_waiting_process_takes_over_and_no_step_is_done_twice(store: Store):
    job = store.create_job("edit", {})
    first = run_process(store, stuck=5)
    until(store, job, "running")
    second = run_process(store)
    lane = Lane(store.root)
    assert lane.holder() == first.pid
    while sum(each.state == "done" for each in store.steps(job.id)) < 5:
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    first.communicate()
    done_before = {each.key for each in store.steps(job.id) if each.state == "done"}
    until(store, job, "succeeded")
    assert time.monotonic() - killed < LEASE / 2, "not by the end of the lease"
    assert lane.holder() == second.pid
    second.communicate("")
    assert lane.holder() is None
    steps = store.steps(job.id)
    assert len(steps) == 20 and all(each.attempt == 1 for each in steps)
    assert {each.key for each in steps if each.result["run"] == 1} == done_before
    assert {each.result["run"] for each in steps} == {1, 2}
    done = [event.data["key"] for event in store.events(job.id) if event.data.get("state") == "done"]
    assert len(done) == len(set(done)) == 20
    assert [
        finding for finding in half_written(store) if "files" not in finding and "open" not in finding
    ] == []
