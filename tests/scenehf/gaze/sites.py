"""Sites whose cells are plain colours that say which cell they are, so that a screenshot can be read."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.silence import SILENT
from models.requests import Image
from scenehf.gaze import grid, site, sprites, webp
from scenehf.gaze.grid import Cell

SHEETS = (
    5,
    4,
    (64, 48),
)  # cells a side, of the mobile grid, size of a cell: an odd grid that is drawn from sheets
CELLS = (
    9,
    4,
    (832, 832),
)  # sheets of 4160 px, so drawn from single cells; more of them than may stay decoded
DARKEST, RANGE = 30, 200


def colour(cell: Cell, side: int) -> tuple[int, int, int]:
    row, column = (DARKEST + round(RANGE * along / (side - 1)) for along in cell)
    return row, column, 128


def cell_of(rgb: tuple[int, ...], side: int) -> Cell:
    """The cell that has this colour, more or less: WebP keeps it to a few levels."""
    row, column = ((value - DARKEST) * (side - 1) / RANGE for value in rgb[:2])
    assert abs(row - round(row)) < 0.3 and abs(column - round(column)) < 0.3, rgb
    return round(row), round(column)


def atlas(side: int, size: tuple[int, int], channels: int = 3) -> sprites.Atlas:
    cells = sprites.Atlas(side, size, channels)
    for cell in grid.order(side):
        picture: Image = np.full((size[1], size[0], channels), 255, np.uint8)
        picture[..., :3] = colour(cell, side)
        cells.put(cell, picture)
    return cells


def about(side: int, mobile: int, size: tuple[int, int], alpha: bool = False) -> dict[str, Any]:
    return site.metadata(
        side=side, mobile=mobile, size=size, alpha=alpha, engine="mesh", ranges={"yaw": 10.0, "pitch": 8.0},
        calibration={"yaw": 1.1}, face_box=(0.25, 0.2, 0.75, 0.8), seed=None,
    )  # fmt: skip


def make(folder: Path, side: int, mobile: int, size: tuple[int, int]) -> list[str]:
    """A whole site; returns the names of its files."""
    filled = atlas(side, size)
    encoded = {cell: webp.encode(picture) for cell, picture in filled.items()}
    sheets = dict(sprites.encoded(filled, mobile, SILENT))
    cells = encoded.items() if site.needs_cells(side, size) else None
    return site.write_site(folder, sheets, about(side, mobile, size), cells, encoded[side // 2, side // 2])
