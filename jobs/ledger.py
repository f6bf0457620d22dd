"""The ledger of paid calls: money is promised here before it is spent, and never forgotten afterwards.

A bill is one paid call. Every move of a bill and its event are one durable transaction, so after a crash the ledger
says how far the call had come. What is open, or uncertain, counts as spent with its upper bound.
Amounts are millionths of a US dollar.
"""

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from jobs.database import dumps
from jobs.errors import NoSuchBill, SpendCap
from jobs.job import BILL_MOVES, Bill, BillState, check_move
from jobs.steps import Steps

if TYPE_CHECKING:
    import sqlite3

DOLLAR = 1_000_000
# Of the bills since a moment (and, for a run, of one job): what is paid, or else what may still be asked for.
SPENT = """
SELECT coalesce(sum(CASE state WHEN 'settled' THEN settled_microusd WHEN 'released' THEN 0
  ELSE reserved_microusd END), 0) FROM spend WHERE created >= ?1 AND (?2 IS NULL OR job_id = ?2)
"""


@dataclass(frozen=True)
class Caps:
    """The most that may be spent: by one job, in a day and in a month of this machine's calendar. None: no limit."""

    run: int | None = None
    day: int | None = None
    month: int | None = None


@dataclass(frozen=True)
class Spent:
    """What counts as spent today and this month. uncertain: how many calls of all time nobody knows the end of."""

    day: int
    month: int
    uncertain: int


class Ledger(Steps):
    """Rows of `spend`."""

    def reserve(
        self,
        job_id: str,
        fence: int,
        step_key: str,
        attempt: int,
        call: str,
        provider: str,
        microusd: int,
        caps: Caps,
    ) -> Bill:
        """Promise up to `microusd` for a call; SpendCap if that would pass a cap.

        call: what is asked, the same text for the same request. If an earlier run of the step left a bill for it that
        is open, uncertain, or settled with its results kept, that bill is returned: it is to be taken on from there.
        """
        with self.tx() as db:
            self._own(db, job_id, fence)
            stem = f"{job_id}/{step_key}/{call}#"
            made = db.execute(
                "SELECT * FROM spend WHERE job_id = ? AND substr(idempotency_key, 1, ?) = ? ORDER BY rowid",
                (job_id, len(stem), stem),
            ).fetchall()
            if made and (last := _bill(made[-1])).resumable:
                db.execute("UPDATE spend SET attempt = ? WHERE id = ?", (attempt, last.id))
                return self._bill_in(db, last.id)
            now = time.time()
            self._refuse_over(db, job_id, microusd, caps, now)
            bill_id = secrets.token_hex(12)
            db.execute(
                "INSERT INTO spend(id, job_id, step_key, attempt, provider, idempotency_key, state, reserved_microusd,"
                " created, updated) VALUES(?, ?, ?, ?, ?, ?, 'reserved', ?, ?, ?)",
                (bill_id, job_id, step_key, attempt, provider, f"{stem}{len(made) + 1}", microusd, now, now),
            )
            return self._told(db, bill_id)

    def move_bill(
        self,
        bill_id: str,
        state: BillState,
        *,
        remote: dict[str, Any] | None = None,
        microusd: int | None = None,
        fence: int | None = None,
    ) -> Bill:
        """The next state of a bill, as the table allows; IllegalMove.

        remote: merged into what is known of the call. microusd: what it cost, for `settled`; without it the whole
        upper bound. fence: LostLease unless that run still owns the job. Only the move to `submitting` needs it: what
        a runner learns of a call that is out is worth keeping, even when the job is no longer its own.
        """
        with self.tx() as db:
            bill = self._bill_in(db, bill_id)
            if fence is not None:
                self._own(db, bill.job_id, fence)
            check_move(BILL_MOVES, f"The paid call {bill_id}", bill.state, state)
            paid = (bill.reserved if microusd is None else microusd) if state == "settled" else None
            db.execute(
                "UPDATE spend SET state = ?, settled_microusd = ?, remote = ?, updated = ? WHERE id = ?",
                (state, paid, dumps(bill.remote | (remote or {})), time.time(), bill_id),
            )
            return self._told(db, bill_id)

    def note_bill(self, bill_id: str, remote: dict[str, Any]) -> Bill:
        """Keep more of what is known of a call; its state stays."""
        with self.tx() as db:
            known = self._bill_in(db, bill_id).remote
            db.execute("UPDATE spend SET remote = ? WHERE id = ?", (dumps(known | remote), bill_id))
            return self._bill_in(db, bill_id)

    def bill(self, bill_id: str) -> Bill:
        """One bill; NoSuchBill."""
        return _bill(self.row("SELECT * FROM spend WHERE id = ?", (bill_id,)), bill_id)

    def bills(
        self, job_id: str | None = None, step_key: str | None = None, states: Sequence[BillState] = ()
    ) -> list[Bill]:
        """Bills, oldest first: of one job and step, in these states; all where nothing is said."""
        found = self.rows(
            "SELECT * FROM spend WHERE (?1 IS NULL OR job_id = ?1) AND (?2 IS NULL OR step_key = ?2)"
            " AND (?3 = '[]' OR state IN (SELECT value FROM json_each(?3))) ORDER BY rowid",
            (job_id, step_key, dumps(list(states))),
        )
        return [_bill(row) for row in found]

    def spent(self, now: float | None = None) -> Spent:
        """What was spent today and this month, as the caps count it."""
        at = time.time() if now is None else now
        day, month = (int(self.row(SPENT, (since, None))[0]) for since in _calendar(at))
        uncertain = self.row("SELECT count(*) FROM spend WHERE state = 'uncertain'")[0]
        return Spent(day, month, int(uncertain))

    def _refuse_over(
        self, db: "sqlite3.Connection", job_id: str, microusd: int, caps: Caps, now: float
    ) -> None:
        day, month = _calendar(now)
        limits = (
            (caps.run, 0.0, job_id, "for this job"),
            (caps.day, day, None, "today"),
            (caps.month, month, None, "this month"),
        )
        for cap, since, job, words in limits:
            if cap is None:
                continue
            spent = int(db.execute(SPENT, (since, job)).fetchone()[0])
            if spent + microusd > cap:
                raise SpendCap(
                    f"This may cost {dollars(microusd)}, but {words} {dollars(spent)} of {dollars(cap)} is spent."
                )

    def _bill_in(self, db: "sqlite3.Connection", bill_id: str) -> Bill:
        return _bill(db.execute("SELECT * FROM spend WHERE id = ?", (bill_id,)).fetchone(), bill_id)

    def _told(self, db: "sqlite3.Connection", bill_id: str) -> Bill:
        """The bill, and its event in the log of its job, if that still exists: the ledger outlives it."""
        bill = self._bill_in(db, bill_id)
        if db.execute("SELECT 1 FROM job WHERE id = ?", (bill.job_id,)).fetchone():
            told = {"id": bill.id, "key": bill.step_key, "state": bill.state, "provider": bill.provider}
            self._event(db, bill.job_id, "spend", told | {"microusd": bill.counted})
        return bill


def dollars(microusd: int) -> str:
    """An amount for people: whole cents from ten cents up, else as many digits as it needs, at least a cent's."""
    usd = microusd / DOLLAR
    return f"${usd:.2f}" if usd >= 0.1 or microusd % 10_000 == 0 else f"${usd:.4f}".rstrip("0")


def _calendar(now: float) -> tuple[float, float]:
    """When today and this month began on this machine's calendar, in seconds since 1970."""
    local = datetime.fromtimestamp(now).astimezone()
    # Without a zone again: midnight may lie on the other side of a change of the clock.
    midnight = datetime(local.year, local.month, local.day)
    return midnight.timestamp(), midnight.replace(day=1).timestamp()


def _bill(row: Any, bill_id: str = "") -> Bill:
    if row is None:
        raise NoSuchBill(f"The ledger has no paid call {bill_id}.")
    return Bill(
        id=row["id"],
        job_id=row["job_id"],
        step_key=row["step_key"],
        attempt=row["attempt"],
        key=row["idempotency_key"],
        provider=row["provider"],
        state=row["state"],
        reserved=row["reserved_microusd"],
        settled=row["settled_microusd"],
        remote={} if row["remote"] is None else json.loads(row["remote"]),
        created=row["created"],
        updated=row["updated"],
    )
