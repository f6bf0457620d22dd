"""From coarse to fine: a full solve at about a megapixel, then only the soft edge at each doubling.

A band of 0.8 % of a 16-megapixel picture holds a million pixels, almost all of which the coarse solution has
already settled. Each finer level therefore solves only where the coarser alpha is soft, in overlapping tiles
whose borders take the coarse alpha as boundary value, so that no seam shows and memory stays flat.
"""

from collections.abc import Iterator

import numpy as np

from models.local.closed_form.laplacian import solve_band
from models.requests import Alpha, Image, Mask, Run

COARSE_SIDE = 1280  # the long side up to which the whole band is solved at once
SOFT = 0.02  # alpha nearer than this to 0 or 1 is settled, and is clamped in the end
REACH = 3  # pixels around a soft one that stay open at the next finer level
TILE = 768
OVERLAP = 32


def solve(image: Image, trimap: Alpha, run: Run) -> Alpha:
    """Alpha in [0, 1] for every pixel; exactly the trimap where it is 0 or 1."""
    height, width = trimap.shape
    if max(height, width) <= COARSE_SIDE:
        return _clamped(solve_band(image, trimap, trimap, (trimap > 0) & (trimap < 1)))
    import cv2

    size = (width + 1) // 2, (height + 1) // 2
    small_image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    small_trimap = cv2.resize(trimap, size, interpolation=cv2.INTER_AREA)
    small_trimap[(small_trimap > 0) & (small_trimap < 1)] = 0.5
    coarse = solve(small_image, small_trimap, run)
    start = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return _refine(image, trimap, start, run)


def _refine(image: Image, trimap: Alpha, start: Alpha, run: Run) -> Alpha:
    """Solve again, at this level's resolution, where `start` is soft."""
    import cv2

    banded = (trimap > 0) & (trimap < 1)
    result = _clamped(np.where(banded, start, trimap))
    soft = ((result > 0) & (result < 1) & banded).astype(np.uint8)
    unknown = (cv2.dilate(soft, np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)) > 0) & banded
    given = result.copy()
    tiles = [tile for tile in _tiles(trimap.shape) if unknown[tile].any()]
    for done, tile in enumerate(tiles):
        run.check()
        run.progress(done / len(tiles), f"Matting at {trimap.shape[1]} x {trimap.shape[0]}")
        outer = _grown(tile, trimap.shape)
        here = unknown[outer] & _whole(outer, trimap.shape)
        inside = tuple(slice(t.start - o.start, t.stop - o.start) for t, o in zip(tile, outer, strict=True))
        result[tile] = solve_band(image[outer], given[outer], given[outer], here)[inside]
    return _clamped(result)


def _whole(outer: tuple[slice, slice], shape: tuple[int, ...]) -> Mask:
    """Where every window that holds the pixel lies inside the cut: not within two pixels of a cut edge."""
    whole = np.zeros((outer[0].stop - outer[0].start, outer[1].stop - outer[1].start), bool)
    y, x = (
        slice(2 if side.start > 0 else 0, -2 if side.stop < limit else None)
        for side, limit in zip(outer, shape, strict=True)
    )
    whole[y, x] = True
    return whole


def _clamped(alpha: Alpha) -> Alpha:
    alpha[alpha < SOFT] = 0
    alpha[alpha > 1 - SOFT] = 1
    return alpha


def _tiles(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    height, width = shape
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            yield slice(top, min(top + TILE, height)), slice(left, min(left + TILE, width))


def _grown(tile: tuple[slice, slice], shape: tuple[int, ...]) -> tuple[slice, slice]:
    y, x = (
        slice(max(0, side.start - OVERLAP), min(limit, side.stop + OVERLAP))
        for side, limit in zip(tile, shape, strict=True)
    )
    return y, x
