"""How every place of the picture moves when the head turns, and how that is turned around for reading pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.local.mesh_portrait.head import GRID, Head
from models.requests import Alpha, Pose

Floats = NDArray[np.float32]

MOST_YAW, MOST_PITCH, MOST_ROLL = 12.0, 10.0, 15.0  # degrees; beyond them the surface begins to fold
# Where the head's motion ends, in half faces around the middle of the head: inner edge, outer edge. Without a
# matte the background has to take up the motion, so it ends earlier.
REACH_WITH_MATTE, REACH_WITHOUT = (1.7, 2.6), (1.0, 1.9)
HEAD_SHAPE = (1.30, 1.42)  # the head with its hair is wider and higher than the face
HEAD_ABOVE = 0.18  # face heights: the middle of the head lies above that of the face
NECK = (-0.05, 0.80)  # face heights below the chin: motion fades between these
NECK_WIDTH = (0.40, 0.85)  # face widths beside the middle: the neck moves, collars and shoulders do not
SHOULDERS = (-0.25, 0.12)  # face heights below the chin between which that begins to count
BORDER = 0.06  # of the longer side: the least way in which motion fades towards a border
SLOPE = 3.0  # or this many times the motion, so that nothing folds there
CUT_OFF = 0.5  # alpha at a border: the person goes on beyond it
INVERSIONS = (
    6,
    2,
)  # fixed-point steps on half the grid and on the whole; they settle slowest where most is squeezed


@dataclass(frozen=True)
class Lid:
    """One eyelid: its middle in px, how far it reaches, and how much of the eye's lift it follows, in px."""

    x: float
    y: float
    across: float
    along: float
    follow: float


def smoothstep(low: float, high: float, value: Floats) -> Floats:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def motion_weight(head: Head, alpha: Alpha | None) -> Floats:
    """float32 (GRID, GRID): 1 where the head is rigid, 0 where nothing moves."""
    import cv2

    face = head.face
    right, down = _plane(head.right), _plane(head.down)
    x, y = head.x - head.middle[0], head.y - head.middle[1]
    across = x * right[0] + y * right[1]
    along = x * down[0] + y * down[1] + HEAD_ABOVE * face[1]
    rho = np.hypot(across / (0.5 * face[0] * HEAD_SHAPE[0]), along / (0.5 * face[1] * HEAD_SHAPE[1]))
    weight = 1 - smoothstep(*(REACH_WITHOUT if alpha is None else REACH_WITH_MATTE), rho)
    below = ((head.x - head.chin[0]) * down[0] + (head.y - head.chin[1]) * down[1]) / face[1]
    weight *= 1 - smoothstep(*NECK, below)
    shoulder = smoothstep(*NECK_WIDTH, np.abs(across) / face[0])
    weight *= 1 - shoulder * smoothstep(*SHOULDERS, below)
    result: Floats = cv2.GaussianBlur(weight, (0, 0), 1.5)
    return result


def border_weights(head: Head, alpha: Alpha | None, reach: Floats) -> Floats:
    """float32 (GRID, GRID, 2), for motion across and along: 0 at a border that cuts the person off, or something
    would have to come in from beyond it. Motion past a border is as good as motion within it.

    reach: by how many px the picture may move there, (GRID, GRID, 2).
    """
    width, height = head.size
    person = np.ones((height, width), np.float32) if alpha is None else alpha
    sides = (
        (head.x, person[:, 0], reach[:, 0, 0], 0),
        (width - 1 - head.x, person[:, -1], reach[:, -1, 0], 0),
        (head.y, person[0], reach[0, :, 1], 1),
        (height - 1 - head.y, person[-1], reach[-1, :, 1], 1),
    )
    weights = np.ones((GRID, GRID, 2), np.float32)
    for distance, edge, moves, axis in sides:
        if edge.max() > CUT_OFF:
            fade = max(BORDER * max(width, height), SLOPE * float(moves.max()))
            weights[..., axis] *= smoothstep(0, fade, distance)
    return weights


def _plane(vector: Floats) -> Floats:
    """The direction of a vector within the picture, of length 1."""
    flat: Floats = vector[:2] / max(float(np.hypot(*vector[:2])), 1e-6)
    return flat


class Motion:
    """The moving half of the model: displacement fields for poses."""

    def __init__(self, head: Head, alpha: Alpha | None, lids: tuple[Lid, ...]) -> None:
        width, height = head.size
        self._head = head
        places = (head.x - head.pivot[0], head.y - head.pivot[1], head.depth - head.pivot[2])
        # (3, n): the surface about its pivot; (n, 2): where it is seen.
        self._surface = np.stack([np.asarray(axis, np.float32).ravel() for axis in places])
        near = head.focal / (head.focal + self._surface[2])
        self._flat = np.ascontiguousarray((self._surface[:2] * near).T, np.float32)
        self._step = np.array([width / GRID, height / GRID], np.float32)
        self._cells, self._half_cells = _places(GRID), _places(GRID // 2)
        self._lift = np.zeros_like(head.x)
        for lid in lids:
            bump = np.exp(-(((head.x - lid.x) / lid.across) ** 2) - ((head.y - lid.y) / lid.along) ** 2)
            self._lift -= (lid.follow * bump).astype(np.float32)
        self._weight = np.repeat(motion_weight(head, alpha)[..., None], 2, axis=2)
        self._weight *= border_weights(head, alpha, self._reach())

    def _reach(self) -> Floats:
        """float32 (GRID, GRID, 2): by how many px turning the head moves each place at most."""
        extremes = [Pose(yaw, pitch) for yaw in (-MOST_YAW, MOST_YAW) for pitch in (-MOST_PITCH, MOST_PITCH)]
        return np.asarray(np.max([np.abs(self.forward(pose)) for pose in extremes], axis=0), np.float32)

    def forward(self, pose: Pose) -> Floats:
        """float32 (GRID, GRID, 2): by how many px each place moves (x, y)."""
        yaw = np.radians(np.clip(pose.yaw, -MOST_YAW, MOST_YAW))
        pitch = np.radians(np.clip(pose.pitch, -MOST_PITCH, MOST_PITCH))
        roll = np.radians(np.clip(pose.roll, -MOST_ROLL, MOST_ROLL))
        # rows of Rz(roll) Rx(pitch) Ry(yaw), in picture axes: x right, y down, z away
        turn = _about_z(roll) @ _about_x(pitch) @ _about_y(yaw)
        x, y, z = turn.astype(np.float32) @ self._surface
        near = self._head.focal / (self._head.focal + z)
        moved = np.empty((GRID * GRID, 2), np.float32)
        np.multiply(x, near, out=moved[:, 0])
        np.multiply(y, near, out=moved[:, 1])
        moved -= self._flat
        moved *= self._weight.reshape(-1, 2)
        moved[:, 1] += np.float32(pose.pupil_y) * self._lift.ravel()
        return moved.reshape(GRID, GRID, 2)

    def backward(self, pose: Pose) -> Floats:
        """float32 (GRID, GRID, 2): how far from each place the pixel that arrives there has come."""
        import cv2

        moved = self.forward(pose) / self._step  # in cells of the grid
        half = cv2.resize(moved, (GRID // 2, GRID // 2), interpolation=cv2.INTER_AREA) / 2
        rough = _inverted(half, half, self._half_cells, INVERSIONS[0])
        back = 2 * cv2.resize(rough, (GRID, GRID), interpolation=cv2.INTER_LINEAR)
        return np.asarray(_inverted(moved, back, self._cells, INVERSIONS[1]) * self._step, np.float32)

    def origin(self, back: Floats) -> Floats:
        """Where the field reads, in cells of the grid."""
        return np.asarray(self._cells - back / self._step, np.float32)

    def least_area(self, pose: Pose) -> float:
        """The least factor by which a small area shrinks (min det J); 0 and less means a fold."""
        moved = self.forward(pose)
        dxdy, dxdx = np.gradient(moved[..., 0], self._step[1], self._step[0])
        dydy, dydx = np.gradient(moved[..., 1], self._step[1], self._step[0])
        return float(((1 + dxdx) * (1 + dydy) - dxdy * dydx).min())


def _places(side: int) -> Floats:
    """float32 (side, side, 2): x and y of every place of a grid."""
    i = np.arange(side, dtype=np.float32)
    return np.dstack(np.meshgrid(i, i))


def _inverted(moved: Floats, back: Floats, places: Floats, steps: int) -> Floats:
    """A field closer to the inverse of `moved` than `back` is, in cells of their grid."""
    import cv2

    for _ in range(steps):
        origin = cv2.subtract(places, back)
        back = cv2.remap(moved, origin, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return back


def _about_x(pitch: float) -> NDArray[np.float64]:
    """What is near moves up as pitch grows."""
    c, s = np.cos(pitch), np.sin(pitch)
    return np.array([[1, 0, 0], [0, c, s], [0, -s, c]])


def _about_y(yaw: float) -> NDArray[np.float64]:
    """What is near moves right as yaw grows."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])


def _about_z(roll: float) -> NDArray[np.float64]:
    """Clockwise as roll grows."""
    c, s = np.cos(roll), np.sin(roll)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
