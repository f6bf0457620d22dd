"""Files that survive a power cut. The only place that writes bytes of the store outside the database.

A file becomes visible under its final name only when all of it is on the disk:
temporary file -> write -> fsync -> rename -> fsync of the directory.
"""

import errno
import hashlib
import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISREG
from typing import IO, TypeAlias

from jobs.errors import StoreDamaged, StoreError, StoreFull

Source: TypeAlias = (
    bytes | Path | Callable[[], IO[bytes]]
)  # the bytes, a file to copy, or what opens a stream

CHUNK = 1 << 20
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
SHA256 = re.compile(r"[0-9a-f]{64}")


@contextmanager
def typed_errors() -> Iterator[None]:
    """Turn a refusing disk into StoreFull, any other trouble with a file into StoreError."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise StoreFull(f"The disk is full ({error.strerror}).") from error
        raise StoreError(f"The store's folder cannot be used: {error}.") from error


def sync_file(fd: int) -> None:
    """Put the file's bytes on the medium. On macOS plain fsync stops at the drive's own cache."""
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fsync(fd)


def sync_dir(folder: Path) -> None:
    """Put the folder's entries on the medium: without it a renamed file may be gone after a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync_file(fd)
    finally:
        os.close(fd)


def make_dir(folder: Path) -> None:
    """Create `folder` and its parents durably, private to the user (0700)."""
    if not folder.is_dir():
        make_dir(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        sync_dir(folder.parent)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write every byte; `os.write` may write fewer."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


class AssetFiles:
    """Content-addressed files: `assets/ab/<sha256>`, never edited in place. Knows nothing of jobs."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "assets"
        self.temporary = root / "tmp"
        with typed_errors():
            make_dir(self.folder)
            make_dir(self.temporary)
            present = {entry.name for entry in os.scandir(self.folder)}
            for prefix in (f"{number:02x}" for number in range(256)):
                if prefix not in present:
                    with suppress(FileExistsError):
                        (self.folder / prefix).mkdir(mode=0o700)
            # Also when another process created them: it may not have come to its own fsync yet.
            sync_dir(self.folder)

    def path(self, sha256: str) -> Path:
        """Where the bytes of this hash are, or would be."""
        return self.folder / sha256[:2] / sha256

    def put(self, data: Source) -> tuple[str, int]:
        """Store the bytes, or a copy of the file, durably; (sha256, length). Equal bytes are kept once."""
        with typed_errors():
            if not isinstance(data, bytes):
                with data.open("rb") if isinstance(data, Path) else data() as source:
                    return self._put_stream(source)
            sha256 = hashlib.sha256(data).hexdigest()
            if self._kept(sha256, len(data)):
                # Its writer may not have come to the directory's fsync yet, so it is ours to do as well.
                sync_dir(self.path(sha256).parent)
            else:
                with self._temporary() as (fd, temporary):
                    write_all(fd, data)
                    self._publish(fd, temporary, sha256)
            return sha256, len(data)

    def _put_stream(self, source: IO[bytes]) -> tuple[str, int]:
        digest, length = hashlib.sha256(), 0
        with self._temporary() as (fd, temporary):
            while chunk := source.read(CHUNK):
                length += len(chunk)
                digest.update(chunk)
                write_all(fd, chunk)
            sha256 = digest.hexdigest()
            self._publish(fd, temporary, sha256)
        return sha256, length

    def read(self, sha256: str) -> bytes:
        """The bytes; StoreDamaged if they are missing or not what was stored."""
        try:
            with typed_errors():
                data = self._read(sha256)
        except StoreError as error:
            raise StoreDamaged(f"The file of asset {sha256[:12]} cannot be read.") from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoreDamaged(f"The file of asset {sha256[:12]} is damaged.")
        return data

    def remove(self, sha256: str) -> int:
        """Unlink it, if it is there; the number of bytes freed. Only under the database's write lock."""
        path = self.path(sha256)
        try:
            size = path.lstat().st_size
            path.unlink()
        except FileNotFoundError:
            return 0
        return size

    def stored(self) -> Iterator[os.DirEntry[str]]:
        """Every file below `assets`, also what does not belong there."""
        for prefix in sorted(entry.path for entry in os.scandir(self.folder) if entry.is_dir()):
            yield from os.scandir(prefix)

    def sweep(self, min_age: float) -> int:
        """Remove temporary files that a crash left, older than `min_age` seconds; bytes freed."""
        return sum(_unlink_old(Path(entry.path), min_age) for entry in os.scandir(self.temporary))

    def _read(self, sha256: str) -> bytes:
        fd = os.open(self.path(sha256), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            return file.read()

    def _kept(self, sha256: str, length: int) -> bool:
        """Whether exactly these bytes are there already. A damaged or planted file is not; it gets replaced."""
        try:
            status = self.path(sha256).lstat()
            if not S_ISREG(status.st_mode) or status.st_size != length:
                return False
            return hashlib.sha256(self._read(sha256)).hexdigest() == sha256
        except OSError:
            return False

    @contextmanager
    def _temporary(self) -> Iterator[tuple[int, Path]]:
        path = self.temporary / f"{os.getpid()}-{secrets.token_hex(8)}"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            yield fd, path
        finally:
            os.close(fd)
            path.unlink(missing_ok=True)

    def _publish(self, fd: int, temporary: Path, sha256: str) -> None:
        sync_file(fd)
        final = self.path(sha256)
        temporary.rename(final)
        sync_dir(final.parent)


def size_of(paths: Iterable[Path]) -> int:
    """Bytes of the files that exist among `paths`."""
    total = 0
    for path in paths:
        with suppress(FileNotFoundError):
            total += path.lstat().st_size
    return total


def _unlink_old(path: Path, min_age: float) -> int:
    try:
        status = path.lstat()
        if time.time() - status.st_mtime < min_age:
            return 0
        path.unlink()
    except OSError:
        return 0
    return status.st_size


def can_grow(folder: Path, length: int) -> bool:
    """Whether a file of `length` bytes in `folder` could become longer: no full disk, quota or ulimit is in the way."""
    probe = folder / f"probe-{secrets.token_hex(8)}"
    try:
        fd = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(fd, bytes(1 << 16), length)
            os.fsync(fd)
        finally:
            os.close(fd)
            probe.unlink()
    except OSError as error:
        return error.errno not in NO_ROOM
    return True


def free_bytes(folder: Path) -> int:
    """Bytes that a user may still write to the disk of `folder`."""
    with typed_errors():
        status = os.statvfs(folder)
        return status.f_bavail * status.f_frsize
