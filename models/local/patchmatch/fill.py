"""From a hole to a plate, in the order of the work.

The hole's surroundings are cropped and laid out at no more than LAYOUT_PIXELS. There PatchMatch continues the
texture; a smooth membrane over the hole corrects its lightness. Where that fill is much calmer than its
surroundings promise (stars, sparse detail: averaging patches loses them), whole pieces are copied instead,
chosen by a shift map. For larger pictures the same shifts then fetch the fine detail at full resolution.
"""

import numpy as np

from models.local.patchmatch import shifts
from models.local.patchmatch.energy import calmness, expected_energy, gradient_energy, lively
from models.requests import Image, Mask, Run

RADIUS = 5  # PyPatchMatch's `patch_size` is a radius: patches of 11 x 11; 3 and 7 measured worse
LAYOUT_PIXELS = 400_000  # PatchMatch takes about 6 s per megapixel; 768 x 512 is laid out as it is
SMALLEST = 4 * RADIUS  # px; below this a picture holds too few patches
SURROUNDINGS = 1.0  # how far the crop reaches beyond the hole, as a share of the hole's long side
MEMBRANE = 0.03  # scale of the lightness correction, as a share of the layout's long side
SMOOTH_SHARE = (
    0.7  # of the Navier-Stokes continuation in that lightness; all of it lets colours glow far inwards
)
TOO_CALM = 0.8  # of the gradient that the surroundings promise: below, pieces are copied
DETAIL = 3.0  # px of the layout: finer than this is fetched at full resolution


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
    scale = min(1.0, (LAYOUT_PIXELS / mask.size) ** 0.5)
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


def _lay_out(image: Image, hole: Mask, run: Run, wanted: bool) -> "tuple[Image, shifts.Moves | None]":
    """The filled layout, and which shift explains each part of it (if `wanted`, or if pieces were copied)."""
    import cv2

    run.progress(0.1, "Continuing the texture")
    smooth = cv2.inpaint(image, hole.astype(np.uint8), 3, cv2.INPAINT_NS)
    if min(hole.shape) < SMALLEST or (~hole).sum() < SMALLEST**2:
        return smooth, None
    guide = _patchmatch(image, hole)
    run.check()
    run.progress(0.6, "Blending")
    promised = expected_energy(image, hole)
    corrected = _membrane(guide, smooth, guide, hole)
    calm = calmness(guide, hole, promised) < TOO_CALM
    if not (calm or wanted):
        return lively(corrected, hole, promised), None
    energy = gradient_energy(image, ~hole)
    moves = shifts.find(image, guide, hole, energy, promised, shifts.COPY if calm else shifts.FOLLOW)
    if calm and moves is not None:
        copied = moves.copy_onto(image, guide, hole)
        corrected = _membrane(copied, smooth, guide, hole)
    return lively(corrected, hole, promised), moves


def _patchmatch(image: Image, hole: Mask) -> Image:
    from patchmatch import patch_match

    filled: Image = patch_match.inpaint(image, hole, patch_size=RADIUS)
    return filled


def _membrane(fill_: Image, smooth: Image, guide: Image, hole: Mask) -> Image:
    """Give `fill_` the lightness, at the scale of MEMBRANE, of the Navier-Stokes continuation `smooth` mixed
    with `guide`: the texture of the one, and no seam at the hole's edge, as the other."""
    import cv2

    wish = SMOOTH_SHARE * smooth.astype(np.float32) + (1 - SMOOTH_SHARE) * guide
    off = np.where(hole[..., None], wish - fill_, 0).astype(np.float32)
    off = cv2.GaussianBlur(off, (0, 0), max(1.0, MEMBRANE * max(hole.shape)))
    corrected = np.rint(np.clip(fill_ + off, 0, 255)).astype(np.uint8)
    return np.where(hole[..., None], corrected, fill_)


def _detailed(image: Image, mask: Mask, filled: Image, moves: "shifts.Moves | None", run: Run) -> Image:
    """The layout enlarged, plus what the shifted source has beyond it at full resolution."""
    import cv2

    height, width = mask.shape
    coarse = cv2.resize(
        cv2.GaussianBlur(filled, (0, 0), DETAIL), (width, height), interpolation=cv2.INTER_LINEAR
    )
    result = image.copy()
    step = max(1, (1 << 20) // width)
    for top in range(0, height, step):
        run.check()
        rows = slice(top, top + step)
        y, x = np.nonzero(mask[rows])
        if len(y) == 0:
            continue
        y += top
        values = coarse[y, x].astype(np.int16)
        if moves is not None:
            source_y, source_x = moves.sources(y, x, mask.shape)
            detail = image[source_y, source_x].astype(np.int16) - coarse[source_y, source_x]
            values += np.where(mask[source_y, source_x][:, None], 0, detail).astype(np.int16)
        result[y, x] = np.clip(values, 0, 255)
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
