"""Laying a service's redraw of a picture over the picture itself: it comes back moved and scaled by a little.

Sought is the motion (two shifts, two scales) under which what the redraw shows differs least from the photo, from
coarse to fine. Differences are cut off at a limit, so that what was painted anew does not count for more than that.
"""

import numpy as np
from numpy.typing import NDArray

from models.requests import Image, Mask

SIDES = (96, 320, 960)  # px of the longer side, from coarse to fine
STARTS = (-0.04, -0.02, 0.0, 0.02, 0.04)  # shifts that are tried first, of the longer side
STEPS = (0.01, 0.003, 0.001)  # how far the search looks around at each side, of the longer side
LIMIT = 48.0  # of 255
FEWEST = 64  # pixels that say something
FARTHEST = 0.08  # of the longer side: a redraw that seems moved farther is no redraw
MOST_SCALED = 0.08
LEAST_ALIKE = 0.5  # correlation below which the two pictures do not show the same thing

Motion = NDArray[np.float64]  # shift x, shift y, in longer sides; scale x, scale y, less 1


def aligned(redraw: Image, source: Image, where: Mask) -> Image | None:
    """The redraw moved and scaled so that it lies over the source; both uint8 (height, width, 3). where: the pixels of
    the redraw that are to be found again. None if the two do not show the same thing. Measured to half a pixel."""
    import cv2

    height, width = source.shape[:2]
    if where.sum() < FEWEST:
        return None
    motion = np.zeros(4)
    for side, step in zip(SIDES, STEPS, strict=True):
        scale = min(1.0, side / max(height, width))
        size = max(8, round(width * scale)), max(8, round(height * scale))
        seen, wanted = (
            cv2.resize(one, size, interpolation=cv2.INTER_AREA).astype(np.float32) for one in (redraw, source)
        )
        weight = cv2.resize(where.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        motion = _sought(seen, wanted, weight, motion, step, anywhere=side == SIDES[0])
    far = np.abs(motion[:2]).max() > FARTHEST or np.abs(motion[2:]).max() > MOST_SCALED
    if far or _alike(redraw, source, where, motion) < LEAST_ALIKE:
        return None
    result: Image = cv2.warpAffine(
        redraw,
        _matrix(motion, width, height),
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(255,) * 3,
    )
    return result


def _sought(
    seen: NDArray[np.float32],
    wanted: NDArray[np.float32],
    weight: NDArray[np.float32],
    motion: Motion,
    step: float,
    *,
    anywhere: bool,
) -> Motion:
    """The motion of least difference near this one, or also far from it."""
    from scipy.optimize import minimize

    total = float(weight.sum()) or 1.0

    def difference(tried: Motion) -> float:
        far = np.abs(_laid(wanted, tried) - seen).mean(axis=2)
        return float((np.minimum(far, LIMIT) * weight).sum()) / total

    if anywhere:
        motion = min(
            (np.array([dx, dy, 0.0, 0.0]) for dx in STARTS for dy in STARTS), key=lambda one: difference(one)
        )
    corners = np.vstack([motion, motion + np.eye(4) * step])
    options = {"initial_simplex": corners, "xatol": step / 50, "fatol": 1e-4, "maxfev": 160}
    found: Motion = minimize(difference, motion, method="Nelder-Mead", options=options).x
    return found


def _laid(source: NDArray[np.float32], motion: Motion) -> NDArray[np.float32]:
    """The source as the redraw would show it after this motion."""
    import cv2

    height, width = source.shape[:2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    matrix = _matrix(motion, width, height)
    result: NDArray[np.float32] = cv2.warpAffine(
        source, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return result


def _matrix(motion: Motion, width: int, height: int) -> NDArray[np.float64]:
    """From a pixel of the redraw to one of the source; scales keep the middle of the picture where it is."""
    longest = max(width, height)
    x, y = (width - 1) / 2, (height - 1) / 2
    a, d = 1 + motion[2], 1 + motion[3]
    return np.array([[a, 0, motion[0] * longest + x - a * x], [0, d, motion[1] * longest + y - d * y]])


def _alike(redraw: Image, source: Image, where: Mask, motion: Motion) -> float:
    """Correlation of the two under this motion, over all channels."""
    pair = (redraw.astype(np.float32), _laid(source.astype(np.float32), motion))
    seen, wanted = (one[where].ravel() for one in pair)
    if seen.std() < 1 or wanted.std() < 1:  # one even colour: then being the same is all there is to ask
        return float(np.abs(seen - wanted).mean() < LIMIT / 2)
    return float(np.corrcoef(seen, wanted)[0, 1])
