"""How a gaze grid stands, as JSON for the page: the faces found, how far the cells are, and the finished page with its
files and figures."""

import json
from pathlib import Path
from typing import Any

from jobs.job import Asset, Job, Step
from jobs.store import Store
from scenehf.export.gaze_site import ZIP
from scenehf.gaze.site import CONTACT, FILM
from scenehf.ui.images import SIDES, png_size, url_of
from scenehf.workflows import gaze
from scenehf.workflows.making import FINISHED, SOURCE, asset_name

PAGE, ABOUT = "index.html", "metadata.json"
FIRST = (ZIP, FILM, CONTACT)  # files that most people want; the others are single parts of the page

Json = dict[str, Any]


def describe(store: Store, job: Job) -> Json:
    """How a job of this kind stands, as the page draws it."""
    params = gaze.Params.model_validate(job.params)
    attempts = store.steps(job.id)
    chosen = {step.key: step for step in attempts if step.chosen}
    assets = {asset.name: asset for asset in store.assets(job.id)}
    width, height = png_size(store.path(job.id, SOURCE))
    photo = assets[SOURCE]
    failed = next((step for step in chosen.values() if step.state == "failed"), None)
    cells, drawn = params.grid**2, _drawn(params, chosen)
    return {
        "phase": _phase(job, failed),
        "problem": failed.error if failed else None,
        "photo": {"url": url_of(photo, side=SIDES[1]), "width": width, "height": height},
        "options": params.model_dump(mode="json", exclude={"face", "expression", "confirmed"}),
        "faces": _faces(params, [step for step in attempts if step.key == gaze.PORTRAIT]),
        "drawn": drawn,
        "cells": cells,
        "usd": gaze.usd_of_cells(params.engine, cells - drawn),
        "site": _site(store, job, chosen[gaze.SITE], assets) if job.state == "succeeded" else None,
    }


def _phase(job: Job, failed: Step | None) -> str:
    """running, succeeded, failed, cancelled, faceless (another picture is needed), or review."""
    if job.state in ("queued", "running"):
        return "running"
    if job.state == "needs_review":
        return "faceless" if failed and failed.error and failed.error["kind"] == "NoFace" else "review"
    return job.state


def _faces(params: gaze.Params, attempts: list[Step]) -> list[Json]:
    """Every face of the photo: box (x0, y0, x1, y1 in 0..1), and whether it is the one that turns."""
    found = [step for step in attempts if step.state in FINISHED]
    if not found:
        return []
    boxes = found[-1].result["faces"]
    click = params.model_dump(mode="json")["face"]
    turns = next((step.result["chosen"] for step in reversed(found) if step.params["face"] == click), None)
    if turns is None and click:
        turns = min(range(len(boxes)), key=lambda number: _away(boxes[number], click))
    return [{"box": box, "turns": number == turns} for number, box in enumerate(boxes)]


def _away(box: list[float], click: list[float]) -> float:
    return abs(box[0] + box[2] - 2 * click[0]) + abs(box[1] + box[3] - 2 * click[1])


def _drawn(params: gaze.Params, chosen: dict[str, Step]) -> int:
    """How many cells need not be drawn again."""
    portrait = chosen.get(gaze.PORTRAIT)
    if portrait is None or portrait.state not in FINISHED:
        return 0
    shared = gaze.shared(params, portrait.result["portrait"])
    drawn = 0
    for number, (first, last) in enumerate(gaze.stretches_of(params.grid, params.engine)):
        step = chosen.get(gaze.stretch_key(number))
        same = step is not None and step.params == shared | {"first": first, "last": last}
        if step is not None and same and step.state in FINISHED:
            drawn += last - first
    return drawn


def _site(store: Store, job: Job, step: Step, assets: dict[str, Asset]) -> Json:
    """The finished page: its address, its files to be saved, and what it says of itself."""
    stem = Path(job.title).stem or "portrait"

    def asset(name: str) -> Asset:
        return assets[asset_name(gaze.SITE, step.attempt, name)]

    def file(name: str) -> Json:
        address = url_of(asset(name), download=f"{stem}-{name}")
        return {"name": name, "bytes": asset(name).bytes, "url": address}

    names = list(step.result["files"])
    return {
        "page": url_of(asset(PAGE)),
        "files": [file(name) for name in FIRST if name in names],
        "parts": [file(name) for name in names if name not in FIRST],
        "about": json.loads(store.read(job.id, asset(ABOUT).name)),
    }
