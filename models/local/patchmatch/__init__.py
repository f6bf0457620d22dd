"""Plates by texture synthesis: PatchMatch (Barnes et al. 2009) through PyPatchMatch, and shift maps.

Deterministic: the library seeds a generator of its own thread at every call, everything else is arithmetic.
"""

from models.errors import InvalidRequest
from models.requests import Image, Inpainting, Run
from models.spec import Host


def load(host: Host) -> "PatchMatch":
    """The native library is loaded at the first call."""
    return PatchMatch()


class PatchMatch:
    """A loaded model: image and hole in, image with the hole filled out."""

    def __call__(self, request: Inpainting, run: Run) -> Image:
        """uint8 (height, width, 3); outside the mask byte-identical to the request's image.

        Raises InvalidRequest when sizes differ or the mask leaves nothing to copy from.
        """
        from models.local.patchmatch.fill import fill

        image, mask = request.image, request.mask
        if mask.shape != image.shape[:2]:
            raise InvalidRequest("The mask and the image differ in size.")
        if mask.all():
            raise InvalidRequest(
                "The hole covers the whole picture, so there is no background to continue.",
                hint="Leave some background outside the removed objects.",
            )
        return fill(image, mask, run)
