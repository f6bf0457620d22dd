"""The person and what is behind: two sheets that give the source again where nothing has moved.

The person's sheet holds what is left of the source once the background's share is taken out of it, so laying it back
unmoved gives the source exactly, however good the matte is; a matte's faults only show where something moves.
"""

from dataclasses import dataclass

import numpy as np

from models.requests import Alpha, Image

TRACE = 0.02  # alpha above it is no pure background
MARGIN = 0.008  # of the longer side: glow around the person that a matte misses
GLOW = 0.3  # alpha
REACH = 3  # px that the method looks around; more costs much and blurs


@dataclass(frozen=True, eq=False)
class Sheets:
    """person: uint8 (h, w, 4), colour times alpha, and alpha; background: uint8 (h, w, 3)."""

    person: Image
    background: Image


def split(image: Image, alpha: Alpha, *, explain: bool) -> Sheets:
    """Take image = person + (1 - alpha) background apart.

    explain: raise alpha where a pixel can be no mixture of this background and a real colour, so that the sheets
    give the image exactly; without it the matte is kept as it is.
    """
    background = _background(image, alpha)
    if explain:
        needed = _least_alpha(image, background)
        # Beyond the matte a faint trace is the person's glow; something strong is the wall's own pattern.
        own = (alpha <= TRACE) & (needed > GLOW)
        background[own], needed[own] = image[own], 0
        alpha = np.maximum(alpha, needed)
    opaque = np.ceil(np.clip(alpha, 0, 1) * 255 - 1e-3).astype(np.float32)
    sheet = np.empty((*alpha.shape, 4), np.uint8)
    rest = image - background * ((255 - opaque) / 255)[..., None]
    sheet[..., :3] = np.clip(rest + 0.5, 0, opaque[..., None])
    sheet[..., 3] = opaque
    return Sheets(sheet, background)


def _least_alpha(image: Image, background: Image) -> Alpha:
    """The least alpha with which some colour over this background gives the image's, float32 (height, width)."""
    seen, behind = image.astype(np.float32), background.astype(np.float32)
    darker = 1 - seen / np.maximum(behind, 1)
    lighter = (seen - behind) / np.maximum(255 - behind, 1)
    needed = np.maximum(darker, lighter).max(axis=2)
    return np.clip(np.where(np.abs(seen - behind).max(axis=2) < 1, 0, needed), 0, 1).astype(np.float32)


def _background(image: Image, alpha: Alpha) -> Image:
    """The picture with the person painted over from its edge inwards: only a rim of it is ever seen.

    Telea's fast marching carries the lines that run into the person on for the few pixels that count.
    """
    import cv2

    margin = max(1, round(MARGIN * max(alpha.shape)))
    hole = cv2.dilate((alpha > TRACE).astype(np.uint8), np.ones((2 * margin + 1,) * 2))
    if hole.all():
        return image.copy()
    result: Image = cv2.inpaint(image, hole, REACH, cv2.INPAINT_TELEA)
    return result
