"""What a person can do to a job of layer extraction. The screens, the API and the command line call these.

Each act checks that the job can take it, changes the stored parameters, and puts the job back in the queue; the
workflow then finds what is out of date.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import ValidationError

from jobs.job import OPEN_BILLS, Bill, Job, Step
from jobs.store import Store
from scenehf.errors import NotPossible
from scenehf.layers.adjust import MOST
from scenehf.layers.engines import ENGINES
from scenehf.layers.plan import (
    ExtractStep,
    Plan,
    fresh_id,
    reordered,
    with_extraction,
    with_plate_before,
    without,
)
from scenehf.layers.planners import PLANNERS
from scenehf.pixels import HOME, Limits, composite, encode_png, open_image
from scenehf.scene import Layer, Pixels, Scene
from scenehf.workflows.extract import KIND, ExportOrder, Params, Redo
from scenehf.workflows.making import SOURCE, THUMB, photo_assets

Box = tuple[float, float, float, float]
Point = tuple[float, float, Literal[0, 1]]

BUSY = ("running", "queued")


def create(
    store: Store,
    photo: bytes | Path,
    name: str,
    *,
    params: Params | None = None,
    limits: Limits = HOME,
    hold: bool = False,
) -> Job:
    """Open the photo through the one door and queue its job, or with `hold` only make it. Raises BadPicture."""
    source = open_image(photo, limits=limits)
    wanted = (params or Params()).model_copy(update={"name": Path(name).name[:200] or "photo"})
    if wanted.engine not in ENGINES or wanted.planner not in PLANNERS:
        raise NotPossible(f"There is no engine {wanted.engine!r} or no planner {wanted.planner!r}.")
    pixels, notices = source.pixels, list(source.notices)
    if source.alpha is not None and source.alpha.min() < 255:
        pixels = _on_white(source.pixels, source.alpha)
        notices.append("The transparent parts of the picture are filled with white.")
    assets = photo_assets(photo, pixels)
    job = store.create_job(KIND, wanted.model_dump(mode="json"), title=wanted.name, assets=assets, hold=hold)
    for notice in notices:
        store.append(job.id, "log", {"text": notice})
    return job


def _on_white(pixels: Pixels, alpha: Pixels) -> Pixels:
    """Layers are found in what a person sees, and colours under alpha 0 are nobody's picture."""
    sheet = Layer("source", "Source", 1, np.dstack([pixels, alpha]), 0, 0)
    white = np.full_like(pixels, 255)
    return composite(Scene((sheet,), white, white))


def params_of(job: Job) -> Params:
    """The job's parameters, checked."""
    if job.kind != KIND:
        raise NotPossible(f"Job {job.id} is not a layer extraction.")
    return Params.model_validate(job.params)


def plan_of(store: Store, job_id: str) -> Plan:
    """The job's plan; raises NotPossible while there is none."""
    plan = params_of(store.job(job_id)).plan
    if plan is None:
        raise NotPossible("There is no plan yet: wait until the picture has been read.")
    return plan


def set_plan(store: Store, job_id: str, plan: Plan | dict[str, Any]) -> Plan:
    """Replace the plan."""
    job = _idle(store, job_id)
    checked = _checked(plan)
    params = params_of(job)
    # A finished scene no longer shows this plan; nothing is spent on it before the person says so.
    confirmed = params.confirmed and job.state != "succeeded"
    _keep(store, job, params.model_copy(update={"plan": checked, "confirmed": confirmed}))
    return checked


def add_extraction(
    store: Store, job_id: str, *, name: str = "Object", box: Box | None = None, points: Sequence[Point] = ()
) -> Plan:
    """Add a step in front, from a box or points in 0..1 of the picture."""
    if box is None and not points:
        raise NotPossible("Draw a box around the object or click on it first.")
    plan = plan_of(store, job_id)
    step_id = fresh_id("s1", {step.id for step in plan.steps})
    try:
        step = ExtractStep(id=step_id, name=name, z=1, box=box, points=tuple(points))
        return set_plan(store, job_id, with_extraction(plan, step))
    except ValidationError as error:
        raise NotPossible(f"That step cannot be added: {error.errors()[0]['msg']}.") from None


def edit_step(store: Store, job_id: str, key: str, **changes: Any) -> Plan:
    """Change what the plan says of one step (name, prompt, box, points); nothing runs yet."""
    return set_plan(store, job_id, _changed(plan_of(store, job_id), key, changes))


def remove_step(store: Store, job_id: str, key: str) -> Plan:
    """Take a step out of the plan."""
    plan = plan_of(store, job_id)
    if key not in {step.id for step in plan.steps}:
        raise NotPossible(f"The plan has no step {key!r}.")
    if plan.extractions and key == plan.steps[-1].id:
        raise NotPossible("The background belongs to every scene with layers: it cannot be deleted.")
    return set_plan(store, job_id, without(plan, key))


def reorder(store: Store, job_id: str, keys: Sequence[str]) -> Plan:
    """Put the layers into this order, front to back."""
    try:
        return set_plan(store, job_id, reordered(plan_of(store, job_id), list(keys)))
    except ValueError:
        raise NotPossible("The new order has to name every layer once.") from None


def duplicate(store: Store, job_id: str) -> Job:
    """A new job with the same photo and plan, waiting to be run."""
    job = store.job(job_id)
    given = params_of(job)
    params = Params(name=given.name, engine=given.engine, planner=given.planner, plan=given.plan)
    assets = [
        (name, store.path(job_id, name), store.asset(job_id, name).mime)
        for name in ("original", SOURCE, THUMB)
    ]
    title = f"{job.title[:190]} copy"
    return store.create_job(
        KIND, params.model_dump(mode="json"), title=title, assets=assets, hold=params.plan is not None
    )


def run(store: Store, job_id: str, only: str | None = None) -> None:
    """Confirm the plan and run it; with `only`, stop after that step. A job whose picture could not be read yet
    tries that again and then waits with its plan: nobody confirms what nobody has seen."""
    job = _idle(store, job_id)
    params = params_of(job)
    if params.plan is not None:
        _keep(store, job, params.model_copy(update={"confirmed": True, "only": only}))
    store.requeue(job_id)


def accept(store: Store, job_id: str, key: str) -> None:
    """The person is content with the step's chosen attempt; the job goes on."""
    job = _idle(store, job_id)
    step = chosen(store, job_id, key)
    if step.state not in ("needs_review", "done"):
        raise NotPossible(f"{step.name} is {step.state.replace('_', ' ')}: there is nothing to accept.")
    store.move_step(job_id, key, step.attempt, "accepted")
    if job.state == "needs_review":
        store.requeue(job_id)


def retry(
    store: Store,
    job_id: str,
    key: str,
    *,
    box: Box | None = None,
    points: Sequence[Point] | None = None,
    prompt: str | None = None,
) -> None:
    """Do one step again, with another hint where one is given."""
    job = _idle(store, job_id)
    plan = plan_of(store, job_id)
    given = {"box": box, "points": None if points is None else tuple(points), "prompt": prompt}
    changes = {name: value for name, value in given.items() if value is not None}
    _redo(store, job, _changed(plan, key, changes), key)


def remove_background(store: Store, job_id: str, key: str) -> None:
    """Matte the step's chosen output again, dropping background left inside it."""
    job = _idle(store, job_id)
    plan = plan_of(store, job_id)
    _extraction(plan, key)
    _redo(store, job, plan, key, mode="rematte", base=_usable(store, job_id, key).attempt)


def refine(
    store: Store, job_id: str, key: str, strokes: bytes | None, *, feather: float = 0.0, grow: float = 0.0
) -> None:
    """Correct the step's mask. strokes: a PNG of the photo's size, green keeps and red drops. feather, grow: px by
    which the outline is softened and moved outwards, see `layers.adjust`."""
    job = _idle(store, job_id)
    plan = plan_of(store, job_id)
    _extraction(plan, key)
    how: dict[str, Any] = {"mode": "refine", "base": _usable(store, job_id, key).attempt}
    how |= {"feather": feather, "grow": grow}
    if strokes is None and not (feather or grow):
        raise NotPossible("Paint over the layer, or choose by how much its outline is to move.")
    if not (0 <= feather <= MOST and -MOST <= grow <= MOST):
        raise NotPossible(f"An outline moves by at most {MOST:g} pixels.")
    if strokes is not None:
        size = open_image(store.read(job_id, SOURCE)).size
        if (drawn := open_image(strokes).size) != size:
            raise NotPossible(f"The strokes are {drawn[0]}x{drawn[1]} but the photo is {size[0]}x{size[1]}.")
        how["strokes"] = f"{key}.strokes{_serial(store, job, key)}.png"
        store.put_assets(job_id, [(how["strokes"], strokes, "image/png")])
    _redo(store, job, plan, key, **how)


def put_back(store: Store, job_id: str, key: str, edited: bytes) -> None:
    """Give the step's layer other colours. edited: a picture as large as the layer; its alpha is not read."""
    job = _idle(store, job_id)
    plan = plan_of(store, job_id)
    _extraction(plan, key)
    step = _usable(store, job_id, key)
    wanted, source = (step.result["width"], step.result["height"]), open_image(edited)
    if source.size != wanted:
        (across, down), (wide, high) = wanted, source.size
        raise NotPossible(f"{step.name} has {across} x {down} px by now, and this picture {wide} x {high}.")
    name = f"{key}.edited{_serial(store, job, key)}.png"
    store.put_assets(job_id, [(name, encode_png(source.pixels), "image/png")])
    _redo(store, job, plan, key, mode="edited", base=step.attempt, edited=name)


def plate_and_retry(store: Store, job_id: str, key: str, removes: Sequence[str]) -> None:
    """Paint the named occluders out first, then run the step again on that plate."""
    job = _idle(store, job_id)
    plan = plan_of(store, job_id)
    names = {step.id for step in plan.extractions}
    if not removes or not set(removes) <= names - {key}:
        raise NotPossible("Name one or more other layers that cover this one.")
    try:
        plan = with_plate_before(plan, key, list(removes))
    except (KeyError, ValueError) as error:
        raise NotPossible(f"That cannot be painted out first: {error}.") from None
    _redo(store, job, plan, key)


def choose(store: Store, job_id: str, key: str, attempt: int, plan: dict[str, Any] | None = None) -> None:
    """Go back to an earlier attempt: its inputs return to the plan, so nothing is done twice. plan: the plan to go
    back to as well."""
    job = _idle(store, job_id)
    older = next((s for s in store.steps(job_id) if (s.key, s.attempt) == (key, attempt)), None)
    if older is None or older.state not in ("done", "accepted", "needs_review"):
        raise NotPossible(f"Step {key} has no finished attempt {attempt}.")
    params = params_of(job)
    hints: dict[str, Any] = {
        name: older.params[name] for name in ("box", "points", "prompt") if name in older.params
    }
    kept = _changed(_checked(plan) if plan else plan_of(store, job_id), key, hints)
    redo = params.redo | {key: Redo.model_validate(older.params["redo"])}
    _keep(store, job, params.model_copy(update={"plan": kept, "redo": redo}))
    store.choose_attempt(job_id, key, attempt)
    if params.confirmed:
        store.requeue(job_id)


def tell_payment(store: Store, job_id: str, key: str, *, made: bool) -> None:
    """The person says what became of a paid call nobody knows the end of: it was made, and is paid for without a
    result here, or it was never made. The step may then be done again; nothing is sent before they ask for it."""
    job = _idle(store, job_id)
    step = chosen(store, job.id, key)
    if step.state != "unknown":
        raise NotPossible(f"{step.name} has no open payment.")
    for bill in store.bills(job.id, key, OPEN_BILLS):
        _close(store, bill, made=made)
    store.move_step(job.id, key, step.attempt, "failed")


def _close(store: Store, bill: Bill, *, made: bool) -> None:
    """By the shortest legal way to `settled` or `released`. What the service confirmed cannot be taken back."""
    if bill.state in ("submitted", "remote_done"):
        if bill.state == "submitted":
            store.move_bill(bill.id, "remote_done")
        store.move_bill(bill.id, "settled")
        return
    if bill.state == "submitting":
        store.move_bill(bill.id, "uncertain")
    is_paid = made and bill.state != "reserved"
    store.move_bill(bill.id, "settled" if is_paid else "released", remote={"told_by": "the person"})


def export(store: Store, job_id: str, order: ExportOrder) -> None:
    """Write the scene in the wanted formats; the files appear as assets of the job."""
    job = _idle(store, job_id)
    params = params_of(job).model_copy(update={"export": order, "confirmed": True, "only": None})
    _keep(store, job, params)
    store.requeue(job_id)


def chosen(store: Store, job_id: str, key: str) -> Step:
    """The chosen attempt of a step; raises NotPossible if it has not run."""
    for step in store.chosen_steps(job_id):
        if step.key == key:
            return step
    raise NotPossible(f"Step {key} has not run yet.")


def _extraction(plan: Plan, key: str) -> None:
    """Refuse what only a cut-out layer can take."""
    if key not in {step.id for step in plan.extractions}:
        raise NotPossible(f"{key!r} is not an extracted layer.")


def _usable(store: Store, job_id: str, key: str) -> Step:
    step = chosen(store, job_id, key)
    if step.state not in ("done", "accepted", "needs_review"):
        raise NotPossible(f"{step.name} has no result to work on: retry it first.")
    return step


def _idle(store: Store, job_id: str) -> Job:
    job = store.job(job_id)
    if job.state in BUSY:
        raise NotPossible("The job is running: pause or cancel it first.")
    return job


def _keep(store: Store, job: Job, params: Params) -> None:
    store.set_params(job.id, params.model_dump(mode="json"))


def _checked(plan: Plan | dict[str, Any]) -> Plan:
    try:
        return Plan.model_validate(plan)
    except ValidationError as error:
        raise NotPossible(f"That is not a plan: {error.errors()[0]['msg']}.") from None


def _changed(plan: Plan, key: str, changes: dict[str, Any]) -> Plan:
    if key not in {step.id for step in plan.steps}:
        raise NotPossible(f"The plan has no step {key!r}.")
    try:
        steps = [step.model_dump(mode="json") | (changes if step.id == key else {}) for step in plan.steps]
        return Plan.model_validate(plan.model_dump(mode="json") | {"steps": steps})
    except ValidationError as error:
        raise NotPossible(f"That hint cannot be used: {error.errors()[0]['msg']}.") from None


def _serial(store: Store, job: Job, key: str) -> int:
    """The number of the next request to redo this step: above every earlier one, chosen or not."""
    made = [step.params for step in store.steps(job.id) if step.key == key]
    known = [Redo.model_validate(params["redo"]) for params in made if "redo" in params]
    return max(redo.serial for redo in [params_of(job).redo.get(key, Redo()), *known]) + 1


def _redo(store: Store, job: Job, plan: Plan, key: str, **how: Any) -> None:
    params = params_of(job)
    redo = params.redo | {key: Redo(serial=_serial(store, job, key), **how)}
    changes = {"plan": plan, "redo": redo, "confirmed": True, "only": None}
    _keep(store, job, params.model_copy(update=changes))
    store.requeue(job.id)
