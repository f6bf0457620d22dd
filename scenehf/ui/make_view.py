"""How a job that makes pictures stands, as JSON for the page; and the gallery of what all of them made."""

from collections.abc import Sequence
from typing import Any

from jobs.errors import NoSuchJob
from jobs.job import OPEN_BILLS, Asset, Job, Step
from jobs.ledger import DOLLAR
from jobs.queue import fold
from jobs.store import Store
from models.errors import InvalidRequest
from scenehf.pixels import slug
from scenehf.studio.metadata import SUFFIXES
from scenehf.ui.choices import spending
from scenehf.ui.images import SIDES, url_of
from scenehf.ui.pictures import saved_as
from scenehf.workflows.make import KIND, MAKERS, MASK, Params, image_name, step_key
from scenehf.workflows.making import FINISHED, asset_name
from scenehf.workflows.quote import usd_each

SMALL, LARGE = SIDES
PAGE = 24  # pictures of the gallery at a time
JOBS = 24  # jobs that are looked through at a time

Json = dict[str, Any]


def describe(store: Store, job: Job) -> Json:
    """How a job of this kind stands, as the page draws it."""
    params = Params.model_validate(job.params)
    assets = {asset.name: asset for asset in store.assets(job.id)}
    chosen = {step.key: step for step in store.chosen_steps(job.id)}
    open_bills = {bill.step_key: bill for bill in store.bills(job.id, states=OPEN_BILLS)}
    steps = []
    for number, seed in enumerate(params.seeds):
        key = step_key(number)
        step = chosen.get(key)
        bill = open_bills.get(key)
        steps.append({
            "key": key,
            "seed": seed,
            "state": step.state if step else "pending",
            "error": step.error if step else None,
            "seconds": step.ended - step.started if step and step.ended and step.started else None,
            "pictures": pictures(job, step, assets),
            "payment": bill and {"usd": bill.counted / DOLLAR, "lost": bill.state in ("submitting", "uncertain")},
        })  # fmt: skip
    left = sum(not step["pictures"] for step in steps)
    return {
        "phase": _phase(job),
        "usd": _usd(params, left),
        "asked": params.model_dump(mode="json", include={"model", "prompt", "options", "origin"}),
        "model": MAKERS[params.model].title if params.model in MAKERS else params.model,
        "inputs": [
            given.model_dump(mode="json", include={"name", "width", "height"})
            | _shown(assets[image_name(place)])
            | {"job": job.id, "asset": image_name(place)}
            for place, given in enumerate(params.images)
        ],
        "mask": {"job": job.id, "asset": MASK, "url": url_of(assets[MASK])} if params.mask else None,
        "steps": steps,
        "origin": _origin(store, params),
        "spent": spending(store),
    }


def _usd(params: Params, left: int) -> float:
    """The most that making so many pictures, which are missing, can cost."""
    spec = MAKERS.get(params.model)
    if spec is None:
        return 0.0
    try:
        return usd_each(spec, spec.chosen(params.options).results()) * left
    except InvalidRequest:  # options of an earlier version: it will be refused, and costs nothing
        return 0.0


def _phase(job: Job) -> str:
    """running, review (a payment is open), succeeded, failed or cancelled."""
    if job.state in ("queued", "running"):
        return "running"
    return "review" if job.state == "needs_review" else job.state


def _origin(store: Store, params: Params) -> Json | None:
    """The job whose layer went in, if it is still there."""
    if params.origin is None:
        return None
    try:
        told = {"job": params.origin.job, "title": store.job(params.origin.job).title}
        return told | {"layer": bool(params.origin.key)}
    except NoSuchJob:
        return None


def pictures(job: Job, step: Step | None, assets: dict[str, Asset]) -> list[Json]:
    """What one step made: addresses, size, files to be saved, and the recipe as it is inside."""
    if step is None or step.state not in FINISHED:
        return []
    found = []
    for image in step.result["images"]:
        asset = assets.get(asset_name(step.key, step.attempt, image["name"]))
        if asset is None:
            continue
        stem = f"{slug(job.title, 'picture')}-{step.key.removeprefix('made-')}"
        size = {"width": image["width"], "height": image["height"]}
        found.append({
            **size,
            **_shown(asset),
            "job": job.id,
            "asset": asset.name,
            "files": {kind: saved_as(asset, kind, f"{stem}.{suffix}") for kind, suffix in SUFFIXES.items()},
            "recipe": step.result["recipe"] | size,
        })  # fmt: skip
    return found


def _shown(asset: Asset) -> Json:
    return {"small": url_of(asset, side=SMALL), "url": url_of(asset, side=LARGE), "full": url_of(asset)}


def gallery(store: Store, search: str, before: str | None, own: Sequence[str] | None) -> Json:
    """Pictures of all jobs, newest first, about a page of them: items, and `before` for the next page, None at the end.
    search: a part of the prompt. own: only of these jobs."""
    items: list[Json] = []
    while len(items) < PAGE:
        jobs = _jobs(store, search, before, own)
        for job in jobs:
            before = job.id
            items += _made(store, job)
            if len(items) >= PAGE:
                return {"items": items, "before": before}
        if len(jobs) < JOBS:
            return {"items": items, "before": None}
    return {"items": items, "before": before}


def _jobs(store: Store, search: str, before: str | None, own: Sequence[str] | None) -> list[Job]:
    if own is None:
        return store.list_jobs(JOBS, before, kind=KIND, search=search or None)
    found = []
    for job_id in sorted(own, reverse=True):
        try:
            job = store.job(job_id)
        except NoSuchJob:
            continue
        if job.kind == KIND and (before is None or job.id < before) and fold(search) in fold(job.title):
            found.append(job)
    return found[:JOBS]


def _made(store: Store, job: Job) -> list[Json]:
    assets = {asset.name: asset for asset in store.assets(job.id)}
    told = {"job": job.id, "title": job.title, "created": job.created}
    return [
        told
        | {name: picture[name] for name in ("asset", "small", "width", "height")}
        | {"model": picture["recipe"]["model"], "seed": picture["recipe"]["options"].get("seed")}
        for step in store.chosen_steps(job.id)
        for picture in pictures(job, step, assets)
    ]
