"""How lively a texture is: mean gradient magnitude, what a hole's surroundings promise, and making it so."""

import numpy as np
from numpy.typing import NDArray

from models.requests import Image, Mask

Floats = NDArray[np.float32]

WINDOW = 12.0  # px, Gaussian sigma over which gradients are averaged
REACHES = (
    1.0,
    2.0,
    4.0,
    8.0,
    16.0,
    32.0,
)  # of the eighth-size picture: from near the hole's edge to across it
LEAST_GAIN, MOST_GAIN = 0.9, 1.4  # how far detail may be damped or raised; more looks like sharpening
RING = 0.08  # of the long side: how far the hole's surroundings reach
EVEN = (
    1.25  # mean over median gradient up to which they count as one texture (stars 1.15, a portrait 1.4 to 3)
)
DETAIL = 3.0  # px: what counts as detail


def gradient_energy(image: Image, where: Mask) -> Floats:
    """Local mean gradient magnitude per pixel, from the pixels of `where` alone; 0..255 per pixel step."""
    import cv2

    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    magnitude = np.hypot(cv2.Sobel(gray, -1, 1, 0), cv2.Sobel(gray, -1, 0, 1)) / 4
    known = cv2.erode(where.astype(np.float32), np.ones((3, 3), np.uint8))
    total = cv2.GaussianBlur(magnitude * known, (0, 0), WINDOW)
    energy: Floats = total / np.maximum(cv2.GaussianBlur(known, (0, 0), WINDOW), 1e-3)
    return energy


def expected_energy(image: Image, hole: Mask) -> Floats:
    """`gradient_energy` of the known pixels, carried smoothly across the hole."""
    import cv2

    energy = gradient_energy(image, ~hole)
    size = max(1, hole.shape[1] // 8), max(1, hole.shape[0] // 8)
    known = cv2.resize((~hole).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    weighted = cv2.resize(np.where(hole, 0, energy).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    carried, settled = np.zeros_like(known), np.zeros_like(known)
    for reach in REACHES:
        weight = cv2.GaussianBlur(known, (0, 0), reach)
        share = np.clip(4 * weight, 0, 1) * (1 - settled)
        carried += share * cv2.GaussianBlur(weighted, (0, 0), reach) / np.maximum(weight, 1e-4)
        settled += share
    across = cv2.resize(carried / np.maximum(settled, 1e-6), hole.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.where(hole, across, energy).astype(np.float32)


def calmness(filled: Image, hole: Mask, promised: Floats) -> float:
    """Gradient energy of the fill over what was promised, mean over the hole; 1 is right, less is too smooth."""
    energy = gradient_energy(filled, np.ones_like(hole))
    return float(energy[hole].mean() / max(float(promised[hole].mean()), 1e-6))


def is_even(energy: Floats, hole: Mask, promised: Floats) -> bool:
    """Whether the surroundings are one texture. Where calm and busy things mix (a wall beside a flag), the
    promise is an average that holds nowhere, and nothing is to be made livelier for its sake."""
    import cv2

    distance = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, 5)
    ring = ~hole & (distance < RING * max(hole.shape))
    return float(promised[hole].mean()) <= EVEN * float(np.median(energy[ring]))


def lively(filled: Image, hole: Mask, promised: Floats) -> Image:
    """Raise or damp the fill's fine detail, within narrow limits, towards the promised energy."""
    import cv2

    energy = gradient_energy(filled, np.ones_like(hole))
    gain = np.clip((promised + 1) / (energy + 1), LEAST_GAIN, MOST_GAIN)[..., None]
    coarse = cv2.GaussianBlur(filled, (0, 0), DETAIL).astype(np.float32)
    louder = np.rint(np.clip(coarse + gain * (filled - coarse), 0, 255)).astype(np.uint8)
    return np.where(hole[..., None], louder, filled)
