"""What the person covers: the segmenter's guess, made exact at the edge by closed-form matting."""

import numpy as np

from models.pool import Pool
from models.requests import Alpha, FaceMesh, Image, Matting, Run

SURE, UNSURE = 0.9, 0.1  # probabilities beyond which the segmenter is believed
BAND = 0.012  # of the longer side: half-width of what is solved around the segmenter's edge
FACE_COVERED = 0.9  # the least share of the face that a usable matte holds
LEAST_BACKGROUND = 0.03  # of the picture
MOST_DOUBT = 0.2  # share of the picture that the segmenter cannot decide: above it there is no matte


def matte_of(image: Image, face: FaceMesh, pool: Pool, run: Run) -> Alpha | None:
    """float32 (height, width) in [0, 1]: the person with this face; None if the segmenter does not see one."""
    person = pool("person-matte", Matting(image), run)
    inside = _hull(face, person.shape)
    if not inside.any() or float(person[inside].mean()) < FACE_COVERED:
        return None
    if float((person < UNSURE).mean()) < LEAST_BACKGROUND:
        return None
    if float(((person > UNSURE) & (person < SURE)).mean()) > MOST_DOUBT:
        return None
    marks = _trimap(person, inside)
    if not (marks == 0).any():
        return None
    return np.clip(pool("closed-form", Matting(image, trimap=marks), run), 0, 1)


def _hull(face: FaceMesh, shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """The face without its rim."""
    import cv2

    mask = np.zeros(shape[:2], np.uint8)
    outline = cv2.convexHull(np.rint(face.points[:468, :2]).astype(np.int32))
    cv2.fillConvexPoly(mask, outline, 1)
    rim = max(1, round(0.03 * (face.box[2] - face.box[0])))
    return np.asarray(cv2.erode(mask, np.ones((2 * rim + 1,) * 2)) > 0)


def _trimap(person: Alpha, face: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Alpha:
    """1 person, 0 background, 0.5 where matting has to find out."""
    import cv2

    reach = max(2, round(BAND * max(person.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    inside = cv2.erode((person > 0.5).astype(np.uint8), disc, borderValue=1)
    outside = cv2.erode((person <= 0.5).astype(np.uint8), disc, borderValue=1)
    marks = np.full(person.shape, 0.5, np.float32)
    marks[outside > 0] = 0
    marks[(inside > 0) | face] = 1
    return marks
