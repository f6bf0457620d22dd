"""Several independent answers to one question: which pixels are the object?

Every answer is a minimum cut whose colour models are learnt from a different first guess. Where a guess is
wrong, its answer is odd one out; `score` finds that.
"""

import numpy as np

from models.local.saliency_cut.graphcut import cut
from models.local.saliency_cut.shape import cleaned
from models.local.saliency_cut.view import View
from models.requests import Alpha, Mask

ROUNDS = 4  # of learning colours and cutting
SMOOTHNESS = 6.0
COLOUR_WEIGHT = 0.7  # below 1: neighbouring pixels are not independent witnesses
OUTSIDE_SLOPE = 30.0  # log odds per box side outside the box: 3 at a tenth of a side, as sloppy as boxes are
OUTSIDE_LIMIT = 0.15  # of a side: further out nothing belongs to the object
SURE = 0.95  # what a cut says of its own pixels when the next round learns from it


def candidates(view: View) -> dict[str, Mask]:
    """The answers for a box by name, in pixels of the view. Names: what the first guess was."""
    inside = (view.beyond == 0).astype(np.float32)
    from_ring = view.palette.log_ratio(0.9 * inside, view.drop)
    found = {
        "box": learn(view, 0.7 * inside, np.zeros_like(inside)),
        "colours": learn(view, inside / (1 + np.exp(-2 * from_ring)), 0.5 * from_ring),
        "mixtures": _mixtures(view, 0.0),
        "mixtures, wider": _mixtures(view, 0.06),
    }
    return whole_picture(view) | {name: _seeded(view, mask) for name, mask in found.items()}


def whole_picture(view: View) -> dict[str, Mask]:
    """The answers that need no box."""
    both = np.asarray((view.person + view.salient) / 2, np.float32)
    found = {
        "person": view.person > 0.5,
        "person colours": learn(view, view.person, 1.5 * logit(view.person)),
        "salient": learn(view, np.clip(view.salient, 0.05, SURE), 0.7 * logit(view.salient)),
        "both": learn(view, both, logit(both)),
    }
    return {name: _seeded(view, mask) for name, mask in found.items()}


def learn(view: View, guess: Alpha, prior: Alpha, rounds: int = ROUNDS) -> Mask:
    """Alternate between learning colours from a soft map and cutting. prior: log odds kept in every round."""
    fixed = prior - OUTSIDE_SLOPE * np.minimum(view.beyond, 1)
    fixed = np.where((view.beyond > OUTSIDE_LIMIT) | view.drop, -np.inf, fixed)
    fixed = np.where(view.keep, np.inf, fixed)
    mask = guess > 0.5
    for _ in range(rounds):
        guess = np.where(view.beyond > 0.02, 0.3 * guess, guess)
        odds = COLOUR_WEIGHT * view.palette.log_ratio(guess, view.drop) + fixed
        mask = cut(view.image, odds.astype(np.float32), SMOOTHNESS)
        if not mask.any():
            break
        guess = np.where(mask, SURE, 1 - SURE)
    return mask


def logit(probability: Alpha, limit: float = 3.0) -> Alpha:
    """Log odds, bounded: no map is surer than about 95 %."""
    return np.asarray(np.clip(np.log((probability + 0.02) / (1.02 - probability)), -limit, limit))


def _seeded(view: View, mask: Mask) -> Mask:
    return cleaned((mask | view.keep) & ~view.drop)


def _mixtures(view: View, grow: float) -> Mask:
    """OpenCV's GrabCut from the box, grown by a share of its sides: the classic answer."""
    import cv2

    labels = np.where(view.beyond > grow, cv2.GC_BGD, cv2.GC_PR_FGD).astype(np.uint8)
    labels[view.drop] = cv2.GC_BGD
    labels[view.keep] = cv2.GC_FGD
    possible = labels != cv2.GC_BGD
    if possible.all() or not possible.any():
        return np.asarray(possible)
    cv2.setRNGSeed(1)
    bgr = cv2.cvtColor(view.image, cv2.COLOR_RGB2BGR)
    cv2.grabCut(bgr, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_MASK)
    return np.asarray((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD))
