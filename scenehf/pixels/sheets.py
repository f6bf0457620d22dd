"""RGBA sheets on a canvas: trim, place, composite, shrink. Straight alpha everywhere; origin top left."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from scenehf.scene import Layer, Pixels, Scene

_BLOCK = 1 << 20  # pixels worked on at once, so that 100 megapixels need no float copy of the canvas


def row_blocks(width: int, height: int) -> Iterator[slice]:
    """The rows of a (height, width) canvas, cut into blocks of about a megapixel."""
    step = max(1, _BLOCK // max(1, width))
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))


def trim(rgba: Pixels) -> tuple[Pixels, int, int]:
    """(crop, x, y): the smallest part of (h, w, 4) that holds every alpha > 0; one pixel if there is none."""
    seen = rgba[..., 3] > 0
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if not rows.size:
        return rgba[:1, :1].copy(), 0, 0
    top, left = int(rows[0]), int(columns[0])
    return rgba[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1].copy(), left, top


def full_canvas(layer: Layer, size: tuple[int, int]) -> Pixels:
    """The layer as (height, width, 4) of a canvas of `size`; zeros outside, cut where it hangs over."""
    width, height = size
    canvas = np.zeros((height, width, 4), np.uint8)
    place = _overlap(layer, slice(0, height), width)
    if place is not None:
        rows, columns, part = place
        canvas[rows, columns] = part
    return canvas


def blocks(layers: Sequence[Layer], plate: Pixels) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Source-over of the layers (front to back) on the plate, in blocks: (rows, float64 (n, width, 3) in 0..255).

    Works on the stored sRGB values, as every editor does by default.
    """
    height, width = plate.shape[:2]
    for rows in row_blocks(width, height):
        block = plate[rows].astype(np.float64)
        for layer in reversed(layers):
            place = _overlap(layer, rows, width)
            if place is None:
                continue
            own, columns, part = place
            below = block[own.start - rows.start : own.stop - rows.start, columns]
            below += (part[..., :3] - below) * (part[..., 3:] / 255.0)
        yield rows, block


def over(layers: Sequence[Layer], plate: Pixels) -> NDArray[np.float64]:
    """`blocks` in one float64 (height, width, 3) array; 24 bytes per pixel."""
    out = np.empty(plate.shape, np.float64)
    for rows, block in blocks(layers, plate):
        out[rows] = block
    return out


def composite(scene: Scene) -> Pixels:
    """The scene put together again: uint8 (height, width, 3), rounded once at the end."""
    out = np.empty_like(scene.plate)
    for rows, block in blocks(scene.layers, scene.plate):
        out[rows] = np.rint(block)
    return out


def thumbnail(array: Pixels, side: int) -> Pixels:
    """Area average with the longer side at most `side`; RGBA is averaged premultiplied, so no dark fringes.

    Takes (h, w), (h, w, 3) or (h, w, 4) uint8 and keeps the number of channels; never enlarges.
    """
    import cv2

    height, width = array.shape[:2]
    scale = min(1.0, side / max(height, width))
    if scale == 1.0:
        return array.copy()
    size = max(1, round(width * scale)), max(1, round(height * scale))
    narrow = np.empty((height, size[0], *array.shape[2:]), np.float32)
    for rows in row_blocks(width, height):  # an area average is separable: across first, in blocks, then down
        part = array[rows].astype(np.float32)
        if array.ndim == 3 and array.shape[2] == 4:
            part[..., :3] *= part[..., 3:] / 255.0
        narrow[rows] = cv2.resize(part, (size[0], part.shape[0]), interpolation=cv2.INTER_AREA).reshape(
            narrow[rows].shape
        )
    small = cv2.resize(narrow, size, interpolation=cv2.INTER_AREA)
    if array.ndim == 3 and array.shape[2] == 4:
        small[..., :3] *= 255.0 / np.maximum(small[..., 3:], 1e-6)
    rounded: Pixels = np.rint(np.clip(small, 0, 255)).astype(np.uint8)
    return rounded


def _overlap(layer: Layer, rows: slice, width: int) -> tuple[slice, slice, Pixels] | None:
    """The layer's part inside canvas `rows`: (canvas rows, canvas columns, its pixels), or None."""
    height, wide = layer.pixels.shape[:2]
    top, bottom = max(layer.y, rows.start), min(layer.y + height, rows.stop)
    left, right = max(layer.x, 0), min(layer.x + wide, width)
    if top >= bottom or left >= right:
        return None
    part = layer.pixels[top - layer.y : bottom - layer.y, left - layer.x : right - layer.x]
    return slice(top, bottom), slice(left, right), part
