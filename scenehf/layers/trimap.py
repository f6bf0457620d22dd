"""From a mask to what is sure: the band that matting solves, and the hole that a plate fills."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.requests import Alpha, Mask
from scenehf.scene import Pixels

BAND = 0.008  # half-width of the unknown band, as a share of the long side; wider bands measured worse
NARROWEST = 3  # px
HOLE_MARGIN = 0.006  # how far a hole reaches beyond the last trace of its layer, as a share of the long side
TRACE = 0.01  # alpha above this leaves a ghost in the plate


def trimap(mask: Mask, half_width: int | None = None) -> Alpha:
    """1 inside, 0 outside, 0.5 within `half_width` pixels (default: BAND of the long side) of the mask's edge.

    The picture's own border is no edge: a subject cut off by the frame stays sure up to it.
    """
    reach = half_width or max(NARROWEST, round(BAND * max(mask.shape)))
    inside = mask.astype(np.uint8)
    result = np.full(mask.shape, 0.5, np.float32)
    result[_distance(inside) > reach] = 1
    result[_distance(1 - inside) > reach] = 0
    return result


def hole_around(alphas: Sequence[Alpha]) -> Mask:
    """What a plate without these layers has to fill: every trace of them, and a margin for their glow."""
    traces = np.logical_or.reduce([alpha > TRACE for alpha in alphas])
    margin = math.ceil(HOLE_MARGIN * max(traces.shape))
    hole: Mask = _distance(1 - traces.astype(np.uint8)) <= margin
    return hole


def _distance(inside: Pixels) -> NDArray[np.float32]:
    """How far each 1 is from the nearest 0, in pixels; huge where there is no 0."""
    import cv2

    distance: NDArray[np.float32] = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    return distance
