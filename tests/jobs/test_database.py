"""The database: durable commits at one sync each, migrations, other libraries, other processes."""

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import jobs.database
from jobs.database import MIGRATIONS, sqlite3
from jobs.errors import StoreBusy, StoreDamaged, StoreError, StoreTooNew
from jobs.store import Store

ROOT = Path(__file__).parents[2]
COMMITS = """
import sys
from pathlib import Path
from jobs.store import Store
store = Store(Path(sys.argv[1]), free_min=0, ballast=0)
for _ in range(int(sys.argv[2])):
    job = store.claim("me") if store.create_job("edit", {"a": 1}) else None
    store.append(job.id, "log", {"text": "x"}, fence=job.attempt)
    store.begin_step(job.id, job.attempt, "s1", 0, "cup", {}, "k")
    store.end_step(job.id, job.attempt, "s1", 1, "done", {})
    store.heartbeat(job.id, job.attempt)
    store.finish_job(job.id, job.attempt, "succeeded")
"""
PAGE = 4096
PER_ROUND = 7  # commits: create, claim, append, begin, end, heartbeat, finish


def syncs(folder: Path, rounds: int) -> int:
    """How often a process with this many rounds of commits asks the disk to sync; counted by strace."""
    record = folder / f"strace-{rounds}"
    command = [sys.executable, "-c", COMMITS, str(folder / f"store-{rounds}"), str(rounds)]
    strace = ["strace", "-f", "-e", "trace=fsync,fdatasync,sync_file_range,msync", "-o", str(record)]
    subprocess.run([*strace, *command], cwd=ROOT, check=True)
    return len(re.findall(r"(?:fsync|fdatasync|sync_file_range|msync)\(", record.read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="strace is of Linux")
def test_exactly_one_sync_per_acknowledged_commit(tmp_path: Path):
    """20 rounds more cost 140 syncs more; so few that no checkpoint comes in between."""
    assert syncs(tmp_path, 25) - syncs(tmp_path, 5) == 20 * PER_ROUND


def test_settings_of_every_connection(store: Store):
    def look() -> dict[str, object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "trusted_schema", "fullfsync", "auto_vacuum")
        return {name: store.row(f"PRAGMA {name}")[0] for name in names}

    expected = {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "trusted_schema": 0, "fullfsync": 1,
        "auto_vacuum": 2,
    }  # fmt: skip
    seen = [look()]
    thread = threading.Thread(target=lambda: seen.append(look()))
    thread.start()
    thread.join()
    assert seen == [expected, expected]
    assert sqlite3.sqlite_version_info >= (3, 51, 3)


def test_an_older_sqlite_uses_a_rollback_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs.database, "WAL_IS_SAFE", (99, 0, 0))
    with Store(tmp_path / "s", free_min=0, ballast=0) as store:
        assert store.row("PRAGMA journal_mode")[0] == "persist"
        job = store.create_job("edit", {}, assets=[("a", b"x", "image/png")])
        assert store.read(job.id, "a") == b"x"
        assert store.follow(job.id, 0, 1)


def test_the_standard_librarys_sqlite_will_do(tmp_path: Path):
    code = (
        "import sys; sys.modules['pysqlite3'] = None\n"
        "from pathlib import Path\nfrom jobs.store import Store\nfrom jobs.database import sqlite3\n"
        "assert sqlite3.__name__ == 'sqlite3'\n"
        "store = Store(Path(sys.argv[1]), free_min=0, ballast=0)\n"
        "job = store.create_job('edit', {}); assert store.claim('me').id == job.id; assert not store.verify()\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "s")], cwd=ROOT, check=True)


def test_a_newer_store_is_refused_and_untouched(tmp_path: Path):
    with Store(tmp_path / "s", free_min=0, ballast=0) as store, store.tx() as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = (tmp_path / "s" / "store.db").read_bytes()
    with pytest.raises(StoreTooNew, match=f"version {len(MIGRATIONS) + 1}"):
        Store(tmp_path / "s")
    assert (tmp_path / "s" / "store.db").read_bytes() == before


def test_a_migration_is_whole_and_leaves_a_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with Store(tmp_path / "s", free_min=0, ballast=0) as store:
        job = store.create_job("edit", {}, title="kept")
    monkeypatch.setattr(jobs.database, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE extra(a) STRICT; broken;"))
    with pytest.raises(StoreError):
        Store(tmp_path / "s", free_min=0, ballast=0)
    more = "CREATE TABLE extra(a TEXT) STRICT;\nCREATE INDEX extra_a ON extra(a);\n"
    monkeypatch.setattr(jobs.database, "MIGRATIONS", (*MIGRATIONS, more))
    with Store(tmp_path / "s", free_min=0, ballast=0) as store:
        assert store.row("PRAGMA user_version")[0] == len(MIGRATIONS) + 1
        assert store.rows("SELECT * FROM extra") == []
        assert store.job(job.id).title == "kept"
    copy = sqlite3.connect(tmp_path / "s" / f"store-v{len(MIGRATIONS)}.db")
    assert copy.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
    assert copy.execute("SELECT title FROM job").fetchall() == [("kept",)]
    copy.close()


@pytest.mark.parametrize("released", range(1, len(MIGRATIONS)))
def test_a_store_of_every_released_version_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, released: int
):
    with monkeypatch.context() as older:
        older.setattr(jobs.database, "MIGRATIONS", MIGRATIONS[:released])
        database = jobs.database.Database(tmp_path / "s")
        with database.tx() as db:
            db.execute(
                "INSERT INTO job(id, kind, state, title, search, params, created, updated)"
                " VALUES('a', 'edit', 'queued', 'kept', 'kept', '{}', 1, 1)"
            )
        database.close()
    with Store(tmp_path / "s", free_min=0, ballast=0) as store:
        assert [job.title for job in store.list_jobs()] == ["kept"]
        assert store.foreign(["a"], ["somebody"]) == {"a"}
        assert store.claim("me") is not None
        assert store.verify() == []


def test_what_is_no_store_is_refused(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "store.db").write_bytes(b"not a database at all" * 1000)
    with pytest.raises(StoreDamaged):
        Store(tmp_path / "a")
    (tmp_path / "b").mkdir()
    other = sqlite3.connect(tmp_path / "b" / "store.db")
    other.execute("PRAGMA user_version = 1")
    other.close()
    with pytest.raises(StoreDamaged, match="another program"):
        Store(tmp_path / "b")


def test_damage_in_the_database_is_named(store: Store):
    for number in range(200):
        store.create_job("edit", {"x": "y" * 500}, title=str(number))
    store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    with store.file.open("r+b") as file:
        file.seek(30 * PAGE)
        file.write(os.urandom(PAGE))
    with Store(store.root, free_min=0, ballast=0) as damaged:
        assert {finding.kind for finding in damaged.verify()} == {"database"}
    with store.file.open("r+b") as file:
        file.seek(100)  # where the schema begins
        file.write(os.urandom(PAGE - 100))
    with pytest.raises(StoreDamaged):
        Store(store.root)


def test_many_processes_open_a_new_store_at_once_and_write(tmp_path: Path):
    code = (
        "import sys\nfrom pathlib import Path\nfrom jobs.store import Store\n"
        "store = Store(Path(sys.argv[1]), free_min=0, ballast=0)\n"
        "for _ in range(20): store.create_job('edit', {}, assets=[('a', b'same', 'image/png')])\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "s")]
    processes = [subprocess.Popen(command, cwd=ROOT) for _ in range(6)]
    assert [process.wait(60) for process in processes] == [0] * 6
    with Store(tmp_path / "s", free_min=0, ballast=0) as store:
        assert store.counts() == {"queued": 120}
        assert store.verify() == []


def test_threads_share_a_store(store: Store):
    def create() -> None:
        for _ in range(25):
            store.create_job("edit", {})

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.counts() == {"queued": 100}
    assert len(store._handles) <= 2  # the connections of ended threads are closed


def test_a_forked_process_is_refused(store: Store):
    code = f"""
import os, sys
from pathlib import Path
from jobs.errors import StoreError
from jobs.store import Store
store = Store(Path({str(store.root)!r}), free_min=0, ballast=0)
def refused(act):
    try: act()
    except StoreError as error: return "fork" in str(error)
    return False
pid = os.fork()
if pid == 0:
    ok = refused(store.list_jobs) and refused(lambda: Store(Path({str(store.root)!r})))
    os._exit(0 if ok else 1)
assert os.waitpid(pid, 0)[1] == 0
store.create_job("edit", {{}})
store.close()
pid = os.fork()
if pid == 0:
    os._exit(0 if Store(Path({str(store.root)!r}), free_min=0).counts() == {{"queued": 1}} else 1)
assert os.waitpid(pid, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_writer_that_holds_on_makes_the_store_busy(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs.database, "BUSY_SECONDS", 0.1)
    with Store(store.root, free_min=0, ballast=0) as other, other.tx():
        failed: list[StoreError] = []

        def write() -> None:
            with pytest.raises(StoreBusy) as raised:
                store.create_job("edit", {})
            failed.append(raised.value)

        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
        assert failed
        assert store.list_jobs() == []  # readers go on


def test_closing_does_not_pull_the_rug_from_under_other_threads(tmp_path: Path):
    """SQLite does not survive a connection that is closed while another thread is inside it."""
    for number in range(5):
        store = Store(tmp_path / str(number), free_min=0, ballast=0)
        ended: list[str] = []

        def work(store: Store = store, ended: list[str] = ended) -> None:
            try:
                while True:
                    store.create_job("edit", {})
                    store.list_jobs(50)
            except StoreError as error:
                ended.append(error.message)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        store.close()
        for thread in threads:
            thread.join(20)
        assert ended == ["The store is closed."] * 4
        assert len(store._handles) == 0


def test_a_transaction_is_whole(store: Store):
    job = store.create_job("edit", {})

    def change() -> None:
        with store.tx() as db:
            db.execute("UPDATE job SET title = 'half'")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        change()
    assert store.job(job.id).title == ""
    store.set_title(job.id, "whole")
