"""Cleaning, the ballast, and disk use."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.errors import IllegalMove, NoSuchJob
from jobs.job import Job
from jobs.lane import Lane
from jobs.store import Store

PNG = "image/png"


def age(store: Store, job: Job, hours: float) -> None:
    with store.tx() as db:
        db.execute("UPDATE job SET updated = ? WHERE id = ?", (time.time() - 3600 * hours, job.id))


def test_clean_by_age_spares_the_young_the_queued_and_the_running(store: Store, running: Callable[[], Job]):
    lane = Lane(store.root)
    assert lane.acquire()
    done = running()
    store.finish_job(done.id, done.attempt, "succeeded")
    paused = store.create_job("edit", {}, hold=True)
    young = store.create_job("edit", {}, hold=True)
    runs = running()
    queued = store.create_job("edit", {})
    for job in (done, paused, runs, queued):
        age(store, job, 25)
    cleaned = store.clean(24)
    assert (cleaned.jobs, cleaned.kept_running) == (2, 0)
    assert {job.id for job in store.list_jobs()} == {young.id, runs.id, queued.id}
    cleaned = store.clean(all=True)
    assert (cleaned.jobs, cleaned.kept_running) == (2, 1)
    assert [job.id for job in store.list_jobs()] == [runs.id]
    with pytest.raises(IllegalMove, match="Cancel it first"):
        store.clean(job_id=runs.id)
    lane.release()


def test_what_nobody_executes_is_not_running(store: Store, running: Callable[[], Job]):
    running()
    assert store.clean(all=True).jobs == 1


def test_clean_gives_space_back(store: Store):
    job = store.create_job("edit", {"x": "y" * 1_000_000}, assets=[("a", bytes(1_000_000), PNG)])
    for _ in range(1500):
        store.append(job.id, "log", {"text": "z" * 500})
    before = store.disk_use()
    cleaned = store.clean(job_id=job.id)
    after = store.disk_use()
    assert after.assets == 0
    assert after.database < 200_000 < before.database
    assert cleaned.bytes == before.database + before.assets - after.database
    assert store.events() == []
    with pytest.raises(NoSuchJob):
        store.clean(job_id=job.id)
    for wrong in ({}, {"older_than_hours": 1, "all": True}):
        with pytest.raises(ValueError):
            store.clean(**wrong)


def test_events_of_a_deletion_that_a_crash_cut_short_are_collected(store: Store):
    job = store.create_job("edit", {})
    with store.tx() as db:
        db.execute("DELETE FROM job WHERE id = ?", (job.id,))
    assert store.last_seq() == 1
    store.gc()
    assert store.events() == []


def test_the_ballast_is_made_dropped_and_made_again(tmp_path: Path):
    with Store(tmp_path / "s", free_min=0, ballast=1 << 20) as store:
        assert store.disk_use().ballast == 1 << 20
        store.ballast.drop()
        assert store.disk_use().ballast == 0
        store.clean(all=True)
        assert store.disk_use().ballast == 1 << 20
    with Store(tmp_path / "s", free_min=0, ballast=1 << 60) as store:
        assert store.disk_use().ballast == 1 << 20  # no room for that much: left as it is


def test_the_lane_names_its_holder(store: Store):
    first, second = Lane(store.root), Lane(store.root)
    assert first.holder() is None
    assert first.acquire() and first.acquire()
    assert not second.acquire()
    assert second.holder() is not None
    first.release()
    assert second.acquire()
    second.release()
