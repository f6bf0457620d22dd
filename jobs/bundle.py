"""One job as one zip file: job.json says everything, plan.json is the plan in it, assets/ holds the files.

    job.json       {"bundle": 1, "job": {...}, "steps": [every attempt], "assets": [name, sha256, bytes, mime]}
    plan.json      the value of params["plan"], if there is one; a copy for people, not read back
    events.jsonl   one event per line
    assets/NAME    the bytes of each asset

Reading one back trusts nothing: no name of the archive ever becomes a path, sizes are counted while they are read,
hashes are compared, and either all of it is imported or none.
"""

import json
import os
import secrets
import stat
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jobs.assets import Kept, check_name
from jobs.database import dumps
from jobs.errors import BadBundle, StoreError, StoreFull
from jobs.files import sync_dir, sync_file, typed_errors
from jobs.job import FINISHED, Job
from jobs.queue import fold, new_id
from jobs.store import Store

if TYPE_CHECKING:
    import sqlite3

VERSION = 1
MAX_ENTRIES = 20_000
MAX_TEXT = 64 << 20  # bytes of job.json, and of events.jsonl
MAX_BYTES = 8 << 30  # of all entries together
MAX_RATIO = 200  # of unpacked to packed bytes; our JSON packs 10 to 30 times, a bomb 1000 times
MAX_DIRECTORY = MAX_ENTRIES * 400  # bytes of the list of entries
# The last records of a zip file (PKWARE's APPNOTE 4.3.14 to 4.3.16): their marks, and where they begin, counted from
# the end of the file. There is no comment behind them.
END, LOCATOR, LARGE = b"PK\5\6", b"PK\6\7", b"PK\6\6"
END_AT, LOCATOR_AT, LARGE_AT = -22, -42, -98
SMALL = 1 << 20  # bytes, below which the ratio does not matter
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
TEXTS = frozenset({"job.json", "plan.json", "events.jsonl"})
ASSETS = "assets/"
MALFORMED = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)


def export_bundle(store: Store, job_id: str, out: Path) -> Path:
    """Write the job to `out`, which appears complete or not at all; returns `out`."""
    job, assets = store.job(job_id), store.assets(job_id)
    record = {
        "bundle": VERSION,
        "job": asdict(job),
        "steps": [asdict(step) for step in store.steps(job_id)],
        "assets": [asdict(asset) for asset in assets],
    }
    part = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    with typed_errors():
        try:
            with part.open("xb") as file:
                with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                    archive.writestr("job.json", _pretty(record))
                    if "plan" in job.params:
                        archive.writestr("plan.json", _pretty(job.params["plan"]))
                    archive.writestr("events.jsonl", "".join(_event_lines(store, job_id)))
                    for asset in assets:
                        # Pictures are packed already; storing them keeps the export quick.
                        path = store.files.path(asset.sha256)
                        archive.write(path, ASSETS + asset.name, compress_type=zipfile.ZIP_STORED)
                file.flush()
                sync_file(file.fileno())
            part.replace(out)
            sync_dir(out.parent)
        finally:
            part.unlink(missing_ok=True)
    return out


def import_bundle(store: Store, path: Path) -> Job:
    """Add the job of a bundle, under a new id. What was not finished waits for a person (needs_review).

    BadBundle if the file is not exactly what an export writes; StoreFull if there is no room.
    """
    try:
        _check_directory(path)
        with zipfile.ZipFile(path) as archive:
            return _add(store, archive, _read(archive, path.stat().st_size))
    except (StoreFull, BadBundle):
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise BadBundle(f"{path.name} is no readable zip file ({error}).") from error
    except (StoreError, *MALFORMED) as error:
        raise BadBundle(f"{path.name} is no bundle of a job ({error}).") from error
    except OSError as error:
        raise BadBundle(f"{path} cannot be read ({error.strerror}).") from error


def _check_directory(path: Path) -> None:
    """Refuse a directory of millions of entries before zipfile reads all of it into memory."""
    with path.open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(max(0, length + LARGE_AT))
        last = file.read()
    end, locator, large = last[END_AT:], last[LOCATOR_AT:END_AT], last[LARGE_AT:LOCATOR_AT]
    if not end.startswith(END) or end[20:] != b"\0\0":
        raise BadBundle(f"{path.name} does not end as a zip file of this program does.")
    size = int.from_bytes(end[12:16], "little")
    if locator.startswith(LOCATOR):  # a large file: the record before tells the size
        if not large.startswith(LARGE) or int.from_bytes(locator[8:16], "little") != length + LARGE_AT:
            raise BadBundle(f"{path.name} does not end as a zip file of this program does.")
        size = int.from_bytes(large[40:48], "little")
    if size > MAX_DIRECTORY:
        raise BadBundle("The bundle is too large.")


class _Contents(NamedTuple):
    """What the texts of a bundle say, with the entries of its assets."""

    job: dict[str, Any]
    steps: list[dict[str, Any]]
    assets: list[dict[str, Any]]
    entries: dict[str, zipfile.ZipInfo]
    events: list[dict[str, Any]]


def _read(archive: zipfile.ZipFile, length: int) -> _Contents:
    entries = _entries(archive, length)
    record = json.loads(_text(archive, entries, "job.json"))
    if record["bundle"] != VERSION:
        raise BadBundle(f"The bundle is of version {record['bundle']}, this program knows {VERSION}.")
    names = [check_name(asset["name"]) for asset in record["assets"]]
    strange = entries.keys() - TEXTS - {ASSETS + name for name in names}
    if strange:
        raise BadBundle(f"The bundle holds {sorted(strange)[0][:80]!r}, which its job.json does not name.")
    # Not splitlines(): to it a title's U+2028 ends a line as well.
    lines = _text(archive, entries, "events.jsonl").split("\n") if "events.jsonl" in entries else []
    return _Contents(
        record["job"],
        record["steps"],
        record["assets"],
        entries,
        [json.loads(line) for line in lines if line],
    )


def _entries(archive: zipfile.ZipFile, length: int) -> dict[str, zipfile.ZipInfo]:
    """The entries by name, after everything that can be refused by looking at the directory alone. length: of the
    file, in bytes."""
    # Not is_dir(), which expects a name.
    found = [info for info in archive.infolist() if not info.filename.endswith("/")]
    if len(found) > MAX_ENTRIES or sum(info.file_size for info in found) > MAX_BYTES:
        raise BadBundle("The bundle is too large.")
    if sum(info.compress_size for info in found) > length:
        raise BadBundle("The bundle's entries overlap.")  # one packed part, unpacked again and again
    for info in found:
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise BadBundle(f"The bundle holds a link or device: {info.filename[:80]!r}.")
        if info.flag_bits & 1 or info.compress_type not in METHODS:
            raise BadBundle(f"An entry of the bundle cannot be unpacked: {info.filename[:80]!r}.")
        if info.file_size > SMALL and info.file_size > MAX_RATIO * info.compress_size:
            raise BadBundle(f"An entry of the bundle unpacks to far too much: {info.filename[:80]!r}.")
    if len({fold(info.filename) for info in found}) < len(found):
        raise BadBundle("The bundle holds a name twice.")  # also where a disk would take two for one
    return {info.filename: info for info in found}


def _text(archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], name: str) -> str:
    if entries[name].file_size > MAX_TEXT:
        raise BadBundle(f"{name} is too large.")
    with archive.open(entries[name]) as file:
        data = file.read(MAX_TEXT + 1)
    if len(data) > MAX_TEXT:
        raise BadBundle(f"{name} is too large.")
    return data.decode("utf-8")


def _add(store: Store, archive: zipfile.ZipFile, contents: _Contents) -> Job:
    """Files first, then everything else in one transaction."""
    job_id = new_id(store.newest())
    items = [
        (asset["name"], partial(archive.open, contents.entries[ASSETS + asset["name"]]), str(asset["mime"]))
        for asset in contents.assets
    ]

    def write(db: "sqlite3.Connection", kept: list[Kept]) -> None:
        for item, asset in zip(kept, contents.assets, strict=True):
            if (item.sha256, item.bytes) != (asset["sha256"], asset["bytes"]):
                raise BadBundle(f"Asset {item.name!r} of the bundle is damaged.")
        _insert_job(db, job_id, contents.job)
        _insert_steps(db, job_id, contents.steps)
        db.executemany(
            "INSERT INTO event(job_id, time, type, data) VALUES(?, ?, ?, ?)",
            [
                (job_id, float(event["time"]), event["type"], _object(event["data"]))
                for event in contents.events
            ],
        )
        told = {"id": contents.job["id"]}
        db.execute(
            "INSERT INTO event(job_id, time, type, data) VALUES(?, ?, 'imported', ?)",
            (job_id, time.time(), dumps(told)),
        )

    store.keeping(job_id, items, write)
    return store.job(job_id)


def _insert_job(db: "sqlite3.Connection", job_id: str, job: dict[str, Any]) -> None:
    """The checks of the table refuse what is no job; nothing of it runs before a person says so."""
    state = job["state"] if job["state"] in FINISHED else "needs_review"
    title, error = job["title"], job["error"]
    db.execute(
        "INSERT INTO job(id, kind, state, title, search, params, created, updated, attempt, error)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            job_id, job["kind"], state, title, fold(title), _object(job["params"]), float(job["created"]),
            time.time(), job["attempt"], None if error is None else _object(error),
        ),
    )  # fmt: skip


def _insert_steps(db: "sqlite3.Connection", job_id: str, steps: list[dict[str, Any]]) -> None:
    for step in steps:
        error = step["error"]
        db.execute(
            "INSERT INTO step(job_id, key, attempt, position, name, state, chosen, params, input_key, result, error,"
            " started, ended) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                job_id, step["key"], step["attempt"], step["position"], step["name"],
                "pending" if step["state"] == "running" else step["state"], int(step["chosen"]),
                _object(step["params"]), step["input_key"], _object(step["result"]),
                None if error is None else _object(error), step["started"], step["ended"],
            ),
        )  # fmt: skip


def _object(value: Any) -> str:
    if not isinstance(value, dict):
        raise BadBundle("The bundle's job.json is malformed.")
    return dumps(value)


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _event_lines(store: Store, job_id: str) -> Iterator[str]:
    after = 0
    while page := store.events(job_id, after):
        for event in page:
            yield dumps({"time": event.time, "type": event.type, "data": event.data}) + "\n"
        after = page[-1].seq
