"""Min-sum belief propagation on a four-connected grid whose seam costs differ at every edge."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Places = tuple[NDArray[np.intp], NDArray[np.intp]]

ROUNDS = 16  # more changed no picture
DAMPING = 0.5
IMPOSSIBLE = 1e6
NODES_AT_ONCE = 2048


@dataclass(frozen=True, eq=False)
class Grid:
    """inside: bool (rows, columns), nodes to label. colour: (rows, columns, labels, 3), what each label would put
    there; cost, valid: (rows, columns, labels). known: (rows, columns, 3), the picture itself. seam: weight."""

    inside: NDArray[np.bool_]
    colour: Floats
    cost: Floats
    valid: NDArray[np.bool_]
    known: Floats
    seam: float


def best_labels(grid: Grid, limit: float) -> NDArray[np.intp]:
    """The cheapest label of every node, int (rows, columns). limit: the most that a seam can cost, before weight."""
    cost = np.where(grid.valid, grid.cost, np.float32(IMPOSSIBLE)) + _border(grid, limit / 2)
    inside = grid.inside
    edges: list[tuple[Places, Places, Floats, int, int]] = []
    for axis, there, back in ((1, 0, 1), (0, 2, 3)):
        here, next_ = _pairs(inside, axis)
        edges.append(
            (here, next_, _seams(grid.colour[here], grid.colour[next_], limit) * grid.seam, there, back)
        )
    messages = np.zeros((4, *cost.shape), np.float32)
    for _ in range(ROUNDS):
        for here, next_, seams, there, back in edges:
            _send(cost, messages, here, next_, seams, there, back)
            _send(cost, messages, next_, here, seams.transpose(0, 2, 1), back, there)
    labels: NDArray[np.intp] = (cost + messages.sum(axis=0)).argmin(axis=2)
    return labels


def _border(grid: Grid, limit: float) -> Floats:
    """What each label pays for not continuing the known pixels next to its node."""
    padded = np.pad(grid.inside, 1, constant_values=True)  # beyond the picture nothing is known
    total = np.zeros_like(grid.cost)
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        beside = ~np.roll(padded, -step, axis)[1:-1, 1:-1] & grid.inside
        colour = np.roll(grid.colour, -step, axis)[beside]
        known = np.roll(grid.known, -step, axis)[beside][:, None]
        usable = np.roll(grid.valid, -step, axis)[beside]
        difference = np.minimum(((colour - known) ** 2).sum(axis=2), limit)
        total[beside] += grid.seam * np.where(usable, difference, 0)
    return total


def _pairs(inside: NDArray[np.bool_], axis: int) -> tuple[Places, Places]:
    y, x = np.nonzero(inside[:, :-1] & inside[:, 1:] if axis else inside[:-1] & inside[1:])
    return (y, x), (y + 1 - axis, x + axis)


def _seams(here: Floats, next_: Floats, limit: float) -> Floats:
    """(edges, labels, labels): how much the two labels' pieces disagree at both ends of the edge."""
    total = np.zeros((len(here), here.shape[1], here.shape[1]), np.float32)
    for colour in (here, next_):
        square = (colour**2).sum(axis=2)
        total += square[:, :, None] + square[:, None, :] - 2 * colour @ colour.transpose(0, 2, 1)
    return np.clip(total, 0, limit, out=total)


def _send(
    cost: Floats, messages: Floats, here: Places, next_: Places, seams: Floats, there: int, back: int
) -> None:
    """Update, in place, the messages `there` that arrive at `next_` from `here`."""
    belief = cost[here] + messages[:, here[0], here[1]].sum(axis=0) - messages[back][here]
    sent = np.empty_like(belief)
    for first in range(0, len(belief), NODES_AT_ONCE):
        part = slice(first, first + NODES_AT_ONCE)
        sent[part] = (belief[part][:, :, None] + seams[part]).min(axis=1)
    sent -= sent.min(axis=1, keepdims=True)
    messages[there][next_] = DAMPING * messages[there][next_] + (1 - DAMPING) * sent
