"""3 x 3 convolutions on a CPU with a quarter of the multiplications: Winograd's F(4 x 4, 3 x 3).

Six by six pixels are transformed, multiplied with the transformed kernel one by one, and transformed back into four
by four results (Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016). In float32 it strays from
the plain way by some 1e-6 of the largest value. A 3-D kernel is three flat ones whose products add up.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

TILE, STEP = 6, 4  # pixels read, and written, along each side
BUFFER = 6_000_000  # numbers in flight: about what the caches of a small machine hold
LEAST = 32  # channels in and out: with fewer the transforms cost more than they save

INTO = (
    (4, 0, -5, 0, 1, 0), (0, -4, -4, 1, 1, 0), (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0), (0, 2, -1, -2, 1, 0), (0, 4, 0, -5, 0, 1),
)  # fmt: skip
KERNEL = (
    (1 / 4, 0, 0), (-1 / 6, -1 / 6, -1 / 6), (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6), (1 / 24, -1 / 12, 1 / 6), (0, 0, 1),
)  # fmt: skip
BACK = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))


def _both_axes(matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    one = torch.tensor(matrix, dtype=torch.float64)
    return torch.kron(one, one)


class Winograd(nn.Module):
    """Answers as the convolution it is made of: 3 x 3 or 3 x 3 x 3, stride 1, padding 1."""

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        weight = conv.weight.double()
        if weight.dim() == 4:
            weight = weight[:, :, None]
        self._flat = conv.weight.dim() == 4
        self.out_channels = weight.shape[0]
        kernel = torch.einsum("tk,ocdk->dtco", _both_axes(KERNEL), weight.flatten(3)).float()
        self.register_buffer("kernel", kernel.contiguous(), persistent=False)  # (depth, 36, inside, outside)
        self.register_buffer("bias", conv.bias, persistent=False)
        self.register_buffer("into", _both_axes(INTO).float(), persistent=False)
        self.register_buffer("back", _both_axes(BACK).float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, outside, [D,] H, W), channels last in memory; x: (B, inside, [D,] H, W) float32."""
        if self._flat:
            return self._convolved(x.permute(0, 2, 3, 1)[:, None])[:, 0].permute(0, 3, 1, 2)
        return self._convolved(x.permute(0, 2, 3, 4, 1)).permute(0, 4, 1, 2, 3)

    def _convolved(self, x: Tensor) -> Tensor:
        """(B, D, H, W, outside) from (B, D, H, W, inside)."""
        batch, depth, height, width, inside = x.shape
        taps, outside = len(self.kernel), self.out_channels
        rows, columns = math.ceil(height / STEP), math.ceil(width / STEP)
        beyond = 1 + columns * STEP - width, 1 + rows * STEP - height
        framed = functional.pad(x, (0, 0, 1, beyond[0], 1, beyond[1], taps // 2, taps // 2))
        tiles = framed.unfold(2, TILE, STEP).unfold(3, TILE, STEP).permute(5, 6, 0, 1, 2, 3, 4)
        out = x.new_empty(batch, depth, rows, STEP, columns, STEP, outside)
        layer = TILE**2 * (depth + taps - 1) * columns * max(inside, outside)
        some = max(1, BUFFER // layer)  # rows of tiles at a time
        at_once = max(1, BUFFER // (layer * rows)) if some >= rows else 1  # and pictures
        for first in range(0, batch, at_once):
            for row in range(0, rows, some):
                part = tiles[:, :, first : first + at_once, :, row : row + some]
                out[first : first + at_once, :, row : row + some] = self._tiles(part, depth)
        whole = out.flatten(4, 5).flatten(2, 3)
        return whole[:, :, :height, :width]

    def _tiles(self, tiles: Tensor, depth: int) -> Tensor:
        """(B, D, rows, 4, columns, 4, outside) from (6, 6, B, D + taps - 1, rows, columns, inside)."""
        taps, outside = len(self.kernel), self.out_channels
        _, _, batch, layers, rows, columns, inside = tiles.shape
        # depth first, so that a tap is a plain shift along one run of tiles
        pixels = tiles.transpose(2, 3).reshape(TILE**2, -1)
        seen = (self.into @ pixels).view(TILE**2, layers, batch * rows * columns, inside)
        product = torch.bmm(seen[:, :depth].flatten(1, 2), self.kernel[0])
        for tap in range(1, taps):
            product.baddbmm_(seen[:, tap : tap + depth].flatten(1, 2), self.kernel[tap])
        result = (self.back @ product.flatten(1)).view(STEP, STEP, depth, batch, rows, columns, outside)
        if self.bias is not None:
            result += self.bias
        return result.permute(3, 2, 4, 0, 5, 1, 6)


def install(module: nn.Module) -> None:
    """Put Winograd's way in the place of every convolution below `module` that gains by it."""
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d | nn.Conv3d):
            three = set(child.kernel_size) == {3} and child.padding == (1,) * len(child.kernel_size)
            if three and min(child.in_channels, child.out_channels) >= LEAST:
                setattr(module, name, Winograd(child))
        else:
            install(child)
