"""The matting Laplacian restricted to the unknown pixels, and its solution by conjugate gradients.

Levin, Lischinski, Weiss, "A closed-form solution to natural image matting", TPAMI 2008: in every 3 x 3 window
alpha is an affine function of colour; summing the windows' residuals gives a quadratic form in alpha. Known
pixels enter as boundary values, so only the band is ever built.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy import sparse

Floats = NDArray[np.float64]

EPSILON = 1e-7  # regularises the windows' colour covariance; the value of the paper's code and of pymatting
OFFSETS = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
WINDOWS_AT_ONCE = 1 << 15  # 81 doubles each: 21 MB


def solve_band(
    image: NDArray[np.uint8],
    known: NDArray[np.float32],
    start: NDArray[np.float32],
    unknown: NDArray[np.bool_],
    tolerance: float = 1e-4,
) -> NDArray[np.float32]:
    """Alpha of the unknown pixels, and `known` elsewhere.

    image: uint8 (height, width, 3). start: a first guess of alpha. tolerance: relative residual to stop at.
    """
    result = known.copy()
    if not unknown.any():
        return result
    matrix, pull = _system(image, known, unknown)
    result[unknown] = np.clip(_conjugate_gradients(matrix, pull, start[unknown], tolerance), 0, 1)
    return result


def _system(
    image: NDArray[np.uint8], known: NDArray[np.float32], unknown: NDArray[np.bool_]
) -> "tuple[sparse.csr_array, Floats]":
    """The Laplacian between unknown pixels (csr) and the pull of the known pixels on them."""
    height, width = unknown.shape
    pixels = np.flatnonzero(unknown.ravel())
    row_of = np.full(height * width, -1, np.int32)
    row_of[pixels] = np.arange(len(pixels), dtype=np.int32)
    values = np.zeros((len(pixels), 25))  # one column per neighbour offset in the 5 x 5 block around a pixel
    colours = image.reshape(-1, 3)
    centres = _centres(unknown)
    shifts = [dy * width + dx for dy, dx in OFFSETS]
    for first in range(0, len(centres), WINDOWS_AT_ONCE):
        _add_windows(values, colours, row_of, centres[first : first + WINDOWS_AT_ONCE], shifts)
    return _split(values, pixels, row_of, known)


def _centres(unknown: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Flat indices of the centres of all 3 x 3 windows, wholly inside the image, that hold an unknown pixel."""
    near = np.zeros(unknown.shape, bool)
    height, width = unknown.shape
    for dy, dx in OFFSETS:
        near[1:-1, 1:-1] |= unknown[1 + dy : height - 1 + dy, 1 + dx : width - 1 + dx]
    return np.flatnonzero(near.ravel())


def _add_windows(
    values: Floats,
    colours: NDArray[np.uint8],
    row_of: NDArray[np.int32],
    centres: NDArray[np.intp],
    shifts: list[int],
) -> None:
    """Add the 9 x 9 terms of each window to the rows of its unknown pixels."""
    window = colours[centres[:, None] + np.array(shifts)[None]] / 255.0
    offset = window - window.mean(axis=1, keepdims=True)
    covariance = np.einsum("nic,nid->ncd", offset, offset) / 9
    covariance[:, range(3), range(3)] += EPSILON / 9
    weight = offset @ np.linalg.inv(covariance)
    terms = -(1 + weight @ offset.transpose(0, 2, 1)) / 9
    terms[:, range(9), range(9)] += 1
    for i, (y, x) in enumerate(OFFSETS):
        rows = row_of[centres + shifts[i]]
        inside = rows >= 0
        rows, here = rows[inside], terms[inside, i]
        for j, (v, u) in enumerate(OFFSETS):
            values[rows, 5 * (v - y + 2) + (u - x + 2)] += here[:, j]  # for one (i, j) no row occurs twice


def _split(
    values: Floats, pixels: NDArray[np.intp], row_of: NDArray[np.int32], known: NDArray[np.float32]
) -> "tuple[sparse.csr_array, Floats]":
    """Terms towards unknown pixels become the matrix, terms towards known ones the right-hand side."""
    from scipy import sparse

    width = known.shape[1]
    flat = known.ravel()
    shifts = np.array([dy * width + dx for dy in range(-2, 3) for dx in range(-2, 3)])
    count = len(pixels)
    columns = np.full((count, 25), -1, np.int32)
    pull = np.zeros(count)
    for k, shift in enumerate(shifts):
        at = np.clip(
            pixels + shift, 0, flat.size - 1
        )  # a neighbour beyond the edge has no window: its value is 0
        columns[:, k] = row_of[at]
        outside = columns[:, k] < 0
        pull[outside] -= values[outside, k] * flat[at[outside]]
    keep = (columns >= 0) & (values != 0)
    starts = np.concatenate([[0], np.cumsum(keep.sum(axis=1))]).astype(np.int32)
    return sparse.csr_array((values[keep], columns[keep], starts), shape=(count, count)), pull


def _conjugate_gradients(
    matrix: "sparse.csr_array", pull: Floats, start: NDArray[np.float32], tolerance: float, limit: int = 2000
) -> Floats:
    """Jacobi-preconditioned conjugate gradients from `start`."""
    scale = 1 / np.maximum(matrix.diagonal(), 1e-12)
    x = start.astype(np.float64)
    residual = pull - matrix @ x
    z = scale * residual
    direction = z.copy()
    energy = _dot(residual, z)
    goal = tolerance**2 * max(_dot(pull, scale * pull), 1e-12)
    for _ in range(limit):
        if energy <= goal:
            break
        image = matrix @ direction
        step = energy / _dot(direction, image)
        x += step * direction
        residual -= step * image
        z = scale * residual
        energy, before = _dot(residual, z), energy
        direction *= energy / before
        direction += z
    return x


def _dot(a: Floats, b: Floats) -> float:
    """a . b without BLAS, whose threads wait for each other longer than these vectors take."""
    return float(np.einsum("i,i->", a, b))
