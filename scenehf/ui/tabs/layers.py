"""The Layers tab: drop a photo, see the plan, watch it run, judge the steps, take the files home."""

from pathlib import Path
from typing import Any

import gradio as gr

from jobs.job import Asset, Job, Step
from jobs.store import Store
from scenehf.errors import NotPossible
from scenehf.layers.plan import ExtractStep, Plan, PlateStep
from scenehf.pixels import Limits
from scenehf.ui.images import EXAMPLE, EXAMPLES, SIDES, example_path, png_size, url_of
from scenehf.ui.refusals import NOT_OURS, told
from scenehf.ui.theme import read
from scenehf.ui.watch import Watch
from scenehf.workflows import actions
from scenehf.workflows.extract import EXPORT, FINISHED, PLAN, SCENE, SOURCE, ExportOrder, asset_name

SCRIPTS = ("page.js", "start.js", "depth.js", "stage.js", "steps.js", "files.js", "log.js", "layers.js")
SMALL, LARGE = SIDES

Json = dict[str, Any]
Message = list[Any]  # what the page passes to a server function: always one list


def build(store: Store, watch: Watch, limits: Limits, uploads: Path, *, public: bool) -> gr.HTML:
    """The tab's one component. Its value is the id of the job to open; it fires `opened` with the id it shows."""

    def poll(message: Message) -> Json:
        return watch.poll(str(message[0]), int(message[1]))

    def create(message: Message) -> Json:
        return told(lambda: {"job": _create(store, uploads, limits, *map(str, message)).id})

    def example(message: Message) -> Json:
        name = str(message[0])
        return told(
            lambda: {"job": actions.create(store, example_path(name), f"{EXAMPLES[name]} (example)").id}
        )

    def act(message: Message) -> Json:
        verb, job_id, given = str(message[0]), str(message[1]), dict(message[2])
        return told(lambda: _act(store, verb, job_id, given))

    where = "It goes to the machine that runs this app." if public else "It stays on this machine."
    template = read("layers.html").replace("<!--where-->", where).replace("<!--examples-->", _examples())
    return gr.HTML(
        None,
        html_template=template,
        js_on_load=read(*SCRIPTS),
        server_functions=[poll, create, example, act],
        apply_default_css=False,
        elem_id="layers",
    )


def describe(store: Store, job: Job) -> Json:
    """How a job of this kind stands, as the page draws it."""
    params = actions.params_of(job)
    attempts = store.steps(job.id)
    chosen = {step.key: step for step in attempts if step.chosen}
    assets = {asset.name: asset for asset in store.assets(job.id)}
    width, height = png_size(store.path(job.id, SOURCE))
    plan = params.plan
    keys = [PLAN] if plan is None else [*(step.id for step in plan.steps), SCENE]
    cards = []
    for key in keys:
        planned = plan.step(key) if plan and key != SCENE else None
        count = sum(step.key == key for step in attempts)
        cards.append(_card(key, planned, chosen.get(key), count, assets))
    return {
        "phase": _phase(job, plan, params.confirmed),
        "scene": plan.scene if plan else "",
        "photo": {
            "url": url_of(assets[SOURCE], side=LARGE),
            "small": url_of(assets[SOURCE], side=SMALL),
            "width": width,
            "height": height,
        },
        "steps": cards,
        "files": _files(job, chosen.get(EXPORT), assets),
        "order": (params.export or ExportOrder(formats=("zip", "psd"))).model_dump(mode="json"),
        "depth": _depth(chosen.get(SCENE), cards, assets),
    }


def _create(store: Store, uploads: Path, limits: Limits, path: str, name: str) -> Job:
    """A job of a file that the browser uploaded. The store keeps its bytes; the upload goes."""
    photo = uploaded(uploads, path)
    try:
        return actions.create(store, photo, name, limits=limits)
    finally:
        photo.unlink(missing_ok=True)


def uploaded(uploads: Path, path: str) -> Path:
    """A file that the browser uploaded; NotPossible for any other path that it may name."""
    real = Path(path).resolve()
    if not real.is_relative_to(uploads.resolve()) or not real.is_file():
        raise NotPossible("That file did not arrive. Drop the photo again.")
    return real


def _act(store: Store, verb: str, job_id: str, given: Json) -> Json:
    """One act of a person on a job."""
    if verb == "run":
        actions.run(store, job_id)
    elif verb == "accept":
        actions.accept(store, job_id, str(given["key"]))
    elif verb == "retry":
        actions.retry(store, job_id, str(given["key"]))
    elif verb == "export":
        actions.export(store, job_id, ExportOrder.model_validate(given))
    elif verb == "pause":
        store.request_pause(job_id)
    elif verb == "cancel":
        store.request_cancel(job_id)
    else:
        raise NotPossible(NOT_OURS)
    return {}


def _phase(job: Job, plan: Plan | None, confirmed: bool) -> str:
    """planning, planned, unplanned, running, review, succeeded, failed or cancelled: what the page offers."""
    if job.state in ("queued", "running"):
        return "planning" if plan is None else "running"
    if job.state == "needs_review":
        if plan is None:
            return "unplanned"
        return "review" if confirmed else "planned"
    return job.state


def _card(
    key: str,
    planned: ExtractStep | PlateStep | None,
    step: Step | None,
    attempts: int,
    assets: dict[str, Asset],
) -> Json:
    """One step: what the plan says of it, and what its chosen attempt came to."""
    fixed = {PLAN: ("Reading the photo", "plan"), SCENE: ("Put together", "scene")}
    name, action = (planned.name, planned.action) if planned else fixed[key]
    card: Json = {
        "key": key,
        "name": name,
        "action": action,
        "box": planned.box if isinstance(planned, ExtractStep) else None,
        "state": step.state if step else "pending",
        "attempts": attempts,
    }
    if step is None:
        return card
    checks = [check for check in step.result.get("checks", []) if check["verdict"] != "pass"]
    seconds = step.ended - step.started if step.ended and step.started else None
    card |= {"attempt": step.attempt, "error": step.error, "checks": checks, "seconds": seconds}
    if step.state in (*FINISHED, "needs_review", "failed"):
        card |= _pictures(key, step, assets)
    return card


def _pictures(key: str, step: Step, assets: dict[str, Asset]) -> Json:
    """Addresses of the attempt's pictures, as far as it has them. layer: also its place, in px of the photo."""

    def find(name: str) -> Asset | None:
        return assets.get(asset_name(key, step.attempt, name))

    found: Json = {}
    if thumb := find("thumb.png"):
        found["thumb"] = url_of(thumb)
    if cut := find("cut.png"):
        found["layer"] = {place: step.result[place] for place in ("x", "y", "width", "height")}
        found["layer"]["url"] = url_of(cut, side=LARGE)
    if alpha := find("alpha.png"):
        found["mask"] = url_of(alpha, side=LARGE)
    if whole := find("plate.png" if key != SCENE else "composite.png"):
        found["whole"] = url_of(whole, side=LARGE)
    return found


def _files(job: Job, step: Step | None, assets: dict[str, Asset]) -> list[Json]:
    """What the last export wrote, in the order written."""
    if step is None or step.state not in FINISHED:
        return []
    stem = Path(job.title).stem or "scene"
    files = []
    for name, length in step.result["files"].items():
        if asset := assets.get(asset_name(EXPORT, step.attempt, name)):
            saved = f"{stem}-{name.replace('/', '-')}"
            files.append({"name": name, "bytes": length, "url": url_of(asset, download=saved)})
    return files


def _depth(scene: Step | None, cards: list[Json], assets: dict[str, Asset]) -> Json | None:
    """The scene to be tilted: its plate, and its layers back to front, each with its place in px of the photo."""
    if scene is None or scene.state not in FINISHED:
        return None
    places = {card["key"]: card.get("layer") for card in cards}
    layers = []
    for row in reversed(scene.result["layers"]):
        asset = assets.get(asset_name(SCENE, scene.attempt, f"{row['id']}.png"))
        if asset and (place := places.get(row["id"])):
            layers.append(place | {"url": url_of(asset, side=LARGE), "name": row["name"]})
    plate = assets[asset_name(SCENE, scene.attempt, "plate.png")]
    return {"plate": url_of(plate, side=LARGE), "layers": layers}


def _examples() -> str:
    """The shipped photos as buttons. Names and addresses are constants of ours."""
    return "".join(
        f'<button type="button" class="shf-example" data-name="{name}">'
        f'<img src="{EXAMPLE}/{name}" alt="" loading="lazy"><span>{title}</span></button>'
        for name, title in EXAMPLES.items()
    )
