"""The values that the product is about: a source picture, its layers, a scene. Plain data, no behaviour."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Source:
    """What the one door returns: upright, sRGB, 8 bit.

    pixels: uint8 (height, width, 3). alpha: uint8 (height, width), the picture's own transparency, or None.
    notices: sentences that the person should see (first frame only, colours converted ...).
    """

    pixels: Pixels
    alpha: Pixels | None
    notices: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]


@dataclass(frozen=True, eq=False)
class Layer:
    """One RGBA sheet. pixels: uint8 (h, w, 4), straight alpha, trimmed to its bounds; x, y: where its top
    left corner lies on the canvas; z: larger is nearer to the viewer."""

    id: str
    name: str
    z: int
    pixels: Pixels
    x: int
    y: int


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture taken apart. layers: front to back. plate, source: uint8 (height, width, 3)."""

    layers: tuple[Layer, ...]
    plate: Pixels
    source: Pixels

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the canvas in pixels."""
        return self.plate.shape[1], self.plate.shape[0]
