"""The finished grid as a web page: what the viewer is told about it, and which files it comes with."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from models.requests import Image
from scenehf.export import appearing, gaze_site
from scenehf.gaze import grid, sprites
from scenehf.gaze.grid import Cell

CONTACT, FILM = "contact.jpg", "loop.mp4"
_VIEWER = Path(__file__).parent / "viewer"
_SCRIPT = "gaze-portrait.js"
_PARTS = ("pictures.js", "blink.js", "painters.js", "element.js")  # in the order in which they are read
_CELLS = "cells.js"
_ABOUT = """\
// <gaze-portrait src="FOLDER" smoothing="0.12">: a portrait that looks at the pointer, a finger, or back at you while
// the phone tilts. Pictures come through <img>, the rest through <script> tags, because a page that was opened from a
// disk may not fetch. So FOLDER has to be one that you would also load a script from.
"""
_CONTACT_CELLS, _CONTACT_SIDE = 7, 128  # cells a side of the contact sheet, px of each


def metadata(
    *,
    side: int,
    mobile: int,
    size: tuple[int, int],
    alpha: bool,
    engine: str,
    ranges: Mapping[str, float],
    calibration: Mapping[str, float],
    face_box: tuple[float, float, float, float] | None,
    eyes: Sequence[Any] = (),
    seed: int | None = None,
) -> dict[str, Any]:
    """What metadata.json says: gaze-app's keys, then ours.

    side, mobile: cells a side of the two grids. size: (width, height) of a cell. ranges: degrees at the edges of
    the grid ("yaw", "pitch"). face_box: x0, y0, x1, y1 in 0..1 of a cell that looks ahead. eyes: of `lids.lids`.
    """
    width, height = size
    mobile_width, mobile_height = sprites.mobile_cell(size, mobile)
    return {
        "gridSize": grid.check(side),
        "quadrantSize": side // 2,
        "mobileGridSize": mobile,
        "mobileQuadrantSize": mobile // 2,
        "imageWidth": width,
        "imageHeight": height,
        "hasAlpha": alpha,
        "format": "webp",
        "mode": "quadrants",
        "totalImages": side * side,
        "version": 1,
        "mobileImageWidth": mobile_width,
        "mobileImageHeight": mobile_height,
        "still": "still.webp",
        "ranges": dict(ranges),
        "engine": engine,
        "calibration": dict(calibration),
        "faceBox": list(face_box) if face_box else None,
        "eyes": list(eyes),
        "seed": seed,
    }


def write_site(
    folder: Path,
    sheets: Mapping[str, bytes],
    metadata: Mapping[str, Any],
    cells: Iterable[tuple[Cell, bytes]] | None,
    still: bytes,
) -> list[str]:
    """Write the page, its pictures and site.zip into `folder`; returns the names in the order written.

    sheets: by name, as `sprites.encoded` makes them. cells: every cell as WebP, in any order; None where the
    sheets alone are small enough (see `needs_cells`). still: WebP of the cell that looks ahead, shown without
    scripts. Raises ValueError for missing cells.
    """
    side = metadata["gridSize"]
    files = dict(sorted(sheets.items()))  # they come as their threads finish
    if cells is not None:
        files[_CELLS] = gaze_site.cells_script(_in_rows(dict(cells), side))
    about = {**metadata, "cells": None if cells is None else _CELLS}
    files |= {
        about["still"]: still,
        "metadata.json": json.dumps(about, indent=2).encode() + b"\n",
        "metadata.js": gaze_site.script(about),
    }
    files |= {_SCRIPT: viewer(), "index.html": (_VIEWER / "index.html").read_bytes()}
    return gaze_site.write(folder, files)


def viewer() -> bytes:
    """The script of `<gaze-portrait>`, one file whose names stay its own."""
    parts = "\n".join((_VIEWER / part).read_text(encoding="utf-8") for part in _PARTS)
    return f'{_ABOUT}"use strict";\n{{\n{parts}}}\n'.encode()


def needs_cells(side: int, size: tuple[int, int]) -> bool:
    """Whether the sheets of this grid are larger than browsers keep decoded, so that single cells are drawn."""
    return max(size) * (side - side // 2) > sprites.LONGEST_MOBILE_SIDE


def write_contact(folder: Path, cells: Mapping[Cell, Image], side: int) -> str:
    """Write a picture of some cells of the whole grid; returns its name."""
    kept = grid.sample(side, min(side, _CONTACT_CELLS))
    rows = [[cells[row, column] for column in kept] for row in kept]
    data = gaze_site.contact(rows, _CONTACT_SIDE)
    with appearing(folder / CONTACT) as part:
        part.write_bytes(data)
    return CONTACT


def write_film(folder: Path, cells: Mapping[Cell, Image], side: int) -> str:
    """Write a film that sees every cell and can be looped; returns its name. Raises CannotExport."""
    height, width = cells[0, 0].shape[:2]
    gaze_site.write_film(folder / FILM, (cells[cell] for cell in serpentine(side)), (width, height))
    return FILM


def serpentine(side: int) -> Iterator[Cell]:
    """Row by row, every other one backwards, then straight back to the first: no step is longer than a cell."""
    last = grid.check(side) - 1
    for row in range(side):
        for along in range(side):
            yield row, (along if row % 2 == 0 else last - along)
    for step in range(last - 1, 0, -1):
        yield step, (step if side % 2 else 0)


def _in_rows(cells: Mapping[Cell, bytes], side: int) -> list[bytes]:
    places = [(row, column) for row in range(side) for column in range(side)]
    if missing := [place for place in places if place not in cells]:
        raise ValueError(f"{len(missing)} cells are missing, {missing[0]} the first of them.")
    return [cells[place] for place in places]
