"""Which colours speak for the object and which for what is around it.

A colour here is Lab and roughness. Where object and background are both dark, or both bright, Lab hardly tells them
apart; but a sky is smooth and eaves are not, and a cap is smooth before a heap of parts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.requests import Alpha, Image, Mask

COLOURS = 48
# Lab distance per e-fold of local contrast: of 0, 5, 10 and 20 the best over composites with exact boxes.
ROUGHNESS = 20.0
GRAIN = 2.0  # px: sigma of the window of the local contrast, narrow so that it does not smear edges
NOISE = 1.0  # deviation of L at which contrast begins to count: sensor noise of a picture scaled down
SPREAD = (
    6.0  # Lab distance over which neighbouring colours share their counts: about two just noticeable steps
)
FLOOR = 0.002  # share below which a colour says nothing: keeps the log ratio within about +-6


@dataclass(frozen=True, eq=False)
class Palette:
    """A picture in few colours. index: (height, width) into `colours`, float32 (colours, 4): Lab and roughness.
    spread: float32 (colours, colours), rows sum to 1. image_lab: float32 (height, width, 3)."""

    index: NDArray[np.intp]
    colours: NDArray[np.float32]
    spread: NDArray[np.float32]
    image_lab: NDArray[np.float32]

    def share(self, weight: Alpha) -> NDArray[np.float64]:
        """float64 (colours,): how much of `weight`, a map of the picture, each colour holds; sums to 1."""
        counts = np.bincount(self.index.ravel(), weight.ravel(), len(self.colours)) @ self.spread
        return np.asarray(counts / max(counts.sum(), 1e-9))

    def log_ratio(self, foreground: Alpha, ignore: Mask) -> Alpha:
        """Per pixel: log of how much likelier its colour is in the foreground (a soft map in [0, 1]) than in
        the rest. Pixels of `ignore` belong to neither."""
        seen = ~ignore
        ratio = np.log(
            (self.share(foreground * seen) + FLOOR) / (self.share((1 - foreground) * seen) + FLOOR)
        )
        return np.asarray(ratio[self.index], np.float32)


def palette(image: Image, roughness: float = 0.0) -> Palette:
    """The palette of a picture by k-means, slightly blurred so that noise makes no colours of its own.

    roughness: weight of the local contrast. It finds the object; it blurs the course of its edge."""
    import cv2

    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    flat = cv2.GaussianBlur(np.dstack([lab, roughness * _contrast(lab[..., 0])]), (0, 0), 0.8).reshape(-1, 4)
    sample = flat[np.random.default_rng(0).choice(len(flat), min(6000, len(flat)), replace=False)]
    wanted = min(COLOURS, len(sample))
    cv2.setRNGSeed(1)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 12, 0.5)
    _, _, colours = cv2.kmeans(sample, wanted, None, stop, 1, cv2.KMEANS_PP_CENTERS)
    squared = (colours**2).sum(axis=1) - 2 * flat @ colours.T
    apart = np.linalg.norm(colours[:, None] - colours[None], axis=2)
    spread = np.exp(-(apart**2) / (2 * SPREAD**2))
    spread /= spread.sum(axis=1, keepdims=True)
    return Palette(squared.argmin(axis=1).reshape(image.shape[:2]), colours, spread, lab)


def _contrast(lightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 (height, width), at least 0: the logarithm of the local deviation of L."""
    import cv2

    mean = cv2.GaussianBlur(lightness, (0, 0), GRAIN)
    variance = cv2.GaussianBlur(lightness**2, (0, 0), GRAIN) - mean**2
    return np.asarray(np.log1p(np.sqrt(np.maximum(variance, 0)) / NOISE), np.float32)
