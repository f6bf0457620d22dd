"""The log: append-only, one global order, followed from anywhere."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from jobs.errors import NoSuchJob
from jobs.store import Store
from jobs.watch import IDLE

ROOT = Path(__file__).parents[2]
APPEND = """
import sys, time
from pathlib import Path
from jobs.store import Store
store = Store(Path(sys.argv[1]), free_min=0, ballast=0)
for number in range(int(sys.argv[3])):
    time.sleep(0.01)
    store.append(sys.argv[2], "log", {"n": number, "t": time.monotonic()})
"""


def test_sequence_is_global_and_pages_do_not_overlap(store: Store):
    first, second = store.create_job("edit", {}), store.create_job("edit", {})
    for number in range(10):
        store.append((first, second)[number % 2].id, "log", {"n": number})
    everything = store.events()
    assert [event.seq for event in everything] == list(range(1, 13))
    page = store.events(first.id, limit=3)
    rest = store.events(first.id, after=page[-1].seq)
    assert [event.data.get("n") for event in [*page, *rest]] == [None, 0, 2, 4, 6, 8]
    assert store.last_seq() == 12


def test_numbers_are_never_used_again(store: Store):
    job = store.create_job("edit", {})
    last = store.append(job.id, "log", {})
    store.delete_job(job.id)
    assert store.events() == []
    assert store.append(store.create_job("edit", {}).id, "log", {}) > last + 1


def test_follow_returns_at_once_blocks_and_times_out(store: Store):
    job = store.create_job("edit", {})
    assert len(store.follow(job.id, 0, 5)) == 1
    began = time.monotonic()
    assert store.follow(job.id, store.last_seq(), 0.1) == []
    assert 0.09 < time.monotonic() - began < 5
    writing = threading.Timer(0.1, store.append, (job.id, "log", {"text": "hi"}))
    writing.start()
    (event,) = store.follow(job.id, store.last_seq(), 5)
    writing.join()
    assert event.data == {"text": "hi"}


def test_follow_of_a_deleted_job_is_an_error(store: Store):
    job = store.create_job("edit", {})
    deletion = threading.Timer(0.1, store.delete_job, (job.id,))
    deletion.start()
    with pytest.raises(NoSuchJob):
        store.follow(job.id, store.last_seq(), 5)
    deletion.join()


def test_followers_see_another_process_quickly_and_completely(store: Store):
    job = store.create_job("edit", {})
    count = 60
    command = [sys.executable, "-c", APPEND, str(store.root), job.id, str(count)]
    writer = subprocess.Popen(command, cwd=ROOT)
    late: list[float] = []
    seen: list[list[int]] = [[], []]

    def follow(mine: list[int]) -> None:
        after = store.events(job.id)[0].seq
        while len(mine) < count:
            for event in store.follow(job.id, after, 20):
                after = event.seq
                mine.append(event.data["n"])
                late.append(time.monotonic() - event.data["t"])

    threads = [threading.Thread(target=follow, args=(mine,)) for mine in seen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert writer.wait(10) == 0
    assert seen == [list(range(count))] * 2
    assert sorted(late)[len(late) // 2] < IDLE


def test_nobody_polls_while_nobody_follows(store: Store):
    job = store.create_job("edit", {})
    store.follow(job.id, store.last_seq(), 0.1)
    asked = []
    store.watch._data_version = lambda: asked.append(1) or 0
    time.sleep(0.3)
    assert len(asked) <= 1


def test_closing_the_store_releases_followers(tmp_path: Path):
    store = Store(tmp_path / "s", free_min=0, ballast=0)
    released = threading.Event()

    def wait() -> None:
        store.watch.wait(store.watch.generation, 30)
        released.set()

    threading.Thread(target=wait).start()
    time.sleep(0.1)
    store.close()
    assert released.wait(2)


def test_notes_are_remembered(store: Store):
    job = store.create_job("edit", {})
    assert store.note(job.id, "k") is None
    for value in (1, {"a": [2]}):
        store.append(job.id, "note", {"key": "k", "value": value})
    store.append(job.id, "note", {"key": "other", "value": 3})
    assert store.note(job.id, "k") == {"a": [2]}
