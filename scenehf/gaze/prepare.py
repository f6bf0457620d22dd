"""From a photo to what a portrait engine needs: the face, a frame around it, landmarks, matte and calibration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models.pool import Pool
from models.requests import (
    Alpha,
    Calibration,
    Face,
    FaceDetection,
    FaceLandmarks,
    FaceMesh,
    Image,
    PortraitRetarget,
    Pose,
    Run,
)
from scenehf.errors import SceneError
from scenehf.gaze import judge, lids
from scenehf.gaze.grid import PITCH, YAW
from scenehf.gaze.matte import matte_of

Bounds = tuple[int, int, int, int]  # x, y, width, height in px

ROOM = 2.6  # the shorter side of the frame in faces: head and shoulders, with room above the hair
ABOVE = 0.08  # of the frame: how far the face's middle lies above the frame's
SMALLEST_FACE = 24  # px in the photo: with less there are no eyes to move
# Where calibration looks, in shares of the full turn: the edges and the corners of the grid.
PROBES = tuple((0.8 * x, 0.8 * y) for y in (-1, 0, 1) for x in (-1, 0, 1) if x or y)
SWING = 0.145  # eye widths the iris is seen to move at pupil_x = 1: a lively look that still hides no iris
GAZE_LIMITS = (0.8, 1.2)  # the judge sees dark eyes badly, so its word counts only so far
PLAUSIBLE = (0.6, 1.7)  # a slope outside it was not measured well

NOT_CALIBRATED = Calibration()


class NoFace(SceneError):
    """There is no face to turn."""


@dataclass(frozen=True, eq=False)
class Portrait:
    """A photo made ready for a grid. frame: which part of the photo is shown, in its px; everything else is in px
    of `image`, uint8 (h, w, 3), whose longer side is the cell's. alpha: what the person covers, None where that
    cannot be told. calibration divides asked angles (see `Calibration`). eyes: as `lids` describes them."""

    image: Image
    frame: Bounds
    face: FaceMesh
    alpha: Alpha | None
    calibration: Calibration = NOT_CALIBRATED
    eyes: tuple[dict[str, Any], ...] = ()

    def request(
        self,
        poses: Sequence[Pose],
        *,
        cutout: bool = False,
        fast: bool = False,
        expression: Mapping[str, float] | None = None,
    ) -> PortraitRetarget:
        """What to ask of a portrait engine."""
        return PortraitRetarget(
            self.image,
            self.face.points,
            poses,
            max(self.image.shape[:2]),
            self.alpha,
            cutout,
            self.calibration,
            fast,
            expression or {},
        )


def find_faces(image: Image, pool: Pool, run: Run) -> tuple[FaceMesh, ...]:
    """The faces of a photo with their landmarks, largest first."""
    return pool("face-mesh", FaceLandmarks(image, pool("face-detector", FaceDetection(image), run)), run)


def choose(faces: Sequence[FaceMesh], click: tuple[float, float] | None = None) -> FaceMesh:
    """The face at a click (x, y in px of the photo), or the largest; raises NoFace with a sentence."""
    if not faces:
        raise NoFace("No face was found in this picture. Use a photo that shows a face from the front.")
    if click is None:
        face = max(faces, key=_side)
    else:
        face = min(faces, key=lambda other: _distance(other, click))
    if _side(face) < SMALLEST_FACE:
        raise NoFace(
            f"The face is {round(_side(face))} px wide; it has to be at least {SMALLEST_FACE}. Use a larger picture."
        )
    return face


def frame_of(size: tuple[int, int], face: FaceMesh) -> Bounds:
    """The part of a photo of `size` (width, height) to show: head and shoulders in the photo's own shape.

    Never beyond the photo; the whole of it where the face is large in it.
    """
    width, height = size
    x0, y0, x1, y1 = face.box
    scale = min(1.0, ROOM * max(x1 - x0, y1 - y0) / min(width, height))
    across, along = max(1, round(width * scale)), max(1, round(height * scale))
    x = min(max(0, round((x0 + x1 - across) / 2)), width - across)
    y = min(max(0, round((y0 + y1) / 2 - along * (0.5 - ABOVE))), height - along)
    return x, y, across, along


def prepare(
    image: Image,
    face: FaceMesh,
    size: int,
    pool: Pool,
    run: Run,
    *,
    engine: str = "mesh-portrait",
    own_alpha: Alpha | None = None,
    whole: bool = False,
) -> Portrait:
    """Frame, resize to `size` px (longer side), find the landmarks again, matte and calibrate.

    own_alpha: the photo's own transparency, float32 like the photo. whole: show all of the photo, framed as it is.
    """
    full = image.shape[1], image.shape[0]
    frame = (0, 0, *full) if whole else frame_of(full, face)
    shown = _resized(image, frame, size)
    scale = shown.shape[1] / frame[2], shown.shape[0] / frame[3]
    guess = _moved(face, frame, scale)
    again = pool("face-mesh", FaceLandmarks(shown, (as_detected(guess),)), run)
    mesh = again[0] if again else guess
    if own_alpha is not None and float(own_alpha.min()) < 0.5:
        alpha: Alpha | None = _resized_alpha(own_alpha, frame, shown.shape[1::-1])
    else:
        alpha = matte_of(shown, mesh, pool, run)
    portrait = Portrait(shown, frame, mesh, alpha)
    seen = _probed(portrait, pool, run, engine)
    calibration = _calibrated(portrait, seen)
    looks = [(pose.pupil_x, pose.pupil_y, face) for pose, face in seen]
    eyes = lids.lids(mesh, looks, calibration, (shown.shape[1], shown.shape[0]))
    return replace(portrait, calibration=calibration, eyes=tuple(eyes))


def _probed(portrait: Portrait, pool: Pool, run: Run, engine: str) -> list[tuple[Pose, FaceMesh]]:
    """What an engine that is not calibrated makes of a few poses; those without a face are left out."""
    asked = [Pose(yaw=YAW * x, pitch=PITCH * y, pupil_x=x, pupil_y=y) for x, y in PROBES]
    cells = pool(engine, portrait.request(asked), run)
    seen = [judge.look(cell, portrait.face, pool, run) for cell in cells]
    return [(pose, face) for pose, face in zip(asked, seen, strict=True) if face]


def _calibrated(portrait: Portrait, pairs: Sequence[tuple[Pose, FaceMesh]]) -> Calibration:
    """How far the engine really turns this face and moves its irises."""
    if len(pairs) < len(PROBES):
        return NOT_CALIBRATED
    turned = np.array([(pose.yaw, pose.pitch) for pose, _ in pairs])
    angles = np.array([judge.turn(portrait.face, face)[:2] for _, face in pairs])
    slopes = [float(judge.fit(turned, angles[:, axis])[axis]) for axis in (0, 1)]
    low, high = PLAUSIBLE
    if not all(low <= slope <= high for slope in slopes):
        return NOT_CALIBRATED
    pupils = np.array([(pose.pupil_x, pose.pupil_y) for pose, _ in pairs])
    gazes = np.array([judge.gaze(face)[0] for _, face in pairs])
    swing = float(judge.fit(pupils, gazes)[0]) / SWING
    return Calibration(slopes[0], slopes[1], min(max(swing, GAZE_LIMITS[0]), GAZE_LIMITS[1]))


def as_detected(face: FaceMesh) -> Face:
    """A mesh as the detector would have reported it: where to look for it again."""
    points = tuple((float(x), float(y)) for x, y in face.points[[468, 473, 1, 13, 234, 454], :2])
    return Face(face.box, face.score, points)


def _moved(face: FaceMesh, frame: Bounds, scale: tuple[float, float]) -> FaceMesh:
    """The face in px of the shown picture."""
    points = face.points.copy()
    points[:, :2] = (points[:, :2] - frame[:2] + 0.5) * np.array(scale, np.float32) - 0.5
    points[:, 2] *= sum(scale) / 2
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    return FaceMesh((float(low[0]), float(low[1]), float(high[0]), float(high[1])), face.score, points)


def _resized(image: Image, frame: Bounds, size: int) -> Image:
    import cv2

    x, y, width, height = frame
    scale = size / max(width, height)
    target = max(1, round(width * scale)), max(1, round(height * scale))
    part = image[y : y + height, x : x + width]
    if scale == 1:
        return np.ascontiguousarray(part)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, target, interpolation=method), np.uint8)


def _resized_alpha(alpha: Alpha, frame: Bounds, target: tuple[int, ...]) -> Alpha:
    import cv2

    x, y, width, height = frame
    part = alpha[y : y + height, x : x + width]
    method = cv2.INTER_AREA if target[0] < width else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, target, interpolation=method), np.float32)


def _side(face: FaceMesh) -> float:
    return max(face.box[2] - face.box[0], face.box[3] - face.box[1])


def _distance(face: FaceMesh, click: tuple[float, float]) -> float:
    x0, y0, x1, y1 = face.box
    return float(np.hypot((x0 + x1) / 2 - click[0], (y0 + y1) / 2 - click[1]))
