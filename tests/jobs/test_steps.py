"""Steps: done once, every attempt kept, one chosen."""

from collections.abc import Callable

import pytest

from jobs.errors import IllegalMove, NoSuchStep, StoreError
from jobs.job import STEP_MOVES, Job
from jobs.store import Store
from tests.jobs.crash_facts import half_written

PNG = "image/png"


def begin(store: Store, job: Job, key: str = "s1") -> int:
    return store.begin_step(job.id, job.attempt, key, 0, "cup", {"hint": 1}, "k").attempt


def end(store: Store, job: Job, attempt: int, state: str = "done", key: str = "s1", **more: object) -> None:
    store.end_step(job.id, job.attempt, key, attempt, state, {"n": attempt}, **more)


def test_every_move_of_the_table_and_no_other(store: Store, running: Callable[[], Job]):
    job = running()
    begin(store, job)
    for old in STEP_MOVES:
        for new in STEP_MOVES:
            with store.tx() as db:
                db.execute("UPDATE step SET state = ?", (old,))
            before = store.last_seq()
            try:
                with store.tx() as db:
                    store._set(db, job.id, "s1", 1, new)
            except IllegalMove:
                assert new not in STEP_MOVES[old]
                assert store.step(job.id, "s1", 1).state == old
                assert store.last_seq() == before
            else:
                assert new in STEP_MOVES[old]
                assert store.step(job.id, "s1", 1).state == new
                assert store.events(job.id)[-1].data["state"] == new


def test_step_assets_and_event_appear_together(store: Store, running: Callable[[], Job]):
    job = running()
    attempt = begin(store, job)
    seq = store.last_seq()
    end(store, job, attempt, assets=[("s1/1/alpha.png", b"pixels", PNG)])
    (step,) = store.steps(job.id)
    assert (step.state, step.result, step.chosen, step.params) == ("done", {"n": 1}, True, {"hint": 1})
    assert step.started is not None and step.ended is not None and step.ended >= step.started
    assert store.read(job.id, "s1/1/alpha.png") == b"pixels"
    (event,) = store.events(job.id, after=seq)
    assert event.data == {"key": "s1", "attempt": 1, "position": 0, "name": "cup", "state": "done"}


def test_a_step_is_done_once(store: Store, running: Callable[[], Job]):
    job = running()
    end(store, job, begin(store, job))
    with pytest.raises(IllegalMove):
        end(store, job, 1)
    with pytest.raises(NoSuchStep):
        end(store, job, 2)
    begin(store, job)
    with pytest.raises(IllegalMove, match="cannot begin"):
        begin(store, job)


def test_a_refused_step_leaves_nothing(store: Store, running: Callable[[], Job]):
    job = running()
    attempt = begin(store, job)
    before = store.last_seq()
    with pytest.raises(StoreError):
        end(store, job, attempt, assets=[("fine", b"1", PNG), ("../evil", b"2", PNG)])
    with pytest.raises(TypeError):
        store.end_step(job.id, job.attempt, "s1", attempt, "done", {"x": object()}, [("fine", b"1", PNG)])
    assert store.assets(job.id) == []
    assert store.last_seq() == before
    assert store.step(job.id, "s1", attempt).state == "running"


def test_retry_adds_an_attempt_and_keeps_the_old_one(store: Store, running: Callable[[], Job]):
    job = running()
    end(store, job, begin(store, job), "needs_review", error={"message": "coverage"})
    retried = store.move_step(job.id, "s1", 1, "pending", params={"hint": 2})
    assert (retried.attempt, retried.state, retried.chosen, retried.params) == (
        2,
        "pending",
        True,
        {"hint": 2},
    )
    first = store.step(job.id, "s1", 1)
    assert (first.state, first.chosen, first.error) == ("needs_review", False, {"message": "coverage"})
    assert begin(store, job) == 2
    end(store, job, 2, assets=[("s1/out", b"", PNG), ("s1/same", b"", PNG)])
    chosen = store.choose_attempt(job.id, "s1", 1)
    assert chosen.chosen
    assert [step.attempt for step in store.chosen_steps(job.id)] == [1]
    assert store.move_step(job.id, "s1", 1, "accepted").state == "accepted"
    assert begin(store, job) == 3
    assert not half_written(store)


def test_interrupted_attempt_goes_on_under_its_number(store: Store, running: Callable[[], Job]):
    job = running()
    begin(store, job)
    store.release(job.id, job.attempt, "interrupted")
    assert store.step(job.id, "s1", 1).state == "pending"
    again = store.claim("me")
    assert again is not None
    assert begin(store, again) == 1
    assert len(store.steps(job.id)) == 1


def test_a_person_cannot_move_what_runs(store: Store, running: Callable[[], Job]):
    job = running()
    begin(store, job)
    for state in ("accepted", "pending"):
        with pytest.raises(IllegalMove):
            store.move_step(job.id, "s1", 1, state)
    with pytest.raises(NoSuchStep):
        store.choose_attempt(job.id, "s1", 9)


def test_a_paid_call_caught_by_a_crash_is_unknown(store: Store, running: Callable[[], Job]):
    job = running()
    begin(store, job, "paid")
    begin(store, job, "free")
    reserve(store, job, "paid")
    with store.tx() as db:
        db.execute("UPDATE spend SET state = 'submitting'")
    store.recover(everything=True)
    assert {step.key: step.state for step in store.steps(job.id)} == {"paid": "unknown", "free": "pending"}
    again = store.claim("me")
    assert again is not None
    with pytest.raises(IllegalMove, match="unknown"):
        begin(store, again, "paid")
    assert store.move_step(job.id, "paid", 1, "failed").state == "failed"


def reserve(store: Store, job: Job, key: str) -> None:
    with store.tx() as db:
        db.execute(
            "INSERT INTO spend(id, job_id, step_key, attempt, provider, idempotency_key, state, reserved_microusd,"
            " created, updated) VALUES('x', ?, ?, 1, 'fake', 'once', 'reserved', 1000, 0, 0)",
            (job.id, key),
        )


SPEND_STATES = ("reserved", "submitting", "submitted", "remote_done", "settled", "released", "uncertain")
SPEND_MOVES = {
    ("reserved", "submitting"), ("reserved", "released"), ("submitting", "submitted"), ("submitting", "released"),
    ("submitting", "uncertain"), ("submitted", "remote_done"), ("remote_done", "settled"),
    ("uncertain", "settled"), ("uncertain", "released"),
}  # fmt: skip
ROADS = {
    "reserved": [],
    "submitting": ["submitting"],
    "submitted": ["submitting", "submitted"],
    "remote_done": ["submitting", "submitted", "remote_done"],
    "settled": ["submitting", "submitted", "remote_done", "settled"],
    "released": ["released"],
    "uncertain": ["submitting", "uncertain"],
}


@pytest.mark.parametrize("old", SPEND_STATES)
def test_the_ledger_refuses_every_other_move(store: Store, running: Callable[[], Job], old: str):
    job = running()

    def move(state: str) -> None:
        paid = 900 if state == "settled" else None
        with store.tx() as db:
            db.execute("UPDATE spend SET state = ?, settled_microusd = ?", (state, paid))

    for new in SPEND_STATES:
        with store.tx() as db:
            db.execute("DELETE FROM spend")
        reserve(store, job, "paid")
        for state in ROADS[old]:
            move(state)
        if (old, new) in SPEND_MOVES:
            move(new)
        else:
            with pytest.raises(StoreError, match="not legal"):
                move(new)


def test_the_ledger_outlives_the_job(store: Store, running: Callable[[], Job]):
    job = running()
    reserve(store, job, "paid")
    store.finish_job(job.id, job.attempt, "succeeded")
    store.delete_job(job.id)
    assert store.row("SELECT state FROM spend")[0] == "reserved"
