"""Executes jobs: threads of one process per machine, the holder of the lane."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from jobs.context import PROGRESS_GAP, Context, Signals
from jobs.errors import Cancelled, Interrupted, LostLease, Paused, StoreError, StoreFull, describe
from jobs.host import Host
from jobs.job import Job, JobState
from jobs.lane import Lane
from jobs.queue import LEASE
from jobs.store import Store
from jobs.watch import IDLE

log = logging.getLogger(__name__)

Workflow: TypeAlias = Callable[[Context], None]
TAKEOVER = 0.5  # seconds between two tries to become the one that executes
TROUBLE = 5.0  # seconds to wait after the store refused
BEATS = 3  # heartbeats in the time of one lease


@dataclass
class _Running:
    """A job in one of our threads."""

    job: Job
    context: Context
    thread: threading.Thread
    beat: float


class Runner:
    """Claims queued jobs of the kinds it has workflows for and runs up to `threads` of them at a time.

    workflows: what to do per job kind. A workflow returns: succeeded. It raises Paused: needs_review; Cancelled:
    cancelled; any Exception: failed. A second runner on the same store waits until the first one's process ends.
    """

    def __init__(
        self,
        store: Store,
        workflows: Mapping[str, Workflow],
        host: Host | None = None,
        *,
        threads: int = 4,
        lease: float = LEASE,
    ) -> None:
        self._store = store
        self._workflows = workflows
        self._host = host
        self._threads = threads
        self._lease = lease
        self._owner = f"{socket.gethostname()}:{os.getpid()}"
        self._lane = Lane(store.root)
        self._stopping = threading.Event()
        self._turn = threading.Lock()
        self._running: dict[str, _Running] = {}
        self._lead: threading.Thread | None = None
        self._taken_over = False
        self._recovered = 0.0

    @property
    def leading(self) -> bool:
        """Whether this runner is the one that executes."""
        return self._lane.held

    def start(self) -> None:
        """Begin to execute, or to wait for the lane."""
        self._lead = threading.Thread(target=self._dispatch, name="runner", daemon=True)
        self._lead.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Interrupt what runs, give it back to the queue, end the host; takes at most `timeout` seconds."""
        deadline = time.monotonic() + timeout
        self._stopping.set()
        self._store.watch.nudge()
        if self._lead is not None:
            self._lead.join(max(0.1, deadline - time.monotonic()))
        with self._turn:
            left = list(self._running.values())
        for running in left:
            running.context.signals.stopping.set()
        for running in left:
            # Half a second is kept for those that do not listen.
            running.thread.join(max(0.0, deadline - 0.5 - time.monotonic()))
        for running in left:
            if running.thread.is_alive():  # its fence is gone with this, so it can write no more
                with suppress(LostLease):
                    self._store.release(running.job.id, running.job.attempt, "interrupted")
        if self._host is not None:
            self._host.close()
        self._lane.release()

    def _dispatch(self) -> None:
        while not self._stopping.is_set():
            try:
                if not self._lane.acquire():
                    self._stopping.wait(TAKEOVER)
                    continue
                self._take_over()
                seen = self._store.watch.generation
                self._care()
                self._claim()
                self._store.watch.wait(seen, PROGRESS_GAP if self._running else self._lease / BEATS, IDLE)
            except StoreError:  # a full disk, a busy or damaged database: it may pass
                log.exception("the runner could not work")
                self._stopping.wait(TROUBLE)

    def _take_over(self) -> None:
        """Once: whoever held the lane before is dead, so what it ran goes on here."""
        if not self._taken_over:
            self._store.recover(everything=True)
            self._store.gc()
            self._taken_over = True

    def _care(self) -> None:
        """Heartbeats, held-back progress, and jobs whose runner went silent."""
        now = time.monotonic()
        recovers = now - self._recovered > self._lease
        with self._turn:
            running = list(self._running.values())
        for each in running:
            try:
                each.context.flush(PROGRESS_GAP)
                # Always before a recovery: a clock that was set forward has ended every lease.
                if recovers or now - each.beat > self._lease / BEATS:
                    each.beat = now
                    self._store.heartbeat(each.job.id, each.job.attempt, self._lease)
            except LostLease:
                each.context.signals.lost.set()
        if recovers:
            self._recovered = now
            self._store.recover()

    def _claim(self) -> None:
        """Start queued jobs while there are free threads."""
        while len(self._running) < self._threads and not self._stopping.is_set():
            job = self._store.claim(self._owner, self._lease, self._workflows)
            if job is None:
                return
            context = Context(self._store, job, self._host, Signals())
            thread = threading.Thread(target=self._run, args=(context,), name=f"job-{job.id}", daemon=True)
            with self._turn:
                self._running[job.id] = _Running(job, context, thread, time.monotonic())
            thread.start()

    def _run(self, context: Context) -> None:
        """One job, from claim to its next state."""
        try:
            state, error, reason = self._outcome(context)
            self._settle(context, state, error, reason)
            self._store.ballast.make()  # a full disk may have taken it, and may have room again
        except LostLease:
            log.info("run %d of job %s was taken over", context.fence, context.job.id)
        except StoreError:
            log.exception("the end of job %s could not be stored", context.job.id)
        finally:
            with self._turn:
                self._running.pop(context.job.id, None)
            self._store.watch.nudge()

    def _outcome(self, context: Context) -> tuple[JobState, dict[str, Any] | None, str]:
        """Do the work; (state, error, reason) that the job comes to."""
        try:
            self._workflows[context.job.kind](context)
        except Cancelled:
            return "cancelled", None, ""
        except Paused as pause:
            return "needs_review", None, str(pause)
        except Interrupted:
            return "queued", None, "interrupted"
        except LostLease:
            raise
        except (
            Exception
        ) as error:  # the boundary of the floor: whatever a workflow raises becomes its job's end
            if context.signals.stopping.is_set():
                return "queued", None, "interrupted"
            log.exception("job %s failed", context.job.id)
            return "failed", describe(error), ""
        return "succeeded", None, ""

    def _settle(self, context: Context, state: JobState, error: dict[str, Any] | None, reason: str) -> None:
        try:
            context.flush()
            self._store.finish_job(context.job.id, context.fence, state, error=error, reason=reason)
        except LostLease:
            raise
        except StoreFull:
            # The ballast is there for this: without room nobody would learn that the disk is full.
            self._store.ballast.drop()
            self._store.finish_job(context.job.id, context.fence, state, error=error, reason=reason)
        except StoreError as refused:
            if state != "succeeded":
                raise
            self._store.finish_job(context.job.id, context.fence, "failed", error=describe(refused))
