"""Whose a job is, where several people share one app. The store knows names alone, and what a name stands for is no
business of its. A job that nobody claimed is the owner's of the machine."""

from collections.abc import Collection

from jobs.database import dumps
from jobs.ledger import Ledger


class Claims(Ledger):
    """The column `visitor` of `job`."""

    def claim_for(self, job_id: str, visitor: str) -> None:
        """From now on the job is this visitor's. NoSuchJob."""
        with self.tx() as db:
            self._exists(db, job_id)
            db.execute("UPDATE job SET visitor = ? WHERE id = ?", (visitor, job_id))

    def foreign(self, job_ids: Collection[str], visitors: Collection[str]) -> set[str]:
        """Those of the ids that are jobs of somebody else than these visitors."""
        if not job_ids:
            return set()
        found = self.rows(
            "SELECT id FROM job WHERE id IN (SELECT value FROM json_each(?))"
            " AND visitor NOT IN (SELECT value FROM json_each(?))",
            (dumps(list(job_ids)), dumps(list(visitors))),
        )
        return {row[0] for row in found}

    def claimed(self, visitors: Collection[str]) -> dict[str, str]:
        """The jobs of these visitors, newest first: id -> state."""
        found = self.rows(
            "SELECT id, state FROM job WHERE visitor IN (SELECT value FROM json_each(?)) AND visitor <> ''"
            " ORDER BY id DESC",
            (dumps(list(visitors)),),
        )
        return {row["id"]: row["state"] for row in found}

    def strangers(self, untouched_since: float | None = None) -> list[str]:
        """All jobs that visitors have claimed and that nobody works on, the one untouched for longest first."""
        found = self.rows(
            "SELECT id FROM job WHERE visitor <> '' AND state NOT IN ('queued', 'running')"
            " AND (?1 IS NULL OR updated < ?1) ORDER BY updated, id",
            (untouched_since,),
        )
        return [row[0] for row in found]

    def strangers_running(self, since: float) -> list[str]:
        """Jobs of visitors that have been running since then."""
        found = self.rows(
            "SELECT id FROM job WHERE visitor <> '' AND state = 'running' AND updated < ?", (since,)
        )
        return [row[0] for row in found]

    def strangers_bytes(self) -> int:
        """What the files of visitors' jobs take; one that several jobs have counts once."""
        found = self.row(
            "SELECT coalesce(sum(bytes), 0) FROM (SELECT DISTINCT sha256, bytes FROM asset"
            " JOIN job ON job.id = asset.job_id WHERE visitor <> '')"
        )
        return int(found[0])
