"""A portrait that turns its head and eyes, by geometry alone: landmarks, a depth map, one remap per cell.

There are no weights. The head's surface is turned about a pivot behind the face; the displacement that follows is
worked out on a small grid, turned around, enlarged and read through. Eyes are layers of their own, and with a matte
so is the background, which then stands still.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from models.errors import InvalidRequest
from models.requests import Image, PortraitRetarget, Run
from models.spec import Host

SMALLEST_CELL, LARGEST_CELL = 16, 4096  # px
AHEAD = 2  # cells per thread that are drawn before they are asked for


def load(host: Host) -> "MeshPortrait":
    """There are no weights; OpenCV is imported at the first call."""
    return MeshPortrait(host.threads)


class MeshPortrait:
    """A loaded model: portrait and poses in, cells out as they are taken. threads: cells drawn at once."""

    def __init__(self, threads: int = 1) -> None:
        self._threads = max(1, threads)

    def __call__(self, request: PortraitRetarget, run: Run) -> Iterator[Image]:
        """Cells, uint8 (h, w, 3), or (h, w, 4) as a cut-out; raises InvalidRequest before the first of them."""
        _check(request)
        return self._cells(request, run)

    def _cells(self, request: PortraitRetarget, run: Run) -> Iterator[Image]:
        from models.local.mesh_portrait.engine import Engine

        engine = Engine(request, self._threads)
        waiting: deque[Future[Image]] = deque()
        with ThreadPoolExecutor(self._threads) as workers:
            try:
                for pose in request.poses:
                    waiting.append(workers.submit(engine.cell, pose))
                    if len(waiting) > AHEAD * self._threads:
                        run.check()
                        yield waiting.popleft().result()
                while waiting:
                    run.check()
                    yield waiting.popleft().result()
            finally:
                for drawn in waiting:
                    drawn.cancel()

    def least_area(self, request: PortraitRetarget) -> float:
        """The least factor by which a small area shrinks over all poses (min det J); 0 and less means a fold."""
        from models.local.mesh_portrait.engine import Engine

        _check(request)
        engine = Engine(request)
        return min(engine.least_area(pose) for pose in request.poses)


def _check(request: PortraitRetarget) -> None:
    if request.points.shape != (478, 3):
        raise InvalidRequest("The landmarks of a face are 478 points.")
    if not SMALLEST_CELL <= request.size <= LARGEST_CELL:
        raise InvalidRequest(f"A cell is between {SMALLEST_CELL} and {LARGEST_CELL} px long.")
    if request.alpha is not None and request.alpha.shape != request.image.shape[:2]:
        raise InvalidRequest("The matte and the image differ in size.")
    if request.cutout and request.alpha is None:
        raise InvalidRequest("A cut-out needs a matte.")
    if request.expression:
        raise InvalidRequest("The mesh engine changes no expressions.", hint="Choose LivePortrait for that.")
    if min(request.calibration.yaw, request.calibration.pitch, request.calibration.gaze) <= 0:
        raise InvalidRequest("A calibration is above zero.")
