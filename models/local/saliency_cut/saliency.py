"""Two classical saliency maps: what stands out from the border of the picture.

robust_background: how well a superpixel is connected to the border (Zhu et al. 2014, doi 10.1109/CVPR.2014.360).
barrier_distance: the least colour barrier between a pixel and the border (Zhang et al. 2015, MB+,
doi 10.1109/ICCV.2015.165), plus how unlike the four borders it is.
"""

import numpy as np
from numpy.typing import NDArray

from models.requests import Alpha, Image

RBD_SIDE = 320  # px: both maps change little above these sizes
MBD_SIDE = 240
SEGMENTS = 300  # superpixels, as in the paper's range of 200-300
SIGMA_COLOUR = 10.0  # Lab distance, from the paper
SIGMA_PLACE = 0.4  # share of the long side
BACKGROUND_WEIGHT = 5.0
SWEEPS = 2  # each of four directions; a third changes nothing that the eye sees

Field = NDArray[np.float64]


def robust_background(image: Image) -> Alpha:
    """float32 (height, width) in [0, 1], 1 most salient. Optimised boundary connectivity over superpixels."""
    import cv2
    from scipy import sparse
    from scipy.sparse.csgraph import dijkstra
    from scipy.sparse.linalg import spsolve
    from skimage.segmentation import slic

    small = _reduced(image, RBD_SIDE)
    segments = slic(small, SEGMENTS, compactness=20, start_label=0, sigma=0.5, max_num_iter=5)
    colour, place = _means(small, segments)
    count = len(colour)
    border = np.zeros(count, bool)
    border[np.unique(np.concatenate([segments[0], segments[-1], segments[:, 0], segments[:, -1]]))] = True
    touches = _neighbours(segments, count)
    apart = np.linalg.norm(colour[:, None] - colour[None], axis=2)
    # All border superpixels count as neighbours of each other; small steps are clipped off every path.
    linked = touches | np.outer(border, border)
    np.fill_diagonal(linked, False)
    usual = np.where(touches, apart, np.inf).min(axis=1)
    usual_step = float(usual[np.isfinite(usual)].mean()) if np.isfinite(usual).any() else 0.0
    steps = np.where(linked, np.maximum(apart - usual_step, 1e-6), 0)
    geodesic = dijkstra(sparse.csr_matrix(steps), directed=False)
    reach = np.exp(-(geodesic**2) / (2 * SIGMA_COLOUR**2))
    connectivity = reach[:, border].sum(axis=1) / np.sqrt(reach.sum(axis=1))
    background = 1 - np.exp(-(connectivity**2) / 2)
    near = np.exp(-((place[:, None] - place[None]) ** 2).sum(axis=2) / (2 * SIGMA_PLACE**2))
    contrast = _unit((apart * near) @ background)
    weight = np.where(touches, np.exp(-(apart**2) / (2 * SIGMA_COLOUR**2)) + 0.1, 0)
    laplacian = np.diag(weight.sum(axis=1)) - weight
    system = sparse.csc_matrix(laplacian + np.diag(BACKGROUND_WEIGHT * background + contrast + 1e-9))
    salient = _unit(spsolve(system, contrast))
    result: Alpha = cv2.resize(salient[segments].astype(np.float32), image.shape[1::-1])
    return result


def barrier_distance(image: Image) -> Alpha:
    """float32 (height, width) in [0, 1], 1 most salient. Minimum barrier distance, border contrast, centre."""
    import cv2

    small = _reduced(image, MBD_SIDE)
    lab = _lab(small)
    barrier = sum(_barrier(lab[..., channel]) for channel in range(3))
    height, width = small.shape[:2]
    thickness = max(3, round(0.05 * min(height, width)))
    borders = lab[:thickness], lab[-thickness:], lab[:, :thickness], lab[:, -thickness:]
    unlike = [_unlike(lab, border.reshape(-1, 3)) for border in borders]
    # The border most unlike the others may be the subject itself: it is left out.
    contrast = np.sum(unlike, axis=0) - np.max(unlike, axis=0)
    y, x = np.mgrid[:height, :width]
    centred = 1 - np.hypot((y - height / 2) / height, (x - width / 2) / width)
    salient = _unit((barrier / (np.max(barrier) + 1e-9) + contrast / (contrast.max() + 1e-9)) * centred)
    result: Alpha = cv2.resize(salient.astype(np.float32), image.shape[1::-1])
    return result


def _barrier(channel: Field) -> Field:
    """Minimum barrier distance to the border by sweeps in four directions, a whole row or column at a time."""
    distance = np.full(channel.shape, np.inf)
    distance[[0, -1]] = 0
    distance[:, [0, -1]] = 0
    high, low = channel.copy(), channel.copy()
    for _ in range(SWEEPS):
        for turned in (False, True):
            views = [field.T if turned else field for field in (channel, distance, high, low)]
            for order in (range(1, len(views[0])), range(len(views[0]) - 2, -1, -1)):
                back = -order.step
                for row in order:
                    _relax(row, row + back, *views)
    return distance


def _relax(row: int, before: int, channel: Field, distance: Field, high: Field, low: Field) -> None:
    """Let the paths of row `before` go on to `row` where that lowers the barrier. Writes into the fields."""
    top, bottom = np.maximum(high[before], channel[row]), np.minimum(low[before], channel[row])
    barrier = top - bottom
    better = barrier < distance[row]
    np.copyto(distance[row], barrier, where=better)
    np.copyto(high[row], top, where=better)
    np.copyto(low[row], bottom, where=better)


def _unlike(lab: Field, border: Field) -> Field:
    """Mahalanobis distance of every pixel to the colours of one border, scaled to at most 1."""
    inverse = np.linalg.inv(np.cov(border.T) + 5 * np.eye(3))
    away = lab - border.mean(axis=0)
    distance = np.sqrt(np.einsum("yxi,ij,yxj->yx", away, inverse, away))
    return np.asarray(distance / (distance.max() + 1e-9))


def _means(image: Image, segments: NDArray[np.int64]) -> tuple[Field, Field]:
    """Mean Lab colour (count, 3) and mean place (count, 2), in shares of the long side, of every segment."""
    flat = segments.ravel()
    size = np.bincount(flat).astype(np.float64)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] / max(image.shape[:2])
    lab = _lab(image).reshape(-1, 3)
    columns = [*lab.T, y.ravel(), x.ravel()]
    means = np.stack([np.bincount(flat, column) / size for column in columns], axis=1)
    return means[:, :3], means[:, 3:]


def _neighbours(segments: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """bool (count, count): which segments touch, corners included."""
    touches = np.zeros((count, count), bool)
    for a, b in (
        (segments[:, :-1], segments[:, 1:]),
        (segments[:-1], segments[1:]),
        (segments[:-1, :-1], segments[1:, 1:]),
        (segments[1:, :-1], segments[:-1, 1:]),
    ):
        touches[a, b] = True
    touches |= touches.T
    np.fill_diagonal(touches, False)
    return touches


def _lab(image: Image) -> Field:
    """float64 Lab with L in 0..100 and a, b in their usual units."""
    import cv2

    return np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float64)


def _unit(values: Field) -> Field:
    return np.asarray((values - values.min()) / (np.ptp(values) + 1e-9))


def _reduced(image: Image, side: int) -> Image:
    import cv2

    scale = side / max(image.shape[:2])
    if scale >= 1:
        return image
    size = max(8, round(image.shape[1] * scale)), max(8, round(image.shape[0] * scale))
    result: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return result
