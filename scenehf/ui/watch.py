"""Following a job: what the page asks four times a second, and what an API client hears as a stream.

The event log is the only source. A follower keeps one number, the sequence it has seen, so that it misses nothing and
is told nothing twice, whatever happened to its connection, its tab, or this server in between.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import anyio
import anyio.to_thread

from jobs.errors import NoSuchJob
from jobs.events import PAGE
from jobs.job import Event, Job
from jobs.store import Store
from scenehf.ui.images import ASSET

HEARTBEAT = 1.0  # seconds of silence after which a stream says that it is alive
STREAMS = 64  # served at once, in threads apart from those that answer the page; more wait
WAITING = ("needs_review", "succeeded", "failed", "cancelled")  # states that only a person changes

# Events after which the page has to be told anew how the job stands.
_TELLING = frozenset({"job", "step", "chosen", "params", "title", "assets", "request"})
_STATES = {
    "queued": "Waiting to start",
    "running": "Started",
    "succeeded": "Finished",
    "cancelled": "Cancelled",
    "needs_review": "Waiting for you",
    "failed": "Failed",
}

Describe = Callable[[Store, Job], dict[str, Any]]


class Watch:
    """What the job panel polls. describe: per job kind, how the job stands, as JSON for the page."""

    def __init__(self, store: Store, describe: Mapping[str, Describe]) -> None:
        self._store = store
        self._describe = describe
        self._streams: anyio.CapacityLimiter | None = None

    def poll(self, job_id: str, since: int) -> dict[str, Any]:
        """Events after `since`, at most a page of them, and `view` if they changed how the job stands.

        The view is read after the events, so it is never older than they are. state "unknown": no such job.
        """
        try:
            events = self._store.events(job_id, since)
            job = self._store.job(job_id)
        except NoSuchJob:
            return {
                "job": job_id,
                "state": "unknown",
                "next": since,
                "more": False,
                "events": [],
                "view": None,
            }
        changed = since == 0 or any(event.type in _TELLING for event in events)
        return {
            "job": job.id,
            "state": job.state,
            "next": events[-1].seq if events else since,
            "more": len(events) == PAGE,
            "events": [told for event in events if (told := _told(event))],
            "view": self._view(job) if changed else None,
        }

    async def follow(self, job_id: str, after: int = 0) -> AsyncIterator[dict[str, Any]]:
        """The job's events as they happen: {state, next, events}, at least one message a second, until only a person
        can move it and everything has been told. Raises NoSuchJob."""
        if self._streams is None:  # belongs to the event loop of the server, so it is made there
            self._streams = anyio.CapacityLimiter(STREAMS)
        while True:
            state = self._store.job(job_id).state  # before the events: then a final state hides none of them
            timeout = 0.0 if state in WAITING else HEARTBEAT
            events = await anyio.to_thread.run_sync(
                self._store.follow, job_id, after, timeout, limiter=self._streams, abandon_on_cancel=True
            )
            after = events[-1].seq if events else after
            yield {"state": state, "next": after, "events": [as_json(event) for event in events]}
            if state in WAITING and not events:
                return

    def _view(self, job: Job) -> dict[str, Any]:
        view = {
            "id": job.id,
            "kind": job.kind,
            "title": job.title,
            "created": job.created,
            "error": job.error,
        }
        describe = self._describe.get(job.kind)
        return view | (describe(self._store, job) if describe else {})


def as_json(event: Event) -> dict[str, Any]:
    """An event as it is, for programs."""
    return {"seq": event.seq, "time": event.time, "type": event.type, "data": event.data}


def sentence(event: Event) -> str | None:
    """An event as one line of the log that a person reads; None for those that are shown otherwise."""
    data = event.data
    if event.type == "log":
        return str(data["text"])
    if event.type == "step":
        state = "payment open" if data["state"] == "unknown" else data["state"].replace("_", " ")
        return f"{data['name']}: {state}"
    if event.type == "request":
        return f"{data['what'].capitalize()} asked for"
    if event.type == "job":
        error = data.get("error") or {}
        said = " ".join(filter(None, (error.get("message"), error.get("hint")))) or data.get("reason")
        if said == "interrupted":
            return "Interrupted. It goes on by itself."
        state = _STATES[data["state"]]
        return f"{state}. {said}" if said else state
    return None


def _told(event: Event) -> dict[str, Any] | None:
    """What the page needs of an event."""
    told: dict[str, Any] = {"seq": event.seq, "time": event.time}
    if event.type == "progress":
        return told | {"kind": "progress", **event.data}
    if event.type == "preview":
        version = event.data["sha256"][:16]
        return told | {"kind": "preview", "url": f"{ASSET}/{event.job_id}/{event.data['asset']}?v={version}"}
    text = sentence(event)
    if text is None:
        return None
    told |= {"kind": "line", "from": event.type, "text": text}
    if event.type == "job":
        told |= {"state": event.data["state"], "reason": event.data.get("reason", "")}
    return told
