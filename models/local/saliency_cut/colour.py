"""Which colours speak for the object and which for what is around it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.requests import Alpha, Image, Mask

COLOURS = 48
SPREAD = (
    6.0  # Lab distance over which neighbouring colours share their counts: about two just noticeable steps
)
FLOOR = 0.002  # share below which a colour says nothing: keeps the log ratio within about +-6


@dataclass(frozen=True, eq=False)
class Palette:
    """A picture in few colours. index: (height, width) into `lab`, float32 (colours, 3). spread: float32
    (colours, colours), rows sum to 1. image_lab: float32 (height, width, 3)."""

    index: NDArray[np.intp]
    lab: NDArray[np.float32]
    spread: NDArray[np.float32]
    image_lab: NDArray[np.float32]

    def share(self, weight: Alpha) -> NDArray[np.float64]:
        """float64 (colours,): how much of `weight`, a map of the picture, each colour holds; sums to 1."""
        counts = np.bincount(self.index.ravel(), weight.ravel(), len(self.lab)) @ self.spread
        return np.asarray(counts / max(counts.sum(), 1e-9))

    def log_ratio(self, foreground: Alpha, ignore: Mask) -> Alpha:
        """Per pixel: log of how much likelier its colour is in the foreground (a soft map in [0, 1]) than in
        the rest. Pixels of `ignore` belong to neither."""
        seen = ~ignore
        ratio = np.log(
            (self.share(foreground * seen) + FLOOR) / (self.share((1 - foreground) * seen) + FLOOR)
        )
        return np.asarray(ratio[self.index], np.float32)


def palette(image: Image) -> Palette:
    """The palette of a picture by k-means in Lab, slightly blurred so that noise makes no colours of its own."""
    import cv2

    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    flat = cv2.GaussianBlur(lab, (0, 0), 0.8).reshape(-1, 3)
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
