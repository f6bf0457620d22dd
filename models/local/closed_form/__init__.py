"""Closed-form matting (Levin, Lischinski, Weiss 2008) of a trimap's unknown band, at full resolution.

`load(host)` answers `Matting` requests that bring a trimap. Only numpy, scipy and OpenCV; nothing is downloaded
and nothing is compiled at run time.
"""

from models.errors import InvalidRequest
from models.requests import Alpha, Matting, Run
from models.spec import Host


def load(host: Host) -> "ClosedForm":
    """There are no weights; the solver's libraries are imported at the first call."""
    return ClosedForm()


class ClosedForm:
    """A loaded model: trimap in, alpha out."""

    def __call__(self, request: Matting, run: Run) -> Alpha:
        """Alpha, float32 (height, width) in [0, 1]: the trimap where it is sure, solved where it is not.

        Raises InvalidRequest when the trimap is missing, has another size, or is sure of nothing.
        """
        from models.local.closed_form.pyramid import solve

        trimap = request.trimap
        if trimap is None:
            raise InvalidRequest("Closed-form matting needs a trimap.")
        if trimap.shape != request.image.shape[:2]:
            raise InvalidRequest("The trimap and the image differ in size.")
        unknown = (trimap > 0) & (trimap < 1)
        if unknown.all():
            raise InvalidRequest("The trimap marks nothing as surely foreground or background.")
        return solve(request.image, trimap.astype("float32", copy=False), run)
