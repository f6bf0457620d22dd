"""What a face can be told to do, as changes of single keypoints. All the numbers are here.

They were found by trying, by the people named: KwaiVGI/LivePortrait @1986663, src/gradio_pipeline.py (gaze, wink,
eyebrow, smile, the mouth), and PowerHouseMan/ComfyUI-AdvancedLivePortrait @3bba732, nodes.py (blink, what the head
does along with a wink and an open mouth, and the ranges of the controls). Both MIT.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, get_type_hints

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Change = tuple[int, int, float]  # keypoint, axis, units per unit of the control

X, Y, Z = 0, 1, 2
# The larger way is that of the eye that turns outwards.
GAZE_RIGHT: tuple[Change, ...] = ((11, X, 7e-4), (15, X, 1e-3))
GAZE_LEFT: tuple[Change, ...] = ((11, X, 1e-3), (15, X, 7e-4))
GAZE_UP: tuple[Change, ...] = ((11, Y, -1e-3), (15, Y, -1e-3))
LIDS: tuple[Change, ...] = ((11, Y, -1e-3), (13, Y, 3e-4), (15, Y, -1e-3), (16, Y, 3e-4))
LIDS_FOLLOW = -0.5  # units of LIDS per unit of gaze upwards
BLINK: tuple[Change, ...] = (*LIDS, (1, Y, -2.5e-4), (2, Y, 2.5e-4))
WINK: tuple[Change, ...] = ((11, Y, 1e-3), (13, Y, -3e-4), (17, X, 3e-4), (17, Y, 3e-4), (3, Y, -3e-4))
BROW_UP: tuple[Change, ...] = ((1, Y, 1e-3), (2, Y, -1e-3))
BROW_DOWN: tuple[Change, ...] = ((1, X, -1e-3), (2, X, 1e-3), (1, Y, 3e-4), (2, Y, -3e-4))
SMILE: tuple[Change, ...] = (
    (20, Y, -1e-2), (14, Y, -2e-2), (17, Y, 6.5e-3), (17, Z, 3e-3), (13, Y, -2.75e-3), (16, Y, -2.75e-3),
    (3, Y, -3.5e-3), (7, Y, -3.5e-3),
)  # fmt: skip
AAA: tuple[Change, ...] = ((19, Y, 1e-3), (19, Z, 1e-4), (17, Y, -1e-4))
EEE: tuple[Change, ...] = ((20, Z, -1e-3), (20, Y, -1e-3), (14, Y, -1e-3))
WOO: tuple[Change, ...] = ((14, Y, 1e-3), (3, Y, -5e-4), (7, Y, -5e-4), (17, Z, -5e-4))
WINK_TURNS = (-0.1, -0.1)  # degrees of yaw and roll per unit
AAA_TURNS = -0.05  # degrees of pitch per unit: the head goes back as the mouth opens

OF_POSES = ("pitch", "yaw", "roll", "gaze_x", "gaze_y")

Between = tuple[float, float]


@dataclass(frozen=True)
class Edit:
    """What is to change, in the networks' own words: degrees as `keypoints.rotation` takes them, the rest in the
    units of the sources above, whose ranges stand behind each. +gaze_x to the picture's right, +gaze_y up."""

    pitch: Annotated[float, (-20, 20)] = 0.0
    yaw: Annotated[float, (-20, 20)] = 0.0
    roll: Annotated[float, (-20, 20)] = 0.0
    gaze_x: Annotated[float, (-15, 15)] = 0.0
    gaze_y: Annotated[float, (-15, 15)] = 0.0
    blink: Annotated[float, (-20, 5)] = 0.0
    wink: Annotated[float, (0, 25)] = 0.0
    eyebrow: Annotated[float, (-10, 15)] = 0.0
    smile: Annotated[float, (-0.3, 1.3)] = 0.0
    aaa: Annotated[float, (-30, 120)] = 0.0
    eee: Annotated[float, (-20, 15)] = 0.0
    woo: Annotated[float, (-20, 15)] = 0.0


def controls() -> dict[str, Between]:
    """The range of every control of the face; where it looks and turns is a matter of poses."""
    hints = get_type_hints(Edit, include_extras=True)
    names = (field.name for field in fields(Edit))
    return {name: hints[name].__metadata__[0] for name in names if name not in OF_POSES}


def complaint(expression: Mapping[str, float]) -> str:
    """What is wrong with values of controls by their names, as a sentence; "" if nothing is."""
    ranges = controls()
    for name, value in expression.items():
        if name not in ranges:
            return f"There is no control {name!r}. Choose from: {', '.join(ranges)}."
        low, high = ranges[name]
        if not low <= value <= high:
            return f"The control {name} goes from {low} to {high}."
    return ""


def turned(edit: Edit) -> tuple[float, float, float]:
    """(pitch, yaw, roll), degrees: as asked for, and what the head does along with a wink and an open mouth."""
    along, tilt = (share * edit.wink for share in WINK_TURNS)
    return edit.pitch + AAA_TURNS * edit.aaa, edit.yaw + along, edit.roll + tilt


def edited(expression: Floats, edit: Edit) -> Floats:
    """(21, 3): the expression with the edit's changes."""
    changed = expression.copy()
    for changes, amount in (
        (GAZE_RIGHT if edit.gaze_x > 0 else GAZE_LEFT, edit.gaze_x),
        (GAZE_UP, edit.gaze_y),
        (LIDS, LIDS_FOLLOW * edit.gaze_y),
        (BLINK, edit.blink),
        (WINK, edit.wink),
        (BROW_UP if edit.eyebrow > 0 else BROW_DOWN, edit.eyebrow),
        (SMILE, edit.smile),
        (AAA, edit.aaa),
        (EEE, edit.eee),
        (WOO, edit.woo),
    ):
        for keypoint, axis, units in changes:
            changed[keypoint, axis] += units * amount
    return changed
