"""Jobs: creating, listing, owning, and every legal and illegal move."""

import time
from collections.abc import Callable

import pytest

from jobs.errors import IllegalMove, LostLease, NoSuchJob, StoreFull
from jobs.job import JOB_MOVES, Job
from jobs.queue import new_id
from jobs.store import Store
from tests.jobs.crash_facts import half_written

STATES = tuple(JOB_MOVES)


def in_state(store: Store, state: str) -> Job:
    """A job brought to `state` by legal moves."""
    job = store.create_job("edit", {}, hold=state == "needs_review")
    if state in ("queued", "needs_review"):
        return job
    claimed = store.claim("me")
    assert claimed is not None and claimed.id == job.id
    return claimed if state == "running" else store.finish_job(job.id, claimed.attempt, state)


def test_every_move_of_the_table_and_no_other(store: Store):
    for old in STATES:
        for new in STATES:
            job = in_state(store, old)
            before = len(store.events(job.id))
            if new in JOB_MOVES[old]:
                with store.tx() as db:
                    lease = {"owner": "me", "lease_until": 1.0} if new == "running" else {}
                    store._move(db, job.id, new, **lease)
                assert store.job(job.id).state == new
                assert store.events(job.id)[-1].data["state"] == new
            else:
                with pytest.raises(IllegalMove), store.tx() as db:
                    store._move(db, job.id, new)
                assert store.job(job.id).state == old
                assert len(store.events(job.id)) == before
            if store.job(job.id).state == "running":
                store.finish_job(job.id, store.job(job.id).attempt, "failed")
            store.delete_job(job.id)


def test_hold_waits_for_a_person(store: Store):
    job = store.create_job("edit", {}, hold=True)
    assert job.state == "needs_review"
    assert store.claim("me") is None
    assert store.requeue(job.id).state == "queued"
    assert store.claim("me") is not None


def test_client_key_makes_a_repeated_submission_one_job(store: Store):
    first = store.create_job("edit", {"n": 1}, client_key="k", assets=[("in", b"1", "image/png")])
    assert store.create_job("edit", {"n": 2}, client_key="k") == first
    assert len(store.list_jobs()) == 1


def test_oldest_is_claimed_first_and_kinds_are_respected(store: Store):
    first, other = store.create_job("a", {}), store.create_job("b", {})
    assert store.claim("me", kinds=["c"]) is None
    assert store.claim("me", kinds=["b"]).id == other.id
    assert store.claim("me", kinds=["a", "b"]).id == first.id
    assert store.claim("me") is None


def test_a_lost_lease_refuses_every_write(store: Store, running: Callable[[], Job]):
    zombie = running()
    store.begin_step(zombie.id, zombie.attempt, "s1", 0, "cup", {}, "k")
    with store.tx() as db:
        db.execute("UPDATE job SET lease_until = ?", (time.time() - 1,))
    assert store.recover() == 1
    assert [step.state for step in store.steps(zombie.id)] == ["pending"]
    owner = store.claim("another")
    assert owner is not None and owner.attempt == zombie.attempt + 1
    writes = [
        lambda: store.heartbeat(zombie.id, zombie.attempt),
        lambda: store.append(zombie.id, "log", {}, fence=zombie.attempt),
        lambda: store.begin_step(zombie.id, zombie.attempt, "s1", 0, "cup", {}, "k"),
        lambda: store.end_step(zombie.id, zombie.attempt, "s1", 1, "done", {}, [("x", b"x", "image/png")]),
        lambda: store.put_assets(zombie.id, [("x", b"x", "image/png")], fence=zombie.attempt),
        lambda: store.set_params(zombie.id, {}, fence=zombie.attempt),
        lambda: store.put_preview(zombie.id, zombie.attempt, b"x", "image/png"),
        lambda: store.finish_job(zombie.id, zombie.attempt, "succeeded"),
        lambda: store.release(zombie.id, zombie.attempt, "interrupted"),
    ]
    before = store.last_seq()
    for write in writes:
        with pytest.raises(LostLease):
            write()
    assert store.last_seq() == before
    assert store.assets(zombie.id) == []
    assert not half_written(store)


def test_a_living_lease_is_not_recovered(store: Store, running: Callable[[], Job]):
    job = running()
    store.heartbeat(job.id, job.attempt, 60)
    assert store.recover() == 0
    assert store.recover(everything=True) == 1
    assert store.events(job.id)[-1].data == {"state": "queued", "was": "running", "reason": "interrupted"}


def test_cancel(store: Store, running: Callable[[], Job]):
    waiting = store.create_job("edit", {}, hold=True)
    assert store.request_cancel(waiting.id).state == "cancelled"
    job = running()
    store.begin_step(job.id, job.attempt, "s1", 0, "cup", {}, "k")
    asked = store.request_cancel(job.id)
    assert (asked.state, asked.cancel_requested) == ("running", True)
    assert store.events(job.id)[-1].data == {"what": "cancel"}
    store.finish_job(job.id, job.attempt, "cancelled")
    assert [step.state for step in store.steps(job.id)] == ["cancelled"]
    assert store.request_cancel(job.id).state == "cancelled"
    again = store.requeue(job.id)
    assert (again.state, again.cancel_requested) == ("queued", False)


def test_a_cancel_survives_an_interruption(store: Store, running: Callable[[], Job]):
    job = running()
    store.request_cancel(job.id)
    store.release(job.id, job.attempt, "interrupted")
    assert store.job(job.id).cancel_requested


def test_pause(store: Store, running: Callable[[], Job]):
    queued = store.create_job("edit", {})
    assert store.request_pause(queued.id).state == "needs_review"
    job = running()
    assert store.request_pause(job.id).pause_requested
    store.finish_job(job.id, job.attempt, "needs_review", reason="paused")
    assert not store.job(job.id).pause_requested
    assert store.request_pause(job.id).state == "needs_review"


def test_requeue_of_what_waits_or_runs_does_nothing(store: Store, running: Callable[[], Job]):
    job = running()
    assert store.requeue(job.id) == job
    store.release(job.id, job.attempt, "")
    before = store.last_seq()
    assert store.requeue(job.id).state == "queued"
    assert store.last_seq() == before


def test_a_job_cannot_succeed_over_a_running_step(store: Store, running: Callable[[], Job]):
    job = running()
    store.begin_step(job.id, job.attempt, "s1", 0, "cup", {}, "k")
    with pytest.raises(IllegalMove, match="s1 still runs"):
        store.finish_job(job.id, job.attempt, "succeeded")
    store.finish_job(job.id, job.attempt, "failed", error={"message": "no"})
    assert store.steps(job.id)[0].error == store.job(job.id).error == {"message": "no"}


def test_pages_filters_and_search(store: Store):
    ids = [store.create_job("ab"[n % 2], {}, title=f"Straße {n}").id for n in range(7)]
    store.request_cancel(ids[3])
    newest = list(reversed(ids))
    first = store.list_jobs(3)
    assert [job.id for job in first] == newest[:3]
    assert [job.id for job in store.list_jobs(10, before=first[-1].id)] == newest[3:]
    assert [job.id for job in store.list_jobs(state="cancelled")] == [ids[3]]
    assert [job.id for job in store.list_jobs(kind="b")] == [ids[5], ids[3], ids[1]]
    assert [job.id for job in store.list_jobs(search="STRASSE 6")] == [ids[6]]
    assert [job.id for job in store.list_jobs(search="%")] == []
    assert store.counts() == {"queued": 6, "cancelled": 1}
    store.set_title(ids[0], "Ein Haus")
    assert [job.id for job in store.list_jobs(search="haus", state="queued", kind="a")] == [ids[0]]


def test_resolve_takes_a_unique_beginning_or_end(store: Store):
    job = store.create_job("edit", {})
    assert store.resolve(job.id) == store.resolve(job.id[:12]) == store.resolve(job.id[-6:]) == job.id
    for text in ("", "nothing", "%"):
        with pytest.raises(NoSuchJob):
            store.resolve(text)
    store.create_job("edit", {})
    with pytest.raises(NoSuchJob, match="Several"):
        store.resolve(job.id[:3])


def test_params_and_titles_change_with_an_event(store: Store):
    job = store.create_job("edit", {"plan": 1})
    assert store.set_params(job.id, {"plan": [2]}).params == {"plan": [2]}
    assert store.set_title(job.id, "t").title == "t"
    assert [event.type for event in store.events(job.id)] == ["job", "params", "title"]
    with pytest.raises(ValueError):
        store.set_params(job.id, {"x": float("nan")})


def test_ids_sort_by_age():
    ids = [new_id() for _ in range(1000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 1000


def test_unknown_jobs_are_errors(store: Store):
    for call in (store.job, store.requeue, store.request_cancel, store.delete_job):
        with pytest.raises(NoSuchJob):
            call("nope")


def test_no_new_job_on_a_nearly_full_disk(store: Store):
    store.free_min = 1 << 60
    with pytest.raises(StoreFull, match="MB are free"):
        store.create_job("edit", {})
    assert store.list_jobs() == []
