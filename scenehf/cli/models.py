"""`models list | pull NAME | verify`: the weight files of this machine."""

import argparse
import sys
from pathlib import Path

from models.errors import InvalidRequest
from models.runtime import hub
from models.runtime.hub import HUB, HubSet
from models.runtime.weights import WEIGHTS, Finding, State, WeightSet, pull, verify
from scenehf.settings import Settings

SETS = (*WEIGHTS, *HUB)


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the verb."""
    parser = subparsers.add_parser("models", help="list, fetch and check the weights of local models")
    acts = parser.add_subparsers(dest="act", required=True, metavar="list | pull | verify")
    acts.add_parser("list", help="every set of weights and whether it is here")
    puller = acts.add_parser("pull", help="fetch a set; what is here is not fetched again")
    puller.add_argument("name", choices=SETS, metavar="NAME", help=", ".join(SETS))
    puller.add_argument("--quant", metavar="NAME", help="of a model that comes in several: which")
    puller.add_argument("--quiet", action="store_true", help="say nothing if it is here")
    acts.add_parser("verify", help="compare every file with its recorded hash")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Exit 0, or 1 if `verify` found something missing or damaged."""
    if args.act == "pull":
        return _pull(args.name, settings.weights, args.quant, quiet=args.quiet)
    if args.act == "list":
        return _list(verify(settings.weights) + hub.verify(settings.weights, quick=True))
    pulled = tuple(name for name in HUB if (settings.weights / name).is_dir())  # the others are a choice
    return _check(verify(settings.weights) + hub.verify(settings.weights, pulled), settings.weights)


def _pull(name: str, weights: Path, quant: str | None, *, quiet: bool) -> int:
    choices = tuple(HUB[name].choices) if name in HUB else ()
    if quant is not None and quant not in choices:
        raise InvalidRequest(
            f"{name} does not come as {quant}.",
            hint=f"It comes as {', '.join(choices)}."
            if choices
            else "It comes in one form: leave out --quant.",
        )
    found = hub.verify(weights, (name,)) if name in HUB else verify(weights, (name,))
    if quiet and worst(found) == "present":
        return 0
    if name in HUB:
        hub.pull(name, weights, _show, lambda line: print(line, flush=True), quant)
    else:
        pull(name, weights, _show)
    return 0


def _show(fraction: float, message: str) -> None:
    """One line that is written over where there is a terminal; only the end of the story elsewhere."""
    if sys.stdout.isatty():
        print(f"\r\033[K{message}", end="\n" if fraction == 1 else "", flush=True)
    elif fraction == 1:
        print(message, flush=True)


def _list(findings: list[Finding]) -> int:
    rows = [("NAME", "TITLE", "SIZE", "LICENCE", "STATE")]
    sets: list[WeightSet | HubSet] = [*WEIGHTS.values(), *HUB.values()]
    for weight_set in sets:
        state = worst([finding for finding in findings if finding.set == weight_set.name])
        size = f"{weight_set.bytes / 1e6:.1f} MB"
        rows.append((weight_set.name, weight_set.title, size, weight_set.licence, state))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def worst(findings: list[Finding]) -> State:
    """The state of a set: that of its worst file."""
    states = {finding.state for finding in findings}
    return "damaged" if "damaged" in states else "missing" if "missing" in states else "present"


def _check(findings: list[Finding], folder: Path) -> int:
    bad = [finding for finding in findings if finding.state != "present"]
    for finding in bad:
        cure = f"./launch.sh models pull {finding.set}"
        print(f"{folder / finding.set / finding.file}: {finding.state}. Cure: {cure}")
    if not bad:
        print(f"{len(findings)} files, all as recorded.")
    return 1 if bad else 0
