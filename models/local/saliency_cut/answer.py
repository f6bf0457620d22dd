"""From a request to scored masks."""

from dataclasses import replace

import numpy as np

from models.errors import InvalidRequest
from models.local.saliency_cut.candidates import candidates, learn, logit
from models.local.saliency_cut.edge import refined
from models.local.saliency_cut.objects import indicated, objects
from models.local.saliency_cut.score import Witnesses, edge_contrast, witnesses
from models.local.saliency_cut.shape import bounding_box, cleaned, pieces_touching
from models.local.saliency_cut.view import View, view_of
from models.requests import Mask, MaskGeneration, Run, ScoredMask

# Over 245 masks from right, sloppy and wrong boxes this finds 81 % of the bad ones (IoU below .8), and 88 % of what
# it flags is bad; over right and sloppy boxes alone, 71 % and 42 %, flagging 24 %.
REVIEW_BELOW = 0.75
# Lead in trust at which a candidate outvotes another e : 1; fitted together with the weights of trust.
SHARPNESS = 0.055


class SaliencyCut:
    """A loaded model: hints in, masks out."""

    def __call__(self, request: MaskGeneration, run: Run) -> tuple[ScoredMask, ...]:
        """Masks, best first; empty if nothing stands out. Raises InvalidRequest if a map has another size."""
        _check(request)
        run.check()
        view = view_of(request)
        run.check()
        if request.base is not None and request.base.any():
            return (_amended(request, view, request.base),)
        if view.box is None and view.keep.any():
            return self(replace(request, box=view.placed(indicated(view))), run)
        if view.box is None:
            return tuple(_lifted(request, view, mask, score) for mask, score in objects(view))
        found = candidates(view)
        run.check()
        voted = _voted(found, witnesses(view, found))
        if not voted.any():
            return ()
        score = witnesses(view, found | {"vote": voted})["vote"].confidence
        return (_lifted(request, view, voted, score),)


def _lifted(request: MaskGeneration, view: View, mask: Mask, score: float) -> ScoredMask:
    fine = refined(request.image, view, mask)
    return ScoredMask(fine, score, bounding_box(fine))


def _voted(found: dict[str, Mask], seen: dict[str, Witnesses]) -> Mask:
    """What the candidates say by majority, each weighted by how far it is to be trusted."""
    trust = np.array([seen[name].trust for name in found])
    votes = np.exp((trust - trust.max()) / SHARPNESS)
    share = np.average(np.stack(list(found.values())), axis=0, weights=votes)
    return cleaned(share > 0.5)


def _amended(request: MaskGeneration, view: View, base: Mask) -> ScoredMask:
    """The base mask, changed only where strokes and points ask for it; anywhere if there are none."""
    import cv2

    known = view.base if view.base is not None else np.zeros_like(view.keep)
    guess = known.astype(np.float32)
    cut = learn(view, guess, 1.5 * logit(guess), rounds=2)
    asked = view.keep | view.drop
    change = pieces_touching(cut ^ known, asked) if asked.any() else cut ^ known
    coarse = ((known ^ change) | view.keep) & ~view.drop
    around = cv2.dilate((change | asked).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    mask = np.where(view.lifted(around), refined(request.image, view, coarse), base)
    return ScoredMask(mask, edge_contrast(view, coarse), bounding_box(mask))


def _check(request: MaskGeneration) -> None:
    for name in ("keep", "drop", "prior", "base"):
        field = getattr(request, name)
        if field is not None and field.shape != request.image.shape[:2]:
            raise InvalidRequest(f"The map {name!r} and the image differ in size.")
