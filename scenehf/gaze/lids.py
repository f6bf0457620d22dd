"""Where the eyelids lie in every cell, so that the page can close them: a blink needs no cells of its own."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.requests import Calibration, FaceMesh

Floats = NDArray[np.float64]

# Each eye from its left corner to its right one, along the upper and along the lower lid.
LIDS = (
    ((33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133)),
    ((362, 398, 384, 385, 386, 387, 388, 466, 263), (362, 382, 381, 380, 374, 373, 390, 249, 263)),
)
BROWS = ((46, 53, 52, 65, 55), (276, 283, 282, 295, 285))  # their lower edges
OPEN = 0.14  # height by width: an eye that is less open has nothing to close

Look = tuple[float, float, FaceMesh]  # asked: right and up, -1 to 1; found there


def lids(
    source: FaceMesh, seen: Sequence[Look], calibration: Calibration, size: tuple[int, int]
) -> list[Any]:
    """The open eyes of a face, as JSON, in shares of a cell of `size` (width, height).

    upper, lower: nine points [x, y] of each lid, ahead; right, down: by how much all of them move at the right and
    at the lower edge of the grid; brow: y above which the skin of the upper lid ends. seen: what an engine without
    calibration showed.
    """
    looks = np.array([(0.0, 0.0)] + [(x * calibration.yaw, -y * calibration.pitch) for x, y, _ in seen])
    faces = [source, *(face for _, _, face in seen)]
    share = np.array(size, np.float64)
    eyes = []
    for rows, brow in zip(LIDS, BROWS, strict=True):
        upper, lower = (source.points[list(row), :2] / share for row in rows)
        width = float(np.hypot(*((upper[-1] - upper[0]) * share)))
        height = float(np.hypot(*((lower[4] - upper[4]) * share)))
        if height < OPEN * width:
            continue
        both = sorted(set(rows[0]) | set(rows[1]))
        middles = np.array([face.points[both, :2].mean(axis=0) / share for face in faces])
        moves = _slopes(looks, middles - middles[0])
        above = float(source.points[list(brow), 1].mean() / share[1])
        eyes.append(
            {
                "upper": np.round(upper.astype(float), 4).tolist(),
                "lower": np.round(lower.astype(float), 4).tolist(),
                "right": np.round(moves[0], 4).tolist(),
                "down": np.round(moves[1], 4).tolist(),
                "brow": round(above, 4),
            }
        )
    return eyes


def _slopes(looks: Floats, moved: Floats) -> Floats:
    """(2, 2): how far (x, y) a point goes per unit of looking right, and of looking down. looks, moved: (n, 2)."""
    return np.asarray(np.linalg.lstsq(looks, moved, rcond=None)[0], np.float64)
