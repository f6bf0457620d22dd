"""What strangers leave behind."""

import time

import pytest

from jobs.store import Store
from scenehf.ui import expiry
from scenehf.ui.expiry import Expiry
from scenehf.ui.visitors import Sharing

HOUR = 3600.0


@pytest.fixture
def made(shelf: Store):
    """Makes a job of a visitor, last touched some hours ago, with a file of its own."""

    def make(visitor: str, hours: float, size: int = 1000, state: str = "needs_review") -> str:
        asset = ("a.bin", str(time.time_ns()).encode().ljust(size, b"."), "application/octet-stream")
        job = shelf.create_job("edit", {}, assets=[asset], hold=state == "needs_review").id
        shelf.claim_for(job, visitor)
        if state == "running":
            assert shelf.claim("me").id == job
        with shelf.tx() as db:
            db.execute("UPDATE job SET updated = ? WHERE id = ?", (time.time() - hours * HOUR, job))
        return job

    return make


def ids(store: Store) -> set[str]:
    return {job.id for job in store.list_jobs(100)}


def test_old_ones_go_and_the_owners_stay(shelf, made):
    old, young, owners = made("a", 25), made("a", 23), made("", 1000)
    waiting = made("a", 1000, state="queued")
    assert Expiry(shelf, Sharing(public=True, keep_hours=24)).sweep() == 1
    assert ids(shelf) == {young, owners, waiting}
    assert old not in ids(shelf)


def test_the_oldest_go_when_all_take_too_much(shelf, made):
    jobs = [made("a", 5 - n, 10_000) for n in range(5)]
    owners = made("", 9, 100_000)
    expiry_of = Expiry(shelf, Sharing(public=True, keep_gb=25e-6))
    assert expiry_of.sweep() == 3
    assert ids(shelf) == {*jobs[3:], owners}
    assert expiry_of.sweep() == 0
    assert shelf.verify() == []


def test_work_without_an_end_is_cancelled(shelf, made):
    endless = made("a", 2, state="running")
    owners = made("", 2, state="running")
    Expiry(shelf, Sharing(public=True)).sweep()
    assert shelf.job(endless).cancel_requested
    assert not shelf.job(owners).cancel_requested


def test_it_happens_by_itself(shelf, made, monkeypatch):
    monkeypatch.setattr(expiry, "EVERY", 0.02)
    made("a", 100)
    running = Expiry(shelf, Sharing(public=True))
    running.start()
    until = time.monotonic() + 10
    while ids(shelf) and time.monotonic() < until:
        time.sleep(0.02)
    running.stop()
    assert ids(shelf) == set()
