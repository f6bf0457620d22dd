"""LivePortrait on Replicate (fofr/expression-editor): one call turns a face by degrees and moves its irises.

Its inputs and their ranges: github.com/fofr/cog-expression-editor, predict.py. Which way they go: kylan02/face_looker,
main.py (+pupil_x and +rotate_yaw to the picture's right, +pupil_y up, +rotate_pitch down). It answers with the whole
picture, as large as it was sent.
"""

from collections.abc import Iterator
from typing import Any

from models.errors import InvalidRequest
from models.providers.connect import connect
from models.providers.pictures import decode, encode
from models.providers.prices import price
from models.providers.remote import Order, Provider, drive
from models.requests import Image, PortraitRetarget, Pose, Run
from models.spec import Host

MODEL = "fofr/expression-editor"
VERSION = "bf913bc90e1c44ba288ba3942a538693b72e8cc7df576f3beebe56adc0a92b86"  # which the projects above call
TURN, PUPIL = 20.0, 15.0  # the ends of its ranges: degrees, and its own units at pupil_x or pupil_y = 1
FIXED = {"output_format": "png", "output_quality": 100}


class ExpressionEditor:
    """Stateless."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def __call__(self, request: PortraitRetarget, run: Run) -> Iterator[Image]:
        """One paid call per cell, made when the cell is taken; a lost answer is written off. Raises InvalidRequest."""
        if request.cutout:
            raise InvalidRequest("LivePortrait on Replicate draws the whole picture, not the person alone.")
        return self._cells(request, run)

    def _cells(self, request: PortraitRetarget, run: Run) -> Iterator[Image]:
        height, width = request.image.shape[:2]
        scale = request.size / max(width, height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        sent, row = encode(request.image), price("replicate", MODEL)
        for pose in request.poses:
            inputs = inputs_of(pose, request)
            call = ",".join(
                f"{inputs[name]:g}" for name in ("rotate_yaw", "rotate_pitch", "pupil_x", "pupil_y")
            )
            order = Order(
                f"{MODEL}:{VERSION}",
                {**FIXED, **inputs},
                {"image": sent},
                row.bound(),
                row.bound(),
                call,
                cheap=True,
            )
            yield decode(drive(self._provider, order, run)[0], size)


def inputs_of(pose: Pose, request: PortraitRetarget) -> dict[str, Any]:
    """A pose in the model's own words, within its ranges."""
    by = request.calibration

    def within(value: float, most: float) -> float:
        return round(min(max(value, -most), most), 3)

    return {
        **request.expression,
        "rotate_yaw": within(pose.yaw / by.yaw, TURN),
        "rotate_pitch": within(-pose.pitch / by.pitch, TURN),
        "rotate_roll": within(pose.roll, TURN),
        "pupil_x": within(PUPIL * pose.pupil_x / by.gaze, PUPIL),
        "pupil_y": within(PUPIL * pose.pupil_y, PUPIL),
    }


def load(host: Host) -> ExpressionEditor:
    """Raises KeyMissing."""
    return ExpressionEditor(connect("replicate", host.access))
