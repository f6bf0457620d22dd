"""The History tab: every job of every kind, newest first, to find, open, copy, rename and delete."""

import threading
import time
from dataclasses import dataclass
from typing import Any

import gradio as gr

from jobs.errors import NoSuchJob, StoreError
from jobs.job import Job
from jobs.store import Store
from jobs.upkeep import DiskUse
from scenehf.errors import NotPossible
from scenehf.ui.code import later, read
from scenehf.ui.images import url_of
from scenehf.ui.refusals import NOT_OURS, told
from scenehf.ui.visitors import Visitor, made, visitor_of
from scenehf.workflows import actions

SCRIPTS = (
    "page.js", "history_rows.js", "history_window.js", "history_rename.js", "history_bin.js", "history_clean.js",
    "history.js",
)  # fmt: skip
PAGE = 1000  # rows in one answer at most
TITLE = 200  # characters
AGES = (1, 7, 30)  # days after which jobs may be cleaned away
LOOK, SHARE = 5.0, 50  # the disk is measured every 5 s at most, and for at most a 50th of the time

Json = dict[str, Any]
Message = list[Any]  # what the page passes to a server function: always one list


def build(store: Store) -> None:
    """Add the tab's one component. Where strangers share this app everybody sees their own jobs alone."""
    disk = _Disk(store)

    def seen(request: gr.Request, wanted: Json) -> Seen:
        visitor = visitor_of(request)
        return Seen(store, None if visitor.owner else visitor.names, **wanted)

    def jobs(message: Message, request: gr.Request) -> Json:
        wanted, before, limit = message
        return told(lambda: _page(seen(request, wanted), before, int(limit)))

    def fresh(message: Message, request: gr.Request) -> Json:
        wanted, ranges = message
        return told(lambda: _parts(seen(request, wanted), ranges))

    def facts(_: Message, request: gr.Request) -> Json:
        return told(lambda: _facts(seen(request, {}), disk))

    def rename(message: Message) -> Json:
        return told(lambda: {"title": _rename(store, str(message[0]), str(message[1]))})

    def duplicate(message: Message, request: gr.Request) -> Json:
        return told(lambda: {"job": made(request, lambda: actions.duplicate(store, str(message[0]))).id})

    def remove(message: Message) -> Json:
        return {"kept": _remove(store, [str(job_id) for job_id in message[0]])}

    def cleanable(message: Message, request: gr.Request) -> Json:
        return told(lambda: {"jobs": store.cleanable(24.0 * _age(message[0], visitor_of(request)))})

    def clean(message: Message, request: gr.Request) -> Json:
        try:
            return told(lambda: _clean(store, 24.0 * _age(message[0], visitor_of(request))))
        finally:
            disk.forget()

    gr.HTML(
        None,
        html_template=read("history.html"),
        js_on_load=later("history", *SCRIPTS),
        server_functions=[jobs, fresh, facts, rename, duplicate, remove, cleanable, clean],
        apply_default_css=False,
        elem_id="history",
    )


@dataclass(frozen=True)
class Seen:
    """The jobs that a browser may see and asks for.

    own: the names of whose jobs they are; None: everybody's. state, kind: "" is any. search: a part of the title.
    """

    store: Store
    own: tuple[str, ...] | None
    state: str = ""
    kind: str = ""
    search: str = ""

    def rows(self, limit: int, before: str | None = None, until: str | None = None) -> list[Json]:
        """Newest first; of ids below `before`, down to and with `until`."""
        limit = max(1, min(PAGE, limit))
        filters = (self.state or None, self.kind or None, self.search or None)
        return _rows(self.store, self.store.list_jobs(limit, before, *filters, until, self.own))

    def count(self) -> int:
        """How many there are."""
        return self.store.count_jobs(self.state or None, self.kind or None, self.search or None, self.own)


def _rows(store: Store, jobs: list[Job]) -> list[Json]:
    """What the page draws of each job."""
    ids = [job.id for job in jobs]
    thumbs, seconds = store.named(ids, "thumb.png"), store.seconds(ids)
    return [
        {
            "id": job.id,
            "kind": job.kind,
            "title": job.title,
            "state": job.state,
            "created": job.created,
            "seconds": seconds.get(job.id),
            "thumb": url_of(thumbs[job.id]) if job.id in thumbs else None,
        }
        for job in jobs
    ]


def _page(seen: Seen, before: str | None, limit: int) -> Json:
    return {"jobs": seen.rows(limit, before), "total": seen.count()}


def _parts(seen: Seen, ranges: list[list[str | None]]) -> Json:
    """How these stretches of the list stand now: the one in view, and what is new above it."""
    return {"parts": [seen.rows(PAGE, before, until) for before, until in ranges[:2]], "total": seen.count()}


def _facts(seen: Seen, disk: "_Disk") -> Json:
    """How many jobs there are and of which kinds, and what the disk says, which is no business of strangers."""
    facts = {"jobs": seen.count(), "kinds": seen.store.kinds(seen.own)}
    if seen.own is not None:
        return facts
    use = disk.use()
    return facts | {"bytes": use.database + use.assets + use.temporary, "free": use.free}


def _rename(store: Store, job_id: str, title: str) -> str:
    """The title as it is kept: on one line, without space around it."""
    kept = " ".join(title.split())
    if not kept:
        raise NotPossible("A job needs a name.")
    if len(kept) > TITLE:
        raise NotPossible(f"A name has at most {TITLE} characters.")
    return store.set_title(job_id, kept).title


def _remove(store: Store, job_ids: list[str]) -> dict[str, str]:
    """Delete these jobs; why not, for those that stay."""
    kept = {}
    for job_id in job_ids:
        try:
            store.delete_job(job_id)
        except NoSuchJob:  # somebody was faster
            continue
        except StoreError as error:
            kept[job_id] = str(error)
    return kept


def _age(days: Any, visitor: Visitor) -> int:
    if not visitor.owner or days not in AGES:
        raise NotPossible(NOT_OURS)
    return int(days)


def _clean(store: Store, hours: float) -> Json:
    done = store.clean(hours)
    return {"jobs": done.jobs, "freed": done.bytes}


class _Disk:
    """What the store takes on the disk, measured now and then: it means a look at every file."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = threading.Lock()
        self._until = 0.0
        self._use: DiskUse | None = None

    def use(self) -> DiskUse:
        """As it was a moment ago."""
        with self._turn:
            began = time.monotonic()
            if self._use is None or began >= self._until:
                self._use = self._store.disk_use()
                took = time.monotonic() - began
                self._until = began + took + max(LOOK, SHARE * took)
            return self._use

    def forget(self) -> None:
        """Measure at the next look."""
        self._until = 0.0
