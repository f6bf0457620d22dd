"""Keeping the store healthy: recovery after a crash, cleaning, checking, the room it takes."""

import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from jobs.ballast import Ballast
from jobs.errors import IllegalMove, NoSuchJob, StoreDamaged
from jobs.files import SHA256, free_bytes, size_of, typed_errors
from jobs.job import Finding
from jobs.lane import Lane
from jobs.ledger import Ledger

EVENTS_AT_ONCE = 1000
PAGES_AT_ONCE = 1000


@dataclass(frozen=True)
class DiskUse:
    """Bytes: of the database with its log, of assets, of leftovers and ballast, and what is free on the disk."""

    database: int
    assets: int
    temporary: int
    ballast: int
    free: int


@dataclass(frozen=True)
class Cleaned:
    """How many jobs went, how many were left because they run, and how many bytes came free."""

    jobs: int
    kept_running: int
    bytes: int


class Upkeep(Ledger):
    """What a janitor does."""

    ballast: Ballast

    def gc(self, min_age: float = 3600.0) -> int:
        """Also remove the events of a job that a crash caught in its deletion."""
        orphans = self.rows("SELECT DISTINCT job_id FROM event WHERE job_id NOT IN (SELECT id FROM job)")
        for row in orphans:
            self._delete_events(row[0])
        return super().gc(min_age)

    def recover(self, *, everything: bool = False) -> int:
        """Give jobs whose lease ran out back to the queue; how many. Their running steps become pending.

        everything: also those whose lease still runs, for the holder of the lane: whoever ran them is dead.
        """
        with self.tx() as db:
            found = db.execute(
                "SELECT id FROM job WHERE state = 'running' AND (? OR lease_until < ?)",
                (everything, time.time()),
            ).fetchall()
            for row in found:
                self._move(db, row["id"], "queued", reason="interrupted")
        return len(found)

    def delete_job(self, job_id: str) -> int:
        """Delete it with its events and assets; bytes of assets freed. IllegalMove while it runs."""
        with self.tx() as db:
            if self._exists(db, job_id)["state"] == "running":
                raise IllegalMove(f"Job {job_id} runs.", hint="Cancel it first.")
            hashes = [row[0] for row in db.execute("SELECT sha256 FROM asset WHERE job_id = ?", (job_id,))]
            db.execute("DELETE FROM job WHERE id = ?", (job_id,))
        self._delete_events(job_id)
        # Rows first, files after: a crash in between leaves garbage, never a row without its file.
        return self.collect(hashes)

    def clean(
        self, older_than_hours: float | None = None, *, job_id: str | None = None, all: bool = False
    ) -> Cleaned:
        """Delete one job, all jobs, or those neither queued nor running that are older; then collect garbage.

        Works on a full disk. A running job is never deleted. Exactly one of the three must be given.
        """
        if (older_than_hours is not None) + (job_id is not None) + all != 1:
            raise ValueError("give older_than_hours, job_id or all")
        before = self._used()
        self.ballast.drop()
        try:
            self.recover(everything=Lane(self.root).holder() is None)  # what nobody executes is not running
            running = self.counts().get("running", 0) if all else 0
            deleted = 0
            for each in self._cleanable(older_than_hours, job_id):
                try:
                    self.delete_job(each)
                except (IllegalMove, NoSuchJob):  # it began to run, or somebody else deleted it
                    if job_id is not None:
                        raise
                else:
                    deleted += 1
            self.gc(min_age=60.0)
            self.shrink()
        finally:
            freed = before - self._used()
            self.ballast.make()
        return Cleaned(deleted, running, max(0, freed))

    def cleanable(self, older_than_hours: float) -> int:
        """How many jobs `clean` would delete that have not changed for so long."""
        return len(self._cleanable(older_than_hours, None))

    def shrink(self) -> None:
        """Give the database's unused pages and its log back to the disk; in portions, as for the events."""
        unused, before = self._unused_pages(), -1
        while unused and unused != before:
            self.rows(f"PRAGMA incremental_vacuum({PAGES_AT_ONCE})")
            self.rows("PRAGMA wal_checkpoint(TRUNCATE)")
            unused, before = self._unused_pages(), unused
        self.rows("PRAGMA wal_checkpoint(TRUNCATE)")

    def _unused_pages(self) -> int:
        return int(self.row("PRAGMA freelist_count")[0])

    def verify(self) -> list[Finding]:
        """Everything that is not as it was written; [] if all is well. Reads every asset."""
        try:
            damage = [str(row[0]) for row in self.rows("PRAGMA integrity_check")]
            broken = self.rows("PRAGMA foreign_key_check")
            return [
                *(Finding("database", self.file.name, text) for text in damage if text != "ok"),
                *(
                    Finding("reference", row[0], f"row {row[1]} refers to a missing {row[2]}")
                    for row in broken
                ),
                *self._verify_assets(),
            ]
        except StoreDamaged as error:  # so badly that it cannot even be checked
            return [Finding("database", self.file.name, error.message)]

    def disk_use(self) -> DiskUse:
        """The room that the store takes."""
        with typed_errors():
            return DiskUse(
                database=size_of(self.root.glob("store.db*")),
                assets=sum(file.stat().st_size for file in self.files.stored()),
                temporary=size_of(self.files.temporary.iterdir()),
                ballast=self.ballast.held(),
                free=free_bytes(self.root),
            )

    def _delete_events(self, job_id: str) -> None:
        """In portions: one transaction over all of a long log would need more room than a full disk has."""
        portion = "DELETE FROM event WHERE seq IN (SELECT seq FROM event WHERE job_id = ? LIMIT ?)"
        deleted = EVENTS_AT_ONCE
        while deleted == EVENTS_AT_ONCE:
            with self.tx() as db:
                deleted = db.execute(portion, (job_id, EVENTS_AT_ONCE)).rowcount

    def _used(self) -> int:
        use = self.disk_use()
        return use.database + use.assets + use.temporary

    def _cleanable(self, older_than_hours: float | None, job_id: str | None) -> list[str]:
        if job_id is not None:
            return [job_id]
        if older_than_hours is None:
            found = self.rows("SELECT id FROM job WHERE state <> 'running'")
        else:
            found = self.rows(
                "SELECT id FROM job WHERE state NOT IN('queued', 'running') AND updated < ?",
                (time.time() - 3600 * older_than_hours,),
            )
        return [row[0] for row in found]

    def _verify_assets(self) -> Iterator[Finding]:
        named: dict[str, tuple[int, str]] = {}
        for row in self.rows("SELECT sha256, bytes, job_id, name FROM asset"):
            named.setdefault(row["sha256"], (row["bytes"], f"{row['job_id']} {row['name']}"))
        with typed_errors():
            present = {file.name: file.path for file in self.files.stored()}
        for sha256, (length, subject) in named.items():
            if sha256 not in present:
                yield Finding("asset-missing", subject, f"the file {sha256[:12]} is gone")
            elif not _intact(present[sha256], sha256, length):
                yield Finding("asset-damaged", subject, f"the file {sha256[:12]} is not what was stored")
        for name, path in present.items():
            if name not in named and not (SHA256.fullmatch(name) and _intact(path, name, None)):
                yield Finding("stray", name, "a file that the store did not write")


def _intact(path: str, sha256: str, length: int | None) -> bool:
    """Whether the file holds the bytes of this hash. One that went away meanwhile is not wrong."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    with os.fdopen(fd, "rb") as file:
        if length is not None and os.fstat(fd).st_size != length:
            return False
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256
