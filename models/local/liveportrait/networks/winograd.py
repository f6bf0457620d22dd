"""3 x 3 convolutions on a CPU with a quarter of the multiplications: Winograd's F(4 x 4, 3 x 3).

Six by six pixels are transformed, multiplied with the transformed kernel one by one, and transformed back into four
by four results (Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016). In float32 it strays from
the plain way by some 1e-6 of the largest value. A 3-D kernel is three flat ones whose products add up.
"""

import math
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.local.liveportrait.networks.product import PANEL, ROWS, products
from models.local.liveportrait.networks.shares import planes, shared
from models.local.liveportrait.networks.tiles import STEP, TILE, read, write

BUFFER = 3_000_000  # numbers in flight on a core: about what its part of the caches holds
PLANES = TILE**2
LEAST = 32  # channels in and out: with fewer the transforms cost more than they save

KERNEL = (
    (1 / 4, 0, 0), (-1 / 6, -1 / 6, -1 / 6), (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6), (1 / 24, -1 / 12, 1 / 6), (0, 0, 1),
)  # fmt: skip
Floats = NDArray[np.float32]


class Winograd(nn.Module):
    """Answers as the convolution it is made of: 3 x 3 or 3 x 3 x 3, stride 1, padding 1; then, if it is given a
    slope, what is below zero is multiplied with it."""

    def __init__(self, conv: nn.Module, slope: float = 1.0) -> None:
        super().__init__()
        weight = conv.weight.detach()
        self._flat = weight.dim() == 4
        self.outside = len(weight)
        self._kernel = transformed(weight.flatten(-2) if not self._flat else weight.flatten(-2)[:, :, None])
        bias = torch.zeros(self.outside) if conv.bias is None else conv.bias.detach().clone()
        self._bias: Floats = bias.numpy()
        self._slope = slope

    def forward(self, x: Tensor) -> Tensor:
        """(B, outside, [D,] H, W), channels last in memory; x: (B, inside, [D,] H, W) float32."""
        pictures = x.permute(0, 2, 3, 1)[:, None] if self._flat else x.permute(0, 2, 3, 4, 1)
        batch, depth, height, width, _ = pictures.shape
        size = math.ceil(height / STEP) * STEP, math.ceil(width / STEP) * STEP
        out = x.new_empty(batch, depth, *size, self.outside)
        for picture, result in zip(pictures.contiguous().numpy(), out.numpy(), strict=True):
            self.into(picture, result)
        out = out[:, :, :height, :width]
        return out[:, 0].permute(0, 3, 1, 2) if self._flat else out.permute(0, 4, 1, 2, 3)

    def into(self, x: Floats, out: Floats) -> None:
        """Fill out (D, H, W, outside), in whole tiles, from x (D, H, W, inside)."""
        depth, height, width, _ = out.shape
        rows = height // STEP
        some = self.rows_at_once(depth, rows, width)
        shared(range(0, rows, some), lambda first: self.rows(x, first, min(some, rows - first), out, first))

    def rows_at_once(self, depth: int, rows: int, width: int) -> int:
        """Of so many rows of tiles, how many a core should take at a time."""
        taps, _, panels, inside, _ = self._kernel.shape
        one = PLANES * (width // STEP) * ((depth + taps - 1) * inside + depth * panels * PANEL)
        threads = torch.get_num_threads()
        most = max(1, min(BUFFER // one, math.ceil(rows / threads)))
        # The last to be done counts: five rows each of sixteen would leave one core with ten.
        return min(range(most, 0, -1), key=lambda some: math.ceil(math.ceil(rows / some) / threads) * some)

    def rows(self, x: Floats, first: int, rows: int, out: Floats, to: int) -> None:
        """Rows of tiles `first` on of what x (D, H, W, inside) gives, into rows of tiles `to` on of `out`."""
        taps, _, panels, inside, _ = self._kernel.shape
        depth, columns = len(x), out.shape[2] // STEP
        tiles = rows * columns  # of one layer; a tap is a plain shift by so many
        count = math.ceil(depth * tiles / ROWS) * ROWS
        seen = planes("seen", PLANES, (count + (taps - 1) * tiles) * inside)
        product = planes("product", PLANES, count * panels * PANEL)
        start = taps // 2 * tiles * inside
        if start:  # nothing before the first layer, and after the last
            seen[:, :start] = 0
            seen[:, start + depth * tiles * inside :] = 0
        read(x, first, rows, columns, seen, start)
        products(seen, self._kernel, product, count, tiles)
        write(product, panels * PANEL, self._bias, self._slope, out, to, rows)


def transformed(weight: Tensor) -> Floats:
    """(taps, 36, panels, inside, 16), as `products` wants it, from (outside, inside, taps, 9)."""
    outside, inside, taps, _ = weight.shape
    whole = nn.functional.pad(weight, (0,) * 7 + (-outside % PANEL,))
    parts = whole.view(-1, PANEL, inside, taps, 9).permute(3, 4, 0, 2, 1).reshape(taps, 9, -1)
    one = torch.tensor(KERNEL, dtype=torch.float64)
    kernel = torch.kron(one, one).float() @ parts
    found: Floats = kernel.view(taps, PLANES, -1, inside, PANEL).numpy()
    return found


def install(module: nn.Module) -> None:
    """Put Winograd's way in the place of every convolution below `module` that gains by it, with the ReLU after it."""
    children = list(module.named_children())
    for (name, child), (after, following) in pairwise([*children, ("", None)]):
        if not _gains(child):
            install(child)
            continue
        relu = isinstance(module, nn.Sequential) and isinstance(following, nn.ReLU)
        setattr(module, name, Winograd(child, 0.0 if relu else 1.0))
        if relu:
            setattr(module, after, nn.Identity())


def _gains(child: nn.Module) -> bool:
    if not isinstance(child, nn.Conv2d | nn.Conv3d):
        return False
    three = set(child.kernel_size) == {3} and child.padding == (1,) * len(child.kernel_size)
    return three and min(child.in_channels, child.out_channels) >= LEAST
