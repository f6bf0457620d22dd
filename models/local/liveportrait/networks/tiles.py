"""Machine code for `winograd`: pixels to what is multiplied in one pass, products, and back to pixels in one pass.

In torch's own operations the transforms are many passes over memory and cost more than the multiplications they save.
All arrays are float32 and contiguous, channels last; nothing here holds Python's lock.
"""

import numpy as np
from numpy.typing import NDArray

from models.local.liveportrait.networks.compiled import compiled

TILE, STEP = 6, 4  # pixels read, and written, along each side
# A plain 4 would make everything that it is multiplied with double precision.
ZERO, TWO, FOUR, FIVE, EIGHT = (np.float32(value) for value in (0, 2, 4, 5, 8))
Floats = NDArray[np.float32]


@compiled
def read(x: Floats, first: int, rows: int, columns: int, seen: Floats, start: int) -> None:
    """Fill seen (36, D * rows * columns * C or more) from x (D, H, W, C), in rows of tiles `first` on, from place
    `start` on. Tiles overlap by two pixels; around x there is nothing but zeros."""
    depth, height, width, channels = x.shape
    patch = np.empty((1, TILE, TILE, channels), np.float32)
    half = np.empty((TILE, TILE, channels), np.float32)
    for layer in range(depth):
        for row in range(rows):
            for column in range(columns):
                to = start + ((layer * rows + row) * columns + column) * channels
                y, left = (first + row) * STEP - 1, column * STEP - 1
                if y >= 0 and left >= 0 and y + TILE <= height and left + TILE <= width:
                    _forth(x, layer, y, left, half, seen, to)
                    continue
                for i in range(TILE):
                    for j in range(TILE):
                        inside = 0 <= y + i < height and 0 <= left + j < width
                        for k in range(channels):
                            patch[0, i, j, k] = x[layer, y + i, left + j, k] if inside else ZERO
                _forth(patch, 0, 0, 0, half, seen, to)


@compiled
def _forth(x: Floats, layer: int, y: int, left: int, half: Floats, seen: Floats, to: int) -> None:
    """One tile. The inner loops run along channels: that is what a compiler turns into wide instructions."""
    channels = x.shape[3]
    for i in range(TILE):
        at = left + i
        for k in range(channels):
            a, b, c = x[layer, y, at, k], x[layer, y + 1, at, k], x[layer, y + 2, at, k]
            d, e, f = x[layer, y + 3, at, k], x[layer, y + 4, at, k], x[layer, y + 5, at, k]
            even, odd, near, far = d - FOUR * b, e - FOUR * c, e - c, TWO * (d - b)
            half[0, i, k] = FOUR * a - FIVE * c + e
            half[1, i, k] = odd + even
            half[2, i, k] = odd - even
            half[3, i, k] = near + far
            half[4, i, k] = near - far
            half[5, i, k] = FOUR * b - FIVE * d + f
    for j in range(TILE):
        plane = j * TILE
        for k in range(channels):
            a, b, c = half[j, 0, k], half[j, 1, k], half[j, 2, k]
            d, e, f = half[j, 3, k], half[j, 4, k], half[j, 5, k]
            even, odd, near, far = d - FOUR * b, e - FOUR * c, e - c, TWO * (d - b)
            seen[plane, to + k] = FOUR * a - FIVE * c + e
            seen[plane + 1, to + k] = odd + even
            seen[plane + 2, to + k] = odd - even
            seen[plane + 3, to + k] = near + far
            seen[plane + 4, to + k] = near - far
            seen[plane + 5, to + k] = FOUR * b - FIVE * d + f


@compiled
def write(product: Floats, room: int, bias: Floats, slope: float, out: Floats, first: int, rows: int) -> None:
    """Fill rows of 4 x 4 tiles `first` on in out (D, H, W, C), from product (36, D * rows * columns * room or more),
    of whose `room` channels C are used. What is below zero is multiplied with `slope`."""
    depth, _, width, channels = out.shape
    columns = width // STEP
    half = np.empty((STEP, TILE, channels), np.float32)
    steep = np.float32(slope)
    for layer in range(depth):
        for row in range(rows):
            for column in range(columns):
                at = ((layer * rows + row) * columns + column) * room
                _back(product, at, half, bias, steep, out, layer, (first + row) * STEP, column * STEP)


@compiled
def _back(
    product: Floats,
    at: int,
    half: Floats,
    bias: Floats,
    slope: np.float32,
    out: Floats,
    layer: int,
    top: int,
    x: int,
) -> None:
    """One tile."""
    channels = out.shape[3]
    for i in range(TILE):
        for k in range(channels):
            a, b, c = product[i, at + k], product[i + 6, at + k], product[i + 12, at + k]
            d, e, f = product[i + 18, at + k], product[i + 24, at + k], product[i + 30, at + k]
            near, far, left, right = b + c, d + e, b - c, d - e
            half[0, i, k] = a + near + far
            half[1, i, k] = left + TWO * right
            half[2, i, k] = near + FOUR * far
            half[3, i, k] = left + EIGHT * right + f
    for j in range(STEP):
        y = top + j
        for k in range(channels):
            a, b, c = half[j, 0, k], half[j, 1, k], half[j, 2, k]
            d, e, f = half[j, 3, k], half[j, 4, k], half[j, 5, k]
            near, far, left, right = b + c, d + e, b - c, d - e
            one, two = a + near + far + bias[k], left + TWO * right + bias[k]
            three, four = near + FOUR * far + bias[k], left + EIGHT * right + f + bias[k]
            out[layer, y, x, k] = max(one, ZERO) + slope * min(one, ZERO)
            out[layer, y, x + 1, k] = max(two, ZERO) + slope * min(two, ZERO)
            out[layer, y, x + 2, k] = max(three, ZERO) + slope * min(three, ZERO)
            out[layer, y, x + 3, k] = max(four, ZERO) + slope * min(four, ZERO)
