"""Room that is set aside. On a full disk even a DELETE fails, because it has to be logged first: then this is dropped.

Several files, because a disk can be out of inodes as well, and the database's log takes two.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from jobs.errors import StoreError
from jobs.files import free_bytes, make_dir, size_of, typed_errors, write_all

BALLAST_BYTES = 8 << 20
PARTS = 4
SHARE = 4  # a nearly full disk, with less free than this many ballasts, is not made fuller


class Ballast:
    """The folder `ballast` of a store, `size` bytes in all; none at all if that is 0."""

    def __init__(self, root: Path, size: int = BALLAST_BYTES) -> None:
        self._folder = Path(root) / "ballast"
        self._size = size

    def held(self) -> int:
        """Bytes that are set aside now."""
        return size_of(self._folder.glob("*"))

    def drop(self) -> None:
        """Give the room back to the disk."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def make(self) -> None:
        """Set it aside, if there is room to spare."""
        if self.held() == self._size or free_bytes(self._folder.parent) < SHARE * self._size:
            return
        self.drop()
        with suppress(StoreError), typed_errors():  # full after all, or another process is making it
            make_dir(self._folder)
            for number in range(PARTS):
                fd = os.open(
                    self._folder / str(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
                )
                try:
                    # Random bytes: a file system that compresses would hold no room for zeros.
                    write_all(fd, os.urandom(self._size // PARTS))
                finally:
                    os.close(fd)
