"""F: what a portrait looks like, as a volume of features. Once per portrait."""

import torch
from torch import Tensor, nn

from models.local.liveportrait.networks.blocks import ConvNorm, ResBlock3d

CHANNELS, DEPTH = 32, 16  # of the volume
WIDTH, DOWN = 64, 2  # channels after the first convolution; how often they double while the picture halves
BLOCKS = 6


class AppearanceFeatureExtractor(nn.Module):
    """(B, 3, 256, 256) in [0, 1] -> (B, 32, 16, 64, 64)."""

    def __init__(self) -> None:
        super().__init__()
        self.first = ConvNorm(2, 3, WIDTH)
        self.down_blocks = nn.ModuleList(
            ConvNorm(2, WIDTH << step, WIDTH << (step + 1), pool=True) for step in range(DOWN)
        )
        self.second = nn.Conv2d(WIDTH << DOWN, CHANNELS * DEPTH, 1)
        self.resblocks_3d = nn.Sequential()
        for number in range(BLOCKS):
            self.resblocks_3d.add_module(f"3dr{number}", ResBlock3d(CHANNELS))

    def forward(self, image: Tensor) -> Tensor:
        """image: (B, 3, 256, 256) RGB, float, [0, 1]."""
        x = self.first(image)
        for block in self.down_blocks:
            x = block(x)
        volume = self.second(x).unflatten(1, (CHANNELS, DEPTH))
        return self.resblocks_3d(volume.contiguous(memory_format=torch.contiguous_format))
