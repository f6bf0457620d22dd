"""Named files of a job. The bytes are durable before the row that names them; they go after it is gone."""

import re
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from jobs.database import dumps
from jobs.errors import NoSuchAsset, StoreError
from jobs.events import Events
from jobs.files import SHA256, AssetFiles, Source, typed_errors
from jobs.job import Asset

if TYPE_CHECKING:
    import sqlite3

AssetItem: TypeAlias = tuple[str, Source, str]  # name, its bytes or where they come from, media type

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
NAME_LENGTH = 200
PREVIEW = "preview"  # the one asset of a job that running work replaces again and again


class Kept(NamedTuple):
    """Bytes that are on the disk and wait for their row."""

    name: str
    sha256: str
    bytes: int
    mime: str


def check_name(name: str) -> str:
    """The name itself, or StoreError: parts of letters, digits, `.`, `_`, `-`, joined by `/`, no leading dot."""
    if len(name) > NAME_LENGTH or not NAME.fullmatch(name):
        raise StoreError(
            f"{name[:80]!r} is no name for an asset.", hint="Use letters, digits, dots and dashes."
        )
    return name


class Assets(Events):
    """Rows of `asset` and the files they name."""

    files: AssetFiles

    def put_assets(self, job_id: str, items: Sequence[AssetItem], *, fence: int | None = None) -> list[Asset]:
        """Store the items in one transaction; a name that exists is replaced. With `fence` only for its owner."""

        def write(db: "sqlite3.Connection", kept: list[Kept]) -> None:
            if fence is not None:
                self._own(db, job_id, fence)
            self._exists(db, job_id)
            self._event(db, job_id, "assets", {"names": [item.name for item in kept]})

        return [Asset(job_id, *item) for item in self.keeping(job_id, items, write)]

    def put_preview(self, job_id: str, fence: int, data: bytes, mime: str) -> None:
        """Replace the job's one asset `preview` and announce it by an event of that type."""

        def write(db: "sqlite3.Connection", kept: list[Kept]) -> None:
            self._own(db, job_id, fence)
            told = {"asset": PREVIEW, "sha256": kept[0].sha256, "bytes": kept[0].bytes, "mime": mime}
            self._event(db, job_id, "preview", told)

        self.keeping(job_id, [(PREVIEW, data, mime)], write)

    def assets(self, job_id: str) -> list[Asset]:
        """Every asset of the job, by name."""
        return [Asset(*row) for row in self.rows(f"{SELECT} WHERE job_id = ? ORDER BY name", (job_id,))]

    def asset(self, job_id: str, name: str) -> Asset:
        """One asset; NoSuchAsset if the job has none of that name."""
        row = self.row(f"{SELECT} WHERE job_id = ? AND name = ?", (job_id, name))
        if row is None:
            raise NoSuchAsset(f"Job {job_id} has no asset {name!r}.")
        return Asset(*row)

    def named(self, job_ids: Sequence[str], name: str) -> dict[str, Asset]:
        """The asset of this name of each of these jobs that has one, by the job's id."""
        sql = f"{SELECT} WHERE job_id IN (SELECT value FROM json_each(?)) AND name = ?"  # noqa: S608
        return {row["job_id"]: Asset(*row) for row in self.rows(sql, (dumps(list(job_ids)), name))}

    def read(self, job_id: str, name: str) -> bytes:
        """The bytes, compared with their hash: NoSuchAsset, StoreDamaged."""
        return self.files.read(self.asset(job_id, name).sha256)

    def path(self, job_id: str, name: str) -> Path:
        """The file, to be read only; it stays as it is until the asset is replaced or deleted."""
        return self.files.path(self.asset(job_id, name).sha256)

    def keeping(
        self,
        job_id: str,
        items: Sequence[AssetItem],
        write: Callable[["sqlite3.Connection", list[Kept]], None],
    ) -> list[Kept]:
        """Put the files, then in one transaction run `write` and name them. All of it is visible, or none."""
        for name, _, _ in items:
            check_name(name)
        kept = [Kept(name, *self.files.put(data), mime) for name, data, mime in items]
        with self.tx() as db:
            write(db, kept)
            for item, (_, data, _) in zip(kept, items, strict=True):
                if not self.files.path(item.sha256).exists():
                    # The cleanup was quicker than we; now that we hold the write lock it has to wait.
                    self.files.put(data)
            replaced = self._name(db, job_id, kept)
        self.collect(replaced)
        return kept

    def collect(self, hashes: Iterable[str]) -> int:
        """Remove the files of these hashes that no row names; bytes freed.

        Under the write lock, in which every new row looks whether its file is still there.
        """
        freed = 0
        for sha256 in sorted(set(hashes)):
            with self.tx() as db, typed_errors():
                if not db.execute("SELECT 1 FROM asset WHERE sha256 = ?", (sha256,)).fetchone():
                    freed += self.files.remove(sha256)
        return freed

    def gc(self, min_age: float = 3600.0) -> int:
        """Remove files that no row names and that are older than `min_age` seconds; bytes freed."""
        named = {row[0] for row in self.rows("SELECT DISTINCT sha256 FROM asset")}
        old = time.time() - min_age
        with typed_errors():
            ours = [
                file for file in self.files.stored() if SHA256.fullmatch(file.name) and file.name not in named
            ]
            strays = [file.name for file in ours if file.stat(follow_symlinks=False).st_mtime <= old]
        return self.files.sweep(min_age) + self.collect(strays)

    def _name(self, db: "sqlite3.Connection", job_id: str, kept: list[Kept]) -> list[str]:
        """Write the rows; the hashes that these names had before."""
        replaced = []
        for item in kept:
            old = db.execute(
                "SELECT sha256 FROM asset WHERE job_id = ? AND name = ?", (job_id, item.name)
            ).fetchone()
            if old is not None and old[0] != item.sha256:
                replaced.append(old[0])
            db.execute("INSERT OR REPLACE INTO asset VALUES(?, ?, ?, ?, ?)", (job_id, *item))
        return replaced


SELECT = "SELECT job_id, name, sha256, bytes, mime FROM asset"
