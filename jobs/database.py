"""The database of the store: connections, transactions, typed errors, migrations.

WAL with synchronous=FULL: a transaction that returned is on the disk, at the price of one fdatasync.
SQLite older than 3.51.3 can corrupt a WAL database when two connections checkpoint and write at the same
instant (www.sqlite.org/wal.html#walresetbug); such a library falls back to a rollback journal.
"""

import json
import logging
import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.errors import StoreBusy, StoreDamaged, StoreError, StoreFull, StoreTooNew
from jobs.files import can_grow, make_dir, size_of, sync_dir, typed_errors
from jobs.watch import Watch

if TYPE_CHECKING:
    import sqlite3
else:
    try:
        from pysqlite3 import dbapi2 as sqlite3
    except ImportError:
        import sqlite3

log = logging.getLogger(__name__)

APPLICATION_ID = 0x5348464A  # "SHFJ": marks the file as ours
MIGRATIONS: tuple[str, ...] = tuple(
    Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("schema.sql", "schema_2.sql")
)
WAL_IS_SAFE = (3, 51, 3)
BUSY_SECONDS = 10.0
PRAGMAS = (
    "synchronous = FULL",
    "foreign_keys = ON",
    "trusted_schema = OFF",
    "cell_size_check = ON",
    "journal_size_limit = 16777216",
    "fullfsync = ON",  # macOS: fsync alone stops at the drive's cache; no effect elsewhere
    "checkpoint_fullfsync = ON",
)
# Primary result codes, www.sqlite.org/rescode.html
BUSY, LOCKED, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB = 5, 6, 10, 11, 13, 14, 26

_databases: "weakref.WeakSet[Database]" = weakref.WeakSet()
_forked_while_open = False


def dumps(value: Any) -> str:
    """The one JSON form in the database. ValueError on NaN, TypeError on what is not JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class _Handle:
    """A thread's connection; closed when the thread or the store goes."""

    def __init__(self, connection: "sqlite3.Connection") -> None:
        self.connection = connection

    def close(self) -> None:
        self.connection.close()

    __del__ = close


class Database:
    """`store.db` under `root`, one connection per thread. Safe for many threads and many processes of one machine."""

    def __init__(self, root: Path) -> None:
        if _forked_while_open:
            raise StoreError("A forked process cannot open a store its parent had open.", hint="Use spawn.")
        self.root = Path(root).absolute()
        self.file = self.root / "store.db"
        self._pid = os.getpid()
        self._closed = False
        self._local = threading.local()
        self._handles: weakref.WeakSet[_Handle] = weakref.WeakSet()
        self.watch = Watch(self._data_version)
        with typed_errors():
            make_dir(self.root)
            self.root.chmod(0o700)
            # SQLite would create it readable by all; its -wal and -shm take over the mode of this file.
            with suppress(FileExistsError):
                os.close(os.open(self.file, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            sync_dir(self.root)
        self._migrate()
        _databases.add(self)

    def close(self) -> None:
        """Refuse further use, and close this thread's connection.

        Another thread may be in the middle of a call: its connection is closed when it asks again, or ends.
        """
        self._closed = True
        self.watch.close()
        self._drop_connection()

    @contextmanager
    def tx(self) -> Iterator["sqlite3.Connection"]:
        """A write transaction: all of it is on the disk when the block is left, or none of it ever was.

        It takes the write lock at once: a read that turns into a write fails under concurrency without waiting.
        """
        with self._typed_errors():
            db = self._connection()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
                raise
        self.watch.nudge()

    def rows(self, sql: str, args: Sequence[Any] = ()) -> list[Any]:
        """All rows of a read. It is over when this returns: an open one would keep the WAL from shrinking."""
        with self._typed_errors():
            return self._connection().execute(sql, args).fetchall()

    def row(self, sql: str, args: Sequence[Any] = ()) -> Any:
        """The first row of a read, or None."""
        found = self.rows(sql, args)
        return found[0] if found else None

    def _data_version(self) -> int:
        """Changes whenever another connection commits; costs a few microseconds."""
        return int(self.row("PRAGMA data_version")[0])

    def _connection(self) -> "sqlite3.Connection":
        if os.getpid() != self._pid:
            raise StoreError("This store was opened before a fork.", hint="Use spawn.")
        if self._closed:
            self._drop_connection()
            raise StoreError("The store is closed.", hint="Start the program again.")
        handle: _Handle | None = getattr(self._local, "handle", None)
        if handle is None:
            handle = _Handle(self._connect())
            self._local.handle = handle
            self._handles.add(handle)
        return handle.connection

    def _drop_connection(self) -> None:
        """Close this thread's connection; the next use opens a new one."""
        handle: _Handle | None = self._local.__dict__.pop("handle", None)
        if handle is not None:
            self._handles.discard(handle)
            with suppress(sqlite3.Error):
                handle.close()

    def _connect(self) -> "sqlite3.Connection":
        db = sqlite3.connect(
            self.file,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # has an effect only before the first table exists
        journal = "WAL" if sqlite3.sqlite_version_info >= WAL_IS_SAFE else "PERSIST"
        mode = db.execute(f"PRAGMA journal_mode = {journal}").fetchone()[0]
        if mode != journal.lower():
            log.warning("SQLite %s uses journal mode %s instead of %s", sqlite3.sqlite_version, mode, journal)
        for pragma in PRAGMAS:
            db.execute(f"PRAGMA {pragma}")
        return db

    @contextmanager
    def _typed_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._typed(error) from error

    def _typed(self, error: "sqlite3.Error") -> StoreError:
        primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
        full = primary == FULL or (primary == IOERR and self._no_room())
        if primary in (IOERR, FULL, CORRUPT):
            # After a failed write or sync the page cache may lie: only a new connection reads the disk again.
            self._drop_connection()
        if full:
            return StoreFull(f"The disk is full ({error}).")
        if primary in (BUSY, LOCKED):
            return StoreBusy("Another process is writing to the store.")
        if primary in (CORRUPT, NOTADB):
            return StoreDamaged(f"The database {self.file} is damaged ({error}).")
        if primary in (IOERR, CANTOPEN):
            return StoreError(f"The disk reported an error ({error}).")
        return StoreError(f"The store refused: {error}.")

    def _no_room(self) -> bool:
        """Whether an I/O error is about room: SQLite tells ENOSPC apart, but not a quota or a limit on file sizes."""
        longest = max((size_of([path]) for path in self.root.glob("store.db*")), default=0)
        return not can_grow(self.root, longest)

    def _migrate(self) -> None:
        known = len(MIGRATIONS)
        with self._typed_errors():
            version = self._version()
            if 0 < version < known:
                self._backup(version)
        if version < known:
            with self.tx() as db:
                for script in MIGRATIONS[
                    self._version() :
                ]:  # asked again: another process may have been first
                    for statement in _statements(script):
                        db.execute(statement)
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                db.execute(f"PRAGMA user_version = {known}")

    def _version(self) -> int:
        """The version of the schema; StoreTooNew, StoreDamaged if it is no store of ours."""
        version = int(self.row("PRAGMA user_version")[0])
        if version > len(MIGRATIONS):
            raise StoreTooNew(
                f"The store {self.root} is of version {version}, this program knows {len(MIGRATIONS)}."
            )
        if version and self.row("PRAGMA application_id")[0] != APPLICATION_ID:
            raise StoreDamaged(f"{self.file} was written by another program.", hint="Choose another folder.")
        return version

    def _backup(self, version: int) -> None:
        """A whole copy beside it, `store-v1.db` and so on, before its tables are changed."""
        copy = self.root / f"store-v{version}.db"
        part = copy.with_suffix(".part")
        with typed_errors():
            part.unlink(missing_ok=True)
        self._connection().execute("VACUUM INTO ?", (str(part),))
        with typed_errors():
            part.chmod(0o600)
            part.replace(copy)
            sync_dir(self.root)


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _after_fork() -> None:
    """SQLite's lock tables are copied by a fork although the locks are not: using either copy can corrupt.

    The inherited connections are kept alive, unused: closing them would run in the wrong process.
    """
    global _forked_while_open
    _inherited.extend(handle for database in _databases for handle in database._handles)
    _forked_while_open = _forked_while_open or bool(_inherited)


_inherited: list[_Handle] = []
os.register_at_fork(after_in_child=_after_fork)
