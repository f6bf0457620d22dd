"""`edit --model ID --prompt TEXT [--image FILE ...] --out DIR`: edit pictures, or make them, without a screen.

The flags of a model's options are drawn from its schema, and the model checks them: a flag that it does not have is
refused with a sentence.
"""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from jobs.job import Job
from jobs.store import Store
from models.errors import InvalidRequest, UnknownModel
from scenehf.cli import folder, follow
from scenehf.errors import NotPossible
from scenehf.settings import Settings
from scenehf.studio.controls import Control, controls
from scenehf.studio.recipe import Recipe
from scenehf.worker import build
from scenehf.workflows import make
from scenehf.workflows.make import MAKERS, MOST, Asked
from scenehf.workflows.making import FINISHED, asset_name
from scenehf.workflows.quote import usd_each

SHORTER = {
    "aspect_ratio": "--aspect",
    "negative_prompt": "--negative",
}  # what people type; the whole name works too


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the verb."""
    parser = subparsers.add_parser("edit", help="edit pictures, or make them from words")
    parser.add_argument("--model", required=True, metavar="ID", help=", ".join(MAKERS))
    parser.add_argument("--prompt", default="", metavar="TEXT", help="what is to be seen")
    parser.add_argument(
        "--image", type=Path, action="append", default=[], metavar="FILE", help="repeat for more, in order"
    )
    parser.add_argument(
        "--mask",
        type=Path,
        metavar="FILE",
        help="as large as the first picture; white may change, black stays",
    )
    parser.add_argument(
        "--count", type=int, default=1, metavar="N", help=f"pictures, each with its seed, up to {MOST}"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for NN.png and NN.json"
    )
    parser.add_argument("--yes", action="store_true", help="agree to what services charge, within the caps")
    parser.add_argument("--agree", action="store_true", help="agree to the terms of the model")
    options = parser.add_argument_group("options of the models")
    for name, having in _options().items():
        _flag(options, name, having)


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Exit 0 with every picture written, 2 for bad input, 1 if one or more could not be made."""
    asked = _asked(args)
    try:
        spec = make.check(
            asked,
            images=len(args.image),
            masked=args.mask is not None,
            settings=settings,
            access=settings.access(),
        )
    except (InvalidRequest, UnknownModel) as error:
        raise NotPossible(str(error)) from None
    most = usd_each(spec, spec.chosen(asked.options).results()) * asked.count
    if most and not args.yes:
        raise NotPossible(
            f"This may cost ${most:.2f}; a run stops at ${settings.cap_run:.2f}. Add --yes if that is fine."
        )
    folder(args.out)
    services = build(settings)
    images = [(file, file.name) for file in args.image]
    job = make.create(services.store, asked, images, args.mask, access=settings.access())
    with services:
        job = follow(services.store, job)
        written = _copy(services.store, job, args.out)
    failed = asked.count - written
    if failed:
        why = job.error or {
            "message": f"{failed} of {asked.count} could not be made; the log above says why."
        }
        print(f"{why['message']} {why.get('hint') or ''}".strip(), file=sys.stderr)
    return 1 if failed else 0


def _options() -> dict[str, list[tuple[str, Control]]]:
    """Every option of any model: its name -> the models that have it, with how they do."""
    found: dict[str, list[tuple[str, Control]]] = {}
    for model, spec in MAKERS.items():
        for control in controls(spec.options):
            found.setdefault(control.name, []).append((model, control))
    return found


def _flag(group: Any, name: str, having: list[tuple[str, Control]]) -> None:
    """A flag whose value the model chosen checks."""
    first = having[0][1]
    words = [f"--{name.replace('_', '-')}", *([SHORTER[name]] if name in SHORTER else [])]
    ranges: dict[str, list[str]] = {}
    for model, control in having:
        ranges.setdefault(_range(control), []).append(model)
    told = f"{first.help} " + "; ".join(f"{', '.join(models)}: {words}" for words, models in ranges.items())
    settings: dict[str, Any] = {
        "dest": f"option_{name}",
        "default": argparse.SUPPRESS,
        "help": told.replace("%", "%%"),
    }
    if first.kind == "flag":
        group.add_argument(*words, action=argparse.BooleanOptionalAction, **settings)
    else:
        group.add_argument(*words, metavar="N" if first.kind in ("whole", "number") else "TEXT", **settings)


def _range(control: Control) -> str:
    if control.choices:
        return f"{' '.join(control.choices)} (default {control.default})"
    if control.kind == "flag":
        return "usually on" if control.default else "usually off"
    if control.kind == "text":
        return "a text"
    usual = "at random" if control.default is None else f"default {control.default}"
    return f"{control.least} to {control.most}, {usual}"


def _asked(args: argparse.Namespace) -> Asked:
    options = {
        name.removeprefix("option_"): value
        for name, value in vars(args).items()
        if name.startswith("option_")
    }
    if not 1 <= args.count <= MOST:
        raise NotPossible(f"--count is from 1 to {MOST}.")
    return Asked(model=args.model, prompt=args.prompt, options=options, count=args.count, agreed=args.agree)


def _copy(store: Store, job: Job, out: Path) -> int:
    """Write NN.png and NN.json of every picture there is; how many steps have theirs."""
    number = written = 0
    for step in store.chosen_steps(job.id):
        if step.state not in FINISHED:
            continue
        written += 1
        for image in step.result["images"]:
            number += 1
            target = out / f"{number:02d}.png"
            shutil.copyfile(store.path(job.id, asset_name(step.key, step.attempt, image["name"])), target)
            size = {"width": image["width"], "height": image["height"]}
            recipe = Recipe.model_validate(step.result["recipe"] | size)
            target.with_suffix(".json").write_text(recipe.model_dump_json(indent=2), encoding="utf-8")
            print(f"Wrote {target}")
    return written
