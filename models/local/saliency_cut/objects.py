"""Without a hint: every object that stands out, as the pieces that independent cuts of the picture agree on."""

from dataclasses import dataclass

import numpy as np

from models.local.saliency_cut.candidates import whole_picture
from models.local.saliency_cut.score import edge_contrast
from models.local.saliency_cut.shape import bounding_box, box_iou, mask_iou
from models.local.saliency_cut.view import View
from models.requests import Alpha, Mask

SMALLEST = 0.004  # share of the picture: smaller pieces are texture more often than objects
LARGEST = 0.8
SAME_BOX = 0.6  # IoU above which two pieces are one object
SAME_MASK = 0.5
MOST = 6


@dataclass(frozen=True, eq=False)
class Piece:
    """One connected piece of one candidate."""

    mask: Mask
    source: str
    score: float


def objects(view: View) -> list[tuple[Mask, float]]:
    """Masks of the view with their scores in [0, 1], best first, no two of them the same object."""
    found = whole_picture(view)
    pieces = [
        Piece(piece, source, _salience(view, piece))
        for source, mask in found.items()
        for piece in _pieces(mask)
        if SMALLEST <= piece.mean() <= LARGEST
    ]
    ranked = sorted(((piece, _score(piece, pieces, len(found))) for piece in pieces), key=lambda one: -one[1])
    kept: list[tuple[Mask, float]] = []
    for piece, score in ranked:
        if all(mask_iou(piece.mask, other) < SAME_MASK for other, _ in kept):
            kept.append((piece.mask, score))
    return kept[:MOST]


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
