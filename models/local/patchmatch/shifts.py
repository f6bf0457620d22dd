"""Shift maps: which displacement each part of a hole copies its pixels from.

After Pritch, Kav-Venaki, Peleg 2009 and He, Sun 2012 ("Statistics of patch offsets"): a few dominant shifts are
the labels of a coarse grid over the hole; a node pays for straying from a guide's colours, for missing the
texture energy that the surroundings promise, and for visible seams to its neighbours. Min-sum belief propagation
finds the labels.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.local.patchmatch.belief import Grid, best_labels
from models.local.patchmatch.candidates import patch_shifts, self_similar_shifts
from models.requests import Image, Mask

Floats = NDArray[np.float32]
Places = NDArray[np.intp]

NODES = 5000  # about how many grid nodes cover the hole
FROM_GUIDE, FROM_PERIOD = 24, 8  # labels
COLOUR_LIMIT = 60.0  # a colour this far from the guide's costs no more than that
SEAM_LIMIT = 80.0
FADE = 0.6  # of a node spacing: over this width two pieces are faded into each other
ENERGY_SCALE = 1000.0  # a factor e in energy weighs as much as a colour difference of 32


@dataclass(frozen=True)
class Weights:
    """What a node pays for. blur: of the guide's colours, in node spacings."""

    guide: float
    energy: float
    seam: float
    blur: float


FOLLOW = Weights(guide=0.3, energy=0.0, seam=1.0, blur=1.0)  # explain the guide
COPY = Weights(guide=0.05, energy=2.0, seam=3.0, blur=2.0)  # replace it by real pieces of about its colour


@dataclass(frozen=True, eq=False)
class Moves:
    """shifts: int (labels, 2) dy, dx in layout pixels. labels: int (rows, columns), at least 2 x 2, per node; -1 none.
    spacing: layout pixels per node. shape: of the layout."""

    shifts: NDArray[np.intp]
    labels: NDArray[np.intp]
    spacing: int
    shape: tuple[int, int]

    def gather(
        self, image: Image, hole: Mask, y: Places, x: Places, otherwise: Floats, minus: Image | None = None
    ) -> Floats:
        """What the pixels (y, x) of `image`, an enlargement of the layout, copy from it: float32 (n, 3).

        minus: taken off every copied value. otherwise: values (n, 3) where the source is in the hole itself.
        Between nodes with different shifts the pieces are faded into each other.
        """
        row, down = self._between(y, hole.shape[0] / self.shape[0], self.labels.shape[0])
        column, right = self._between(x, hole.shape[1] / self.shape[1], self.labels.shape[1])
        corners = [self.labels[row + dy, column + dx] for dy in (0, 1) for dx in (0, 1)]
        same = np.logical_and.reduce([corner == corners[0] for corner in corners[1:]])
        shares = [(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right]
        result = np.zeros_like(otherwise)
        result[same] = self._copied(image, hole, y[same], x[same], corners[0][same], otherwise[same], minus)
        mixed = ~same
        for corner, share in zip(corners, shares, strict=True):
            piece = self._copied(image, hole, y[mixed], x[mixed], corner[mixed], otherwise[mixed], minus)
            result[mixed] += share[mixed, None] * piece
        return result

    def _between(self, along: Places, scale: float, nodes: int) -> tuple[Places, Floats]:
        """The node before each coordinate, and the share of the next one: steep, so that pieces stay sharp."""
        place = np.clip((along + 0.5) / scale / self.spacing - 0.5, 0, nodes - 1.001)
        before = place.astype(np.intp)
        share = np.clip((place - before - 0.5) / FADE + 0.5, 0, 1).astype(np.float32)
        return before, share

    def _copied(
        self,
        image: Image,
        hole: Mask,
        y: Places,
        x: Places,
        label: Places,
        otherwise: Floats,
        minus: Image | None,
    ) -> Floats:
        height, width = hole.shape
        steps = np.rint(self.shifts * (height / self.shape[0], width / self.shape[1])).astype(np.intp)[label]
        at = np.clip(y + steps[:, 0], 0, height - 1), np.clip(x + steps[:, 1], 0, width - 1)
        values = image[at].astype(np.float32)
        if minus is not None:
            values -= minus[at]
        return np.where(((label < 0) | hole[at])[:, None], otherwise, values)


def find(
    image: Image, guide: Image, hole: Mask, energy: Floats, promised: Floats, weights: Weights
) -> Moves | None:
    """The shift map of `hole`, or None when no shift reaches known pixels.

    energy: of the known pixels; promised: the same carried across the hole (see energy.py).
    """
    spacing = max(2, int(np.ceil(np.sqrt(hole.sum() / NODES))))
    found = patch_shifts(guide, hole, spacing, FROM_GUIDE) + self_similar_shifts(image, hole, FROM_PERIOD)
    shifts = np.array(list(dict.fromkeys(found)), np.intp).reshape(-1, 2)
    if len(shifts) == 0:
        return None
    grid = _grid(image, guide, hole, energy, promised, weights, spacing, shifts)
    labels = best_labels(grid, 2 * SEAM_LIMIT**2)
    labels[~grid.valid.any(axis=2)] = -1
    labels = _spread(labels, grid.inside)
    return Moves(shifts, labels, spacing, (hole.shape[0], hole.shape[1]))


def _spread(labels: Places, inside: Mask) -> Places:
    """Give the nodes just outside the hole the label of a neighbour inside, for the fading between nodes."""
    result = labels.copy()
    reached = inside.copy()
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        beside = np.roll(reached, step, axis) & ~reached
        result[beside] = np.roll(result, step, axis)[beside]
        reached |= beside
    return result


def _grid(
    image: Image,
    guide: Image,
    hole: Mask,
    energy: Floats,
    promised: Floats,
    weights: Weights,
    spacing: int,
    shifts: NDArray[np.intp],
) -> Grid:
    """Costs and colours of every label at every node."""
    import cv2

    height, width = hole.shape
    rows, columns = -(-height // spacing), -(-width // spacing)
    y = np.minimum(np.arange(rows) * spacing + spacing // 2, height - 1)[:, None]
    x = np.minimum(np.arange(columns) * spacing + spacing // 2, width - 1)[None, :]
    window = np.ones((spacing, spacing), np.uint8)
    whole = cv2.erode((~hole).astype(np.uint8), window) > 0
    colours = cv2.blur(image, (spacing, spacing)).astype(np.float32)
    sigma = spacing * weights.blur
    wish = cv2.GaussianBlur(np.where(hole[..., None], guide, image), (0, 0), sigma).astype(np.float32)[y, x]
    offer = cv2.GaussianBlur(image, (0, 0), sigma).astype(np.float32)
    labels = len(shifts)
    colour = np.zeros((rows, columns, labels, 3), np.float32)
    cost = np.zeros((rows, columns, labels), np.float32)
    valid = np.zeros((rows, columns, labels), bool)
    for k, (dy, dx) in enumerate(shifts):
        inside = (y + dy >= 0) & (y + dy < height) & (x + dx >= 0) & (x + dx < width)
        at = np.clip(y + dy, 0, height - 1), np.clip(x + dx, 0, width - 1)
        valid[..., k] = inside & whole[at]
        colour[..., k, :] = np.where(valid[..., k, None], colours[at], 0)
        stray = np.minimum(((offer[at] - wish) ** 2).sum(axis=2), COLOUR_LIMIT**2)
        dull = np.minimum(np.abs(np.log((energy[at] + 1) / (promised[y, x] + 1))), 2)
        cost[..., k] = weights.guide * stray + weights.energy * ENERGY_SCALE * dull
    nodes = cv2.resize(
        cv2.copyMakeBorder(
            hole.astype(np.float32),
            0,
            rows * spacing - height,
            0,
            columns * spacing - width,
            cv2.BORDER_REPLICATE,
        ),
        (columns, rows),
        interpolation=cv2.INTER_AREA,
    )
    return Grid(nodes > 0, colour, cost, valid, colours[y, x], weights.seam)
