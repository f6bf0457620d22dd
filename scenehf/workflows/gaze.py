"""The job kind `gaze.grid`: one portrait becomes a grid of head poses and gazes, and a page that follows the cursor.

Steps: "portrait" (face, matte, calibration), "cells-NN" (a stretch of cells, in the order in which they are made), and
"site" (sheets, page, film). A stretch that is done is not drawn again.
"""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jobs.context import Context
from jobs.errors import Paused
from jobs.job import Job
from jobs.ledger import DOLLAR
from jobs.store import Store
from models.local.liveportrait.expressions import complaint
from models.pool import Pool
from models.providers.connect import SERVICES, has_access
from models.providers.prices import known_price
from models.runtime import hub
from models.spec import Host, Where, title_of
from scenehf.errors import NotPossible
from scenehf.gaze.grid import DESKTOP, LARGEST, MOBILE, SMALLEST
from scenehf.gaze.sprites import largest_cell
from scenehf.keys import KEYRING
from scenehf.pixels import HOME, Limits, encode_png, open_image
from scenehf.settings import Settings
from scenehf.workflows.making import SOURCE, Files, Maker, Task, Unit, asset_name, photo_assets

KIND = "gaze.grid"
ALPHA = "alpha.png"
PORTRAIT, SITE = "portrait", "site"  # keys of steps
ENGINES = {  # what a person calls an engine -> its model
    "mesh": "mesh-portrait",
    "liveportrait": "liveportrait",
    "replicate": "expression-editor",
}
PAID: dict[str, tuple[Where, str]] = {"replicate": ("replicate", "fofr/expression-editor")}  # service, model
PULLED = {"liveportrait": "liveportrait"}  # engines that need a set of weights of the hub
FIRST = 5  # cells of the first stretch: the corners and the centre, to be looked at at once
STRETCHES = {
    "mesh": 60,
    "liveportrait": 10,
    "replicate": 10,
}  # cells of the others: what a crash costs at most
PREPARED, DRAWN = 0.1, 0.55  # of the whole run, when the portrait is ready and when all cells are there
SMALLEST_CELL, LARGEST_CELL = 64, 1024  # px


class Params(BaseModel):
    """What a job of this kind is asked. grid, mobile: cells a side. cell: longer side of a cell in px. fast: let an
    engine that is slow draw keyframes and carry the rest between them. expression: what the face is to do beside, by
    names of the engine's controls. face: the click that picks one of several
    faces, in 0..1 of the photo; the largest face without it. confirmed: the person has seen what the cells cost."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    grid: Annotated[int, Field(ge=SMALLEST, le=LARGEST)] = DESKTOP
    mobile: Annotated[int, Field(ge=SMALLEST, le=LARGEST)] = MOBILE
    cell: Annotated[int, Field(ge=SMALLEST_CELL, le=LARGEST_CELL)] = 512
    engine: str = "mesh"
    fast: bool = False
    cutout: bool = False
    expression: dict[str, float] = Field(default_factory=dict)
    face: tuple[float, float] | None = None
    confirmed: bool = False


def checked(given: dict[str, Any]) -> Params:
    """Params from what a person chose; raises NotPossible with a sentence."""
    try:
        params = Params.model_validate(given)
    except ValidationError as error:
        raise NotPossible(_complaint(error)) from None
    if params.engine not in ENGINES:
        raise NotPossible(f"There is no engine {params.engine!r}. Choose from: {', '.join(ENGINES)}.")
    if params.expression:
        if params.engine != "liveportrait":
            raise NotPossible("Only the LivePortrait engine changes expressions.")
        if wrong := complaint(params.expression):
            raise NotPossible(wrong)
    _check_paid(params)
    if params.cell > (largest := largest_cell(params.grid)):
        raise NotPossible(f"Cells of a grid of {params.grid} are at most {largest} px long.")
    return params.model_copy(update={"mobile": min(params.mobile, params.grid)})


def usd_of_cells(engine: str, cells: int) -> float:
    """The most that so many cells can cost, in US dollars."""
    row = known_price(*PAID[engine]) if engine in PAID else None
    return row.bound(cells) / DOLLAR if row else 0.0


def told_of_price(engine: str) -> dict[str, str]:
    """Of an engine that costs, what is said before it is chosen: its price, and who sees the portrait."""
    cell, cap = usd_of_cells(engine, 1), Settings().cap_run
    most = int((cap / cell) ** 0.5)
    says = f"Each cell costs up to ${cell:.2f}; a job may cost ${cap:.2f}, so {most} cells a side. You are asked first."
    return {"says": says, "sees": title_of(PAID[engine][0])}


def _check_paid(params: Params) -> None:
    """Refuse what a service cannot do, or what no job may cost."""
    cells = params.grid**2
    usd, cap = usd_of_cells(params.engine, cells), Settings().cap_run
    if params.engine in PAID and params.cutout:
        raise NotPossible("LivePortrait on Replicate draws the whole picture, not the person alone.")
    if usd > cap:
        raise NotPossible(
            f"{cells} cells may cost ${usd:.2f}, and a job ${cap:.2f}: choose at most"
            f" {int((cap / usd_of_cells(params.engine, 1)) ** 0.5)} cells a side."
        )


def lacking(engine: str, weights: Path) -> str:
    """The sentence that says how to get this engine, or "" where its weights are in the folder, or its key is there."""
    if engine in PAID:
        service = SERVICES[PAID[engine][0]]
        if has_access(service.id, KEYRING.reach("", Settings())):
            return ""
        return f"LivePortrait on Replicate needs a key: set {service.variable}, from {service.page}."
    name = PULLED.get(engine)
    if name is None or hub.here(weights, name):
        return ""
    return f"The {hub.HUB[name].title} engine needs its weights. Run `{hub.command(name)}`."


def usable(given: dict[str, Any], weights: Path) -> Params:
    """Params as `checked`, also refused where the engine's weights are not in the folder."""
    params = checked(given)
    if sentence := lacking(params.engine, weights):
        raise NotPossible(sentence)
    return params


def _complaint(error: ValidationError) -> str:
    """What is wrong with the first parameter that is."""
    first = error.errors()[0]
    what, low, high = {
        "grid": ("The grid", f"{SMALLEST}", f"{LARGEST} cells a side"),
        "mobile": ("The mobile grid", f"{SMALLEST}", f"{LARGEST} cells a side"),
        "cell": ("A cell", f"{SMALLEST_CELL}", f"{LARGEST_CELL} px"),
    }.get(str(first["loc"][0]), ("", "", ""))
    if not what:
        return f"{first['loc'][0]} cannot be {first['input']!r}."
    return f"{what} cannot be {first['input']}: it has at least {low} and at most {high}."


def create(
    store: Store, photo: bytes | Path, name: str, *, params: Params | None = None, limits: Limits = HOME
) -> Job:
    """Open the portrait through the one door and queue its job. Raises BadPicture."""
    source = open_image(photo, limits=limits)
    assets = photo_assets(photo, source.pixels)
    if source.alpha is not None and source.alpha.min() < 255:
        assets.append((ALPHA, encode_png(source.alpha), "image/png"))
    title = Path(name).name[:200] or "portrait"
    job = store.create_job(KIND, (params or Params()).model_dump(mode="json"), title=title, assets=assets)
    for notice in source.notices:
        store.append(job.id, "log", {"text": notice})
    return job


def again(store: Store, job_id: str, **changes: Any) -> None:
    """Make the grid again with other parameters (another face, another size)."""
    job = store.job(job_id)
    if job.kind != KIND:
        raise NotPossible(f"Job {job_id} is not a gaze grid.")
    if job.state in ("running", "queued"):
        raise NotPossible("The grid is being made: cancel it first.")
    # What is asked for anew is paid for anew: its price is shown first.
    was = Params.model_validate(job.params)
    params = checked(was.model_dump() | {"confirmed": not changes} | changes)
    store.set_params(job_id, params.model_dump(mode="json"))
    store.requeue(job_id)


def run(context: Context) -> None:
    """Make the grid. Raises Paused where no face can be turned."""
    params = Params.model_validate(context.job.params)
    settings = Settings()
    maker = Maker(context, here=_here(context, params, settings), caps=settings.caps())
    stretches = stretches_of(params.grid, params.engine)
    total = len(stretches) + 2
    ready = maker.do(_portrait(context, params), 0, total, (0.0, PREPARED))
    if params.engine in PAID and not params.confirmed:
        cells = params.grid**2
        usd = usd_of_cells(params.engine, cells)
        today = f"Today ${context.store.spent().day / DOLLAR:.2f} of ${settings.cap_day:.2f} is spent."
        raise Paused(
            f"The face is found. {cells} cells cost up to ${usd:.2f}. {today} Press Run if that is fine."
        )
    files = {
        name: context.path(asset_name(PORTRAIT, ready.attempt, f"{name}.png"))
        for name in ("image", "matte")
        if context.has(asset_name(PORTRAIT, ready.attempt, f"{name}.png"))
    }
    common = shared(params, ready.result["portrait"])
    packs: Files = {}
    lengths: list[list[int]] = []
    for number, (first, last) in enumerate(stretches):
        key, name = stretch_key(number), f"Cells {first + 1} to {last}"
        task = Task(key, name, "gaze.cells", common | {"first": first, "last": last}, files)
        span = [PREPARED + (DRAWN - PREPARED) * done / params.grid**2 for done in (first, last)]
        drawn = maker.do(task, number + 1, total, (span[0], span[1]))
        packs[f"pack:{number:02d}"] = context.path(asset_name(key, drawn.attempt, "cells.bin"))
        lengths.append(drawn.result["lengths"])
    site = Task(SITE, "Sheets and page", "gaze.site", common | {"lengths": lengths}, files | packs)
    maker.do(site, total - 1, total, (DRAWN, 1.0))


def _here(context: Context, params: Params, settings: Settings) -> Callable[[Task], Unit | None]:
    """Cells that a service draws are drawn in this process, which waits for it, with the keys of whoever asked."""

    def here(task: Task) -> Unit | None:
        if params.engine not in PAID or task.unit != "gaze.cells":
            return None
        from scenehf.workflows.gaze_units import GazeUnits

        access = KEYRING.access(context.job.id, settings)
        return GazeUnits(Pool(Host(weights=settings.weights, access=access))).cells

    return here


def shared(params: Params, portrait: dict[str, Any]) -> dict[str, Any]:
    """What the units of cells and page are told alike."""
    return params.model_dump(mode="json", exclude={"face", "confirmed"}) | {"portrait": portrait}


def stretch_key(number: int) -> str:
    """The key of the step that draws this stretch, from 0."""
    return f"cells-{number:02d}"


def stretches_of(side: int, engine: str = "mesh") -> list[tuple[int, int]]:
    """(first, last) of the order of cells, last excluded, for each step that draws some."""
    count = side * side
    edges = [0, *range(FIRST, count, STRETCHES[engine]), count]
    return list(pairwise(edges))


def _portrait(context: Context, params: Params) -> Task:
    files = {"image": context.path(SOURCE)}
    if context.has(ALPHA):
        files["alpha"] = context.path(ALPHA)
    asked = params.model_dump(mode="json", include={"cell", "engine", "face", "cutout"})
    return Task(PORTRAIT, "Find the face", "gaze.prepare", asked, files)
