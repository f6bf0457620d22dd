"""Finished jobs as files somewhere else: for a machine whose own disk does not last.

Each is a bundle, `DAY/ID-RUN.zip`; a job that was run again replaces its earlier file. The place may be a volume or a
bucket: nothing is asked of it but to keep files, and whatever is wrong with it stops no work here.
"""

import logging
import shutil
import threading
import time
from pathlib import Path

from jobs.bundle import export_bundle
from jobs.errors import StoreError
from jobs.job import Job
from jobs.store import Store

log = logging.getLogger(__name__)

EVERY = 5.0  # seconds between two looks
NEWEST = 200  # jobs that are looked at


class Archive:
    """Copies in a thread of its own."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._seen = -1
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="archive", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after a last look."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(30)

    def sweep(self) -> int:
        """Copy what has succeeded and is not there yet; how many jobs that were."""
        seen = self._store.last_seq()
        if seen == self._seen:
            return 0
        copied = sum(self._copied(job) for job in self._store.list_jobs(NEWEST, state="succeeded"))
        self._seen = seen
        return copied

    def _copied(self, job: Job) -> bool:
        target = (
            self._folder / time.strftime("%Y-%m-%d", time.gmtime(job.created)) / f"{job.id}-{job.attempt}.zip"
        )
        if target.exists():
            return False
        here = self._store.files.temporary / f"{job.id}-{job.attempt}.zip"  # swept with all that is left over
        part = target.with_suffix(".part")
        try:
            export_bundle(self._store, job.id, here)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(here, part)
            part.replace(target)
            for older in target.parent.glob(f"{job.id}-*.zip"):
                if older != target:
                    older.unlink()
        finally:
            here.unlink(missing_ok=True)
            part.unlink(missing_ok=True)
        return True

    def _run(self) -> None:
        while True:
            is_last = self._ended.wait(EVERY)
            try:
                self.sweep()
            except (OSError, StoreError):
                log.exception("Could not archive to %s; trying again", self._folder)
            if is_last:
                return
