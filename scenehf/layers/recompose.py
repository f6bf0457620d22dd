"""The promise of the product: plate and layers, as written, add up to the photo again.

`faithful` solves the layers' 8-bit colours so that source-over on sRGB values, computed exactly from the stored
bytes, differs from the source by at most TOLERANCE on every pixel. `clean` keeps the decontaminated colours as
they are: prettier over another background, not exact.

At each pixel the frontmost layer with any alpha answers for the result, since what lies behind it is fixed
first: its colour must be f = (S - (1 - a) X) / a, with S the source and X the composite behind. The tolerance is
spent before alpha is touched (f may move by TOLERANCE / a towards the clean colour); only where even then no f in
0..255 exists is alpha raised, to the least 8-bit value at which one does. At full alpha one always does.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scenehf.pixels import blocks, composite, full_canvas
from scenehf.scene import Layer, Pixels, Scene

Floats = NDArray[np.float64]

TOLERANCE = 2.0  # of 255, per channel
_SPEND = (
    TOLERANCE - 1e-3
)  # what the solver uses of it, so that rounding in a reader's arithmetic stays inside
_HIDES = 0.9  # a layer this opaque tells nothing about the colours behind it
_BLOCK = 1 << 18  # pixels worked on at once


@dataclass(frozen=True, eq=False)
class Recomposed:
    """A scene and how well it adds up. max_error, mean_error: of 255, over all pixels and channels. raised: share
    of pixels whose alpha had to be raised."""

    scene: Scene
    max_error: float
    mean_error: float
    raised: float


def faithful(source: Pixels, plate: Pixels, layers: Sequence[Layer]) -> Recomposed:
    """Solve `layers` (front to back, in clean colours) and `plate` so that they recompose `source`.

    The plate becomes the source where no layer has alpha. Layers keep their bounds; colours under alpha 0 and
    behind opaque layers stay. Nothing is written into the arguments.
    """
    solved = [replace(layer, pixels=layer.pixels.copy()) for layer in layers]
    own = plate.copy()
    height, width = plate.shape[:2]
    step = max(1, _BLOCK // width)
    raised = 0
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        raised += _solve(source[rows], own[rows], [_Piece(layer, rows, width) for layer in solved])
    return _measured(Scene(tuple(solved), own, source), raised / (height * width))


def clean(source: Pixels, plate: Pixels, layers: Sequence[Layer]) -> Recomposed:
    """The layers as they are, over a plate that is the source where no layer has alpha."""
    own = plate.copy()
    height, width = plate.shape[:2]
    step = max(1, _BLOCK // width)
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        bare = ~_covered([_Piece(layer, rows, width) for layer in layers], own[rows].shape[:2])
        own[rows][bare] = source[rows][bare]
    return _measured(Scene(tuple(layers), own, source), 0.0)


def with_edits(source: Pixels, plate: Pixels, layers: Sequence[Layer], edited: Collection[str]) -> Pixels:
    """The photo as it looks with these layers in other colours: what `faithful` is to add up to then. Elsewhere it is
    the photo, to the last bit."""
    whole = composite(clean(source, plate, layers).scene)
    result = source.copy()
    for layer in layers:
        if layer.id in edited:
            touched = full_canvas(layer, source.shape[1::-1])[..., 3] > 0
            result[touched] = whole[touched]
    return result


def errors(scene: Scene) -> tuple[float, float]:
    """(max, mean) absolute difference of 255 between the composite of the stored bytes and the source."""
    largest, total = 0.0, 0.0
    for rows, block in blocks(scene.layers, scene.plate):
        difference = np.abs(block - scene.source[rows])
        largest = max(largest, float(difference.max(initial=0)))
        total += float(difference.sum())
    return largest, total / max(1, scene.source.size)


def _measured(scene: Scene, raised: float) -> Recomposed:
    largest, mean = errors(scene)
    return Recomposed(scene, largest, mean, raised)


class _Piece:
    """The part of a layer that lies in some rows of the canvas. pixels: a view into the layer's array."""

    def __init__(self, layer: Layer, rows: slice, width: int) -> None:
        height, wide = layer.pixels.shape[:2]
        top, bottom = max(layer.y, rows.start), min(layer.y + height, rows.stop)
        left, right = max(layer.x, 0), min(layer.x + wide, width)
        bottom, right = max(top, bottom), max(left, right)
        self.place = slice(top - rows.start, bottom - rows.start), slice(left, right)
        self.pixels = layer.pixels[top - layer.y : bottom - layer.y, left - layer.x : right - layer.x]


def _covered(pieces: list[_Piece], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    covered = np.zeros(shape, bool)
    for piece in pieces:
        covered[piece.place] |= piece.pixels[..., 3] > 0
    return covered


def _solve(source: Pixels, plate: Pixels, pieces: list[_Piece]) -> int:
    """Solve some rows in place: targets front to back, then colours back to front. Returns pixels raised."""
    goal = source.astype(np.float64)
    covered = np.zeros(source.shape[:2], bool)
    hidden = np.zeros(source.shape[:2], bool)
    tasks = []
    for piece in pieces:
        alpha = piece.pixels[..., 3]
        first = (alpha > 0) & ~covered[piece.place]
        behind = (alpha > 0) & ~first & ~hidden[piece.place]
        tasks.append((piece, first, behind, goal[piece.place].copy()))
        covered[piece.place] |= alpha > 0
        _unmix(goal[piece.place], piece.pixels)
        hidden[piece.place] |= alpha > _HIDES * 255
    plate[~covered] = source[~covered]
    below = plate.astype(np.float64)
    raised = 0
    for piece, first, behind, target in reversed(tasks):
        under = below[piece.place]
        _recolour(piece.pixels, under, target, behind)
        raised += _raise_alpha(piece.pixels, under, target, first)
        _recolour(piece.pixels, under, target, first)
        under += (piece.pixels[..., :3] - under) * (piece.pixels[..., 3:] / 255.0)
    return raised


def _unmix(goal: Floats, pixels: Pixels) -> None:
    """In place: what must lie behind the layer so that it and its own colours give `goal`."""
    seen_through = (pixels[..., 3] > 0) & (pixels[..., 3] <= _HIDES * 255)
    a = pixels[seen_through][:, 3:] / 255.0
    goal[seen_through] = np.clip((goal[seen_through] - a * pixels[seen_through][:, :3]) / (1 - a), 0, 255)


def _raise_alpha(pixels: Pixels, under: Floats, target: Floats, where: NDArray[np.bool_]) -> int:
    """Raise alpha, in place, to the least value at which a colour in 0..255 comes within the tolerance."""
    x, s = under[where], target[where]
    darker = (x - s - _SPEND) / np.maximum(x, 1e-9)  # f >= 0 must not leave it too light
    lighter = (s - x - _SPEND) / np.maximum(255 - x, 1e-9)  # f <= 255 must not leave it too dark
    needed = np.ceil(255 * np.maximum(darker, lighter).max(axis=1, initial=0) - 1e-9)
    alpha = pixels[where][:, 3]
    least = np.minimum(needed, 255).astype(np.uint8)
    pixels[where, 3] = np.maximum(alpha, least)
    return int((least > alpha).sum())


def _recolour(pixels: Pixels, under: Floats, target: Floats, where: NDArray[np.bool_]) -> None:
    """In place: the whole-number colour nearest to the present one whose composite is within the tolerance."""
    here = pixels[where]
    a = here[:, 3:] / 255.0
    exact = (target[where] - (1 - a) * under[where]) / a
    slack = np.where(a < 1, _SPEND / a, 0)
    low, high = np.ceil(np.clip(exact - slack, 0, 255)), np.floor(np.clip(exact + slack, 0, 255))
    here[:, :3] = np.clip(here[:, :3], low, high)
    pixels[where] = here
