"""The History tab: the newest jobs of every kind, to open again or to delete."""

from typing import Any

import gradio as gr

from jobs.errors import NoSuchAsset, NoSuchJob
from jobs.job import Job
from jobs.store import Store
from scenehf.ui.images import url_of
from scenehf.ui.refusals import told
from scenehf.ui.theme import read

NEWEST = 50  # jobs on the page


def build(store: Store, *, public: bool) -> gr.HTML:
    """The tab's one component. public: strangers share this app, so a browser sees only the jobs it made itself."""

    def jobs(message: list[Any]) -> dict[str, Any]:
        return {"jobs": listed(store, [str(job_id) for job_id in message[0]], public=public)}

    def delete(message: list[Any]) -> dict[str, Any]:
        return told(lambda: {"freed": store.delete_job(str(message[0]))})

    return gr.HTML(
        None,
        html_template=read("history.html"),
        js_on_load=read("page.js", "history.js"),
        server_functions=[jobs, delete],
        apply_default_css=False,
        elem_id="history",
    )


def listed(store: Store, own: list[str], *, public: bool) -> list[dict[str, Any]]:
    """The lines of the list. own: the jobs that the asking browser made or opened, newest first."""
    jobs = _known(store, own[:NEWEST]) if public else store.list_jobs(NEWEST)
    return [_row(store, job) for job in jobs]


def _row(store: Store, job: Job) -> dict[str, Any]:
    try:
        thumb = url_of(store.asset(job.id, "thumb.png"))
    except NoSuchAsset:
        thumb = None
    return {
        "id": job.id,
        "kind": job.kind,
        "title": job.title,
        "state": job.state,
        "created": job.created,
        "thumb": thumb,
    }


def _known(store: Store, job_ids: list[str]) -> list[Job]:
    found = []
    for job_id in job_ids:
        try:
            found.append(store.job(job_id))
        except NoSuchJob:  # deleted, perhaps in another tab
            continue
    return found
