"""`layers PHOTO --out DIR`: take one picture apart without a screen."""

import argparse
import shutil
import sys
from pathlib import Path

from jobs.job import Job
from jobs.store import Store
from scenehf.cli import folder, follow
from scenehf.errors import NotPossible
from scenehf.layers.engines import ENGINES
from scenehf.layers.plan import ExtractStep, Plan, arrange, fresh_id, separated
from scenehf.layers.planners import OFFLINE, PLANNERS
from scenehf.pixels import open_image
from scenehf.settings import Settings
from scenehf.worker import build
from scenehf.workflows import actions
from scenehf.workflows.estimate import model_of_plan, usd_of, usd_of_plan
from scenehf.workflows.extract import EXPORT, ExportOrder, Params
from scenehf.workflows.making import asset_name

EVERYTHING = ExportOrder(formats=("png", "zip", "psd", "ora", "tiff", "html"))


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the verb."""
    parser = subparsers.add_parser("layers", help="take a photo apart into layers and a clean plate")
    parser.add_argument("photo", type=Path, help="the picture (PNG, JPEG, WebP, TIFF, HEIC ...)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument(
        "--box",
        action="append",
        default=[],
        metavar="NAME=X,Y,W,H",
        help="an object in source pixels; repeat for more, front to back",
    )
    parser.add_argument(
        "--planner",
        default=OFFLINE,
        choices=tuple(PLANNERS),
        help="who reads the picture when no box is given",
    )
    parser.add_argument("--engine", default="local", choices=tuple(ENGINES), help="who cuts the layers out")
    parser.add_argument("--yes", action="store_true", help="agree to what services charge, within the caps")
    parser.add_argument("--edges", choices=("faithful", "clean"), default="faithful")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Exit 0 with all files written (also where steps need review), 2 for bad input, 1 if the job failed."""
    plan = _plan(args.photo, args.box) if args.box else None
    order = EVERYTHING.model_copy(update={"edges": args.edges})
    if not args.yes:
        _ask_for_consent(args.planner if plan is None else OFFLINE, args.engine, settings)
    params = Params(
        plan=plan, planner=args.planner, engine=args.engine, headless=True, confirmed=True, export=order
    )
    folder(args.out)
    services = build(settings)
    job = actions.create(services.store, args.photo, args.photo.name, params=params)
    with services:
        job = follow(services.store, job)
        if job.state != "succeeded":
            reason = (job.error or {}).get("message", job.state)
            print(f"The job ended as {job.state}: {reason}", file=sys.stderr)
            return 1
        _copy(services.store, job, args.out)
    return 0


def _ask_for_consent(planner: str, engine: str, settings: Settings) -> None:
    """Refuse what costs money with its price, so that agreeing is a deliberate act."""
    reading, layer = usd_of_plan(planner, settings.access()), usd_of(engine, "extract")
    if reading is None:
        model = model_of_plan(planner, settings.access())
        raise NotPossible(
            f"No price is known for {model}: choose another one, or add it to models/prices.toml."
        )
    if reading or layer:
        raise NotPossible(
            f"Reading the photo may cost ${reading:.2f} and each layer ${layer:.2f}; this run stops at"
            f" ${settings.cap_run:.2f}. Add --yes if that is fine."
        )


def _plan(photo: Path, boxes: list[str]) -> Plan:
    """One extraction per --box, in the order given; boxes turn from source pixels to 0..1."""
    width, height = open_image(photo).size
    steps: list[ExtractStep] = []
    for text in boxes:
        name, _, numbers = text.partition("=")
        try:
            x, y, w, h = (float(number) for number in numbers.split(","))
        except ValueError:
            raise NotPossible(
                f"--box {text!r} is not NAME=X,Y,W,H, for example cup=120,80,200,240."
            ) from None
        box = (
            max(0.0, x / width),
            max(0.0, y / height),
            min(1.0, (x + w) / width),
            min(1.0, (y + h) / height),
        )
        step_id = fresh_id("s1", {step.id for step in steps})
        try:
            steps.append(ExtractStep(id=step_id, name=name or f"Object {len(steps) + 1}", z=1, box=box))
        except ValueError:
            raise NotPossible(f"--box {text!r} does not lie inside the {width}x{height} picture.") from None
    return separated(arrange("", list(steps)))


def _copy(store: Store, job: Job, out: Path) -> None:
    step = actions.chosen(store, job.id, EXPORT)
    prefix = asset_name(EXPORT, step.attempt, "")
    for asset in store.assets(job.id):
        if asset.name.startswith(prefix):
            target = out / asset.name.removeprefix(prefix)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(store.path(job.id, asset.name), target)
    print(f"Wrote {out}")
