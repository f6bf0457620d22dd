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
        own = [str(job_id) for job_id in message[0]]
        found = _own(store, own) if public else store.list_jobs(NEWEST)
        return {"jobs": [row(store, job) for job in found]}

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


def row(store: Store, job: Job) -> dict[str, Any]:
    """One line of the list."""
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


def _own(store: Store, job_ids: list[str]) -> list[Job]:
    found = []
    for job_id in job_ids[:NEWEST]:
        try:
            found.append(store.job(job_id))
        except NoSuchJob:  # deleted, perhaps in another tab
            continue
    return found
