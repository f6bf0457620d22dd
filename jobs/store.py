"""The job store: everything that must survive, in one folder.

    store.db        jobs, steps, events, assets' names and the spend ledger (SQLite; see schema.sql)
    assets/ab/...   the bytes, named by their sha256
    tmp/            files being written
    ballast         room that a full disk is cleaned with
    lane.lock       who executes (see jobs.runner)

Durable means: when a method that writes has returned, neither kill -9 nor a power cut can undo it. Safe for
threads and processes of one machine, not for network file systems. Reads are pages, never open cursors.

The class is put together from one layer per table, each in its own file:
Database < Events < Assets < Queue < Steps < Ledger < Upkeep < Store.
"""

from pathlib import Path

from jobs.ballast import BALLAST_BYTES, Ballast
from jobs.errors import StoreFull
from jobs.files import AssetFiles
from jobs.upkeep import Upkeep

FREE_MIN = 512 << 20  # bytes; with less on the disk no new job is taken on


class Store(Upkeep):
    """Open, or create, the store in the folder `root` (0700)."""

    def __init__(self, root: Path, *, free_min: int = FREE_MIN, ballast: int = BALLAST_BYTES) -> None:
        self.free_min = free_min
        self.ballast = Ballast(root, ballast)
        try:
            super().__init__(root)
        except StoreFull:
            # SQLite needs room for its log even to read. Without this a full disk could not be cleaned.
            self.ballast.drop()
            super().__init__(root)
        self.files = AssetFiles(self.root)
        self.ballast.make()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
