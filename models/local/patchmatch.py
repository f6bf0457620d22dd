"""Plates by texture synthesis: PatchMatch (Barnes et al. 2009) through PyPatchMatch.

Deterministic: the library starts every call from one seed, per thread.
"""

import numpy as np

from models.errors import InvalidRequest
from models.requests import Image, Inpainting, Mask, Run
from models.spec import Host

RADIUS = 5  # PyPatchMatch's `patch_size` is a radius: patches of 11 x 11
WORK_SIDE = 1024  # texture is laid out at no more than this long side


def load(host: Host) -> "PatchMatch":
    """The native library is loaded at the first call."""
    return PatchMatch()


class PatchMatch:
    """A loaded model: image and hole in, image with the hole filled out."""

    def __call__(self, request: Inpainting, run: Run) -> Image:
        """uint8 (height, width, 3); outside the mask byte-identical to the request's image.

        Raises InvalidRequest when sizes differ or the mask leaves nothing to copy from.
        """
        if request.mask.shape != request.image.shape[:2]:
            raise InvalidRequest("The mask and the image differ in size.")
        if request.mask.all():
            raise InvalidRequest(
                "The hole covers the whole picture.",
                hint="Leave some background outside the removed objects.",
            )
        if not request.mask.any():
            return request.image.copy()
        return _fill(request.image, request.mask)


def _fill(image: Image, mask: Mask) -> Image:
    import cv2
    from patchmatch import patch_match

    height, width = mask.shape
    scale = min(1.0, WORK_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    hole = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    filled = patch_match.inpaint(small, hole, patch_size=RADIUS)
    large = cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.where(mask[..., None], large, image)
