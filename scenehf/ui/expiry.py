"""What strangers leave behind goes by itself: jobs that nobody touches, the oldest ones when all take too much room,
and work that never ends. The owner's own jobs are left alone."""

import logging
import threading
import time

from jobs.errors import IllegalMove, JobsError, NoSuchJob
from jobs.store import Store
from scenehf.ui.visitors import GB, Sharing

log = logging.getLogger(__name__)

EVERY = 60.0  # seconds
LONGEST_RUN = 3600.0  # seconds that one stranger's job may hold the machine


class Expiry:
    """Looks at the store now and then, in a thread of its own."""

    def __init__(self, store: Store, sharing: Sharing) -> None:
        self._store = store
        self._sharing = sharing
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="expiry", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is being deleted is deleted whole."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def sweep(self) -> int:
        """One look; how many jobs went."""
        now = time.time()
        for job_id in self._store.strangers_running(now - LONGEST_RUN):
            self._store.request_cancel(job_id)
        gone = sum(
            self._delete(job_id) for job_id in self._store.strangers(now - 3600 * self._sharing.keep_hours)
        )
        over = self._store.strangers_bytes() - self._sharing.keep_gb * GB
        for job_id in self._store.strangers() if over > 0 else ():
            if over <= 0:
                break
            before = self._store.strangers_bytes()
            gone += self._delete(job_id)
            over -= before - self._store.strangers_bytes()
        return gone

    def _delete(self, job_id: str) -> bool:
        try:
            self._store.delete_job(job_id)
        except (IllegalMove, NoSuchJob):  # it was taken up again, or somebody was faster
            return False
        return True

    def _run(self) -> None:
        while not self._ended.wait(EVERY):
            try:
                if gone := self.sweep():
                    log.info("Deleted %d jobs of visitors", gone)
            except JobsError:
                log.exception("Could not tidy up")
