"""Cells between keyframes: carried along optical flow from both sides and blended.

A portrait that turns a little at a time changes so evenly that a network need draw only every fourth cell of a grid,
across and along; the others are two blends between those.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from models.requests import Image, Pose, Run

Floats = NDArray[np.float32]

KEYS = 8  # a side: 64 keyframes for a grid of any size
SMOOTH = 1.5  # px: how far the flow is blurred
Line = tuple[tuple[float, float], ...]  # along one side of a grid: (angle, pupil), ascending


class Flow:
    """Two pictures of one shape and where each one's pixels are in the other."""

    def __init__(self, first: Image, second: Image) -> None:
        import cv2

        self._first, self._second = first, second
        grey = [
            cv2.cvtColor(np.ascontiguousarray(image[..., :3]), cv2.COLOR_RGB2GRAY)
            for image in (first, second)
        ]
        search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._there: Floats = search.calc(grey[0], grey[1], None)
        self._back: Floats = search.calc(grey[1], grey[0], None)
        height, width = grey[0].shape
        self._places = np.dstack(np.meshgrid(np.arange(width), np.arange(height))).astype(np.float32)

    def at(self, t: float) -> Image:
        """The picture that lies at t of the way, 0 < t < 1."""
        import cv2

        to_first = (t * t) * self._back - (t * (1 - t)) * self._there
        to_second = ((1 - t) * (1 - t)) * self._there - (t * (1 - t)) * self._back
        seen = [
            cv2.remap(
                image,
                self._places + cv2.GaussianBlur(shift, (0, 0), SMOOTH),
                None,
                cv2.INTER_CUBIC,
                borderMode=cv2.BORDER_REPLICATE,
            )
            for image, shift in ((self._first, to_first), (self._second, to_second))
        ]
        return np.asarray(cv2.addWeighted(seen[0], 1 - t, seen[1], t, 0), np.uint8)


class Grid:
    """The cells of a grid of poses, in any order, most of them between keyframes.

    draw: makes one cell. What has been drawn is kept: 64 keyframes, and the cells on their rows.
    """

    def __init__(self, poses: Sequence[Pose], draw: Callable[[Pose], Image]) -> None:
        self._across: Line = tuple(sorted({(pose.yaw, pose.pupil_x) for pose in poses}))
        self._along: Line = tuple(sorted({(pose.pitch, pose.pupil_y) for pose in poses}))
        self._columns, self._rows = keys(len(self._across)), keys(len(self._along))
        self._any = poses[0]
        self._draw = draw
        # Neighbours in a grid are asked for one after the other, so few pairs are worth keeping.
        self._key = cache(self._key_cell)
        self._on_row = cache(self._row_cell)
        self._row_flow = cache(self._flow_along_row)

    def cell(self, pose: Pose) -> Image:
        """uint8, as `draw` gives it."""
        column = self._across.index((pose.yaw, pose.pupil_x))
        row = self._along.index((pose.pitch, pose.pupil_y))
        low, high, t = around(self._rows, row)
        if t == 0:
            return self._on_row(low, column)
        return Flow(self._on_row(low, column), self._on_row(high, column)).at(t)

    def _row_cell(self, row: int, column: int) -> Image:
        low, high, t = around(self._columns, column)
        return self._key(row, low) if t == 0 else self._row_flow(row, low, high).at(t)

    def _flow_along_row(self, row: int, low: int, high: int) -> Flow:
        return Flow(self._key(row, low), self._key(row, high))

    def _key_cell(self, row: int, column: int) -> Image:
        (yaw, pupil_x), (pitch, pupil_y) = self._across[column], self._along[row]
        return self._draw(replace(self._any, yaw=yaw, pitch=pitch, pupil_x=pupil_x, pupil_y=pupil_y))


def keys(count: int) -> tuple[int, ...]:
    """Which of `count` places are keyframes: evenly spread, both ends among them."""
    number = min(KEYS, count)
    return tuple(dict.fromkeys(round(index) for index in np.linspace(0, count - 1, number)))


def around(places: tuple[int, ...], place: int) -> tuple[int, int, float]:
    """The keyframes before and after a place, and how far between them it lies; 0 on a keyframe."""
    after = min(bisect_right(places, place), len(places) - 1)
    low, high = places[max(0, after - 1)], places[after]
    if place in places:
        return place, place, 0.0
    return low, high, (place - low) / (high - low)


def is_grid(poses: Sequence[Pose]) -> bool:
    """Whether the poses are enough of a grid for keyframes to save anything: one tilt, and more cells than keys."""
    return len(poses) > KEYS**2 and len({pose.roll for pose in poses}) == 1


def cells(poses: Sequence[Pose], draw: Callable[[Pose], Image], run: Run) -> Iterator[Image]:
    """Every pose's cell in their order; `run` is asked before each."""
    grid = Grid(poses, draw)
    for pose in poses:
        run.check()
        yield grid.cell(pose)
