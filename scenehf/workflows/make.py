"""The job kind `image.make`: words, and pictures where the model takes some, become as many pictures as were asked for.

Each has a seed of its own and is a step of its own ("made-01" ...). One that fails does not stop the others; the job
run again makes only what is missing.
"""

import secrets
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from jobs.context import Context
from jobs.errors import Paused
from jobs.job import Job
from jobs.job import Step as Attempt
from jobs.store import Store
from models.catalog import SPECS
from models.errors import UnknownModel
from models.pool import Pool
from models.providers.connect import has_access, missing
from models.requests import ImageEdit, TextToImage
from models.runtime import hub
from models.runtime.weights import WEIGHTS
from models.spec import MOST_SEED, Access, Host, ModelSpec, Size
from scenehf.errors import NotPossible
from scenehf.keys import KEYRING
from scenehf.pixels import HOME, Limits, encode_png, open_image, thumbnail
from scenehf.settings import Settings
from scenehf.studio.budget import compute
from scenehf.studio.recipe import Given, Value, source_of
from scenehf.workflows import actions
from scenehf.workflows.make_units import MakeUnits
from scenehf.workflows.making import FINISHED, THUMB, THUMBNAIL_SIDE, Maker, Task, asset_name

KIND = "image.make"
MOST = 16  # pictures of one job, series apart
MASK = "mask.png"
TITLE = 200  # characters

# Every model that makes pictures, by its id, in the order of the catalog.
MAKERS: dict[str, ModelSpec] = {spec.id: spec for spec in SPECS if {TextToImage, ImageEdit} & set(spec.tasks)}


class NothingMade(Exception):
    """Every picture of a job failed; the message is of the first one."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Origin(_Strict):
    """Where the first picture came from: a layer of a job, by the key of its step."""

    job: Annotated[str, Field(max_length=64)]
    key: Annotated[str, Field(max_length=64)] = ""


class Asked(_Strict):
    """What a person asks for. options: of the model; with a seed in it the pictures have that one and those after it,
    without one each has one at random. agreed: to the terms of the model."""

    model: str
    prompt: str = ""
    options: dict[str, Value] = {}
    count: Annotated[int, Field(ge=1, le=MOST)] = 1
    agreed: bool = False
    origin: Origin | None = None


class Params(_Strict):
    """A job of this kind. seeds: one for each picture; None where the model takes none. mask: sha256, "" without."""

    model: str
    prompt: str = ""
    options: dict[str, Value] = {}
    seeds: tuple[int | None, ...]
    images: tuple[Given, ...] = ()
    mask: str = ""
    origin: Origin | None = None


def maker(model: str) -> ModelSpec:
    """The model that makes pictures of this id; raises UnknownModel."""
    if model not in MAKERS:
        raise UnknownModel(
            f"There is no model {model!r} that makes pictures.", hint=f"Choose from: {', '.join(MAKERS)}."
        )
    return MAKERS[model]


def lacking(spec: ModelSpec, weights: Path, access: Access) -> str:
    """The sentence that says what to do before the model can be used, or "". weights: where pulled files lie."""
    if spec.where != "local":
        return "" if has_access(spec.where, access) else str(missing(spec.where))
    for name in spec.weights:
        whole = hub.here(weights, name) if name in hub.HUB else _is_here(weights, name)
        if not whole:
            return f"{spec.title} needs its weights. Run `{hub.command(name)}`."
    return ""


def _is_here(weights: Path, name: str) -> bool:
    return all((weights / name / file.name).is_file() for file in WEIGHTS[name].files)


def check(asked: Asked, *, images: int, masked: bool, settings: Settings, access: Access) -> ModelSpec:
    """The model, if all that can be told without the pictures themselves allows it. Raises ModelError, NotPossible."""
    spec = maker(asked.model)
    if sentence := lacking(spec, settings.weights, access):
        raise NotPossible(sentence)
    spec.check_asked(asked.prompt, asked.options, images=images, masked=masked)
    if spec.terms and not asked.agreed:
        raise NotPossible(f"{spec.title} has terms to agree to first: {spec.terms}")
    return spec


def seeds(spec: ModelSpec, asked: Asked) -> tuple[int | None, ...]:
    """The seed of each picture."""
    if "seed" not in spec.options.model_fields:
        return (None,) * asked.count
    first = getattr(spec.chosen(asked.options), "seed", None)
    if first is None:
        return tuple(secrets.randbelow(MOST_SEED + 1) for _ in range(asked.count))
    return tuple((first + number) % (MOST_SEED + 1) for number in range(asked.count))


def create(
    store: Store,
    asked: Asked,
    images: Sequence[tuple[bytes | Path, str]] = (),
    mask: bytes | Path | None = None,
    *,
    access: Access,
    limits: Limits = HOME,
    hold: bool = False,
) -> Job:
    """Check all that is asked, open the pictures (file, name) through the one door, and queue the job; with `hold` only
    make it. mask: a picture of the first one's size, painted where it may change. Raises ModelError, NotPossible,
    BadPicture."""
    spec = check(asked, images=len(images), masked=mask is not None, settings=Settings(), access=access)
    given: list[tuple[str, Size]] = []
    assets: list[tuple[str, bytes, str]] = []
    notices: list[str] = []
    for number, (file, name) in enumerate(images):
        source = open_image(file, limits=limits)
        notices += source.notices
        pixels = source.pixels if source.alpha is None else np.dstack([source.pixels, source.alpha])
        assets.append((image_name(number), encode_png(pixels), "image/png"))
        given.append((Path(name).name[:TITLE] or "picture", source.size))
        if number == 0:
            assets.append((THUMB, encode_png(thumbnail(pixels, THUMBNAIL_SIDE)), "image/png"))
    if mask is not None:
        assets.append((MASK, _mask(mask, given[0][1], limits), "image/png"))
    _refuse_over(spec, asked, [size for _, size in given])
    hashes = {name: sha256(data).hexdigest() for name, data, _ in assets}
    params = Params(
        model=spec.id,
        prompt=asked.prompt,
        # All of them: what is usual may be something else in a later version.
        options=spec.chosen(asked.options).model_dump(exclude={"seed"}),
        seeds=seeds(spec, asked),
        images=tuple(
            Given(name=name, width=size[0], height=size[1], sha256=hashes[image_name(number)])
            for number, (name, size) in enumerate(given)
        ),
        mask=hashes.get(MASK, ""),
        origin=asked.origin,
    )
    title = " ".join(asked.prompt.split())[:TITLE] or f"{spec.title}: {given[0][0]}"[:TITLE]
    job = store.create_job(KIND, params.model_dump(mode="json"), title=title, assets=assets, hold=hold)
    for notice in notices:
        store.append(job.id, "log", {"text": notice})
    return job


def again(store: Store, job_id: str) -> Job:
    """Make what is missing: pictures that are there are not made again."""
    job = store.job(job_id)
    if job.kind != KIND:
        raise NotPossible(f"Job {job_id} makes no pictures.")
    if job.state in ("running", "queued"):
        raise NotPossible("The pictures are being made: cancel it first.")
    return store.requeue(job_id)


def put_back(store: Store, job_id: str, asset: str) -> Origin:
    """Put a made picture into the scene that its layer came from; where that is."""
    origin = Params.model_validate(store.job(job_id).params).origin
    if origin is None or not origin.key:
        raise NotPossible("This picture was not made of a layer.")
    actions.put_back(store, origin.job, origin.key, store.read(job_id, asset))
    return origin


def image_name(number: int) -> str:
    """The asset of a picture that went in, from 0."""
    return f"input-{number + 1}.png"


def step_key(number: int) -> str:
    """The step of a picture that is made, from 0."""
    return f"made-{number + 1:02d}"


def run(context: Context) -> None:
    """Make the pictures. Raises NothingMade where not one came of it, Paused where a payment is open."""
    params = Params.model_validate(context.job.params)
    spec, settings = maker(params.model), Settings()
    # A pool of this run's own, so that it calls with the keys of whoever made the job.
    access = KEYRING.access(context.job.id, settings)
    here = MakeUnits(Pool(Host(weights=settings.weights, access=access))).make
    steps = Maker(context, here=lambda _: None if spec.where == "local" else here, caps=settings.caps())
    total, attempts = len(params.seeds), []
    for number, seed in enumerate(params.seeds):
        span = number / total, (number + 1) / total
        attempts.append(steps.attempt(_task(context, params, spec, number, seed), number, total, span))
        context.check()
        if not context.has(THUMB) and attempts[-1].state in FINISHED:
            _keep_thumbnail(context, attempts[-1])
    _end(attempts)


def _task(context: Context, params: Params, spec: ModelSpec, number: int, seed: int | None) -> Task:
    options = dict(params.options) if seed is None else params.options | {"seed": seed}
    asked = {
        "model": params.model,
        "prompt": params.prompt,
        "options": options,
        "images": [given.model_dump(mode="json") for given in params.images],
        "mask": params.mask,
        "source": source_of(spec, len(params.images)),
    }
    files = {f"image:{place}": context.path(image_name(place)) for place in range(len(params.images))}
    if params.mask:
        files["mask"] = context.path(MASK)
    # Whose picture it is decides nothing: a copy of the job, as a bundle makes one, buys none of them again.
    around: tuple[dict[str, str], dict[str, Path]] = {"job": context.job.id}, {}
    return Task(step_key(number), f"Picture {number + 1}", "image.make", asked, files, around)


def _keep_thumbnail(context: Context, attempt: Attempt) -> None:
    first = attempt.result["images"][0]["name"]
    pixels = open_image(context.path(asset_name(attempt.key, attempt.attempt, first))).pixels
    context.save(THUMB, encode_png(thumbnail(pixels, THUMBNAIL_SIDE)), "image/png")


def _end(attempts: list[Attempt]) -> None:
    """How the job ends."""
    for attempt in attempts:
        if attempt.state == "unknown":
            told = (attempt.error or {}).get("message", "A payment is open.")
            raise Paused(f"{attempt.name}: {told}")
    failed = [attempt for attempt in attempts if attempt.state not in FINISHED]
    if len(failed) == len(attempts):
        error = failed[0].error or {}
        raise NothingMade(error.get("message", "Nothing was made."), error.get("hint", ""))


def _refuse_over(spec: ModelSpec, asked: Asked, images: list[Size]) -> None:
    """Refuse local work beyond the limit of the settings."""
    one, most = compute(spec, asked.options, images), Settings().cap_compute
    if spec.where == "local" and one is not None and one * asked.count > most:
        raise NotPossible(
            f"This takes {one * asked.count:,.0f} megapixel-steps, and the limit is {most:,.0f}: choose fewer steps,"
            " fewer pictures or a smaller picture, or raise SCENEHF_CAP_COMPUTE."
        )


def _mask(file: bytes | Path, size: Size, limits: Limits) -> bytes:
    """A mask as grey PNG, white may change: what is painted on a transparent picture, what is bright of another."""
    source = open_image(file, limits=limits)
    if source.size != size:
        across, down = source.size
        raise NotPossible(f"The mask has {across} x {down} px and its picture {size[0]} x {size[1]}.")
    marked = source.pixels.max(axis=2) if source.alpha is None else source.alpha
    if not marked.any():
        raise NotPossible("The mask is empty: paint over what is to change.")
    return encode_png(marked)
