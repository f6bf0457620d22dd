"""The append-only log: history, live feed and memory of every job."""

import json
import time
from typing import TYPE_CHECKING, Any

from jobs.database import Database, dumps
from jobs.errors import LostLease, NoSuchJob
from jobs.job import Event

if TYPE_CHECKING:
    import sqlite3

PAGE = 500  # events of one read


class Events(Database):
    """Writing and following events."""

    def append(self, job_id: str, type: str, data: dict[str, Any], *, fence: int | None = None) -> int:
        """Add one event; its sequence number. With `fence`: LostLease unless that attempt still owns the job."""
        with self.tx() as db:
            if fence is not None:
                self._own(db, job_id, fence)
            self._exists(db, job_id)
            return self._event(db, job_id, type, data)

    def events(self, job_id: str | None = None, after: int = 0, limit: int = PAGE) -> list[Event]:
        """Events after a sequence number, oldest first: of one job, or of all."""
        if job_id is None:
            found = self.rows("SELECT * FROM event WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
        else:
            found = self.rows(
                "SELECT * FROM event WHERE job_id = ? AND seq > ? ORDER BY seq LIMIT ?",
                (job_id, after, limit),
            )
        return [
            Event(row["seq"], row["job_id"], row["time"], row["type"], json.loads(row["data"]))
            for row in found
        ]

    def follow(self, job_id: str | None, after: int, timeout: float) -> list[Event]:
        """Events after a sequence number; blocks until there are some, or returns [] after `timeout` seconds.

        NoSuchJob if the job does not exist, also when it is deleted meanwhile: unknown is not done.
        """
        deadline = time.monotonic() + timeout
        while True:
            seen = self.watch.generation
            if found := self.events(job_id, after):
                return found
            if job_id is not None and not self.row("SELECT 1 FROM job WHERE id = ?", (job_id,)):
                raise NoSuchJob(f"There is no job {job_id}.")
            rest = deadline - time.monotonic()
            if rest <= 0:
                return []
            self.watch.wait(seen, rest)

    def last_seq(self) -> int:
        """The newest sequence number, 0 in an empty store."""
        return int(self.row("SELECT coalesce(max(seq), 0) FROM event")[0])

    def note(self, job_id: str, key: str) -> Any:
        """The value remembered last under `key`, or None."""
        found = self.row(
            "SELECT data FROM event WHERE job_id = ? AND type = 'note' AND data ->> 'key' = ?"
            " ORDER BY seq DESC LIMIT 1",
            (job_id, key),
        )
        return None if found is None else json.loads(found["data"])["value"]

    def _event(self, db: "sqlite3.Connection", job_id: str, type: str, data: dict[str, Any]) -> int:
        cursor = db.execute(
            "INSERT INTO event(job_id, time, type, data) VALUES(?, ?, ?, ?)",
            (job_id, time.time(), type, dumps(data)),
        )
        return int(cursor.lastrowid or 0)

    def _exists(self, db: "sqlite3.Connection", job_id: str) -> Any:
        row = db.execute("SELECT * FROM job WHERE id = ?", (job_id,)).fetchone()
        if row is None:
            raise NoSuchJob(f"There is no job {job_id}.")
        return row

    def _own(self, db: "sqlite3.Connection", job_id: str, fence: int) -> Any:
        """The job's row, if the attempt `fence` is the one that runs it; otherwise LostLease."""
        row = db.execute(OWNED, (job_id, fence)).fetchone()
        if row is None:
            raise LostLease(f"Run {fence} of job {job_id} is over.")
        return row


OWNED = "SELECT * FROM job WHERE id = ? AND attempt = ? AND state = 'running'"
