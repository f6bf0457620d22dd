"""Sheets: every cell where a reader of the metadata looks for it."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from benchmarks.silence import SILENT
from scenehf.gaze import grid, sprites


def filled(side, size=(24, 16), channels=3):
    atlas = sprites.Atlas(side, size, channels)
    for row, column in grid.order(side):
        atlas.put((row, column), np.full((size[1], size[0], channels), 4 * row + column, np.uint8))
    return atlas


@pytest.mark.parametrize("side", [3, 4, 7, 30])
def test_every_cell_lies_on_its_sheet(side):
    atlas = filled(side, (8, 6))
    assert len(atlas) == side * side and list(atlas) == list(grid.order(side))
    for quadrant, sheet in zip(grid.quadrants(side), atlas.sheets, strict=True):
        across = quadrant.columns[1] - quadrant.columns[0]
        for index, (row, column) in enumerate(quadrant.cells):
            y, x = 6 * (index // across), 8 * (index % across)
            assert (sheet[y : y + 6, x : x + 8] == (4 * row + column) % 256).all()
            assert np.shares_memory(atlas[row, column], sheet)


def test_a_cell_not_yet_drawn_is_missing():
    atlas = sprites.Atlas(5, (8, 8))
    assert (0, 0) not in atlas
    with pytest.raises(KeyError):
        atlas[0, 0]


@pytest.mark.parametrize("channels", [3, 4])
def test_eight_sheets_of_the_right_size(channels):
    atlas = filled(7, channels=channels)
    sheets = dict(sprites.encoded(atlas, 5, SILENT))
    assert set(sheets) == {f"q{n}{tail}.webp" for n in range(4) for tail in ("", "_20")}
    sizes = {name: Image.open(BytesIO(data)).size for name, data in sheets.items()}
    assert sizes["q0.webp"] == (3 * 24, 3 * 16) and sizes["q3.webp"] == (4 * 24, 4 * 16)
    assert sizes["q1_20.webp"] == (3 * 24, 2 * 16)
    assert len(atlas) == 49


def test_released_sheets_are_the_same_and_the_atlas_is_empty():
    kept = dict(sprites.encoded(filled(5), 5, SILENT))
    atlas = filled(5)
    assert dict(sprites.encoded(atlas, 5, SILENT, release=True)) == kept
    assert len(atlas) == 0


def test_phones_get_sheets_of_at_most_4096_px():
    for side in range(grid.SMALLEST, grid.LARGEST + 1):
        for size in ((512, 512), (300, 512), (1024, 700)):
            width, height = sprites.mobile_cell(size, side)
            assert max(width, height) * (side - side // 2) <= 4096
    assert sprites.mobile_cell((512, 410), 20) == (409, 327)
    assert sprites.mobile_cell((256, 256), 20) == (256, 256)


def test_cells_too_large_for_any_webp_are_refused():
    assert sprites.largest_cell(60) * 30 <= 16383
    with pytest.raises(ValueError, match="at most"):
        sprites.Atlas(60, (600, 400))
