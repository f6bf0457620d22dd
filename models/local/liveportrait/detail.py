"""What a network left out of a portrait, carried back in along with the head.

The network's own picture of the source, unmoved, is compared with the source: the difference is what it cannot draw
(pores, hair, the colours of this very photo). Optical flow from a cell back to that picture says where each piece of
the difference belongs now. Nothing is added where the flow does not explain the cell, so edges get no halo, and an
unmoved cell is the source itself.
"""

import numpy as np
from numpy.typing import NDArray

from models.requests import Image

Floats = NDArray[np.float32]

SMOOTH = 2.0  # px: how far the flow is blurred
TRUST, REACH = 10.0, 3.0  # levels of difference at which trust has sunk to 1/e, and px that it is blurred by


class Detail:
    """What `base` lacks of `source`, both uint8 (h, w, 3)."""

    def __init__(self, source: Image, base: Image) -> None:
        import cv2

        self._grey = cv2.cvtColor(base, cv2.COLOR_RGB2GRAY)
        self._base = base
        self._lacking = source.astype(np.float32) - base
        height, width = self._grey.shape
        self._places = np.dstack(np.meshgrid(np.arange(width), np.arange(height))).astype(np.float32)

    def origins(self, cell: Image) -> Floats:
        """float32 (h, w, 2): where in the base each pixel of the cell was."""
        import cv2

        if np.array_equal(cell, self._base):
            return self._places
        # Not kept: one search must not be used by two threads at once.
        search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        flow = search.calc(cv2.cvtColor(cell, cv2.COLOR_RGB2GRAY), self._grey, None)
        return np.asarray(self._places + cv2.GaussianBlur(flow, (0, 0), SMOOTH), np.float32)

    def added(self, cell: Image, origins: Floats) -> Floats:
        """float32 (h, w, 3), levels: the cell with what it lacks."""
        import cv2

        there = cv2.remap(self._base, origins, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        missed = cv2.absdiff(there, cell).max(axis=2).astype(np.float32)
        trust = np.exp(-((cv2.GaussianBlur(missed, (0, 0), REACH) / TRUST) ** 2))
        lacking = cv2.remap(self._lacking, origins, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(cell + lacking * trust[..., None], np.float32)
