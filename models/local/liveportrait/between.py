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
SMALLEST = 16  # px a side that flow is looked for in
Line = tuple[tuple[float, float], ...]  # along one side of a grid: (angle, pupil), ascending


class Flow:
    """Two pictures of one shape and where each one's pixels are in the other, found and kept at half their size."""

    def __init__(self, first: Image, second: Image) -> None:
        import cv2

        self._first, self._second = first, second
        height, width = first.shape[:2]
        half = max(SMALLEST, width // 2), max(SMALLEST, height // 2)
        self._scale = np.array([width / half[0], height / half[1]], np.float32)
        grey = [
            cv2.resize(
                cv2.cvtColor(np.ascontiguousarray(image[..., :3]), cv2.COLOR_RGB2GRAY),
                half,
                interpolation=cv2.INTER_AREA,
            )
            for image in (first, second)
        ]
        search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._there = search.calc(grey[0], grey[1], None).astype(np.float16)
        self._back = search.calc(grey[1], grey[0], None).astype(np.float16)

    def at(self, t: float) -> Image:
        """The picture that lies at t of the way, 0 < t < 1."""
        import cv2

        there, back = self._there.astype(np.float32), self._back.astype(np.float32)
        to_first = (t * t) * back - (t * (1 - t)) * there
        to_second = ((1 - t) * (1 - t)) * there - (t * (1 - t)) * back
        first, second = (
            cv2.remap(image, self._origins(way), None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            for image, way in ((self._first, to_first), (self._second, to_second))
        )
        return np.asarray(cv2.addWeighted(first, 1 - t, second, t, 0), np.uint8)

    def _origins(self, way: Floats) -> Floats:
        """float32 (h, w, 2): where each pixel is read, from a way at half the size."""
        import cv2

        height, width = self._first.shape[:2]
        smooth = cv2.GaussianBlur(way, (0, 0), SMOOTH / 2) * self._scale
        whole = cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR)
        whole[..., 0] += np.arange(width, dtype=np.float32)
        whole[..., 1] += np.arange(height, dtype=np.float32)[:, None]
        return np.asarray(whole, np.float32)


class Grid:
    """The cells of a grid of poses, in any order, most of them between keyframes.

    draw: makes one cell. Kept are the 64 keyframes, the cells on their rows, and all flow between them: for cells of
    512 px about 350 MB.
    """

    def __init__(self, poses: Sequence[Pose], draw: Callable[[Pose], Image]) -> None:
        self._across: Line = tuple(sorted({(pose.yaw, pose.pupil_x) for pose in poses}))
        self._along: Line = tuple(sorted({(pose.pitch, pose.pupil_y) for pose in poses}))
        self._columns, self._rows = keys(len(self._across)), keys(len(self._along))
        self._any = poses[0]
        self._draw = draw
        self._key = cache(self._key_cell)
        self._on_row = cache(self._row_cell)
        self._across_flow = cache(lambda row, low, high: Flow(self._key(row, low), self._key(row, high)))
        self._along_flow = cache(
            lambda column, low, high: Flow(self._on_row(low, column), self._on_row(high, column))
        )

    def cell(self, pose: Pose) -> Image:
        """uint8, as `draw` gives it."""
        column = self._across.index((pose.yaw, pose.pupil_x))
        row = self._along.index((pose.pitch, pose.pupil_y))
        low, high, t = around(self._rows, row)
        return self._on_row(low, column) if t == 0 else self._along_flow(column, low, high).at(t)

    def _row_cell(self, row: int, column: int) -> Image:
        low, high, t = around(self._columns, column)
        return self._key(row, low) if t == 0 else self._across_flow(row, low, high).at(t)

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
