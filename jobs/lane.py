"""Who executes: one process per store."""

import fcntl
import json
import os
from contextlib import suppress
from pathlib import Path

from jobs.files import typed_errors


class Lane:
    """The lock file that makes one process the only one that executes. The system frees it when the holder dies."""

    def __init__(self, root: Path) -> None:
        self.path = root / "lane.lock"
        self._fd: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds it."""
        return self._fd is not None

    def acquire(self) -> bool:
        """Try to hold it; whether it is held now."""
        if self._fd is not None:
            return True
        with typed_errors():
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                return False
            os.ftruncate(fd, 0)
            os.write(fd, json.dumps({"pid": os.getpid()}).encode())
            self._fd = fd
            return True

    def release(self) -> None:
        """Let another process execute."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def holder(self) -> int | None:
        """The process id of whoever holds it, or None."""
        with suppress(FileNotFoundError, ValueError, KeyError), self.path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(json.loads(file.read())["pid"])
        return None
