"""M: where a head points and what its face does, as 21 keypoints with their changes. A ConvNeXt V2 (tiny)."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

DEPTHS, WIDTHS = (3, 3, 9, 3), (96, 192, 384, 768)
KEYPOINTS, BINS = 21, 66
EPSILON = 1e-6
HEADS = {
    "kp": 3 * KEYPOINTS, "scale": 1, "pitch": BINS, "yaw": BINS, "roll": BINS, "t": 3, "exp": 3 * KEYPOINTS,
}  # fmt: skip


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """As x."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ResponseNorm(nn.Module):
    """Global response normalisation of (B, H, W, C): each channel by its share of the whole response."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.empty(1, 1, 1, channels))
        self.beta = nn.Parameter(torch.empty(1, 1, 1, channels))

    def forward(self, x: Tensor) -> Tensor:
        """As x."""
        response = torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True)
        share = response / (response.mean(dim=-1, keepdim=True) + EPSILON)
        return self.gamma * (x * share) + self.beta + x


class Block(nn.Module):
    """One block of ConvNeXt V2: depthwise 7 x 7, norm, wide, GELU, response norm, narrow, added to its input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=EPSILON)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.grn = ResponseNorm(4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """As x: (B, C, H, W)."""
        y = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        y = self.pwconv2(self.grn(functional.gelu(self.pwconv1(y))))
        return x + y.permute(0, 3, 1, 2)


class Detector(nn.Module):
    """The backbone and one linear head for every answer."""

    def __init__(self) -> None:
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(3, WIDTHS[0], 4, stride=4), ChannelNorm(WIDTHS[0]))
        between = [
            nn.Sequential(ChannelNorm(inside), nn.Conv2d(inside, outside, 2, stride=2))
            for inside, outside in pairwise(WIDTHS)
        ]
        self.downsample_layers = nn.ModuleList([stem, *between])
        self.stages = nn.ModuleList(
            nn.Sequential(*(Block(width) for _ in range(depth)))
            for depth, width in zip(DEPTHS, WIDTHS, strict=True)
        )
        self.norm = nn.LayerNorm(WIDTHS[-1], eps=EPSILON)
        for name, size in HEADS.items():
            setattr(self, f"fc_{name}", nn.Linear(WIDTHS[-1], size))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Every head's answer by its name."""
        x = image
        for down, stage in zip(self.downsample_layers, self.stages, strict=True):
            x = stage(down(x))
        x = self.norm(x.mean(dim=(2, 3)))
        return {name: getattr(self, f"fc_{name}")(x) for name in HEADS}


class MotionExtractor(nn.Module):
    """(B, 3, 256, 256) in [0, 1] -> pitch, yaw, roll (B, 66) logits; t (B, 3); exp, kp (B, 63); scale (B, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.detector = Detector()

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """image: (B, 3, 256, 256) RGB, float, [0, 1]."""
        return self.detector(image)
