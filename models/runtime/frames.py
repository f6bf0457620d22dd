"""Exact sizes: from pictures of any size to what the network can work on, and back to the first picture's own pixels.

Networks work on multiples of 16 px. A picture is made larger by a few mirrored pixels for that and the result cut to
size, so that nothing is scaled and nothing moves. Only what is larger than a network was trained for is edited at a
smaller size; then the change alone is brought up and laid over the picture, whose own detail stays where nothing
changed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pictures

from models.errors import InvalidRequest
from models.requests import Alpha, Image
from models.spec import Fit

CELL = 8  # px of a latent
MULTIPLE = 2 * CELL  # a token is of two by two latents
BAND = 512  # rows that are brought back to full size at a time
FAINT, CLEAR = 6.0, 24.0  # levels: less of a change keeps the picture's own detail, more replaces it
NEAR = 2.0  # px at the working size: how far a change reaches
SMALLEST, LARGEST = 1, 8192  # px of a side

Floats = NDArray[np.float32]
Number = TypeVar("Number", np.uint8, np.float32)


@dataclass(frozen=True, eq=False)
class Frame:
    """One edit's picture. original: as it came, or two side by side; small: as large as it is worked on; padded:
    `small` and a border to the right and below; references: padded pictures that are looked at, the first being
    `padded`."""

    original: Image
    small: Image
    padded: Image
    references: tuple[Image, ...]

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of what the network works on."""
        return self.padded.shape[1], self.padded.shape[0]


def framed(pictures: Sequence[Image], fit: Fit, *, joined: bool = False) -> Frame:
    """The frame of an edit of the first of these pictures; joined: of them side by side. Raises InvalidRequest."""
    for picture in pictures:
        if not all(SMALLEST <= side <= LARGEST for side in picture.shape[:2]):
            raise InvalidRequest(f"A picture has sides of {SMALLEST} to {LARGEST} px here.")
    original = side_by_side(pictures) if joined else pictures[0]
    small = fitted(original, fit.most)
    padded = bordered(small, fit.least)
    others = () if joined else pictures[1:]
    seen = tuple(bordered(fitted(picture, fit.reference), fit.least) for picture in others)
    return Frame(original, small, padded, (padded, *seen))


def side_by_side(pictures: Sequence[Image]) -> Image:
    """The pictures next to each other, all as high as the first."""
    height = pictures[0].shape[0]
    row = [pictures[0]]
    for picture in pictures[1:]:
        width = max(1, round(picture.shape[1] * height / picture.shape[0]))
        row.append(resized(picture, width, height))
    return np.ascontiguousarray(np.concatenate(row, axis=1)) if len(row) > 1 else row[0]


def fitted(picture: Image, most: int) -> Image:
    """The picture if it has at most `most` pixels, else smaller by as little as need be."""
    height, width = picture.shape[:2]
    scale = math.sqrt(most / (width * height))
    if scale >= 1:
        return picture
    return resized(picture, max(1, math.floor(width * scale)), max(1, math.floor(height * scale)))


def resized(picture: Image, width: int, height: int) -> Image:
    """By Lanczos, from centre to centre, so that nothing moves."""
    if picture.shape[:2] == (height, width):
        return picture
    return np.asarray(Pictures.fromarray(picture).resize((width, height), Pictures.Resampling.LANCZOS))


def bordered(picture: NDArray[Number], least: int = MULTIPLE) -> NDArray[Number]:
    """With mirrored pixels to the right and below, up to whole multiples and to `least`, itself one; the last pixel
    again where there are too few to mirror."""
    right, below = (max(-side % MULTIPLE, least - side) for side in (picture.shape[1], picture.shape[0]))
    widths = ((0, below), (0, right), (0, 0))[: picture.ndim]
    enough = picture.shape[0] > below and picture.shape[1] > right
    return np.ascontiguousarray(np.pad(picture, widths, mode="reflect" if enough else "edge"))


def cells(mask: Alpha, frame: Frame) -> NDArray[np.bool_]:
    """bool (rows, columns) of the latents that may change: all that the mask touches. mask: of the first picture."""
    spread = _spread(mask, frame)
    height, width = frame.small.shape[:2]
    if spread.shape != (height, width):
        touched = Pictures.fromarray(spread).resize((width, height), Pictures.Resampling.BOX)
        spread = np.asarray(touched, np.float32)
    columns, rows = (side // CELL for side in frame.size)
    padded = np.zeros((rows * CELL, columns * CELL), np.float32)
    padded[:height, :width] = spread
    return np.asarray(padded.reshape(rows, CELL, columns, CELL).max(axis=(1, 3)) > 0)


def brought_back(drawn: Image, frame: Frame, mask: Alpha | None = None) -> Image:
    """uint8 as large as the original: `drawn`, of the frame's size, in its place. Where the mask is 0 the original
    stays to the last bit."""
    height, width = frame.small.shape[:2]
    found = drawn[:height, :width]
    if frame.small is not frame.original:
        found = _enlarged(found, frame)
    if mask is None:
        return np.ascontiguousarray(found)
    share = _spread(mask, frame)
    answer = frame.original.copy()
    for top in range(0, len(answer), BAND):
        own, new, some = (layer[top : top + BAND] for layer in (frame.original, found, share[..., None]))
        mixed = np.clip(own + (new.astype(np.float32) - own) * some + 0.5, 0, 255).astype(np.uint8)
        np.copyto(answer[top : top + BAND], mixed, where=some > 0)
    return answer


def _spread(mask: Alpha, frame: Frame) -> Alpha:
    """The mask over the whole original: nothing of a picture at its side may change."""
    height, width = frame.original.shape[:2]
    if mask.shape == (height, width):
        return mask
    if mask.shape[0] != height or mask.shape[1] > width:
        raise InvalidRequest("The mask and the first picture differ in size.")
    return np.pad(mask, ((0, 0), (0, width - mask.shape[1])))


def _enlarged(found: Image, frame: Frame) -> Image:
    """The original and the change of its small copy. What changed clearly loses the original's fine detail, which
    belongs to what is no longer there."""
    change = found.astype(np.float32) - frame.small
    clear = _clear(change)
    smoothed = frame.small.astype(np.float32)
    height, width = frame.original.shape[:2]
    answer = np.empty_like(frame.original)
    for top in range(0, height, BAND):
        rows = slice(top, min(top + BAND, height))
        own = frame.original[rows].astype(np.float32)
        above = [_band(layer, rows, width, height) for layer in (change, smoothed, clear[..., None])]
        detail = own - above[1]
        answer[rows] = np.clip(own + above[0] - np.clip(above[2], 0, 1) * detail + 0.5, 0, 255)
    return answer


def _clear(change: Floats) -> Floats:
    """(height, width) in [0, 1]: how clearly something changed there."""
    import cv2

    around = cv2.GaussianBlur(np.abs(change).max(axis=2), (0, 0), NEAR)
    step = np.clip((around - FAINT) / (CLEAR - FAINT), 0, 1)
    return np.asarray(step * step * (3 - 2 * step), np.float32)


def _band(layer: Floats, rows: slice, width: int, height: int) -> Floats:
    """Some rows of a layer brought to the original's size."""
    scale = layer.shape[0] / height
    box = (0, rows.start * scale, layer.shape[1], min(rows.stop * scale, layer.shape[0]))
    size = (width, rows.stop - rows.start)
    planes = [
        Pictures.fromarray(np.ascontiguousarray(layer[..., channel])).resize(
            size, Pictures.Resampling.BICUBIC, box=box
        )
        for channel in range(layer.shape[2])
    ]
    return np.stack([np.asarray(plane, np.float32) for plane in planes], axis=2)
