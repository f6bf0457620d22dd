"""Plates by texture synthesis: PatchMatch (Barnes et al. 2009) through PyPatchMatch, and shift maps.

Deterministic: the library seeds a generator of its own thread at every call, everything else is arithmetic.
"""

from typing import overload

from models.errors import InvalidRequest
from models.requests import Image, ImageEdit, Inpainting, Mask, Run
from models.spec import Host


def load(host: Host) -> "PatchMatch":
    """The native library is loaded at the first call."""
    return PatchMatch()


class PatchMatch:
    """A loaded model: image and hole in, image with the hole filled out."""

    @overload
    def __call__(self, request: Inpainting, run: Run) -> Image: ...

    @overload
    def __call__(self, request: ImageEdit, run: Run) -> tuple[Image, ...]: ...

    def __call__(self, request: Inpainting | ImageEdit, run: Run) -> Image | tuple[Image, ...]:
        """uint8 (height, width, 3); outside the mask byte-identical to the request's image. An edit fills its mask out
        wherever that is above 0; words are not read.

        Raises InvalidRequest when sizes differ or the mask leaves nothing to copy from.
        """
        if isinstance(request, Inpainting):
            return self._filled(request.image, request.mask, run)
        if request.mask is None:
            raise InvalidRequest("There is no mask.", hint="Paint over what is to go.")
        return (self._filled(request.images[0], request.mask > 0, run),)

    def _filled(self, image: Image, mask: Mask, run: Run) -> Image:
        from models.local.patchmatch.fill import fill

        if mask.shape != image.shape[:2]:
            raise InvalidRequest("The mask and the image differ in size.")
        if mask.all():
            raise InvalidRequest(
                "The hole covers the whole picture, so there is no background to continue.",
                hint="Leave some background outside the removed objects.",
            )
        return fill(image, mask, run)
