"""`convert FILE --to png|jpeg|webp`: the same picture in another format, with its recipe."""

import argparse
import sys
from pathlib import Path

import numpy as np

from scenehf.cli import folder
from scenehf.errors import NotPossible
from scenehf.pixels import open_image
from scenehf.settings import Settings
from scenehf.studio.metadata import MIMES, QUALITY, SUFFIXES, read, write


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the verb."""
    parser = subparsers.add_parser("convert", help="write a picture in another format and keep its recipe")
    parser.add_argument("file", type=Path, help="a picture")
    parser.add_argument("--to", required=True, choices=tuple(MIMES))
    parser.add_argument(
        "--quality", type=int, default=QUALITY, metavar="Q", help=f"1 to 100, not of PNG (default {QUALITY})"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="beside the picture without it")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Exit 0 with the file written; 2 for bad input."""
    if not 1 <= args.quality <= 100:
        raise NotPossible("--quality is from 1 to 100.")
    source = open_image(args.file)
    recipe = read(args.file)
    target = args.out or args.file.with_suffix(f".{SUFFIXES[args.to]}")
    if target.exists() and target.samefile(args.file):
        raise NotPossible(f"{target} is the picture itself: name another file with --out.")
    pixels = source.pixels if source.alpha is None else np.dstack([source.pixels, source.alpha])
    written = write(pixels, recipe, args.to, args.quality)
    folder(target.parent)
    target.write_bytes(written.data)
    print(f"Wrote {target}")
    if written.sidecar is not None:
        beside = target.with_suffix(".json")
        beside.write_bytes(written.sidecar)
        print(f"Wrote {beside}: the recipe is too long for a JPEG.")
    if recipe is None:
        print("The picture carries no recipe of this app.", file=sys.stderr)
    return 0
