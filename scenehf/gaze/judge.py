"""How good a grid is, told by landmarks found again on its cells: nobody has to look.

Angles come from the rotation that best lays 35 rigid landmarks of the source onto the cell's (Kabsch), the gaze from
where the iris lies between the corners of the eye. On 60 jittered, recompressed copies of one cell the judge itself
strays by 0.25 degrees of yaw, 0.31 of pitch and 0.005 eye widths, so order is tested on the means of rows and columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from models.pool import Pool
from models.requests import Face, FaceLandmarks, FaceMesh, Image, Pose, Run
from scenehf.gaze.grid import Cell

Floats = NDArray[np.float64]

# Landmarks that no expression moves: nose, brows' root, temples, cheekbones, eye corners, outline.
RIGID = (
    1, 4, 5, 6, 168, 197, 195, 33, 133, 362, 263, 10, 151, 9, 8, 127, 356, 234, 454, 50, 280, 93, 323, 116, 345,
    193, 417, 98, 327, 54, 284, 103, 332, 67, 297,
)  # fmt: skip
EYES = ((468, 33, 133), (473, 362, 263))  # iris, corners from left to right
FAR = (1.25, 1.35)  # background: beyond this many face widths and heights around the face
SAMPLE = 7  # pictures are compared at most this often along each side
PERFECT = 99.0  # dB, for no difference at all


@dataclass(frozen=True)
class Verdict:
    """The measures of one grid; angles in degrees, gaze in eye widths. Steps compare neighbouring cells."""

    faces: float
    yaw_slope: float
    yaw_r2: float
    yaw_rmse: float
    pitch_slope: float
    pitch_r2: float
    pitch_rmse: float
    iris_x_slope: float
    iris_x_r2: float
    iris_x_swing: float
    iris_y_slope: float
    iris_y_r2: float
    iris_y_swing: float
    yaw_order: float
    pitch_order: float
    iris_x_order: float
    iris_y_order: float
    landmark_step: float
    picture_step: float
    background_psnr: float
    sharpness: float
    zero_psnr: float
    least_area: float


@dataclass(frozen=True)
class Bar:
    """What a measure has to reach: at least `low`, at most `high`."""

    low: float = -np.inf
    high: float = np.inf

    def holds(self, value: float) -> bool:
        """NaN never holds."""
        return bool(self.low <= value <= self.high)


BARS: Mapping[str, Bar] = {
    "faces": Bar(low=1.0),
    "yaw_slope": Bar(0.9, 1.1),
    "yaw_r2": Bar(low=0.985),
    "pitch_slope": Bar(0.9, 1.1),
    "pitch_r2": Bar(low=0.97),
    "iris_x_r2": Bar(low=0.95),
    "iris_x_swing": Bar(low=0.25),
    "iris_y_r2": Bar(low=0.75),
    "yaw_order": Bar(low=1.0),
    "pitch_order": Bar(low=1.0),
    "iris_x_order": Bar(low=1.0),
    "iris_y_order": Bar(low=0.93),
    "landmark_step": Bar(high=2.0),
    "picture_step": Bar(high=1.25),
    "background_psnr": Bar(low=45.0),
    "sharpness": Bar(low=0.6),
    "zero_psnr": Bar(low=45.0),
    "least_area": Bar(low=0.3),
}


def missed(verdict: Verdict) -> tuple[str, ...]:
    """The measures that do not reach their bars."""
    values = {field.name: float(getattr(verdict, field.name)) for field in fields(verdict)}
    return tuple(name for name, bar in BARS.items() if not bar.holds(values[name]))


def look(cell: Image, source: FaceMesh, pool: Pool, run: Run) -> FaceMesh | None:
    """The face of a cell, looked for where the source has it."""
    points = tuple((float(x), float(y)) for x, y in source.points[[468, 473, 1, 13, 234, 454], :2])
    seen = np.ascontiguousarray(cell[..., :3])
    found = pool("face-mesh", FaceLandmarks(seen, (Face(source.box, source.score, points),)), run)
    return found[0] if found else None


def turn(source: FaceMesh, face: FaceMesh) -> tuple[float, float, float]:
    """(yaw, pitch, roll) in degrees from the source to the face: right, up, clockwise."""
    a, b = (mesh.points[list(RIGID)].astype(np.float64) for mesh in (source, face))
    left, _, right = np.linalg.svd((a - a.mean(axis=0)).T @ (b - b.mean(axis=0)))
    flip = np.diag([1, 1, np.sign(np.linalg.det(right.T @ left.T))])
    rotation = right.T @ flip @ left.T
    x, y, z = rotation @ np.array([0.0, 0.0, -1.0])
    yaw, pitch = np.degrees(np.arctan2([x, -y], -z))
    return float(yaw), float(pitch), float(np.degrees(np.arctan2(rotation[1, 0], rotation[0, 0])))


def gaze(face: FaceMesh) -> tuple[float, float]:
    """Where the irises lie, in eye widths from the middle of the eye: right and up, mean of both eyes."""
    offsets = []
    for iris, left, right in EYES:
        a, b, c = (face.points[index, :2].astype(np.float64) for index in (left, right, iris))
        width = np.hypot(*(b - a))
        along = (b - a) / width
        offset = (c - (a + b) / 2) / width
        offsets.append((offset @ along, -(offset @ np.array([-along[1], along[0]]))))
    x, y = np.mean(offsets, axis=0)
    return float(x), float(y)


def fit(asked: Floats, found: Floats) -> Floats:
    """Slopes of `found` (n,) over the columns of `asked` (n, k), by least squares with an offset."""
    design = np.column_stack([asked, np.ones(len(asked))])
    return np.asarray(np.linalg.lstsq(design, found, rcond=None)[0][:-1], np.float64)


@dataclass(frozen=True, eq=False)
class _Seen:
    """What the judge found: (rows, columns) arrays over a grid, NaN where there was no face."""

    asked: Floats  # (rows, columns, 4) yaw, pitch, pupil x, pupil y
    found: Floats  # (rows, columns, 4) yaw, pitch, iris x, iris y
    points: Floats  # (rows, columns, 478, 2)


def measure(
    cells: Mapping[Cell, Image],
    poses: Mapping[Cell, Pose],
    source: Image,
    face: FaceMesh,
    least_area: float,
    neutral: Image,
    pool: Pool,
    run: Run,
) -> Verdict:
    """Judge a whole square grid of opaque cells. source: the picture at the cells' size, with its face.

    least_area: min det J of the engine's fields, NaN where there are none. neutral: the cell of `Pose()`.
    """
    side = 1 + max(row for row, _ in cells)
    seen = _look_at_all(cells, poses, face, side, pool, run)
    lines = [_line(seen, axis) for axis in range(4)]
    return Verdict(
        faces=float(np.isfinite(seen.found[..., 0]).mean()),
        yaw_slope=lines[0][0],
        yaw_r2=lines[0][1],
        yaw_rmse=lines[0][2],
        pitch_slope=lines[1][0],
        pitch_r2=lines[1][1],
        pitch_rmse=lines[1][2],
        iris_x_slope=lines[2][0],
        iris_x_r2=lines[2][1],
        iris_x_swing=_swing(seen, 2),
        iris_y_slope=lines[3][0],
        iris_y_r2=lines[3][1],
        iris_y_swing=_swing(seen, 3),
        yaw_order=_order(seen, 0),
        pitch_order=_order(seen, 1),
        iris_x_order=_order(seen, 2),
        iris_y_order=_order(seen, 3),
        landmark_step=_landmark_step(seen),
        picture_step=_picture_step(cells, side),
        background_psnr=_background(cells, source, face, side),
        sharpness=_sharpness(cells, seen, source, face, side),
        zero_psnr=psnr(neutral, source),
        least_area=least_area,
    )


def psnr(a: Image, b: Image, where: NDArray[np.bool_] | None = None) -> float:
    """dB over all pixels, or over those of `where`."""
    square = (a[..., :3].astype(np.float32) - b[..., :3].astype(np.float32)) ** 2
    error = float(square.mean() if where is None else square[where].mean())
    return min(PERFECT, float(10 * np.log10(255**2 / error))) if error > 0 else PERFECT


def _look_at_all(
    cells: Mapping[Cell, Image],
    poses: Mapping[Cell, Pose],
    face: FaceMesh,
    side: int,
    pool: Pool,
    run: Run,
) -> _Seen:
    asked, found = np.full((side, side, 4), np.nan), np.full((side, side, 4), np.nan)
    points = np.full((side, side, len(face.points), 2), np.nan)
    for cell, image in cells.items():
        pose = poses[cell]
        asked[cell] = pose.yaw, pose.pitch, pose.pupil_x, pose.pupil_y
        mesh = look(image, face, pool, run)
        if mesh is not None:
            found[cell] = (*turn(face, mesh)[:2], *gaze(mesh))
            points[cell] = mesh.points[:, :2]
    return _Seen(asked, found, points)


def _line(seen: _Seen, axis: int) -> tuple[float, float, float]:
    """(slope, R2, rmse) of one measure over what was asked for."""
    asked, found = seen.asked[..., axis].ravel(), seen.found[..., axis].ravel()
    there = np.isfinite(found)
    if there.sum() < 3:
        return float("nan"), float("nan"), float("nan")
    slope = float(fit(asked[there][:, None], found[there])[0])
    rest = found[there] - slope * asked[there]
    spread = float(found[there].var())
    explained = 1 - float(rest.var()) / spread if spread > 1e-9 else 0.0
    return slope, explained, float(rest.std())


def _means(seen: _Seen, axis: int) -> Floats:
    """Means of columns for what runs across (yaw, iris x), of rows, upwards, for what runs along."""
    values = seen.found[..., axis]
    along = 0 if axis in (0, 2) else 1
    count = np.isfinite(values).sum(axis=along)
    means = np.asarray(np.nansum(values, axis=along) / np.maximum(count, 1), np.float64)
    return means if along == 0 else means[::-1]


def _swing(seen: _Seen, axis: int) -> float:
    means = _means(seen, axis)
    return float(means[-1] - means[0])


def _order(seen: _Seen, axis: int) -> float:
    return float((np.diff(_means(seen, axis)) > 0).mean())


def _landmark_step(seen: _Seen) -> float:
    """Largest over median step of the mean landmark between neighbours."""
    steps = [
        np.linalg.norm(np.diff(seen.points, axis=axis), axis=-1).mean(axis=-1).ravel() for axis in (0, 1)
    ]
    return _largest_over_median(np.concatenate(steps))


def _picture_step(cells: Mapping[Cell, Image], side: int) -> float:
    """The same of the mean absolute difference of pixels."""
    import cv2

    steps: list[float] = []
    for (row, column), image in cells.items():
        beside = [(r, c) for r, c in ((row + 1, column), (row, column + 1)) if r < side and c < side]
        steps.extend(float(cv2.absdiff(image, cells[other]).mean()) for other in beside)
    return _largest_over_median(np.array(steps))


def _largest_over_median(steps: Floats) -> float:
    steps = steps[np.isfinite(steps)]
    return float(steps.max() / max(float(np.median(steps)), 1e-9)) if steps.size else float("nan")


def _sampled(side: int) -> list[Cell]:
    some = sorted({round(index) for index in np.linspace(0, side - 1, min(side, SAMPLE))})
    return [(row, column) for row in some for column in some]


def _background(cells: Mapping[Cell, Image], source: Image, face: FaceMesh, side: int) -> float:
    """The least PSNR far from the head, in dB."""
    height, width = source.shape[:2]
    x0, y0, x1, y1 = face.box
    y, x = np.mgrid[:height, :width]
    reach = np.hypot((x - (x0 + x1) / 2) / (FAR[0] * (x1 - x0)), (y - (y0 + y1) / 2) / (FAR[1] * (y1 - y0)))
    if not (reach > 1).any():
        return float("nan")
    return min(psnr(cells[cell], source, reach > 1) for cell in _sampled(side))


def _sharpness(cells: Mapping[Cell, Image], seen: _Seen, source: Image, face: FaceMesh, side: int) -> float:
    """Median variance of the Laplacian over the face, as a share of the source's."""
    own = _detail(source, face.points[:468, :2].astype(np.float64))
    shares = [
        _detail(cells[cell], seen.points[cell][:468]) / max(own, 1e-9)
        for cell in _sampled(side)
        if np.isfinite(seen.points[cell]).all()
    ]
    return float(np.median(shares)) if shares else float("nan")


def _detail(image: Image, points: Floats) -> float:
    import cv2

    height, width = image.shape[:2]
    x0, y0 = np.maximum(points.min(axis=0).astype(int), 0)
    x1, y1 = np.minimum(points.max(axis=0).astype(int) + 1, [width, height])
    grey = cv2.cvtColor(np.ascontiguousarray(image[..., :3]), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F)[y0:y1, x0:x1].var())
