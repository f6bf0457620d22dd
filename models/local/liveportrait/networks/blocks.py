"""What the networks are made of, named as the published files name it, and how it folds once the files are in.

A batch norm after a convolution is a factor and an offset per channel, and spectral norm one factor: both go into
the convolution's own numbers, which changes nothing but the time it takes.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

BATCH_NORM, CONV = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}, {2: nn.Conv2d, 3: nn.Conv3d}
Slope = Literal["relu", "leaky"]
LEAK = 0.01  # below zero, in the warping network
NEAREST = (1, 2, 2)  # how much the hourglass grows: never in depth


class ConvNorm(nn.Module):
    """3 x 3 (x 3) convolution, batch norm, ReLU; then halved in height and width if `pool`.

    x: (B, inside, [D,] H, W) float.
    """

    def __init__(
        self, dimensions: int, inside: int, outside: int, *, pool: bool = False, slope: Slope = "relu"
    ) -> None:
        super().__init__()
        self.conv = CONV[dimensions](inside, outside, 3, padding=1)
        self.norm = BATCH_NORM[dimensions](outside)
        self._pool = pool
        self._slope = 0.0 if slope == "relu" else LEAK

    def forward(self, x: Tensor) -> Tensor:
        """(B, outside, [D,] H, W), or half of H and W."""
        x = functional.leaky_relu_(self.norm(self.conv(x)), self._slope)
        if not self._pool:
            return x
        if x.dim() == 4:
            return functional.avg_pool2d(x, 2)
        if channels_last(x):
            return each_layer(x, lambda layers: functional.avg_pool2d(layers, 2))
        # As pictures: on a CPU torch cannot pool volumes in bfloat16.
        return functional.avg_pool2d(x.flatten(1, 2), 2).unflatten(1, x.shape[1:3])

    def fold(self) -> None:
        """Put the norm into the convolution."""
        fold_norm(self.conv, self.norm)
        self.norm = nn.Identity()


class UpBlock3d(ConvNorm):
    """Doubled in height and width by repeating pixels, then as `ConvNorm`."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__(3, inside, outside)

    def forward(self, x: Tensor) -> Tensor:
        """(B, outside, D, 2 H, 2 W)."""
        if channels_last(x):
            grown = each_layer(x, lambda layers: functional.interpolate(layers, scale_factor=2))
        else:
            grown = functional.interpolate(x, scale_factor=NEAREST)
        return super().forward(grown)


def channels_last(x: Tensor) -> bool:
    """Whether this is a volume whose channels lie next to one another in memory."""
    return x.dim() == 5 and x.is_contiguous(memory_format=torch.channels_last_3d)


def each_layer(x: Tensor, way: Callable[[Tensor], Tensor]) -> Tensor:
    """way(pictures) for the layers of volumes (B, C, D, H, W). Where channels lie last they stay there, which torch's
    own ways for volumes do not care for."""
    layers = x.transpose(1, 2)
    return way(layers.flatten(0, 1)).unflatten(0, layers.shape[:2]).transpose(1, 2)


class LayeredConv3d(nn.Conv3d):
    """A convolution that a CPU adds up in float32 from one flat convolution for each layer of the kernel.

    For kernels so large that one long sum loses digits (142 x 7 x 7 x 7 terms: a quarter of the error this way), and
    that a CPU without oneDNN would unfold into gigabytes. Stride 1, padded to keep the size.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, outside, D, H, W); x: (B, inside, D, H, W)."""
        if x.device.type != "cpu" or x.dtype != torch.float32:
            return super().forward(x)
        batch, _, depth = x.shape[:3]
        ahead, down, across = (side // 2 for side in self.kernel_size)
        layers = functional.pad(x, (0, 0, 0, 0, ahead, ahead)).transpose(1, 2).contiguous()
        parts = (
            functional.conv2d(layers[:, at : at + depth].flatten(0, 1), taps, padding=(down, across))
            for at, taps in enumerate(self.weight.unbind(2))
        )
        whole = sum(parts) + self.bias.view(-1, 1, 1)
        return whole.unflatten(0, (batch, depth)).transpose(1, 2)


class ResBlock3d(nn.Module):
    """Pre-activation residual block: x + conv2(relu(norm2(conv1(relu(norm1(x)))))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv3d(channels, channels, 3, padding=1)
        self.norm1 = nn.BatchNorm3d(channels)
        self.norm2 = nn.BatchNorm3d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """As x: (B, channels, D, H, W)."""
        y = self.conv1(functional.relu(self.norm1(x)))
        return x + self.conv2(functional.relu(self.norm2(y)))

    def fold(self) -> None:
        """norm2 follows a convolution; norm1 comes before a ReLU and stays."""
        fold_norm(self.conv1, self.norm2)
        self.norm2 = nn.Identity()


class SpectralConv2d(nn.Module):
    """A convolution as spectral norm leaves it in a file: the weight, and two vectors that tell its norm."""

    def __init__(self, inside: int, outside: int, side: int, *, bias: bool = True) -> None:
        super().__init__()
        self.weight_orig = nn.Parameter(torch.empty(outside, inside, side, side))
        self.register_buffer("weight_u", torch.empty(outside))
        self.register_buffer("weight_v", torch.empty(inside * side * side))
        self.bias = nn.Parameter(torch.empty(outside)) if bias else None

    def folded(self) -> nn.Conv2d:
        """The same as a plain convolution: weight_orig / (u^T W v)."""
        weight = self.weight_orig
        sigma = self.weight_u @ weight.flatten(1) @ self.weight_v
        outside, inside, side, _ = weight.shape
        offset = self.bias
        conv = nn.utils.skip_init(
            nn.Conv2d, inside, outside, side, padding=side // 2, bias=offset is not None
        )
        conv.weight.data = weight / sigma
        if offset is not None:
            conv.bias.data = offset.data
        return conv


def fold_norm(conv: nn.Module, norm: nn.Module) -> None:
    """Change `conv` so that it gives norm(conv(x)) in eval mode. Worked out in float64."""
    factor = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    shape = (-1,) + (1,) * (conv.weight.dim() - 1)
    conv.weight.data = (conv.weight.double() * factor.view(shape)).float()
    offset = norm.bias.double() - norm.running_mean.double() * factor
    conv.bias.data = (conv.bias.double() * factor + offset).float()


def fold(module: nn.Module) -> None:
    """Fold everything below `module`, innermost first; done once, after the weights are in."""
    for name, child in module.named_children():
        if isinstance(child, SpectralConv2d):
            setattr(module, name, child.folded())
        else:
            fold(child)
    if hasattr(module, "fold"):
        module.fold()
