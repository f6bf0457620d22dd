"""Exact minimum cuts with any unary term, on OpenCV's GrabCut solver.

`cv2.grabCut` builds its unary terms from colour mixtures that it fits itself. Here the mixtures are given and
frozen: one Gaussian each for foreground and background, equal but for their mean along the third channel, which
holds the wanted log odds. The difference of their log likelihoods is then linear in that channel, and the
solver (Boykov & Kolmogorov 2004) cuts for us at C++ speed. The pairwise term sees all three channels.
"""

import numpy as np
from numpy.typing import NDArray

from models.requests import Alpha, Image, Mask

LIMIT = 8.0  # log odds beyond which a pixel is as good as decided
STEPS = 48  # levels that the log odds are stored in: coarse, so that the pairwise term hardly sees them
WEAKEST = 0.6  # least smoothness: below it the solver's likelihoods would underflow
_SOLVER_GAMMA = 50.0  # weight of OpenCV's pairwise term
_FLAT = 1e6  # variance of the channels that the mixtures must ignore


def cut(colour: Image, log_odds: Alpha, smoothness: float) -> Mask:
    """The mask of least energy: unary `log_odds` (above 0 favours foreground; +-inf decides) and
    `smoothness` (at least WEAKEST) times the contrast-weighted length of the edge (8 neighbours, exp(-beta d^2)).

    colour: uint8 (height, width, 3); its two strongest directions weigh the edge, see `two_channels`.
    """
    import cv2

    entry = np.dstack([two_channels(colour), _levels(log_odds)])
    labels = np.where(log_odds > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[np.isposinf(log_odds)] = cv2.GC_FGD
    labels[np.isneginf(log_odds)] = cv2.GC_BGD
    if (log_odds > 0).all() or (log_odds <= 0).all():
        return np.asarray(log_odds > 0)
    scale = _SOLVER_GAMMA / max(smoothness, WEAKEST)
    # Equal variances v: log p_fg - log p_bg = (2 x - m_f - m_b)(m_f - m_b) / 2v = scale * log_odds
    slope = 2 * LIMIT / STEPS
    variance = STEPS / (scale * slope)
    cv2.grabCut(
        entry, labels, None, _model(0, variance), _model(STEPS, variance), 1, cv2.GC_EVAL_FREEZE_MODEL
    )
    return np.asarray((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD))


def two_channels(colour: Image) -> NDArray[np.uint8]:
    """uint8 (height, width, 2): the picture along its two principal directions in Lab."""
    import cv2

    lab = cv2.cvtColor(colour, cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(np.float32)
    lab -= lab.mean(axis=0)
    _, directions = np.linalg.eigh(lab.T @ lab)
    flat = lab @ directions[:, :0:-1] + 128
    channels: NDArray[np.uint8] = np.clip(flat, 0, 255).astype(np.uint8)
    return channels.reshape(*colour.shape[:2], 2)


def _levels(log_odds: Alpha) -> NDArray[np.uint8]:
    bounded = np.clip(log_odds, -LIMIT, LIMIT)
    levels: NDArray[np.uint8] = np.round((bounded + LIMIT) * (STEPS / (2 * LIMIT))).astype(np.uint8)
    return levels


def _model(mean: float, variance: float) -> NDArray[np.float64]:
    """OpenCV's (1, 65) mixture: five weights, five means, five covariances; only the first Gaussian counts."""
    model = np.zeros((1, 65))
    model[0, 0] = 1
    model[0, 5:8] = 128, 128, mean
    model[0, 20:29] = np.diag([_FLAT, _FLAT, variance]).ravel()
    return model
