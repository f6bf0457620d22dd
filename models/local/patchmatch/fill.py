"""From a hole to a plate, in the order of the work.

The hole's surroundings are cropped and laid out at no more than LAYOUT_PIXELS. There PatchMatch continues the
texture; a smooth membrane over the hole corrects its lightness. Where that fill is much calmer than its
surroundings promise (stars, sparse detail: averaging patches loses them), whole pieces are copied instead,
chosen by a shift map. For larger pictures the same shifts then fetch the fine detail at full resolution.
"""

import numpy as np

from models.local.patchmatch import shifts
from models.local.patchmatch.energy import calmness, expected_energy, gradient_energy, is_even, lively
from models.requests import Image, Mask, Run

RADIUS = 5  # PyPatchMatch's `patch_size` is a radius: patches of 11 x 11; 3 and 7 measured worse
LAYOUT_PIXELS = 400_000  # 768 x 512 is laid out as it is
LAYOUT_HOLE = 110_000  # of them in the hole: PatchMatch takes 2 to 3 s for so many
SMALLEST = 4 * RADIUS  # px; below this a picture holds too few patches
SURROUNDINGS = 1.0  # how far the crop reaches beyond the hole, as a share of the hole's long side
MEMBRANE = 0.03  # scale of the lightness correction, as a share of the layout's long side
MEMBRANE_DEPTH = (
    3.0  # of that scale: deeper in the hole the continuation no longer counts, or colours glow inwards
)
TOO_CALM = 0.8  # of the gradient that the surroundings promise: below, pieces are copied
DETAIL = 3.0  # px of the layout: finer than this is fetched at full resolution
PIXELS_AT_ONCE = 1 << 19


def fill(image: Image, mask: Mask, run: Run) -> Image:
    """`image` with the True pixels of `mask` continued from around them; all others byte-identical."""
    result = image.copy()
    if not mask.any():
        return result
    crop = _surroundings(mask)
    result[crop] = _fill_crop(image[crop], mask[crop], run)
    return result


def _fill_crop(image: Image, mask: Mask, run: Run) -> Image:
    import cv2

    height, width = mask.shape
    scale = min(1.0, (LAYOUT_PIXELS / mask.size) ** 0.5, (LAYOUT_HOLE / int(mask.sum())) ** 0.5)
    if scale == 1:
        filled, _ = _lay_out(image, mask, run, wanted=False)
        return np.where(mask[..., None], filled, image)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    hole = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    filled, moves = _lay_out(small, hole, run, wanted=True)
    run.check()
    run.progress(0.8, "Fetching fine detail")
    return _detailed(image, mask, filled, moves, run)


def _lay_out(image: Image, hole: Mask, run: Run, wanted: bool) -> tuple[Image, shifts.Moves | None]:
    """The filled layout, and which shift explains each part of it (if `wanted`, or if pieces were copied)."""
    import cv2

    run.progress(0.1, "Continuing the texture")
    smooth = cv2.inpaint(image, hole.astype(np.uint8), 3, cv2.INPAINT_NS)
    if min(hole.shape) < SMALLEST or (~hole).sum() < SMALLEST**2:
        return smooth, None
    guide = _patchmatch(image, hole)
    run.check()
    run.progress(0.6, "Blending")
    corrected = _membrane(guide, smooth, guide, hole)
    energy, promised = gradient_energy(image, ~hole), expected_energy(image, hole)
    even = is_even(energy, hole, promised)
    copy = even and calmness(guide, hole, promised) < TOO_CALM
    moves = None
    if copy or wanted:
        moves = shifts.find(image, guide, hole, energy, promised, shifts.COPY if copy else shifts.FOLLOW)
    if copy and moves is not None:
        corrected = _membrane(_copied(image, guide, hole, moves), smooth, guide, hole)
    return (lively(corrected, hole, promised) if even else corrected), moves


def _patchmatch(image: Image, hole: Mask) -> Image:
    from patchmatch import patch_match

    filled: Image = patch_match.inpaint(image, hole, patch_size=RADIUS)
    return filled


def _membrane(fill_: Image, smooth: Image, guide: Image, hole: Mask) -> Image:
    """Give `fill_` the lightness, at the scale of MEMBRANE, of the Navier-Stokes continuation `smooth` mixed
    with `guide`: the texture of the one, and no seam at the hole's edge, as the other."""
    import cv2

    scale = max(1.0, MEMBRANE * max(hole.shape))
    depth = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 5)
    share = np.exp(-depth / (MEMBRANE_DEPTH * scale))[..., None]
    wish = share * smooth + (1 - share) * guide
    off = np.where(hole[..., None], wish - fill_, 0).astype(np.float32)
    off = cv2.GaussianBlur(off, (0, 0), scale)
    corrected = np.rint(np.clip(fill_ + off, 0, 255)).astype(np.uint8)
    return np.where(hole[..., None], corrected, fill_)


def _copied(image: Image, guide: Image, hole: Mask, moves: shifts.Moves) -> Image:
    """`guide` with every pixel of the hole that has a known source copied from there."""
    result = np.where(hole[..., None], guide, image)
    y, x = np.nonzero(hole)
    result[y, x] = np.rint(moves.gather(image, hole, y, x, otherwise=guide[y, x].astype(np.float32)))
    return result


def _detailed(image: Image, mask: Mask, filled: Image, moves: shifts.Moves | None, run: Run) -> Image:
    """The layout enlarged, plus what the shifted source has beyond it at full resolution."""
    import cv2

    height, width = mask.shape
    coarse = cv2.resize(
        cv2.GaussianBlur(filled, (0, 0), DETAIL), (width, height), interpolation=cv2.INTER_LINEAR
    )
    result = image.copy()
    step = max(1, PIXELS_AT_ONCE // width)
    for top in range(0, height, step):
        run.check()
        y, x = np.nonzero(mask[top : top + step])
        if len(y) == 0:
            continue
        y += top
        values = coarse[y, x].astype(np.float32)
        if moves is not None:
            values += moves.gather(image, mask, y, x, otherwise=np.zeros_like(values), minus=coarse)
        result[y, x] = np.rint(np.clip(values, 0, 255))
    return result


def _surroundings(mask: Mask) -> tuple[slice, slice]:
    """The hole's bounding box, grown so that there is texture to copy on every side."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    reach = int(SURROUNDINGS * max(np.ptp(rows), np.ptp(columns))) + 4 * SMALLEST
    y, x = (
        slice(max(0, int(side[0]) - reach), min(limit, int(side[-1]) + 1 + reach))
        for side, limit in zip((rows, columns), mask.shape, strict=True)
    )
    return y, x
