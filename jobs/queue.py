"""Jobs: creating, listing, owning and moving them. Every change of state and its event are one transaction."""

import json
import secrets
import threading
import time
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jobs.assets import AssetItem, Assets, Kept
from jobs.database import dumps
from jobs.errors import IllegalMove, NoSuchJob, StoreError, StoreFull
from jobs.files import free_bytes
from jobs.job import JOB_MOVES, Job, JobState, check_move

if TYPE_CHECKING:
    import sqlite3

LEASE = 30.0  # seconds a runner may be silent before its job is given to another
# What becomes of steps that still run when their job stops running.
LEFT_RUNNING = {"failed": "failed", "cancelled": "cancelled", "needs_review": "pending", "queued": "pending"}

_id_turn = threading.Lock()
_last_id = 0


def new_id(after: str = "") -> str:
    """A job id: milliseconds since 1970 in 12 hex digits, so that ids sort by age, then 64 unguessable bits. after: an
    id that it has to come after, also where the clock was set back."""
    global _last_id
    with _id_turn:
        _last_id = max(time.time_ns() // 1_000_000, _last_id + 1, int(after[:12] or "0", 16) + 1)
        return f"{_last_id:012x}{secrets.token_hex(8)}"


def fold(text: str) -> str:
    """The form in which titles are compared: any case, any Unicode composition."""
    return unicodedata.normalize("NFKC", text).casefold()


class Queue(Assets):
    """Rows of `job`."""

    free_min: int

    def create_job(
        self,
        kind: str,
        params: dict[str, Any],
        *,
        title: str = "",
        client_key: str | None = None,
        assets: Sequence[AssetItem] = (),
        hold: bool = False,
    ) -> Job:
        """A new job, queued, or with `hold` waiting for a person to press Run.

        A `client_key` that was used before returns the job it made then. StoreFull if the disk is nearly full.
        """
        if client_key is not None and (known := self._by_client_key(client_key)) is not None:
            return known
        if (free := free_bytes(self.root)) < self.free_min:
            raise StoreFull(f"Only {free // 1_000_000} MB are free on the disk.")
        job_id, now = new_id(self.newest()), time.time()
        state: JobState = "needs_review" if hold else "queued"

        def write(db: "sqlite3.Connection", kept: list[Kept]) -> None:
            db.execute(
                "INSERT INTO job(id, kind, state, title, search, params, client_key, created, updated)"
                " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (job_id, kind, state, title, fold(title), dumps(params), client_key, now, now),
            )
            self._event(db, job_id, "job", {"state": state, "was": None})

        try:
            self.keeping(job_id, assets, write)
        except StoreError:
            # Two submissions with one key at the same instant: the other one made the job.
            if client_key is not None and (known := self._by_client_key(client_key)) is not None:
                return known
            raise
        return self.job(job_id)

    def job(self, job_id: str) -> Job:
        """One job; NoSuchJob."""
        row = self.row("SELECT * FROM job WHERE id = ?", (job_id,))
        if row is None:
            raise NoSuchJob(f"There is no job {job_id}.")
        return _job(row)

    def newest(self) -> str:
        """The id of the newest job; "" if there is none."""
        return str(self.row("SELECT coalesce(max(id), '') FROM job")[0])

    def resolve(self, text: str) -> str:
        """The id that is `text`, or alone begins or ends with it; NoSuchJob."""
        sql = "SELECT id FROM job WHERE substr(id, 1, ?1) = ?2 OR substr(id, -?1) = ?2 LIMIT 2"
        found = self.rows(sql, (len(text), text)) if text else []
        if len(found) != 1:
            raise NoSuchJob(f"{'Several jobs match' if found else 'There is no job'} {text!r}.")
        return str(found[0]["id"])

    def list_jobs(
        self,
        limit: int = 50,
        before: str | None = None,
        state: str | None = None,
        kind: str | None = None,
        search: str | None = None,
        until: str | None = None,
        visitors: Collection[str] | None = None,
    ) -> list[Job]:
        """Newest first; `before` is the id of the last job of the page before; `search` a part of the title.

        until: the id of the oldest job that is wanted, for a page whose ends are known. visitors: whose jobs alone.
        """
        where, values = _where(state, kind, search, {"id < ?": before, "id >= ?": until}, visitors)
        # The inner query is answered from an index alone; only the page itself is read from the table.
        found = self.rows(
            "SELECT * FROM job WHERE id IN"  # noqa: S608 -- the terms are ours, the values are bound
            f" (SELECT id FROM job {where} ORDER BY id DESC LIMIT ?) ORDER BY id DESC",
            (*values, limit),
        )
        return [_job(row) for row in found]

    def count_jobs(
        self,
        state: str | None = None,
        kind: str | None = None,
        search: str | None = None,
        visitors: Collection[str] | None = None,
    ) -> int:
        """How many jobs `list_jobs` would find."""
        where, values = _where(state, kind, search, visitors=visitors)
        return int(self.row(f"SELECT count(*) FROM job {where}", values)[0])  # noqa: S608 -- as above

    def kinds(self, visitors: Collection[str] | None = None) -> list[str]:
        """The kinds that there are jobs of. visitors: whose jobs alone."""
        where, values = _where(None, None, None, visitors=visitors)
        found = self.rows(f"SELECT DISTINCT kind FROM job {where} ORDER BY kind", values)  # noqa: S608 -- as above
        return [row[0] for row in found]

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        return dict(tuple(row) for row in self.rows("SELECT state, count(*) FROM job GROUP BY state"))

    def set_params(self, job_id: str, params: dict[str, Any], *, fence: int | None = None) -> Job:
        """Replace the params; a runner that has the job sees them at its next look. With `fence`: only its owner."""
        return self._change(job_id, "params = ?", (dumps(params),), "params", {}, fence)

    def set_title(self, job_id: str, title: str) -> Job:
        """Rename the job."""
        return self._change(job_id, "title = ?, search = ?", (title, fold(title)), "title", {"title": title})

    def requeue(self, job_id: str) -> Job:
        """A person says: run it (again). Does nothing if it waits or runs already."""
        with self.tx() as db:
            if self._exists(db, job_id)["state"] not in ("queued", "running"):
                self._move(db, job_id, "queued")
        return self.job(job_id)

    def request_cancel(self, job_id: str) -> Job:
        """Cancel: at once if it does not run, else at its next check. Does nothing to a finished job."""
        return self._request(job_id, "cancel", "cancelled")

    def request_pause(self, job_id: str) -> Job:
        """Pause: at once if it is queued, after its current step if it runs. Does nothing otherwise."""
        return self._request(job_id, "pause", "needs_review")

    def claim(self, owner: str, lease: float = LEASE, kinds: Collection[str] | None = None) -> Job | None:
        """Own the oldest queued job (of these kinds) for `lease` seconds; its `attempt` is the fence of every write."""
        args = (None if kinds is None else dumps(list(kinds)),)
        if self.row(NEXT, args) is None:
            return None
        with self.tx() as db:
            found = db.execute(NEXT, args).fetchone()
            if found is None:
                return None
            db.execute("UPDATE job SET attempt = attempt + 1 WHERE id = ?", (found["id"],))
            self._move(db, found["id"], "running", owner=owner, lease_until=time.time() + lease)
        return self.job(found["id"])

    def heartbeat(self, job_id: str, fence: int, lease: float = LEASE) -> None:
        """Own it for `lease` more seconds; LostLease if somebody else does by now."""
        with self.tx() as db:
            self._own(db, job_id, fence)
            db.execute("UPDATE job SET lease_until = ? WHERE id = ?", (time.time() + lease, job_id))

    def finish_job(
        self,
        job_id: str,
        fence: int,
        state: JobState,
        *,
        error: dict[str, Any] | None = None,
        reason: str = "",
    ) -> Job:
        """The end of a run: succeeded, failed (with `error`), cancelled, needs_review, or queued if interrupted."""
        with self.tx() as db:
            self._own(db, job_id, fence)
            self._move(db, job_id, state, error=error, reason=reason)
        return self.job(job_id)

    def release(self, job_id: str, fence: int, reason: str) -> Job:
        """Give it back to the queue, to be resumed: the runner stops."""
        return self.finish_job(job_id, fence, "queued", reason=reason)

    def _move(
        self,
        db: "sqlite3.Connection",
        job_id: str,
        state: JobState,
        *,
        owner: str | None = None,
        lease_until: float | None = None,
        error: dict[str, Any] | None = None,
        reason: str = "",
    ) -> None:
        """The one place that changes a job's state: the table allows it, its running steps follow, its event tells."""
        row = self._exists(db, job_id)
        was = row["state"]
        check_move(JOB_MOVES, f"Job {job_id}", was, state)
        if was == "running":
            self._leave_steps(db, job_id, state, error)
        keep_requests = state == "running" or (was == "running" and state == "queued")
        db.execute(
            "UPDATE job SET state = ?, owner = ?, lease_until = ?, error = ?, updated = ?,"
            " cancel_requested = cancel_requested * ?, pause_requested = pause_requested * ? WHERE id = ?",
            (
                state, owner, lease_until, None if error is None else dumps(error), time.time(),
                keep_requests, keep_requests, job_id,
            ),
        )  # fmt: skip
        told: dict[str, Any] = {"state": state, "was": was}
        if state == "running":
            told["attempt"] = row["attempt"]
        if reason:
            told["reason"] = reason
        if error is not None:
            told["error"] = error
        self._event(db, job_id, "job", told)

    def _leave_steps(
        self, db: "sqlite3.Connection", job_id: str, state: JobState, error: dict[str, Any] | None
    ) -> None:
        """No step runs in a job that does not. A paid call caught in the middle is unknown, never simply pending."""
        running = db.execute(RUNNING_STEPS, (job_id,)).fetchall()
        if running and state == "succeeded":
            raise IllegalMove(f"Job {job_id} cannot have succeeded: step {running[0]['key']} still runs.")
        for row in running:
            to = "unknown" if row["paid"] else LEFT_RUNNING[state]
            db.execute(
                "UPDATE step SET state = ?, error = ?, ended = ? WHERE job_id = ? AND key = ? AND attempt = ?",
                (
                    to, dumps(error) if to == "failed" and error else None,
                    None if to == "pending" else time.time(), job_id, row["key"], row["attempt"],
                ),
            )  # fmt: skip
            told = {name: row[name] for name in ("key", "attempt", "position", "name")}
            told |= {"state": to} if to != "failed" or error is None else {"state": to, "error": error}
            self._event(db, job_id, "step", told)

    def _request(self, job_id: str, what: str, state: JobState) -> Job:
        with self.tx() as db:
            row = self._exists(db, job_id)
            if row["state"] == "running":
                if not row[f"{what}_requested"]:
                    db.execute(f"UPDATE job SET {what}_requested = 1 WHERE id = ?", (job_id,))  # noqa: S608
                    self._event(db, job_id, "request", {"what": what})
            elif row["state"] != state and state in JOB_MOVES[row["state"]]:
                self._move(db, job_id, state)
        return self.job(job_id)

    def _change(
        self,
        job_id: str,
        columns: str,
        values: tuple[Any, ...],
        type: str,
        data: dict[str, Any],
        fence: int | None = None,
    ) -> Job:
        with self.tx() as db:
            if fence is not None:
                self._own(db, job_id, fence)
            self._exists(db, job_id)
            sql = f"UPDATE job SET {columns}, updated = ? WHERE id = ?"  # noqa: S608 -- columns are ours
            db.execute(sql, (*values, time.time(), job_id))
            self._event(db, job_id, type, data)
        return self.job(job_id)

    def _by_client_key(self, client_key: str) -> Job | None:
        row = self.row("SELECT * FROM job WHERE client_key = ?", (client_key,))
        return None if row is None else _job(row)


# The oldest; of visitors' jobs first those of visitors for whom the fewest run already.
NEXT = """
SELECT id FROM job WHERE state = 'queued' AND (?1 IS NULL OR kind IN (SELECT value FROM json_each(?1)))
ORDER BY CASE visitor WHEN '' THEN 0 ELSE
  (SELECT count(*) FROM job AS other WHERE other.state = 'running' AND other.visitor = job.visitor) END, id LIMIT 1
"""
RUNNING_STEPS = """
SELECT key, attempt, position, name, EXISTS(
  SELECT 1 FROM spend WHERE spend.job_id = step.job_id AND step_key = key AND spend.attempt = step.attempt
  AND spend.state IN('submitting', 'uncertain')) AS paid
FROM step WHERE job_id = ? AND state = 'running' ORDER BY position
"""


def _where(
    state: str | None,
    kind: str | None,
    search: str | None,
    more: Mapping[str, str | None] | None = None,
    visitors: Collection[str] | None = None,
) -> tuple[str, tuple[str, ...]]:
    """The clause for the given ones of these filters, and the values to bind."""
    # With other filters the plus keeps SQLite from the index of states: it would look up every row of that state in
    # the table, where the index of titles answers by itself. Of 10,000 jobs that is 12 ms against 2 ms.
    alone = kind is None and not search
    terms: dict[str, str | None] = {
        **(more or {}),
        "state = ?" if alone else "+state = ?": state,
        "kind = ?": kind,
        "instr(search, ?)": fold(search) if search else None,
        "visitor IN (SELECT value FROM json_each(?))": None if visitors is None else dumps(list(visitors)),
    }
    given = {term: value for term, value in terms.items() if value is not None}
    return (f"WHERE {' AND '.join(given)}" if given else ""), tuple(given.values())


def _job(row: Any) -> Job:
    return Job(
        id=row["id"],
        kind=row["kind"],
        state=row["state"],
        title=row["title"],
        params=json.loads(row["params"]),
        created=row["created"],
        updated=row["updated"],
        cancel_requested=bool(row["cancel_requested"]),
        attempt=row["attempt"],
        owner=row["owner"],
        error=None if row["error"] is None else json.loads(row["error"]),
        pause_requested=bool(row["pause_requested"]),
    )
