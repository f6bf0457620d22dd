"""How far to trust a candidate mask, without knowing the truth.

Four witnesses: the mask fills the box it was asked for; the other candidates agree; the person segmenter agrees,
where what it sees is as large as the box; colours change along the edge. The weights maximise the IoU of the
vote over composites and photos with exact and sloppy boxes; choosing them without the pictures of the subject
that they are tested on costs .005 IoU.
"""

from dataclasses import dataclass

import numpy as np

from models.local.saliency_cut.shape import bounding_box, box_iou, mask_iou
from models.local.saliency_cut.view import View
from models.requests import Alpha, Mask

TRUST = {"box": 0.8, "others": 0.15, "person": 1.2, "edge": 0.1}
# Rank correlation with the true IoU .73 over 245 masks from right, sloppy and wrong boxes.
CONFIDENCE = {"box": 0.15, "typical": 0.45, "edge": 0.4}
# A person map whose box overlaps the hint by less is about something else; by more, it is about the object.
PERSON_ELSEWHERE, PERSON_HERE = 0.35, 0.9
EDGE_REACH = 6  # px on either side of the edge whose colours are compared
EDGE_FULL = 40.0  # Lab distance that counts as a full edge


@dataclass(frozen=True)
class Witnesses:
    """Each in [0, 1], higher speaks for the mask. others, typical: mean and median agreement with the others."""

    box: float
    others: float
    typical: float
    person: float
    edge: float

    @property
    def trust(self) -> float:
        """Their weighted sum: for comparing candidates of one picture."""
        return float(sum(weight * getattr(self, name) for name, weight in TRUST.items()))

    @property
    def confidence(self) -> float:
        """In [0, 1], rises with the true quality: for comparing masks of different pictures."""
        return float(sum(weight * getattr(self, name) for name, weight in CONFIDENCE.items()))


def witnesses(view: View, found: dict[str, Mask]) -> dict[str, Witnesses]:
    """What speaks for each candidate."""
    result = {}
    about = _person_is_here(view)
    for name, mask in found.items():
        others = [mask_iou(mask, other) for key, other in found.items() if key != name]
        result[name] = Witnesses(
            box=box_iou(bounding_box(mask), view.box) if view.box else float(np.median(others)),
            others=float(np.mean(others)),
            typical=float(np.median(others)),
            person=about * _person_agrees(view, mask),
            edge=edge_contrast(view, mask),
        )
    return result


def _person_is_here(view: View) -> float:
    """0 where the person map is about something else than the hint, 1 where it is about the same."""
    seen = bounding_box((view.person > 0.5) & ~view.drop)
    overlap = box_iou(seen, view.box) if view.box else 1.0
    return float(np.clip((overlap - PERSON_ELSEWHERE) / (PERSON_HERE - PERSON_ELSEWHERE), 0, 1))


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

    def local(distance: Alpha) -> tuple[Alpha, Alpha]:
        near = ((distance > 0) & (distance <= EDGE_REACH)).astype(np.float32)
        share = cv2.blur(near, window)
        return cv2.blur(view.palette.image_lab * near[..., None], window) / (share[..., None] + 1e-6), share

    (inner, _), (outer, share) = local(within), local(around)
    change = np.linalg.norm(inner - outer, axis=2)
    rim = (within > 0) & (within < 1.5) & (share > 0.02)
    return float(np.minimum(change[rim], EDGE_FULL).mean() / EDGE_FULL) if rim.any() else 0.0
