"""LivePortrait with the published weights: a portrait that turns its head, looks around and changes its face.

The networks are our own (see `networks`); the landmarks come with the request, so no other model is needed. A portrait
is encoded once, poses are painted in batches, and what the networks cannot draw is carried back in from the source.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from models.errors import InvalidRequest, ResultInvalid
from models.local.liveportrait.expressions import complaint
from models.requests import Image, PortraitRetarget, Pose, Run
from models.runtime import hub
from models.runtime.device import best_device
from models.spec import Host

if TYPE_CHECKING:
    from torch import nn

    from models.local.liveportrait.engine import Engine
    from models.local.liveportrait.networks.chip import Chip

WEIGHTS = "liveportrait"
SMALLEST_CELL, LARGEST_CELL = 16, 4096  # px


def build(name: str, state: Mapping[str, Any]) -> "nn.Module":
    """One network by its name in the manifest of tensors, with this state: see `networks.build`."""
    from models.local.liveportrait import networks

    return networks.build(name, state)


def load(host: Host) -> "LivePortrait":
    """The pulled weights on the best device of this machine; raises WeightsMissing."""
    import torch
    from safetensors.torch import load_file

    from models.local.liveportrait.networks.chip import placed

    for file in hub.HUB[WEIGHTS].kept:
        hub.path(host.weights, WEIGHTS, file)

    def states(name: str) -> Mapping[str, Any]:
        state: Mapping[str, Any] = load_file(hub.path(host.weights, WEIGHTS, f"{name}.safetensors"))
        return state

    device = best_device() if host.device == "cpu" else host.device
    return LivePortrait(
        placed(states, device), lambda: placed(states, device, dtype=torch.float32), host.threads
    )


class LivePortrait:
    """A loaded model: portrait and poses in, cells out as they are taken.

    single: makes the networks anew in single precision. threads: cells put together at once.
    """

    def __init__(self, chip: "Chip", single: "Callable[[], Chip]", threads: int = 1) -> None:
        self._chip, self._single, self._threads = chip, single, max(1, threads)

    def __call__(self, request: PortraitRetarget, run: Run) -> Iterator[Image]:
        """Cells, uint8 (h, w, 3), or (h, w, 4) as a cut-out; raises InvalidRequest before the first of them."""
        _check(request)
        return self._cells(request, run)

    def _cells(self, request: PortraitRetarget, run: Run) -> Iterator[Image]:
        from models.local.liveportrait import between

        engine = self._engine(request, run)
        if request.fast and between.is_grid(request.poses):

            def draw(pose: Pose) -> Image:
                return engine.cell(engine.painted([pose])[0])

            yield from between.cells(request.poses, draw, run)
            return
        waiting: deque[Future[Image]] = deque()
        batch = self._chip.batch
        with ThreadPoolExecutor(self._threads) as workers:
            try:
                for first in range(0, len(request.poses), batch):
                    run.check()
                    squares = engine.painted(request.poses[first : first + batch])
                    # The last batch is put together while the device paints the next.
                    while len(waiting) > batch:
                        yield waiting.popleft().result()
                    waiting.extend(workers.submit(engine.cell, square) for square in squares)
                while waiting:
                    run.check()
                    yield waiting.popleft().result()
            finally:
                for drawn in waiting:
                    drawn.cancel()

    def _engine(self, request: PortraitRetarget, run: Run) -> "Engine":
        """The portrait encoded; its first picture tells whether this chip can be trusted with half precision."""
        import torch

        from models.local.liveportrait.engine import Engine

        try:
            return Engine(request, self._chip)
        except FloatingPointError:
            if self._chip.dtype == torch.float32:
                raise ResultInvalid("The networks answered with numbers that are none.") from None
            run.log("This device overflows in half precision: going on in single precision.")
            self._chip = self._single()
            return self._engine(request, run)


def _check(request: PortraitRetarget) -> None:
    if request.points.shape != (478, 3):
        raise InvalidRequest("The landmarks of a face are 478 points.")
    if not SMALLEST_CELL <= request.size <= LARGEST_CELL:
        raise InvalidRequest(f"A cell is between {SMALLEST_CELL} and {LARGEST_CELL} px long.")
    if request.alpha is not None and request.alpha.shape != request.image.shape[:2]:
        raise InvalidRequest("The matte and the image differ in size.")
    if request.cutout and request.alpha is None:
        raise InvalidRequest("A cut-out needs a matte.")
    if wrong := complaint(request.expression):
        raise InvalidRequest(wrong)
    if min(request.calibration.yaw, request.calibration.pitch, request.calibration.gaze) <= 0:
        raise InvalidRequest("A calibration is above zero.")
