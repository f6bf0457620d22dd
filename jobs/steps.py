"""Steps: the parts of a job that are done once and never again, with every attempt kept."""

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jobs.assets import AssetItem, Kept
from jobs.database import dumps
from jobs.errors import IllegalMove, NoSuchStep
from jobs.job import STEP_MOVES, Step, StepState, check_move
from jobs.queue import Queue

if TYPE_CHECKING:
    import sqlite3


class Steps(Queue):
    """Rows of `step`: one per attempt, one chosen per key."""

    def steps(self, job_id: str) -> list[Step]:
        """Every attempt, by position and attempt."""
        found = self.rows("SELECT * FROM step WHERE job_id = ? ORDER BY position, key, attempt", (job_id,))
        return [_step(row) for row in found]

    def chosen_steps(self, job_id: str) -> list[Step]:
        """The attempts that count, by position."""
        found = self.rows(
            "SELECT * FROM step WHERE job_id = ? AND chosen = 1 ORDER BY position, key", (job_id,)
        )
        return [_step(row) for row in found]

    def begin_step(
        self,
        job_id: str,
        fence: int,
        key: str,
        position: int,
        name: str,
        params: dict[str, Any],
        input_key: str,
    ) -> Step:
        """Start the chosen attempt if it is pending (sent back, interrupted), else a new one, then chosen."""
        with self.tx() as db:
            self._own(db, job_id, fence)
            chosen = db.execute(
                "SELECT * FROM step WHERE job_id = ? AND key = ? AND chosen = 1", (job_id, key)
            ).fetchone()
            if chosen is not None and chosen["state"] in ("running", "unknown"):
                raise IllegalMove(f"Step {key} is {chosen['state']} and cannot begin.")
            if chosen is not None and chosen["state"] == "pending":
                attempt = int(chosen["attempt"])
                self._set(db, job_id, key, attempt, "running", position=position, name=name, params=dumps(params),
                          input_key=input_key, started=time.time(), ended=None, error=None)  # fmt: skip
            else:
                attempt = self._add(db, job_id, key, position, name, "running", dumps(params), input_key)
        return self.step(job_id, key, attempt)

    def end_step(
        self,
        job_id: str,
        fence: int,
        key: str,
        attempt: int,
        state: StepState,
        result: dict[str, Any],
        assets: Sequence[AssetItem] = (),
        error: dict[str, Any] | None = None,
    ) -> Step:
        """The step, its assets and its event become visible together; once, and only for the owner of the job."""

        def write(db: "sqlite3.Connection", kept: list[Kept]) -> None:
            self._own(db, job_id, fence)
            row = self._find(db, job_id, key, attempt)
            if row["state"] != "running":
                raise IllegalMove(f"Step {key} attempt {attempt} is {row['state']}, it does not run.")
            self._set(db, job_id, key, attempt, state, result=dumps(result), ended=time.time(),
                      error=None if error is None else dumps(error))  # fmt: skip

        self.keeping(job_id, assets, write)
        return self.step(job_id, key, attempt)

    def move_step(
        self, job_id: str, key: str, attempt: int, state: StepState, *, params: dict[str, Any] | None = None
    ) -> Step:
        """A person's act: `accepted`, or back to `pending`, which adds an attempt (with other `params`, if given).

        unknown -> failed: the person knows that a paid call came to nothing.
        """
        with self.tx() as db:
            row = self._find(db, job_id, key, attempt)
            if row["state"] == "running":
                raise IllegalMove(f"Step {key} runs; cancel or pause the job first.")
            if state == "pending":
                check_move(STEP_MOVES, f"Step {key}", row["state"], state)
                attempt = self._add(db, job_id, key, row["position"], row["name"], state,
                                    row["params"] if params is None else dumps(params), row["input_key"])  # fmt: skip
            else:
                self._set(db, job_id, key, attempt, state)
        return self.step(job_id, key, attempt)

    def choose_attempt(self, job_id: str, key: str, attempt: int) -> Step:
        """This attempt counts from now on."""
        with self.tx() as db:
            self._find(db, job_id, key, attempt)
            self._choose(db, job_id, key, attempt)
            self._event(db, job_id, "chosen", {"key": key, "attempt": attempt})
        return self.step(job_id, key, attempt)

    def step(self, job_id: str, key: str, attempt: int) -> Step:
        """One attempt; NoSuchStep."""
        row = self.row(
            "SELECT * FROM step WHERE job_id = ? AND key = ? AND attempt = ?", (job_id, key, attempt)
        )
        if row is None:
            raise NoSuchStep(f"Job {job_id} has no attempt {attempt} at step {key}.")
        return _step(row)

    def seconds(self, job_ids: Sequence[str]) -> dict[str, float]:
        """How long the chosen attempts of each of these jobs took together, as far as they ended; by the job's id."""
        rows = self.rows(
            "SELECT job_id, sum(ended - started) FROM step WHERE job_id IN (SELECT value FROM json_each(?))"
            " AND chosen = 1 AND started IS NOT NULL AND ended IS NOT NULL GROUP BY job_id",
            (dumps(list(job_ids)),),
        )
        return {row[0]: row[1] for row in rows}

    def _add(
        self,
        db: "sqlite3.Connection",
        job_id: str,
        key: str,
        position: int,
        name: str,
        state: StepState,
        params: str,
        input_key: str,
    ) -> int:
        """A new attempt, chosen; its number."""
        last = "SELECT coalesce(max(attempt), 0) FROM step WHERE job_id = ? AND key = ?"
        attempt = int(db.execute(last, (job_id, key)).fetchone()[0]) + 1
        started = time.time() if state == "running" else None
        db.execute(
            "INSERT INTO step(job_id, key, attempt, position, name, state, chosen, params, input_key, result, started)"
            " VALUES(?, ?, ?, ?, ?, ?, 0, ?, ?, '{}', ?)",
            (job_id, key, attempt, position, name, state, params, input_key, started),
        )
        self._choose(db, job_id, key, attempt)
        self._tell(db, job_id, key, attempt)
        return attempt

    def _choose(self, db: "sqlite3.Connection", job_id: str, key: str, attempt: int) -> None:
        # Two statements: the index of chosen attempts allows no two at any moment.
        db.execute("UPDATE step SET chosen = 0 WHERE job_id = ? AND key = ? AND chosen = 1", (job_id, key))
        db.execute(
            "UPDATE step SET chosen = 1 WHERE job_id = ? AND key = ? AND attempt = ?", (job_id, key, attempt)
        )

    def _set(
        self, db: "sqlite3.Connection", job_id: str, key: str, attempt: int, state: StepState, **columns: Any
    ) -> None:
        """Change the state of one attempt, as the table allows, with these columns and the event."""
        check_move(STEP_MOVES, f"Step {key}", self._find(db, job_id, key, attempt)["state"], state)
        changes = {"state": state, **columns}
        db.execute(
            f"UPDATE step SET {', '.join(f'{name} = ?' for name in changes)}"  # noqa: S608 -- names are ours
            " WHERE job_id = ? AND key = ? AND attempt = ?",
            (*changes.values(), job_id, key, attempt),
        )
        self._tell(db, job_id, key, attempt)

    def _tell(self, db: "sqlite3.Connection", job_id: str, key: str, attempt: int) -> None:
        row = self._find(db, job_id, key, attempt)
        told = {name: row[name] for name in ("key", "attempt", "position", "name", "state")}
        if row["error"] is not None:
            told["error"] = json.loads(row["error"])
        self._event(db, job_id, "step", told)
        db.execute("UPDATE job SET updated = ? WHERE id = ?", (time.time(), job_id))

    def _find(self, db: "sqlite3.Connection", job_id: str, key: str, attempt: int) -> Any:
        row = db.execute(
            "SELECT * FROM step WHERE job_id = ? AND key = ? AND attempt = ?", (job_id, key, attempt)
        ).fetchone()
        if row is None:
            raise NoSuchStep(f"Job {job_id} has no attempt {attempt} at step {key}.")
        return row


def _step(row: Any) -> Step:
    return Step(
        job_id=row["job_id"],
        key=row["key"],
        attempt=row["attempt"],
        position=row["position"],
        name=row["name"],
        state=row["state"],
        chosen=bool(row["chosen"]),
        params=json.loads(row["params"]),
        input_key=row["input_key"],
        result=json.loads(row["result"]),
        error=None if row["error"] is None else json.loads(row["error"]),
        started=row["started"],
        ended=row["ended"],
    )
