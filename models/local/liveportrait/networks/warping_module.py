"""W: carries the features of a portrait to where the keypoints want them.

A motion for each keypoint and one for what stands still are mixed by weights that a 3-D hourglass finds; features are
read along the mixture, and dimmed where nothing in the portrait shows what should be seen.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.local.liveportrait.networks.blocks import ConvNorm, LayeredConv3d, UpBlock3d, fold_norm
from models.local.liveportrait.networks.sampling import coordinates, gaussians, moved, warped

KEYPOINTS = 21
CHANNELS, DEPTH = 32, 16  # of the feature volume
COMPRESSED = 4  # channels of it that the hourglass sees
WIDTHS = (32, 64, 128, 256, 512, 1024)  # of the hourglass, from fine to coarse
SEEN = (KEYPOINTS + 1) * (COMPRESSED + 1)  # channels that go into the hourglass
FOUND = WIDTHS[0] + SEEN  # and come out
OUTSIDE = 256


@dataclass(frozen=True, eq=False)
class Source:
    """What all drivings of one portrait share. feature: (B, 32, 16, 64, 64); compressed: (B, 4, ...) float32;
    still: (B, 1, 4, ...), compressed as the motion that stands still reads it; heat: (B, 21, 16, 64, 64), the
    keypoints' Gaussians; keypoints: (B, 21, 3)."""

    feature: Tensor
    compressed: Tensor
    still: Tensor
    heat: Tensor
    keypoints: Tensor


class Encoder(nn.Module):
    """From the finest to the coarsest, every step kept."""

    def __init__(self) -> None:
        super().__init__()
        inside = (SEEN, *WIDTHS[1:-1])
        self.down_blocks = nn.ModuleList(
            ConvNorm(3, a, b, pool=True) for a, b in zip(inside, WIDTHS[1:], strict=True)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """x and the outcome of each step."""
        steps = [x]
        for block in self.down_blocks:
            steps.append(block(steps[-1]))
        return steps


class Decoder(nn.Module):
    """And back, each step with what the encoder saw at its size."""

    def __init__(self) -> None:
        super().__init__()
        outside = WIDTHS[-2::-1]
        inside = (WIDTHS[-1], *(2 * width for width in outside[:-1]))
        self.up_blocks = nn.ModuleList(UpBlock3d(a, b) for a, b in zip(inside, outside, strict=True))
        self.conv = nn.Conv3d(FOUND, FOUND, 3, padding=1)
        self.norm = nn.BatchNorm3d(FOUND)

    def forward(self, steps: list[Tensor]) -> Tensor:
        """(B, 142, D, H, W). Takes the steps out of the list."""
        x = steps.pop()
        for block in self.up_blocks:
            x = torch.cat([block(x), steps.pop()], dim=1)
        return torch.relu_(self.norm(self.conv(x)))

    def fold(self) -> None:
        """Put the norm into the convolution."""
        fold_norm(self.conv, self.norm)
        self.norm = nn.Identity()


class Hourglass(nn.Module):
    """(B, 110, 16, 64, 64) -> (B, 142, 16, 64, 64)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.decoder = Decoder()

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return self.decoder(self.encoder(x))


class DenseMotion(nn.Module):
    """Finds the mixture of motions."""

    def __init__(self) -> None:
        super().__init__()
        self.hourglass = Hourglass()
        self.mask = LayeredConv3d(FOUND, KEYPOINTS + 1, 7, padding=3)
        self.compress = nn.Conv3d(CHANNELS, COMPRESSED, 1)
        self.norm = nn.BatchNorm3d(COMPRESSED)
        self.occlusion = nn.Conv2d(FOUND * DEPTH, 1, 7, padding=3)
        self.layout = torch.contiguous_format  # of volumes in the hourglass

    def fold(self) -> None:
        """Put the norm into `compress`."""
        fold_norm(self.compress, self.norm)
        self.norm = nn.Identity()

    def source(self, feature: Tensor, keypoints: Tensor) -> Source:
        """What does not depend on the driving keypoints."""
        compressed = torch.relu(self.norm(self.compress(feature))).float()
        still = moved(compressed[:, None], keypoints.new_zeros(1, 1, 3, dtype=torch.float32))
        heat = gaussians(keypoints.float(), feature.shape[2:])
        return Source(feature, compressed, still, heat, keypoints.float())

    def forward(self, source: Source, driving: Tensor) -> tuple[Tensor, Tensor]:
        """(deformation (B, 16, 64, 64, 3) float32, occlusion (B, 1, 64, 64)). driving: (B, 21, 3) float32."""
        batch, size = len(driving), source.feature.shape[2:]
        shift = source.keypoints - driving  # (B, 21, 3): from where each keypoint's features come
        carried = moved(source.compressed[:, None], shift)
        heat = gaussians(driving, size) - source.heat
        seen = carried.new_zeros(batch, KEYPOINTS + 1, COMPRESSED + 1, *size)
        seen[:, 1:, 0] = heat
        seen[:, :1, 1:] = source.still
        seen[:, 1:, 1:] = carried
        volume = seen.flatten(1, 2).to(self.compress.weight.dtype)
        found = self.hourglass(volume.contiguous(memory_format=self.layout))
        share = torch.softmax(self.mask(found).float(), dim=1)
        # sum of share * (cell + shift): the shares add up to one, so the cell itself comes through whole.
        mixture = torch.einsum("bkdhw,bkc->bdhwc", share[:, 1:], shift)
        deformation = coordinates(size, driving.device) + mixture
        stacked = found.contiguous(memory_format=torch.contiguous_format).flatten(1, 2)
        return deformation, torch.sigmoid(self.occlusion(stacked))


class WarpingModule(nn.Module):
    """See `forward`; `source` and `warp` are its two halves, for many drivings of one portrait."""

    def __init__(self) -> None:
        super().__init__()
        self.dense_motion_network = DenseMotion()
        self.third = ConvNorm(2, CHANNELS * DEPTH, OUTSIDE, slope="leaky")
        self.fourth = nn.Conv2d(OUTSIDE, OUTSIDE, 1)

    def forward(
        self, feature: Tensor, kp_source: Tensor, kp_driving: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """feature: (B, 32, 16, 64, 64); kp_source, kp_driving: (B, 21, 3) float32 ->
        (features (B, 256, 64, 64), occlusion (B, 1, 64, 64), deformation (B, 16, 64, 64, 3))."""
        return self.warp(self.source(feature, kp_source), kp_driving)

    def source(self, feature: Tensor, kp_source: Tensor) -> Source:
        """The half that is done once per portrait."""
        return self.dense_motion_network.source(feature, kp_source)

    def warp(self, source: Source, kp_driving: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The half that is done for every driving; a source of batch 1 serves any number."""
        deformation, occlusion = self.dense_motion_network(source, kp_driving.float())
        carried = warped(source.feature, deformation).flatten(1, 2).to(self.fourth.weight.dtype)
        return self.fourth(self.third(carried)) * occlusion, occlusion, deformation
