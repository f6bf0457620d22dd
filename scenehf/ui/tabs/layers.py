"""The Layers tab: drop a photo, see the plan, watch it run, judge the steps, take the files home."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from jobs.job import Job
from jobs.store import Store
from scenehf.errors import NotPossible
from scenehf.keys import KEYRING
from scenehf.layers.engines import ENGINES
from scenehf.pixels import Limits
from scenehf.ui.choices import chosen, offered, private, session_of
from scenehf.ui.code import read
from scenehf.ui.images import EXAMPLES, example_path
from scenehf.ui.photos import job_of, rename, start_screen, uploaded
from scenehf.ui.refusals import NOT_OURS, told
from scenehf.ui.visitors import made as made_for
from scenehf.ui.visitors import visitor_of
from scenehf.ui.watch import Watch
from scenehf.workflows import actions
from scenehf.workflows.extract import ExportOrder

# Page code, in the order in which it is read: small words first, the tab itself last.
SCRIPTS = (
    "page.js", "door.js", "start.js", "money.js", "keyform.js", "choices.js",
    "sheets.js", "paint.js", "hands.js", "viewer.js", "zoom.js", "scene.js", "stage.js",
    "draft.js", "tray.js", "boxmark.js", "pointmark.js", "boxtool.js", "pointstool.js", "marks.js",
    "strokes.js", "veil.js", "painting.js", "brush.js",
    "cards.js", "attempts.js", "steps.js", "export.js", "log.js", "keys.js", "follow.js", "layers.js",
)  # fmt: skip

Json = dict[str, Any]
Message = list[Any]  # what the page passes to a server function: always one list


def build(store: Store, watch: Watch, limits: Limits, uploads: Path, *, public: bool) -> None:
    """Add the tab's one component."""

    def poll(message: Message, request: gr.Request) -> Json:
        return private(watch.poll(str(message[0]), int(message[1])), request)

    def choices(_: Message, request: gr.Request) -> Json:
        return told(lambda: offered(store, visitor_of(request)))

    def made(photo: Path, name: str, options: list[str], session: str) -> Job:
        params = None
        if options:
            engine, planner = options
            params = chosen(engine, planner, session)
        # Held until it is known whose keys it may use: it would begin at once.
        job = actions.create(store, photo, name, params=params, limits=limits, hold=True)
        KEYRING.bind(job.id, session)
        return store.requeue(job.id)

    def create(message: Message, request: gr.Request) -> Json:
        path, name, *options = map(str, message)

        def of(photo: Path) -> Job:
            return made(photo, name, options, session_of(request))

        return told(lambda: {"job": made_for(request, lambda: job_of(uploads, path, of)).id})

    def example(message: Message, request: gr.Request) -> Json:
        name, *options = map(str, message)

        def job() -> Job:
            return made(example_path(name), f"{EXAMPLES[name]} (example)", options, session_of(request))

        return told(lambda: {"job": made_for(request, job).id})

    def act(message: Message, request: gr.Request) -> Json:
        verb, job_id, given = str(message[0]), str(message[1]), dict(message[2])
        KEYRING.bind(job_id, session_of(request))
        return told(lambda: _act(store, uploads, verb, job_id, given))

    gr.HTML(
        None,
        html_template=start_screen(read("layers.html"), EXAMPLES, public=public),
        js_on_load=read(*SCRIPTS),
        server_functions=[poll, choices, create, example, act],
        apply_default_css=False,
        elem_id="layers",
    )


def _act(store: Store, uploads: Path, verb: str, job_id: str, given: Json) -> Json:
    """One act of a person on a job. Answers with the plan as it was, for the page to take the act back."""
    plan = actions.params_of(store.job(job_id)).plan
    if verb in EDITS:
        EDITS[verb](store, job_id, given)
        _apply(store, job_id)
    elif verb == "refine":
        _refine(store, uploads, job_id, given)
    elif verb in ACTS:
        ACTS[verb](store, job_id, given)
    else:
        raise NotPossible(NOT_OURS)
    return {"was": plan.model_dump(mode="json") if plan else None}


def _edit(store: Store, job_id: str, given: Json) -> None:
    changes = {name: given[name] for name in ("name", "prompt", "box", "points") if name in given}
    actions.edit_step(store, job_id, str(given["key"]), **changes)


def _add(store: Store, job_id: str, given: Json) -> None:
    actions.add_extraction(
        store,
        job_id,
        name=str(given.get("name") or "Object"),
        box=given.get("box"),
        points=given.get("points") or (),
    )


def _refine(store: Store, uploads: Path, job_id: str, given: Json) -> None:
    drawn = uploaded(uploads, str(given["strokes"])) if given.get("strokes") else None
    try:
        actions.refine(
            store,
            job_id,
            str(given["key"]),
            drawn.read_bytes() if drawn else None,
            feather=float(given.get("feather") or 0),
            grow=float(given.get("grow") or 0),
        )
    finally:
        if drawn:
            drawn.unlink(missing_ok=True)


def _retry(store: Store, job_id: str, given: Json) -> None:
    hints = {name: given.get(name) for name in ("box", "points", "prompt")}
    actions.retry(store, job_id, str(given["key"]), **hints)


def _apply(store: Store, job_id: str) -> None:
    """A finished scene follows its plan at once where that costs nothing; else it waits for Run."""
    job = store.job(job_id)
    if job.state == "succeeded" and ENGINES[actions.params_of(job).engine].where == "local":
        actions.run(store, job_id)


Act = Callable[[Store, str, Json], object]

# What changes the plan.
EDITS: dict[str, Act] = {
    "edit": _edit,
    "add": _add,
    "remove": lambda store, job, given: actions.remove_step(store, job, str(given["key"])),
    "reorder": lambda store, job, given: actions.reorder(store, job, list(map(str, given["keys"]))),
    "plan": lambda store, job, given: actions.set_plan(store, job, dict(given["plan"])),
}
ACTS: dict[str, Act] = {
    "run": lambda store, job, _: actions.run(store, job),
    "accept": lambda store, job, given: actions.accept(store, job, str(given["key"])),
    "retry": _retry,
    "rematte": lambda store, job, given: actions.remove_background(store, job, str(given["key"])),
    "plate_retry": lambda store, job, given: actions.plate_and_retry(
        store, job, str(given["key"]), list(map(str, given["removes"]))
    ),
    "choose": lambda store, job, given: actions.choose(
        store, job, str(given["key"]), int(given["attempt"]), given.get("plan")
    ),
    "payment": lambda store, job, given: actions.tell_payment(
        store, job, str(given["key"]), made=bool(given["made"])
    ),
    "rename": lambda store, job, given: rename(store, job, str(given["title"])),
    "export": lambda store, job, given: actions.export(store, job, ExportOrder.model_validate(given)),
    "pause": lambda store, job, _: store.request_pause(job),
    "cancel": lambda store, job, _: store.request_cancel(job),
}
