"""Exact sizes: how a picture of any size gets to a model that takes only some, and comes back to the pixel.

A picture that is too narrow for a model is padded by its own edge, then all of it is stretched to a size that the model
takes; an answer of whatever size is stretched back and the padding cut off. Both ways go from whole frame to whole
frame, so that nothing moves.
"""

from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from PIL import Image as Picture

from models.requests import Alpha, Image
from models.spec import Limits, Size
from scenehf.pixels.sheets import row_blocks


@dataclass(frozen=True)
class Frame:
    """size: of the picture. padded: with its edge repeated, around it from `corner` on. sent: what the model sees."""

    size: Size
    padded: Size
    corner: Size
    sent: Size

    @property
    def enlarged(self) -> bool:
        """Whether the answer has fewer pixels than the picture, so that its detail is not the picture's."""
        return self.sent[0] < self.padded[0] or self.sent[1] < self.padded[1]

    def inwards(self, image: Image) -> Image:
        """The picture as the model sees it; uint8 (height, width, 3)."""
        (width, height), (left, top) = self.size, self.corner
        right, bottom = self.padded[0] - width - left, self.padded[1] - height - top
        padded = np.pad(image, ((top, bottom), (left, right), (0, 0)), mode="edge")
        return _stretched(padded, self.sent)

    def mask_inwards(self, mask: Alpha) -> Alpha:
        """A mask of the picture as the model sees it: nothing of the padding may change. What may change by the least
        bit still may."""
        import cv2

        (width, height), (left, top) = self.size, self.corner
        right, bottom = self.padded[0] - width - left, self.padded[1] - height - top
        padded = np.pad(mask, ((top, bottom), (left, right)))
        shrinks = self.sent[0] < self.padded[0]
        kind = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        result: Alpha = np.clip(cv2.resize(padded, self.sent, interpolation=kind), 0, 1).astype(np.float32)
        return result

    def back(self, answer: Image) -> Image:
        """The answer in the picture's own size; uint8 (height, width, 3)."""
        (width, height), (left, top) = self.size, self.corner
        whole = _stretched(answer, self.padded)
        return np.ascontiguousarray(whole[top : top + height, left : left + width])


def frame(size: Size, limits: Limits) -> Frame:
    """How a picture of this size goes to a model of these limits."""
    width, height = size
    padded = max(width, ceil(height / limits.ratio)), max(height, ceil(width / limits.ratio))
    corner = (padded[0] - width) // 2, (padded[1] - height) // 2
    return Frame(size, padded, corner, _sent(padded, limits))


def laid(answer: Image, image: Image, mask: Alpha | None) -> Image:
    """The answer where the mask lets it, the picture elsewhere: where the mask is 0, it is the picture's own pixels."""
    if mask is None:
        return answer
    mixed = image.copy()
    for rows in row_blocks(image.shape[1], image.shape[0]):
        weight = mask[rows, :, None]
        mixed[rows] = np.rint(answer[rows] * weight + image[rows] * (1 - weight))
    return mixed


def _sent(padded: Size, limits: Limits) -> Size:
    """The size nearest to `padded` that the model takes, in its multiples where there is one."""
    (least, most), step = limits.side, limits.multiple
    width, height = padded
    scale = max(1.0, least / min(padded))
    scale = min(scale, most / max(padded), sqrt(limits.pixels / (width * height)))
    low, high = ceil(least / step) * step, most // step * step
    sides = [min(max(round(side * scale / step) * step, low), high) for side in padded]
    while sides[0] * sides[1] > limits.pixels or max(sides) > limits.ratio * min(sides):
        longer = int(sides[1] > sides[0])
        sides[longer] -= step
    return sides[0], sides[1]


def _stretched(image: Image, size: Size) -> Image:
    if image.shape[1::-1] == size:
        return image
    return np.asarray(Picture.fromarray(image).resize(size, Picture.Resampling.LANCZOS))
