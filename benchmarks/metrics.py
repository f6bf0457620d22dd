"""The figures that the benchmarks and tests report, each with its formula and source.

Conventions: p is the prediction, g the truth; alpha is float in [0, 1] (height, width); images are uint8
(height, width, 3); RGBA stacks are float in [0, 1] (height, width, 4), straight alpha.
"""

import itertools
import math

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.metrics import structural_similarity

Alpha = NDArray[np.floating]
Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Rgba = NDArray[np.floating]


def soft_iou(p: Alpha, g: Alpha) -> float:
    """sum min(p, g) / sum max(p, g); 1 if both are empty. Higher is better."""
    union = float(np.maximum(p, g).sum())
    return float(np.minimum(p, g).sum()) / union if union else 1.0


def iou(p: Alpha | Mask, g: Alpha | Mask) -> float:
    """Intersection over union of what exceeds one half; 1 if both are empty."""
    return soft_iou((p > 0.5).astype(np.float64), (g > 0.5).astype(np.float64))


def sad(p: Alpha, g: Alpha) -> float:
    """Sum of absolute differences / 1000 over the whole image (Rhemann 2009). Lower is better."""
    return float(np.abs(p - g).sum()) / 1000


def mse(p: Alpha, g: Alpha, where: Mask | None = None) -> float:
    """Mean squared difference, over `where` or the whole image."""
    squared = (p - g) ** 2
    return float((squared if where is None else squared[where]).mean())


def gradient_error(p: Alpha, g: Alpha, sigma: float = 1.4) -> float:
    """Grad (Rhemann 2009): squared difference of Gaussian-derivative magnitudes, summed, / 1000."""
    a = ndimage.gaussian_gradient_magnitude(p.astype(np.float64), sigma)
    b = ndimage.gaussian_gradient_magnitude(g.astype(np.float64), sigma)
    return float(((a - b) ** 2).sum()) / 1000


def connectivity_error(p: Alpha, g: Alpha, step: float = 0.1) -> float:
    """Conn (Rhemann 2009): how much alpha hangs apart from the largest common piece, summed, / 1000."""
    level = np.full(p.shape, -1.0)
    thresholds = np.arange(0, 1 + step, step)
    for before, now in itertools.pairwise(thresholds):
        pieces, count = ndimage.label((p >= now) & (g >= now))
        sizes = np.bincount(pieces.ravel())
        sizes[0] = 0
        largest = (pieces == sizes.argmax()) if count else np.zeros(p.shape, bool)
        level[(level == -1) & ~largest] = before
    level[level == -1] = 1

    def connectivity(alpha: Alpha) -> Alpha:
        apart = alpha - level
        return 1 - apart * (apart >= 0.15)

    return float(np.abs(connectivity(p) - connectivity(g)).sum()) / 1000


def psnr(p: Pixels, g: Pixels, where: Mask | None = None) -> float:
    """10 log10(255^2 / MSE) in dB, over `where` or the whole image; infinite when equal."""
    error = mse(p.astype(np.float64), g.astype(np.float64), where)
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(p: Pixels, g: Pixels, where: Mask | None = None) -> float:
    """Structural similarity (7 x 7 window, mean of channels), over `where` or the whole image."""
    mean, full = structural_similarity(p, g, channel_axis=2, full=True, data_range=255)
    return float(mean if where is None else full[where].mean())


def patch_swd(p: Pixels, g: Pixels, where: Mask, levels: int = 3, patch: int = 7) -> float:
    """Sliced Wasserstein distance x 1000 between the patches of both images inside `where`.

    Per level of a Laplacian pyramid: up to 4096 patches, normalised by the truth's mean and deviation, 128
    random directions (seed 0). Lower means more alike as texture, wherever the texture lies. NaN if too small.
    """
    rng = np.random.default_rng(0)
    a, b = p.astype(np.float32) / 255, g.astype(np.float32) / 255
    mask = where.astype(np.uint8)
    distances = []
    for level in range(levels):
        small_a, small_b = cv2.pyrDown(a), cv2.pyrDown(b)
        inner = cv2.erode(mask, np.ones((patch, patch), np.uint8), borderValue=0)
        rows, columns = np.nonzero(inner)
        if len(rows) < 50:
            break
        size, last = (a.shape[1], a.shape[0]), level == levels - 1
        chosen = rng.choice(len(rows), min(4096, len(rows)), replace=False)
        at = rows[chosen], columns[chosen]
        from_a = _patches(a if last else a - cv2.pyrUp(small_a, dstsize=size), at, patch)
        from_b = _patches(b if last else b - cv2.pyrUp(small_b, dstsize=size), at, patch)
        mean, deviation = from_b.mean(axis=0), from_b.std() + 1e-4
        directions = rng.standard_normal((from_a.shape[1], 128)).astype(np.float32)
        directions /= np.linalg.norm(directions, axis=0)
        sorted_a = np.sort((from_a - mean) / deviation @ directions, axis=0)
        sorted_b = np.sort((from_b - mean) / deviation @ directions, axis=0)
        distances.append(float(np.abs(sorted_a - sorted_b).mean()))
        a, b = small_a, small_b
        mask = cv2.resize(mask, (a.shape[1], a.shape[0]), interpolation=cv2.INTER_NEAREST)
    return 1000 * float(np.mean(distances)) if distances else math.nan


def gradient_ratio(p: Pixels, g: Pixels, where: Mask) -> float:
    """Mean Sobel magnitude inside `where`, prediction / truth: 1 is right, .2 is smeared."""
    inner = cv2.erode(where.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return float(_sobel(p)[inner].mean() / (_sobel(g)[inner].mean() + 1e-6))


def rgb_l1(p: Rgba, g: Rgba) -> float:
    """LayerD: mean absolute colour difference where the truth's alpha is above 0."""
    support = g[..., 3] > 0
    return float(np.abs(p[..., :3] - g[..., :3]).mean(axis=-1)[support].mean()) if support.any() else 0.0


def layer_cost(p: Rgba, g: Rgba) -> float:
    """LayerD: (rgb_l1 + 1 - soft IoU of alpha) / 2, in [0, 1]. An empty pair has soft IoU 0 here."""
    union = float(np.maximum(p[..., 3], g[..., 3]).sum())
    overlap = float(np.minimum(p[..., 3], g[..., 3]).sum()) / union if union else 0.0
    return (rgb_l1(p, g) + 1 - overlap) / 2


def stack_cost(p: list[Rgba], g: list[Rgba]) -> float:
    """LayerD (Suzuki 2025): align two back-to-front stacks by dynamic time warping; mean cost of the path."""
    cost = np.array([[layer_cost(a, b) for b in g] for a in p])
    best = np.full(cost.shape, np.inf)
    for i in range(len(p)):
        for j in range(len(g)):
            before = min((best[a, b] for a, b in _steps(i, j)), default=0.0)
            best[i, j] = cost[i, j] + before
    i, j = len(p) - 1, len(g) - 1
    path = [(i, j)]
    while i or j:
        i, j = min(_steps(i, j), key=lambda at: float(best[at]))
        path.append((i, j))
    return float(np.mean([cost[at] for at in path]))


def edge_colour_error(p: NDArray[np.floating], g: NDArray[np.floating], alpha: Alpha) -> float:
    """Mean absolute colour difference, in [0, 1], where the true alpha is between .05 and .95."""
    edge = (alpha > 0.05) & (alpha < 0.95)
    return float(np.abs(p - g).mean(axis=-1)[edge].mean()) if edge.any() else 0.0


def _steps(i: int, j: int) -> list[tuple[int, int]]:
    """The cells a warping path may come from, the diagonal first because ties prefer it."""
    return [(a, b) for a, b in ((i - 1, j - 1), (i - 1, j), (i, j - 1)) if a >= 0 and b >= 0]


def _patches(image: NDArray[np.float32], at: tuple[NDArray[np.intp], NDArray[np.intp]], patch: int) -> Alpha:
    """float32 (count, patch * patch * 3): the patches centred on `at`."""
    rows, columns = at
    offsets = range(-(patch // 2), patch // 2 + 1)
    return np.concatenate([image[rows + y, columns + x] for y in offsets for x in offsets], axis=1)


def _sobel(image: Pixels) -> NDArray[np.float32]:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.hypot(cv2.Sobel(grey, -1, 1, 0), cv2.Sobel(grey, -1, 0, 1))
