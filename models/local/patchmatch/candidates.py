"""Shifts worth trying: those that a guide's patches came from, and the periods of the known texture."""

import numpy as np
from numpy.typing import NDArray

from models.requests import Image, Mask

Floats = NDArray[np.float32]
Shift = tuple[int, int]  # dy, dx in pixels

PATCH = 2  # nodes around a node that are compared
COMPONENTS = 12  # principal components of those patches
NEIGHBOURS = 2
CLOSEST = 24  # px; a shift shorter than this copies the picture onto itself
BACKGROUND = 16.0  # px; what is smoother than this tells nothing of a period
LEAST_OVERLAP = 0.15  # of the known pixels
PEAK = 6  # px around a period that belong to it


def patch_shifts(guide: Image, hole: Mask, spacing: int, count: int) -> list[Shift]:
    """The commonest shifts between the guide's patches in the hole and their likes outside, commonest first."""
    import cv2
    from scipy.spatial import cKDTree

    rows, columns = hole.shape[0] // spacing, hole.shape[1] // spacing
    if min(rows, columns) <= 2 * PATCH:
        return []
    covered = slice(rows * spacing), slice(columns * spacing)
    small = cv2.resize(guide[covered], (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float32)
    inside = cv2.resize(hole[covered].astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA) > 0
    side = 2 * PATCH + 1
    usable = cv2.dilate(inside.astype(np.uint8), np.ones((side, side), np.uint8)) == 0
    usable[:PATCH], usable[-PATCH:], usable[:, :PATCH], usable[:, -PATCH:] = False, False, False, False
    known, wanted = np.argwhere(usable), np.argwhere(inside)
    if len(known) < COMPONENTS:
        return []
    patches = _patches(small)
    mean = patches[usable].mean(axis=0)
    _, _, axes = np.linalg.svd(patches[usable][:: max(1, len(known) // 4000)] - mean, full_matrices=False)
    basis = axes[:COMPONENTS].T
    tree = cKDTree((patches[usable] - mean) @ basis)
    _, nearest = tree.query((patches[inside] - mean) @ basis, k=NEIGHBOURS)
    steps = (known[nearest] - wanted[:, None]).reshape(-1, 2)
    return [(dy * spacing, dx * spacing) for dy, dx in _commonest(steps, (rows, columns), count)]


def self_similar_shifts(image: Image, hole: Mask, count: int) -> list[Shift]:
    """The shifts at which the known pixels agree best with themselves: periods of bricks, tiles, windows."""
    from scipy import fft

    height, width = hole.shape
    size = fft.next_fast_len(2 * height, real=True), fft.next_fast_len(2 * width, real=True)
    known = (~hole).astype(np.float32)
    detail = _detail(image, known)

    def spectrum(plane: Floats) -> NDArray[np.complex64]:
        transformed: NDArray[np.complex64] = fft.rfft2(plane, size)
        return transformed

    of_known = spectrum(known)
    cross = np.zeros_like(of_known)
    for channel in range(3):
        plane = detail[..., channel]
        of_plane, of_square = spectrum(plane), spectrum(plane**2)
        cross += of_square * of_known.conj() + of_known * of_square.conj() - 2 * of_plane * of_plane.conj()
    overlap = fft.irfft2(of_known * of_known.conj(), size)
    difference = fft.irfft2(cross, size) / np.maximum(overlap, 1)
    difference[overlap < LEAST_OVERLAP * known.sum()] = np.inf
    return _lowest(difference, count)


def _patches(small: Floats) -> Floats:
    """(rows, columns, features): the colours around every node."""
    around = range(-PATCH, PATCH + 1)
    moved = [np.roll(small, (-dy, -dx), axis=(0, 1)) for dy in around for dx in around]
    return np.concatenate(moved, axis=2)


def _commonest(steps: NDArray[np.intp], shape: tuple[int, int], count: int) -> list[Shift]:
    import cv2

    rows, columns = shape
    votes = np.zeros((2 * rows + 1, 2 * columns + 1), np.float32)
    np.add.at(votes, (steps[:, 0] + rows, steps[:, 1] + columns), 1)
    votes = cv2.GaussianBlur(votes, (0, 0), 0.8)
    found: list[Shift] = []
    for _ in range(count):
        y, x = (int(i) for i in np.unravel_index(votes.argmax(), votes.shape))
        if votes[y, x] <= 0:
            break
        found.append((y - rows, x - columns))
        votes[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3] = 0
    return found


def _detail(image: Image, known: Floats) -> Floats:
    import cv2

    weight = np.maximum(cv2.GaussianBlur(known, (0, 0), BACKGROUND), 1e-3)[..., None]
    background = cv2.GaussianBlur(image * known[..., None], (0, 0), BACKGROUND) / weight
    detail: Floats = ((image - background) * known[..., None] / 64).astype(np.float32)
    return detail


def _lowest(difference: Floats, count: int) -> list[Shift]:
    rows, columns = difference.shape
    centred = np.fft.fftshift(difference)
    middle_y, middle_x = rows // 2, columns // 2
    y, x = np.ogrid[:rows, :columns]
    centred[(y - middle_y) ** 2 + (x - middle_x) ** 2 < CLOSEST**2] = np.inf
    found: list[Shift] = []
    for _ in range(count):
        top, left = (int(i) for i in np.unravel_index(centred.argmin(), centred.shape))
        if not np.isfinite(centred[top, left]):
            break
        found.append((middle_y - top, middle_x - left))
        centred[max(0, top - PEAK) : top + PEAK + 1, max(0, left - PEAK) : left + PEAK + 1] = np.inf
    return found
