"""The Gaze tab: drop a portrait, watch its grid fill, look at the page that comes of it, take it home."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from jobs.job import Job
from jobs.store import Store
from scenehf.errors import NotPossible
from scenehf.pixels import Limits
from scenehf.ui.code import later, read
from scenehf.ui.images import EXAMPLES, example_path
from scenehf.ui.photos import job_of, rename, start_screen
from scenehf.ui.refusals import NOT_OURS, told
from scenehf.ui.visitors import made, visitor_of
from scenehf.ui.watch import Watch
from scenehf.workflows import gaze

# Page code, in the order in which it is read: small words first, the tab itself last.
SCRIPTS = (
    "page.js", "door.js", "start.js", "gaze_options.js", "gaze_faces.js", "gaze_site.js", "log.js", "keys.js",
    "follow.js", "gaze.js",
)  # fmt: skip
FACES = ("astronaut",)  # examples that show one

Json = dict[str, Any]
Message = list[Any]  # what the page passes to a server function: always one list


def build(store: Store, watch: Watch, limits: Limits, uploads: Path, weights: Path, *, public: bool) -> None:
    """Add the tab's one component. weights: folder of pulled files."""

    def poll(message: Message) -> Json:
        return watch.poll(str(message[0]), int(message[1]))

    def create(message: Message, request: gr.Request) -> Json:
        path, name, options = message

        def of(photo: Path) -> Job:
            return gaze.create(store, photo, str(name), params=gaze.usable(options, weights), limits=limits)

        return told(lambda: {"job": made(request, lambda: job_of(uploads, str(path), of)).id})

    def example(message: Message, request: gr.Request) -> Json:
        name, options = message

        def job() -> Job:
            return _example(store, str(name), gaze.usable(options, weights))

        return told(lambda: {"job": made(request, job).id})

    def act(message: Message) -> Json:
        verb, job_id, given = str(message[0]), str(message[1]), dict(message[2])
        return told(lambda: _act(store, verb, job_id, given, weights))

    def engines(_: Message, request: gr.Request) -> Json:
        """lacks: engines that cannot be chosen; with what to do first, or "" for whoever can do nothing about it."""
        lacks = {engine: gaze.lacking(engine, weights) for engine in gaze.ENGINES}
        lacks = {engine: sentence for engine, sentence in lacks.items() if sentence}
        if not visitor_of(request).owner:
            lacks = dict.fromkeys(lacks, "")
        paid = {engine: gaze.told_of_price(engine) for engine in gaze.PAID}
        return {"lacks": lacks, "paid": paid}

    gr.HTML(
        None,
        html_template=start_screen(read("gaze.html"), FACES, public=public),
        js_on_load=later("gaze", *SCRIPTS),
        server_functions=[poll, create, example, act, engines],
        apply_default_css=False,
        elem_id="gaze",
    )


def _example(store: Store, name: str, params: gaze.Params) -> Job:
    if name not in FACES:
        raise NotPossible("There is no such example.")
    title = f"{EXAMPLES[name]} (example)"
    return gaze.create(store, example_path(name), title, params=params)


def _act(store: Store, verb: str, job_id: str, given: Json, weights: Path) -> Json:
    """One act of a person on a job."""
    if verb not in ACTS:
        raise NotPossible(NOT_OURS)
    if sentence := gaze.lacking(str(given.get("engine", "mesh")), weights):
        raise NotPossible(sentence)
    ACTS[verb](store, job_id, given)
    return {}


ACTS: dict[str, Callable[[Store, str, Json], object]] = {
    # The same with nothing changed goes on where it stopped.
    "again": lambda store, job, given: gaze.again(store, job, **given),
    "cancel": lambda store, job, _: store.request_cancel(job),
    "rename": lambda store, job, given: rename(store, job, str(given["title"])),
}
