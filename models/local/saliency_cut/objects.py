"""Without a hint: every object that stands out, as the pieces that independent cuts of the picture agree on."""

from dataclasses import dataclass

import numpy as np

from models.local.saliency_cut.candidates import learn, logit, whole_picture
from models.local.saliency_cut.score import edge_contrast
from models.local.saliency_cut.shape import bounding_box, box_iou, cleaned, pieces_touching
from models.local.saliency_cut.view import View
from models.requests import Alpha, Box, Mask

SMALLEST = 0.004  # share of the picture: smaller pieces are texture more often than objects
LARGEST = 0.8
SAME_BOX = 0.7  # IoU above which two pieces are one object
MOST = 6
NEAR = 0.2  # of the long side: how far around a click its object may reach, unless a cut says more
GAP = 0.02  # share of the long side: parts nearer than twice this are one object
PRESENT = 0.3  # of the person map: unsure, but something is there


@dataclass(frozen=True, eq=False)
class Piece:
    """One connected piece of one candidate."""

    mask: Mask
    source: str
    score: float


def objects(view: View) -> list[tuple[Mask, float]]:
    """Masks of the view with their scores in [0, 1], best first, no two in the same place
    (a part and the whole may both be there: a box and a second look tell them apart)."""
    found = whole_picture(view) | {"bright": _bright(view), "bright person": _closed(view.person > PRESENT)}
    pieces = [
        Piece(piece, source, _salience(view, piece))
        for source, mask in found.items()
        for piece in _pieces(mask)
        if SMALLEST <= piece.mean() <= LARGEST
    ]
    ranked = sorted(((piece, _score(piece, pieces, len(found))) for piece in pieces), key=lambda one: -one[1])
    kept: list[tuple[Mask, float]] = []
    for piece, score in ranked:
        box = bounding_box(piece.mask)
        if all(box_iou(box, bounding_box(other)) < SAME_BOX for other, _ in kept):
            kept.append((piece.mask, score))
    return kept[:MOST]


def _bright(view: View) -> Mask:
    """What Otsu's threshold calls salient, its gaps closed: objects whose parts differ, as one."""
    import cv2

    grey = np.clip(view.salient * 255, 0, 255).astype(np.uint8)
    threshold, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_OTSU)
    return _closed(grey > threshold)


def _closed(mask: Mask) -> Mask:
    import cv2

    radius = max(1, round(GAP * max(mask.shape)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    result: Mask = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, kernel) > 0
    return cleaned(result)


def indicated(view: View) -> Box:
    """The box, in pixels of the view, of what the keep seeds lie on: the best object that holds them and holds
    no drop seeds, or else the colours around them."""
    for mask, _ in objects(view):
        if (mask & view.keep).sum() > view.keep.sum() / 2 and (mask & view.drop).sum() <= view.drop.sum() / 2:
            return bounding_box(mask | view.keep)
    return bounding_box(_grown(view) | view.keep)


def _grown(view: View) -> Mask:
    """What is near the keep seeds and coloured like them, in one piece with them."""
    import cv2

    distance = cv2.distanceTransform((~view.keep).astype(np.uint8), cv2.DIST_L2, 5)
    near = np.exp(-((distance / (NEAR * max(view.keep.shape))) ** 2))
    alike = view.palette.log_ratio(view.keep.astype(np.float32), view.drop)
    guess = np.asarray(near / (1 + np.exp(-alike)), np.float32)
    return pieces_touching(learn(view, guess, logit(np.asarray(near, np.float32))), view.keep)


def _score(piece: Piece, pieces: list[Piece], sources: int) -> float:
    """Salience and support: how many of the other cuts have an object in the same place."""
    box = bounding_box(piece.mask)
    support = {other.source for other in pieces if box_iou(box, bounding_box(other.mask)) > SAME_BOX}
    return (2 * piece.score + len(support) / sources) / 3


def _salience(view: View, mask: Mask) -> float:
    """How much both maps rise inside the mask, and how strong its edge is."""
    inside = max(_rise(view.person, mask), _rise(view.salient, mask))
    return (inside + edge_contrast(view, mask)) / 2


def _rise(field: Alpha, mask: Mask) -> float:
    """Mean inside less mean of a ring of equal area around, at least 0."""
    import cv2

    width = max(3, round(0.2 * float(np.sqrt(mask.sum()))))
    kernel = np.ones((2 * width + 1,) * 2, np.uint8)
    ring = (cv2.dilate(mask.astype(np.uint8), kernel) > 0) & ~mask
    around = float(field[ring].mean()) if ring.any() else 0.0
    return max(0.0, float(field[mask].mean()) - around)


def _pieces(mask: Mask) -> list[Mask]:
    import cv2

    count, labels = cv2.connectedComponents(mask.astype(np.uint8))
    return [labels == number for number in range(1, count)]
