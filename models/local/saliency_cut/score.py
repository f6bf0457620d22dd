"""How far to trust a candidate mask, without knowing the truth.

Four witnesses, each in [0, 1]: the mask fills the box it was asked for; the other candidates agree; the person
segmenter agrees; colours change along its edge. Weights by least squares of the true IoU over composites and
photos, rounded; leaving out all pictures of one subject changes the choice little.
"""

from dataclasses import dataclass

import numpy as np

from models.local.saliency_cut.shape import bounding_box, box_iou, mask_iou
from models.local.saliency_cut.view import View
from models.requests import Mask

WEIGHTS = {"box": 0.8, "others": 0.4, "person": 0.25, "edge": 0.25}
EDGE_REACH = 6  # px on either side of the edge whose colours are compared
EDGE_FULL = 40.0  # Lab distance that counts as a full edge


@dataclass(frozen=True)
class Witnesses:
    """Each in [0, 1], higher speaks for the mask."""

    box: float
    others: float
    person: float
    edge: float

    @property
    def score(self) -> float:
        """Their weighted mean."""
        total = sum(weight * getattr(self, name) for name, weight in WEIGHTS.items())
        return float(total / sum(WEIGHTS.values()))


def witnesses(view: View, found: dict[str, Mask]) -> dict[str, Witnesses]:
    """What speaks for each candidate."""
    result = {}
    for name, mask in found.items():
        others = [mask_iou(mask, other) for key, other in found.items() if key != name]
        result[name] = Witnesses(
            box=box_iou(bounding_box(mask), view.box) if view.box else float(np.median(others)),
            others=float(np.mean(others) + np.median(others)) / 2,
            person=_person_agrees(view, mask),
            edge=edge_contrast(view, mask),
        )
    return result


def _person_agrees(view: View, mask: Mask) -> float:
    seen = np.where(view.drop, 0, view.person)
    union = float(np.maximum(seen, mask).sum())
    return float(np.minimum(seen, mask).sum()) / union if union else 0.0


def edge_contrast(view: View, mask: Mask) -> float:
    """Mean Lab distance between the colours just inside and just outside the edge, full at EDGE_FULL.

    The frame of the picture is no edge."""
    import cv2

    if not mask.any() or mask.all():
        return 0.0
    within, around = (
        cv2.distanceTransform(np.pad(side.astype(np.uint8), 1, constant_values=1), cv2.DIST_L2, 5)[1:-1, 1:-1]
        for side in (mask, ~mask)
    )
    window = (2 * EDGE_REACH + 1,) * 2

    def local(distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        near = ((distance > 0) & (distance <= EDGE_REACH)).astype(np.float32)
        share = cv2.blur(near, window)
        return cv2.blur(view.palette.image_lab * near[..., None], window) / (share[..., None] + 1e-6), share

    (inner, _), (outer, share) = local(within), local(around)
    change = np.linalg.norm(inner - outer, axis=2)
    rim = (within > 0) & (within < 1.5) & (share > 0.02)
    return float(np.minimum(change[rim], EDGE_FULL).mean() / EDGE_FULL) if rim.any() else 0.0
