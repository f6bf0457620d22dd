"""Face landmarks: MediaPipe's 468-point mesh with its iris net on top (Apache-2.0), 478 points in all.

The face is cut out upright twice: first as the detector saw it, then as its own landmarks lie, which is how
MediaPipe follows a face through a video. The iris net then looks at each eye and also gives truer eyelids than the
mesh does. Sources: https://arxiv.org/abs/1907.06724, https://arxiv.org/abs/2006.11341 and MediaPipe's graph files.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models.requests import Face, FaceLandmarks, FaceMesh, Image, Run
from models.runtime.litert import Net, load_net
from models.runtime.weights import path
from models.spec import Host

MESH_SIDE, IRIS_SIDE = 192, 64  # px of the nets' inputs
MESH_POINTS = 468
HALF = np.float32(0.5)  # the nets count from the corner of a pixel, OpenCV from its centre
FACE_VIEW = 1.5  # side of the cut-out, in faces (MediaPipe's face_detection_front_detection_to_roi)
EYE_VIEW = 2.3  # the same, in eye widths (iris_landmark_landmarks_to_roi)
PRESENT = 0.5  # MediaPipe's default
EYE_CORNERS = ((33, 133), (263, 362))  # outer, inner: the person's right eye, then the left one
# The mesh points that the first 16 points of the iris net's eye contour stand for, per eye.
EYELIDS = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398),
)

Floats = NDArray[np.float32]
View = tuple[float, float, float, float]  # centre x, centre y, side in px, clockwise angle in radians


def load(host: Host) -> Callable[[FaceLandmarks, Run], tuple[FaceMesh, ...]]:
    """A callable that maps `FaceLandmarks` to its meshes; raises WeightsMissing."""
    mesh = load_net(path(host.weights, "starter", "face_landmark.tflite"), host.threads)
    iris = load_net(path(host.weights, "starter", "iris_landmark.tflite"), host.threads)

    def answer(request: FaceLandmarks, run: Run) -> tuple[FaceMesh, ...]:
        found = []
        for face in request.faces:
            run.check()
            points, score = _mesh(mesh, request.image, _view_of_detection(face))
            if score >= PRESENT:
                points, score = _mesh(mesh, request.image, _view_of_mesh(points))
            if score < PRESENT:
                continue
            points = _with_irises(iris, request.image, points)
            (x0, y0), (x1, y1) = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
            found.append(FaceMesh((float(x0), float(y0), float(x1), float(y1)), score, points))
        return tuple(found)

    return answer


def _view_of_detection(face: Face) -> View:
    x0, y0, x1, y1 = face.box
    (ax, ay), (bx, by) = face.keypoints[:2]
    return (
        (x0 + x1) / 2,
        (y0 + y1) / 2,
        FACE_VIEW * max(x1 - x0, y1 - y0),
        float(np.arctan2(by - ay, bx - ax)),
    )


def _view_of_mesh(points: Floats) -> View:
    """The upright square around the landmarks."""
    (ax, ay), (bx, by) = points[EYE_CORNERS[0][0], :2], points[EYE_CORNERS[1][0], :2]
    angle = float(np.arctan2(by - ay, bx - ax))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    upright = points[:, :2] @ turn
    low, high = upright.min(axis=0), upright.max(axis=0)
    x, y = turn @ ((low + high) / 2)
    return float(x), float(y), FACE_VIEW * float((high - low).max()), angle


def _cut(image: Image, view: View, side: int, mirrored: bool = False) -> tuple[Floats, Floats]:
    """The view as float32 (side, side, 3) in [0, 1], black beyond the picture, and the way back: float32 (2, 3)."""
    import cv2

    x, y, width, angle = view
    scale = max(width, 1e-3) / side
    cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
    flip = -1 if mirrored else 1
    back = np.array([[cosine * flip, -sine, 0], [sine * flip, cosine, 0]], np.float32)
    middle = (side - 1) / 2
    back[:, 2] = np.array([x, y], np.float32) - back[:, :2] @ np.array([middle, middle], np.float32)
    if scale > 2:  # bilinear reading would skip pixels
        image = cv2.blur(image, (round(scale),) * 2)
    cut = cv2.warpAffine(image, back, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return cut.astype(np.float32) / 255, back


def _mesh(net: Net, image: Image, view: View) -> tuple[Floats, float]:
    """float32 (468, 3) in pixels of the picture, and how surely it is a face."""
    cut, back = _cut(image, view, MESH_SIDE)
    raw, flag = sorted((output.ravel() for output in net(cut)), key=lambda output: -output.size)
    points = raw.reshape(MESH_POINTS, 3)
    placed = (points[:, :2] - HALF) @ back[:, :2].T + back[:, 2]
    depth = points[:, 2:] * (view[2] / MESH_SIDE)
    return np.hstack([placed, depth]).astype(np.float32), float(1 / (1 + np.exp(-np.clip(flag[0], -80, 80))))


def _with_irises(net: Net, image: Image, points: Floats) -> Floats:
    """float32 (478, 3): eyelids put right, and five points per iris (centre first) at the eye's own depth."""
    result = np.vstack([points, np.zeros((10, 3), np.float32)])
    for side, ((outer, inner), lids) in enumerate(zip(EYE_CORNERS, EYELIDS, strict=True)):
        a, b = (points[outer, :2], points[inner, :2]) if side == 0 else (points[inner, :2], points[outer, :2])
        x, y = (a + b) / 2
        across = b - a
        view = (
            float(x),
            float(y),
            EYE_VIEW * float(np.abs(across).max()),
            float(np.arctan2(across[1], across[0])),
        )
        cut, back = _cut(image, view, IRIS_SIDE, mirrored=side == 1)  # the net knows right eyes only
        contour, iris = sorted(
            (output.reshape(-1, 3) for output in net(cut)), key=lambda output: -len(output)
        )
        seen = (np.vstack([contour[: len(lids)], iris])[:, :2] - HALF) @ back[:, :2].T + back[:, 2]
        result[list(lids), :2] = seen[: len(lids)]
        row = MESH_POINTS + 5 * side
        result[row : row + 5, :2] = seen[len(lids) :]
        result[row : row + 5, 2] = points[list(lids), 2].mean()
    return result
