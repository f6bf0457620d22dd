"""A large kernel over a volume on a CPU: height and width through the Fourier transform, depth tap by tap.

Tiles overlap by the kernel's width; the wrapped-round rim of each is thrown away. With a 7 x 7 x 7 kernel that takes
a tenth of the multiplications, and in float32 strays by some 1e-6 of the largest value.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

TILE = 24  # pixels a side that are transformed


class FourierConv3d(nn.Module):
    """Answers as the convolution it is made of: an odd side, stride 1, padded to keep the size."""

    def __init__(self, conv: nn.Conv3d) -> None:
        super().__init__()
        side = conv.kernel_size[0]
        self.out_channels = conv.out_channels
        self._rim = side // 2
        self._step = TILE - side + 1
        # A convolution of networks is a correlation: the conjugate makes it one.
        spectrum = torch.fft.rfft2(conv.weight.double(), s=(TILE, TILE)).conj()
        kernel = spectrum.permute(2, 3, 4, 1, 0).flatten(1, 2).to(torch.complex64)
        self.register_buffer(
            "kernel", kernel.contiguous(), persistent=False
        )  # (depth, TILE^2 / 2, inside, outside)
        self.register_buffer("bias", conv.bias, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, outside, D, H, W); x: (B, inside, D, H, W) float32."""
        return torch.cat([self._one(picture) for picture in x])

    def _one(self, x: Tensor) -> Tensor:
        """(1, outside, D, H, W) from (inside, D, H, W)."""
        _, depth, height, width = x.shape
        rim, step, taps = self._rim, self._step, len(self.kernel)
        rows, columns = math.ceil(height / step), math.ceil(width / step)
        right, below = rim + columns * step - width, rim + rows * step - height
        framed = functional.pad(x, (rim, right, rim, below, rim, rim))
        tiles = framed.unfold(2, TILE, step).unfold(
            3, TILE, step
        )  # (inside, D + taps - 1, rows, columns, 24, 24)
        spectrum = torch.fft.rfft2(tiles)
        seen = spectrum.permute(4, 5, 1, 2, 3, 0).flatten(0, 1).flatten(2, 3).contiguous()
        product = torch.bmm(seen[:, :depth].flatten(1, 2), self.kernel[0])
        for tap in range(1, taps):
            product.baddbmm_(seen[:, tap : tap + depth].flatten(1, 2), self.kernel[tap])
        product = product.unflatten(0, (TILE, -1)).unflatten(2, (depth, rows, columns))
        found = torch.fft.irfft2(product.permute(2, 3, 4, 5, 0, 1), s=(TILE, TILE))[..., :step, :step]
        whole = found.permute(3, 0, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)
        return (whole[None, :, :, :height, :width] + self.bias.view(-1, 1, 1, 1)).contiguous()
