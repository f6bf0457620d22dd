"""Cells laid out on sheets, and the sheets encoded: q0 to q3 for the whole grid, q0_20 to q3_20 for phones.

The cells live on the sheets from the start: 900 cells of 512 px are 700 MB, and two copies of them are too many.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed

import numpy as np

from models.requests import Image, Run
from scenehf.gaze import grid
from scenehf.gaze.grid import Cell
from scenehf.gaze.webp import encode

LONGEST_SIDE = 16383  # px, of any WebP
LONGEST_MOBILE_SIDE = 4096  # px, of textures and canvases on phones
NOTHING = np.zeros((1, 1, 3), np.uint8)
ENCODERS = 2  # threads; libwebp is called without Python's lock


def largest_cell(side: int) -> int:
    """The longest cell in px whose quadrants still fit into a WebP file."""
    return LONGEST_SIDE // (grid.check(side) - side // 2)


def mobile_cell(size: tuple[int, int], mobile: int) -> tuple[int, int]:
    """(width, height) of a cell of the mobile grid: that of the desktop's if its quadrants stay small enough."""
    longest = LONGEST_MOBILE_SIDE // (grid.check(mobile) - mobile // 2)
    scale = min(1.0, longest / max(size))
    return max(1, int(size[0] * scale)), max(1, int(size[1] * scale))


class Atlas(Mapping[Cell, Image]):
    """Every cell of a grid, on four sheets. size: (width, height) of a cell; channels: 3, or 4 for cut-outs."""

    def __init__(self, side: int, size: tuple[int, int], channels: int = 3) -> None:
        self.side, self.size, self.channels = grid.check(side), size, channels
        if max(size) > largest_cell(side):
            raise ValueError(f"Cells of a grid of {side} are at most {largest_cell(side)} px long.")
        width, height = size
        self._quadrants = grid.quadrants(side)
        self.sheets: tuple[Image, ...] = tuple(
            np.zeros(
                (height * (q.rows[1] - q.rows[0]), width * (q.columns[1] - q.columns[0]), channels), np.uint8
            )
            for q in self._quadrants
        )
        self._filled: dict[Cell, None] = {}

    def put(self, cell: Cell, image: Image) -> None:
        """Lay a cell in its place."""
        self._place(cell)[:] = image
        self._filled[cell] = None

    def clear(self) -> None:
        """Let go of every cell."""
        self._filled.clear()
        self.sheets = ()

    def __getitem__(self, cell: Cell) -> Image:
        """The cell, as a view of its sheet; raises KeyError while it is not there."""
        if cell not in self._filled:
            raise KeyError(cell)
        return self._place(cell)

    def __iter__(self) -> Iterator[Cell]:
        """The cells that are there, in the order in which they came."""
        return iter(self._filled)

    def __len__(self) -> int:
        """How many are there."""
        return len(self._filled)

    def _place(self, cell: Cell) -> Image:
        half = self.side // 2
        number = 2 * (cell[0] >= half) + (cell[1] >= half)
        quadrant, (width, height) = self._quadrants[number], self.size
        y, x = (cell[0] - quadrant.rows[0]) * height, (cell[1] - quadrant.columns[0]) * width
        return self.sheets[number][y : y + height, x : x + width]

    def smaller(self, mobile: int, number: int) -> Image:
        """Sheet `number` of the mobile grid: every so manyth cell, made smaller if need be."""
        import cv2

        kept = grid.sample(self.side, mobile)
        quadrant, size = grid.quadrants(mobile)[number], mobile_cell(self.size, mobile)
        # Averaging areas takes five times as long, and pays only where many pixels become one.
        method = cv2.INTER_CUBIC if 2 * size[0] >= self.size[0] else cv2.INTER_AREA
        (width, height), (top, left) = size, (quadrant.rows[0], quadrant.columns[0])
        rows, columns = quadrant.rows[1] - top, quadrant.columns[1] - left
        sheet = np.empty((rows * height, columns * width, self.channels), np.uint8)
        for row, column in quadrant.cells:
            cell = self[kept[row], kept[column]]
            y, x = (row - top) * height, (column - left) * width
            sheet[y : y + height, x : x + width] = (
                cell if size == self.size else cv2.resize(cell, size, interpolation=method)
            )
        return sheet


def encoded(atlas: Atlas, mobile: int, run: Run, *, release: bool = False) -> Iterator[tuple[str, bytes]]:
    """(file name, bytes) of all eight sheets, as they are done; progress counts them. Needs every cell.

    release: give the memory of each sheet back as soon as it is encoded; the atlas is empty afterwards.
    """
    done = 0

    def small(number: int) -> bytes:
        return encode(atlas.smaller(mobile, number))

    def large(number: int) -> bytes:
        sheet = sheets[number]
        if release:
            sheets[number] = NOTHING
        return encode(sheet)

    with ThreadPoolExecutor(ENCODERS) as pool:
        for work, suffix in ((small, f"_{grid.MOBILE}"), (large, "")):
            if work is large:
                sheets = list(atlas.sheets)
                if release:
                    atlas.clear()
            tasks = {pool.submit(work, number): f"q{number}{suffix}.webp" for number in range(4)}
            try:
                for task in as_completed(tasks):
                    run.check()
                    done += 1
                    yield tasks[task], task.result()
                    run.progress(done / 8, f"Sheet {done} of 8")
            finally:
                for task in tasks:
                    task.cancel()
