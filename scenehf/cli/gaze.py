"""`gaze PORTRAIT --out DIR`: a portrait that looks at the cursor, made without a screen."""

import argparse
import shutil
import sys
from pathlib import Path

from jobs.job import Job
from jobs.store import Store
from scenehf.cli import folder, follow
from scenehf.errors import NotPossible
from scenehf.settings import Settings
from scenehf.worker import build
from scenehf.workflows import gaze
from scenehf.workflows.making import asset_name


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the verb."""
    parser = subparsers.add_parser("gaze", help="turn a portrait into one that follows the cursor")
    usual = gaze.Params()
    parser.add_argument("portrait", type=Path, help="a photo or painting that shows a face")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the page and its files"
    )
    parser.add_argument("--grid", type=int, default=usual.grid, metavar="N", help="cells a side (default 30)")
    parser.add_argument(
        "--mobile-grid",
        type=int,
        default=usual.mobile,
        metavar="N",
        help="cells a side for phones (default 20)",
    )
    parser.add_argument(
        "--cell", type=int, default=usual.cell, metavar="PX", help="longer side of a cell (default 512)"
    )
    parser.add_argument(
        "--engine", default=usual.engine, help="what turns the head: " + ", ".join(gaze.ENGINES)
    )
    parser.add_argument(
        "--fast",
        action="store_true",
        help="let a slow engine draw 64 keyframes and carry the rest between them",
    )
    parser.add_argument(
        "--expression",
        type=_expression,
        default={},
        metavar="NAME=VALUE,...",
        help="LivePortrait: what the face is to do, for example smile=0.8,blink=-5",
    )
    parser.add_argument("--yes", action="store_true", help="agree to what a service charges, within the caps")
    parser.add_argument("--cutout", action="store_true", help="the person alone, without the background")
    parser.add_argument(
        "--face", metavar="X,Y", help="a point on the face to turn, in source pixels; the largest without it"
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Exit 0 with all files written, 2 for bad input (also where no face is found), 1 if the job failed."""
    params = gaze.usable(
        {
            "grid": args.grid,
            "mobile": args.mobile_grid,
            "cell": args.cell,
            "engine": args.engine,
            "fast": args.fast,
            "expression": args.expression,
            "cutout": args.cutout,
            "face": _share(args.portrait, args.face) if args.face else None,
        },
        settings.weights,
    )
    usd = gaze.usd_of_cells(params.engine, params.grid**2)
    if usd and not args.yes:
        raise NotPossible(f"{params.grid**2} cells may cost ${usd:.2f}. Add --yes if that is fine.")
    params = params.model_copy(update={"confirmed": True})
    folder(args.out)
    services = build(settings)
    job = gaze.create(services.store, args.portrait, args.portrait.name, params=params)
    with services:
        job = follow(services.store, job)
        if job.state != "succeeded":
            return _refused(services.store, job)
        _copy(services.store, job, args.out)
    return 0


def _expression(text: str) -> dict[str, float]:
    pairs = (pair.partition("=") for pair in text.split(",") if pair)
    return {name.strip(): float(value) for name, _, value in pairs}


def _share(photo: Path, text: str) -> tuple[float, float]:
    from scenehf.pixels import open_image

    width, height = open_image(photo).size
    try:
        x, y = (float(number) for number in text.split(","))
    except ValueError:
        raise NotPossible(f"--face {text!r} is not X,Y, for example 420,310.") from None
    return x / width, y / height


def _refused(store: Store, job: Job) -> int:
    """Say why there is no grid. A picture without a face is bad input."""
    failed = next((step for step in store.chosen_steps(job.id) if step.error), None)
    error = (failed and failed.error) or job.error or {"message": f"The job ended as {job.state}."}
    print(f"{error['message']} {error.get('hint') or ''}".strip(), file=sys.stderr)
    return 2 if failed is not None and failed.key == gaze.PORTRAIT else 1


def _copy(store: Store, job: Job, out: Path) -> None:
    step = next(step for step in store.chosen_steps(job.id) if step.key == gaze.SITE)
    for name in step.result["files"]:
        shutil.copyfile(store.path(job.id, asset_name(gaze.SITE, step.attempt, name)), out / name)
    print(f"Wrote {out}. Open {out / 'index.html'}")
