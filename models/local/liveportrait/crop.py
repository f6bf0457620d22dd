"""The square that the networks see, cut from a picture along its face, and laid back into it.

The square is turned so that eyes and mouth are upright, and framed as the published weights were trained.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.requests import Image

Floats = NDArray[np.float32]
Points = NDArray[np.floating]

SIDE, SEEN = 512, 256  # px: of the square and of what comes out; of what the networks see
SCALE, LIFT = 2.3, -0.125  # the square in faces; how far its middle lies below the face's, in squares
# MediaPipe's mesh: iris centres and the lower lip's middle tell how the face is turned.
EYES, LIP = (468, 473), 14
# Jaw and eyebrows frame the face as the weights' own landmarks did; the mesh goes on to the hairline, they do not.
FRAME = (
    234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 1, 33, 263, 61, 291, 17,
)  # fmt: skip
EXACT_FEATHER = 16  # px of the square: that of the published template, and visible
FEATHER = 96  # px of the square: ours
NO_DIRECTION = 1e-3  # px: eyes and mouth this near together tell no direction


@dataclass(frozen=True, eq=False)
class Crop:
    """A square of a picture. into, back: float32 (3, 3), from px of the picture to px of the square and back."""

    into: Floats
    back: Floats

    def cut(self, image: Image) -> Image:
        """uint8 (512, 512, 3)."""
        import cv2

        return np.asarray(
            cv2.warpAffine(image, self.into[:2], (SIDE, SIDE), flags=cv2.INTER_LINEAR), np.uint8
        )

    def laid(self, square: Image | Floats, size: tuple[int, int]) -> Image | Floats:
        """The square in a picture of `size` (width, height), black around it."""
        import cv2

        laid: Image | Floats = cv2.warpAffine(square, self.back[:2], size, flags=cv2.INTER_LINEAR)
        return laid


def shrunk(square: Image) -> Image:
    """uint8 (256, 256, 3): what the networks see of a square."""
    import cv2

    return np.asarray(cv2.resize(square, (SEEN, SEEN), interpolation=cv2.INTER_AREA), np.uint8)


def crop_of(mesh: Points) -> Crop:
    """The square for a face of 478 landmarks, (478, 2 or 3) px."""
    flat = mesh[:, :2].astype(np.float64)
    eyes = flat[list(EYES)].mean(axis=0)
    return crop_along(flat[list(FRAME)], (eyes, flat[LIP]))


def crop_along(
    points: Points, upright: tuple[Points, Points], *, side: int = SIDE, scale: float = SCALE,
    lift: float = LIFT, turn: bool = True,
) -> Crop:  # fmt: skip
    """The square around `points` (n, 2) px, upright from the first of two points (eyes) to the second (mouth).

    scale: its side in sides of the points' own square; lift: how far it is moved along that direction, in its sides.
    turn: without it the square stays level, though it is measured along the direction.
    """
    down = np.asarray(upright[1], np.float64) - upright[0]
    apart = np.linalg.norm(down)
    down = down / apart if apart > NO_DIRECTION else np.array([0.0, 1.0])
    # Rounded here as the published cropper does, so that both give the same square to 1e-4 px.
    right = np.array([down[1], -down[0]], np.float32)
    axes = np.array([right, down])
    middle = points.mean(axis=0)
    along = (points - middle) @ axes.T
    low, high = along.min(axis=0), along.max(axis=0)
    length = float((high - low).max()) * scale
    centre = middle + ((low + high) / 2) @ axes + down * (lift * length)
    angle = np.arccos(np.float64(right[0])) * (-1 if right[1] < 0 else 1) if turn else 0.0
    c, s = side / length * np.cos(angle), side / length * np.sin(angle)
    x, y = centre
    rows = [[c, s, side / 2 - c * x - s * y], [-s, c, side / 2 + s * x - c * y], [0, 0, 1]]
    into = np.array(rows, np.float32)
    return Crop(into, np.linalg.inv(into))


def template(feather: int = EXACT_FEATHER) -> Floats:
    """float32 (512, 512), [0, 1]: 1 inside, falling to 0 at the border over `feather` px, in steps of 1/255."""
    # How far each px lies outside of an inner square whose border is `feather` px from ours.
    place = np.arange(SIDE)
    out = np.maximum(np.maximum(feather - place, place - (SIDE - feather)), 0)
    distance = np.hypot(out[:, None], out[None])
    return np.asarray(np.floor(255 * np.clip(1 - distance / feather, 0, 1)) / 255, np.float32)
