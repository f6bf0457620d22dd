"""How a job of layer extraction stands, as JSON for the page: what the plan says, what each attempt came to, where its
pictures are, and what may be exported."""

from pathlib import Path
from typing import Any

from jobs.job import OPEN_BILLS, Asset, Bill, Job, Step
from jobs.ledger import DOLLAR
from jobs.store import Store
from models.spec import title_of
from scenehf.layers.engines import ENGINES
from scenehf.layers.plan import ExtractStep, Plan, PlateStep
from scenehf.pixels import slug
from scenehf.ui.choices import spending
from scenehf.ui.images import SIDES, png_size, url_of
from scenehf.workflows import actions
from scenehf.workflows.estimate import seconds_to_go, usd_if_accepted, usd_of, usd_to_go, usd_to_redo
from scenehf.workflows.extract import EXPORT, PLAN, SCENE, ExportOrder
from scenehf.workflows.making import FINISHED, SOURCE, asset_name

SMALL, LARGE = SIDES
FIXED = {PLAN: ("Reading the photo", "plan"), SCENE: ("Put together", "scene")}

Json = dict[str, Any]


def describe(store: Store, job: Job) -> Json:
    """How a job of this kind stands, as the page draws it."""
    params = actions.params_of(job)
    plan = params.plan
    attempts = store.steps(job.id)
    chosen = {step.key: step for step in attempts if step.chosen}
    pictures = _Pictures(job, {asset.name: asset for asset in store.assets(job.id)})
    width, height = png_size(store.path(job.id, SOURCE))
    engine = ENGINES[params.engine]
    keys = [PLAN] if plan is None else [*(step.id for step in plan.steps), SCENE]
    cards = [
        _card(key, plan, chosen.get(key), [step for step in attempts if step.key == key], pictures)
        for key in keys
    ]
    if plan is not None:
        _add_prices(cards[:-1], plan, chosen, params.engine)
    open_bills = {bill.step_key: bill for bill in store.bills(job.id, states=OPEN_BILLS)}
    for card in cards:
        if card["state"] == "unknown" and (bill := open_bills.get(card["key"])):
            card["payment"] = _payment(bill)
    seconds = None if plan is None else seconds_to_go(store, plan, chosen, width * height)
    return {
        "phase": _phase(job, plan, params.confirmed),
        "summary": plan.scene if plan else "",
        "planned": plan is not None,
        "photo": pictures.photo() | {"width": width, "height": height},
        "engine": {
            "title": engine.title,
            "inputs": engine.retries_with,
            "plate": usd_of(params.engine, "plate"),
            "billed": engine.billed,
        },
        "estimate": None
        if plan is None or seconds is None
        else {"seconds": seconds, "usd": usd_to_go(plan, chosen, params.engine)},
        "spent": spending(store),
        "steps": cards,
        "files": pictures.files(chosen.get(EXPORT)),
        "order": (params.export or ExportOrder(formats=("zip", "psd"))).model_dump(mode="json"),
        "scene": _scene(chosen.get(SCENE), cards, pictures),
    }


def _phase(job: Job, plan: Plan | None, confirmed: bool) -> str:
    """planning, planned, unplanned, running, review, succeeded, failed or cancelled: what the page offers."""
    if job.state in ("queued", "running"):
        return "planning" if plan is None else "running"
    if plan is None:
        return "unplanned" if job.state == "needs_review" else job.state
    if job.state in ("needs_review", "succeeded") and not confirmed:
        return "planned"
    return "review" if job.state == "needs_review" else job.state


def _card(
    key: str, plan: Plan | None, step: Step | None, attempts: list[Step], pictures: "_Pictures"
) -> Json:
    """One step: what the plan says of it, and what its chosen attempt came to."""
    planned = plan.step(key) if plan and key != SCENE else None
    name, action = (planned.name, planned.action) if planned else FIXED[key]
    card: Json = {
        "key": key,
        "name": name,
        "action": action,
        "prompt": planned.prompt if planned else "",
        "box": planned.box if isinstance(planned, ExtractStep) else None,
        "points": planned.points if isinstance(planned, ExtractStep) else (),
        "removes": planned.removes if isinstance(planned, PlateStep) else (),
        "state": step.state if step else "pending",
        "attempt": step.attempt if step else None,
        "attempts": [_attempt(attempt, name, pictures) for attempt in attempts],
    }
    if step is None:
        return card
    checks = [check for check in step.result.get("checks", []) if check["verdict"] != "pass"]
    made = next(made for made in card["attempts"] if made["attempt"] == step.attempt)
    kinds = ("seconds", "thumb", "layer", "mask", "whole", "painted")
    shown = {kind: made[kind] for kind in kinds if kind in made}
    return card | shown | {"error": step.error, "checks": checks}


def _add_prices(cards: list[Json], plan: Plan, chosen: dict[str, Step], engine: str) -> None:
    """usd: the most that doing the step again costs, with what is built on it; usd_after: without the step itself;
    usd_accept: the most that going on costs once it is accepted."""
    for card in cards:
        card["usd"] = usd_to_redo(plan, chosen, engine, card["key"])
        card["usd_after"] = round(card["usd"] - usd_of(engine, card["action"]), 6)
        card["usd_accept"] = usd_if_accepted(plan, chosen, engine, card["key"])


def _payment(bill: Bill) -> Json:
    """A paid call that is not over. lost: nobody knows whether the service took it on."""
    return {
        "service": title_of(bill.provider),
        "usd": bill.counted / DOLLAR,
        "lost": bill.state in ("submitting", "uncertain"),
    }


def _attempt(step: Step, name: str, pictures: "_Pictures") -> Json:
    """One attempt of the step that is called `name` by now: when it ran, what it measured, and its pictures."""
    told: Json = {
        "attempt": step.attempt,
        "state": step.state,
        "how": step.params.get("redo", {}).get("mode", "extract"),
        "started": step.started,
        "ended": step.ended,
        "seconds": step.ended - step.started if step.ended and step.started else None,
        "coverage": step.result.get("coverage"),
        "confidence": step.result.get("confidence"),
    }
    finished = step.state in (*FINISHED, "needs_review", "failed")
    return told | (pictures.of(step, name) if finished else {})


def _scene(step: Step | None, cards: list[Json], pictures: "_Pictures") -> Json | None:
    """The scene: its plate, and its layers back to front, each with its place in px of the photo."""
    if step is None or step.state not in FINISHED:
        return None
    places = {card["key"]: card.get("layer") for card in cards}
    layers = []
    for row in reversed(step.result["layers"]):
        found = pictures.find(SCENE, step.attempt, f"{row['id']}.png", save=row["name"])
        if found and (place := places.get(row["id"])):
            layers.append({"key": row["id"], "name": row["name"]} | place | found)
    return {
        "plate": pictures.find(SCENE, step.attempt, "plate.png", save="background"),
        "composite": pictures.find(SCENE, step.attempt, "composite.png", save="composite"),
        "layers": layers,
        "max_error": step.result["max_error"],
    }


class _Pictures:
    """Addresses of a job's pictures. url: reduced, full: every pixel, download: to be saved under a plain name."""

    def __init__(self, job: Job, assets: dict[str, Asset]) -> None:
        self._assets = assets
        self._stem = Path(job.title).stem or "scene"

    def photo(self) -> Json:
        """The source, in three sizes."""
        asset = self._assets[SOURCE]
        return {"url": url_of(asset, side=LARGE), "small": url_of(asset, side=SMALL), "full": url_of(asset)}

    def find(self, key: str, attempt: int, name: str, *, save: str = "") -> Json | None:
        """One picture of an attempt, or None. save: what a person would call it."""
        asset = self._assets.get(asset_name(key, attempt, name))
        if asset is None:
            return None
        found = {"url": url_of(asset, side=LARGE), "full": url_of(asset)}
        if save:
            found["download"] = url_of(asset, download=f"{self._stem}-{slug(save)}.png")
        return found

    def of(self, step: Step, name: str) -> Json:
        """The pictures of one attempt, as far as it has them. layer: also its place, in px of the photo."""
        found: Json = {}
        if thumb := self._assets.get(asset_name(step.key, step.attempt, "thumb.png")):
            found["thumb"] = url_of(thumb)
        if cut := self.find(step.key, step.attempt, "cut.png", save=name):
            found["layer"] = {place: step.result[place] for place in ("x", "y", "width", "height")} | cut
        if mask := self.find(step.key, step.attempt, "alpha.png"):
            found["mask"] = mask
        if painted := self.find(step.key, step.attempt, "painted.png", save=f"{name} painted"):
            by = ENGINES[step.params["engine"]].title
            found["painted"] = painted | {"share": step.result["painted"], "by": by}
        if whole := self.find(step.key, step.attempt, "composite.png" if step.key == SCENE else "plate.png"):
            found["whole"] = whole
        return found

    def files(self, step: Step | None) -> list[Json]:
        """What the last export wrote, in the order written."""
        if step is None or step.state not in FINISHED:
            return []
        files = []
        for name, length in step.result["files"].items():
            if asset := self._assets.get(asset_name(EXPORT, step.attempt, name)):
                saved = f"{self._stem}-{name.replace('/', '-')}"
                files.append({"name": name, "bytes": length, "url": url_of(asset, download=saved)})
        return files
