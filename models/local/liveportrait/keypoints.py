"""From what the motion network says to keypoints, and from a pose to the keypoints it wants. numpy, float32.

Keypoints are (21, 3): x to the picture's right, y down, z away from the viewer, in units of half the picture.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.local.liveportrait.expressions import Edit, edited, turned

Floats = NDArray[np.float32]

COUNT = 21
BIN, OFFSET = 3.0, -97.5  # degrees per bin of an angle, and of the first bin


@dataclass(frozen=True, eq=False)
class Motion:
    """What the motion network says of one picture. Angles in degrees; translation (3,), expression and canonical
    keypoints (21, 3)."""

    pitch: float
    yaw: float
    roll: float
    translation: Floats
    expression: Floats
    canonical: Floats
    scale: float

    @staticmethod
    def of(told: dict[str, Any]) -> "Motion":
        """From the network's answers for one picture, as arrays (1, ...)."""
        return Motion(
            degrees(told["pitch"][0]),
            degrees(told["yaw"][0]),
            degrees(told["roll"][0]),
            np.asarray(told["t"][0], np.float32),
            np.asarray(told["exp"][0], np.float32).reshape(COUNT, 3),
            np.asarray(told["kp"][0], np.float32).reshape(COUNT, 3),
            float(told["scale"][0, 0]),
        )

    def source(self) -> Floats:
        """(21, 3): where the keypoints of the picture lie."""
        return self.driving(Edit())

    def driving(self, edit: Edit) -> Floats:
        """(21, 3): where they should lie after an edit. An empty edit leaves them where they are: z is not moved by
        the translation in either (the published image editor moves it in one of them, and then nothing is still)."""
        pitch, yaw, roll = turned(edit)
        posed = self.canonical @ rotation(self.pitch + pitch, self.yaw + yaw, self.roll + roll)
        placed = self.scale * (posed + edited(self.expression, edit))
        placed[:, :2] += self.translation[:2]
        return np.asarray(placed, np.float32)


def degrees(logits: NDArray[np.floating]) -> float:
    """The mean of the bins (66,) by their softmax."""
    shares = np.exp(logits - logits.max(), dtype=np.float64)
    return float(shares @ np.arange(len(shares)) / shares.sum() * BIN + OFFSET)


def rotation(pitch: float, yaw: float, roll: float) -> Floats:
    """(3, 3), for row vectors: the transpose of Rz(roll) Ry(yaw) Rx(pitch). Degrees; +pitch looks down, +yaw to the
    picture's left, +roll turns clockwise."""
    (cx, sx), (cy, sy), (cz, sz) = ((np.cos(a), np.sin(a)) for a in np.radians([pitch, yaw, roll]))
    x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray((z @ y @ x).T, np.float32)


def stitched(driving: Floats, delta: Floats) -> Floats:
    """(N, 21, 3): driving keypoints with the stitching network's answers (N, 65) added."""
    moved = driving + delta[:, :-2].reshape(-1, COUNT, 3)
    moved[..., :2] += delta[:, None, -2:]
    return np.asarray(moved, np.float32)
