"""What everybody gets from OpenCV alone, as the measure of what more is worth."""

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Alpha = NDArray[np.float32]
Box = tuple[float, float, float, float]
FEATHER = 1.5  # px, sigma


def grabcut_box(image: Pixels, box: Box, taken: NDArray[np.bool_] | None = None) -> Alpha:
    """GrabCut from a box (six rounds at up to 480 px), feathered: float32 (height, width) in [0, 1]."""
    scale = min(1.0, 480 / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    x0, y0, x1, y1 = (max(0, round(edge * scale)) for edge in box)
    labels = np.full(small.shape[:2], cv2.GC_BGD, np.uint8)
    labels[y0:y1, x0:x1] = cv2.GC_PR_FGD
    if taken is not None:
        labels[cv2.resize(taken.astype(np.uint8), small.shape[1::-1]) > 0] = cv2.GC_BGD
    return _feathered(_grabcut(small, labels), image)


def grabcut_saliency(image: Pixels) -> Alpha:
    """The same without a hint: spectral residual saliency, Otsu's threshold, GrabCut, feathered."""
    scale = min(1.0, 480 / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    saliency = cv2.saliency.StaticSaliencySpectralResidual_create()
    _, found = saliency.computeSaliency(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
    grey = np.clip(found * 255, 0, 255).astype(np.uint8)
    _, bright = cv2.threshold(grey, 0, 255, cv2.THRESH_OTSU)
    labels = np.where(bright > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    return _feathered(_grabcut(small, labels), image)


def telea(image: Pixels, hole: NDArray[np.bool_]) -> Pixels:
    """OpenCV's inpainting by fast marching, radius 3."""
    return cv2.inpaint(image, hole.astype(np.uint8), 3, cv2.INPAINT_TELEA)


def _grabcut(image: Pixels, labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    possible = (labels == cv2.GC_PR_FGD) | (labels == cv2.GC_FGD)
    if not possible.any() or possible.all():
        return possible
    cv2.setRNGSeed(1)
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    cv2.grabCut(bgr, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 6, cv2.GC_INIT_WITH_MASK)
    return (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)


def _feathered(mask: NDArray[np.bool_], image: Pixels) -> Alpha:
    full = cv2.resize(mask.astype(np.float32), image.shape[1::-1], interpolation=cv2.INTER_LINEAR) > 0.5
    return np.clip(cv2.GaussianBlur(full.astype(np.float32), (0, 0), FEATHER), 0, 1)
