"""Where the head is and how deep each place of the picture lies: the still half of the motion model."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Points = NDArray[np.floating]

GRID = 128  # cells a side of depth map and fields, for pictures of any size
# The outline of the face in MediaPipe's mesh, clockwise from the top of the forehead.
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
RIGHT, LEFT, TOP, CHIN = 234, 454, 10, 152  # by the ears, hairline, chin
MESH_POINTS = 468  # what follows are irises

# The skull beyond the face: outlines grown by the first number lie further back by the second, in face widths.
SKULL = ((1.35, 0.30), (1.8, 0.46), (2.6, 0.50))
PIVOT_BEHIND = 0.45  # face widths behind the outline: about where the skull sits on the spine
PIVOT_BELOW = 0.35  # face heights below the middle of the face: mouth height
FOCAL = 6.0  # face widths: a portrait lens
SMOOTHING = 2.0  # px^2 the surface may miss a landmark by; the nets are no surer
SOFTNESS = 0.08  # face widths: how far depth is blurred, so that the flanks of nose and jaw do not shear


@dataclass(frozen=True, eq=False)
class Head:
    """A head in a picture of (width, height) px. x, y: (GRID, GRID) px, the places at which `depth` is known.

    right, down, back: unit vectors of the head in (x, y, z); face: (width, height) of its outline in px;
    middle: its centre; chin, pivot: points; all (3,).
    """

    size: tuple[int, int]
    x: Floats
    y: Floats
    depth: Floats
    face: tuple[float, float]
    middle: Floats
    chin: Floats
    pivot: Floats
    right: Floats
    down: Floats
    back: Floats

    @property
    def focal(self) -> float:
        """Distance of the imagined camera in px."""
        return FOCAL * self.face[0]


def head_of(points: Points, size: tuple[int, int]) -> Head:
    """The head with these landmarks, (478, 3) px, in a picture of `size` (width, height)."""
    mesh = points[:MESH_POINTS].astype(np.float64)
    oval = mesh[list(OVAL)]
    right = _unit(mesh[LEFT] - mesh[RIGHT])  # the picture's right is the person's left
    down = mesh[CHIN] - mesh[TOP]
    down = _unit(down - right * (down @ right))
    back = np.cross(right, down)
    across, along = float(np.ptp(oval @ right)), float(np.ptp(oval @ down))
    middle = oval.mean(axis=0)
    middle[:2] = (oval[:, :2].min(axis=0) + oval[:, :2].max(axis=0)) / 2
    pivot = middle + back * (PIVOT_BEHIND * across) + down * (PIVOT_BELOW * along)
    x, y = _places(size)
    known = [mesh, *(middle + (oval - middle) * growth + back * (depth * across) for growth, depth in SKULL)]
    depth = _surface(np.concatenate(known), x, y)
    depth = _blurred(depth, SOFTNESS * across, size)
    vectors = (np.asarray(v, np.float32) for v in (middle, mesh[CHIN], pivot, right, down, back))
    return Head(size, x, y, depth, (across, along), *vectors)


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    unit: NDArray[np.float64] = vector / max(float(np.linalg.norm(vector)), 1e-6)
    return unit


def _places(size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Centres of the grid's cells in px, as cv2.resize places them."""
    width, height = size
    steps = (np.arange(GRID, dtype=np.float32) + 0.5) / GRID
    x, y = np.meshgrid(steps * width - 0.5, steps * height - 0.5)
    return x.astype(np.float32), y.astype(np.float32)


def _surface(points: NDArray[np.float64], x: Floats, y: Floats) -> Floats:
    """Depth at (x, y): radial basis functions (linear kernel) through the points' z, to within SMOOTHING.

    Worked out on every other cell: what is blurred afterwards needs no more.
    """
    import cv2

    count = len(points)
    apart = np.linalg.norm(points[:, None, :2] - points[None, :, :2], axis=2)
    system = np.ones((count + 1, count + 1))
    system[:count, :count] = SMOOTHING * np.eye(count) - apart
    system[count, count] = 0
    weights = np.linalg.solve(system, np.append(points[:, 2], 0)).astype(np.float32)
    half = np.stack(
        [cv2.resize(part, (GRID // 2,) * 2, interpolation=cv2.INTER_AREA) for part in (x, y)], axis=2
    )
    places, known = half.reshape(-1, 2), points[:, :2].astype(np.float32)
    distance = np.sqrt((places[:, :1] - known[:, 0]) ** 2 + (places[:, 1:] - known[:, 1]) ** 2)
    depth = (weights[count] - distance @ weights[:count]).reshape(GRID // 2, GRID // 2)
    depth = np.clip(depth, points[:, 2].min(), points[:, 2].max()).astype(np.float32)
    return np.asarray(cv2.resize(depth, (GRID, GRID), interpolation=cv2.INTER_CUBIC), np.float32)


def _blurred(depth: Floats, pixels: float, size: tuple[int, int]) -> Floats:
    import cv2

    sigma = [max(0.5, pixels * GRID / side) for side in size]
    result: Floats = cv2.GaussianBlur(depth, (0, 0), sigmaX=sigma[0], sigmaY=sigma[1])
    return result
