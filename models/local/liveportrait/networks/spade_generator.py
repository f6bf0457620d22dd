"""G: paints the picture from the carried features.

Each block is normalised and then scaled and shifted by maps made of those same features (SPADE). The features are 64
cells a side; where a block is finer they are only repeated, so what is made of them is worked out at 64 cells, once
for each place within a repeated cell that can differ, and laid out afterwards. That is exact, not an approximation.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.local.liveportrait.networks.blocks import SpectralConv2d

FEATURES, WIDE, HIDDEN = 256, 512, 128  # channels
BLOCKS = 6
LEAK = 0.2
EPSILON = 1e-5
SHUFFLE = 2  # the last step to 512 pixels

# Three neighbouring places of a repeated map and the cells (before, own, after) that they fall into: at the first
# place of a cell, in its middle, and at its last.
FIRST, MIDDLE, LAST = (
    ((1, 0, 0), (0, 1, 1), (0, 0, 0)),
    ((0, 0, 0), (1, 1, 1), (0, 0, 0)),
    ((0, 0, 0), (1, 1, 0), (0, 0, 1)),
)
# By how often a cell is repeated: which kinds of places there are, and which of them each place is.
PLACES = {2: ((FIRST, LAST), (0, 1)), 4: ((FIRST, MIDDLE, LAST), (0, 1, 1, 2))}


class Spade(nn.Module):
    """Makes the maps (1 + gamma, beta) for blocks that are `repeat` times as fine as the features."""

    def __init__(self, channels: int, repeat: int) -> None:
        super().__init__()
        self.mlp_shared = nn.Sequential(nn.Conv2d(FEATURES, HIDDEN, 3, padding=1), nn.ReLU())
        self.mlp_gamma = nn.Conv2d(HIDDEN, channels, 3, padding=1)
        self.mlp_beta = nn.Conv2d(HIDDEN, channels, 3, padding=1)
        self._channels, self._repeat = channels, repeat

    def fold(self) -> None:
        """One convolution for both maps, with the 1 in it; one for all kinds of places."""
        both = nn.utils.skip_init(nn.Conv2d, HIDDEN, 2 * self.mlp_gamma.out_channels, 3, padding=1)
        both.weight.data = torch.cat([self.mlp_gamma.weight, self.mlp_beta.weight])
        both.bias.data = torch.cat([self.mlp_gamma.bias + 1, self.mlp_beta.bias])
        self.both = both
        del self.mlp_gamma, self.mlp_beta
        if self._repeat == 1:
            return
        kinds, _ = PLACES[self._repeat]
        into = torch.tensor(kinds, dtype=torch.float32)
        conv = self.mlp_shared[0]
        weight = torch.einsum("pyi,qxj,ocij->pqocyx", into, into, conv.weight)
        outside = HIDDEN * len(kinds) ** 2
        shared = nn.utils.skip_init(nn.Conv2d, FEATURES, outside, 3, padding=1)
        shared.weight.data = weight.flatten(0, 2).contiguous()
        shared.bias.data = conv.bias.data.repeat(len(kinds) ** 2)
        self.mlp_shared[0] = shared

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Two maps (B, channels, repeat H, repeat W) for features (B, 256, H, W); the second has as many channels as
        `narrow` has left it."""
        hidden = self.mlp_shared(features)
        if self._repeat > 1:
            hidden = self._laid_out(hidden)
        scale, shift = self.both(hidden).tensor_split((self._channels,), dim=1)
        return scale, shift

    def narrow(self, conv: nn.Conv2d) -> None:
        """Let the second map be what `conv`, 1 x 1, would make of it: it is often much narrower. Once, after `fold`."""
        both = self.both
        after = torch.block_diag(torch.eye(self._channels), conv.weight[:, :, 0, 0])
        self.both = nn.utils.skip_init(nn.Conv2d, HIDDEN, len(after), 3, padding=1)
        self.both.weight.data = torch.einsum("no,ocij->ncij", after, both.weight)
        self.both.bias.data = after @ both.bias

    def _laid_out(self, hidden: Tensor) -> Tensor:
        """(B, 128, repeat H, repeat W) from (B, kinds^2 * 128, H, W)."""
        kinds, which = PLACES[self._repeat]
        batch, _, height, width = hidden.shape
        last = hidden.permute(0, 2, 3, 1).reshape(batch, height, width, len(kinds), len(kinds), HIDDEN)
        out = hidden.new_empty(batch, height, self._repeat, width, self._repeat, HIDDEN)
        for row, y in enumerate(which):
            for column, x in enumerate(which):
                out[:, :, row, :, column] = last[:, :, :, y, x]
        return out.flatten(3, 4).flatten(1, 2).permute(0, 3, 1, 2)


class Block(nn.Module):
    """Two convolutions, each after a SPADE and a leaky ReLU, added to the input or to a narrower form of it."""

    def __init__(self, inside: int, outside: int, repeat: int = 1) -> None:
        super().__init__()
        middle = min(inside, outside)
        self.conv_0 = SpectralConv2d(inside, middle, 3)
        self.conv_1 = SpectralConv2d(middle, outside, 3)
        self.norm_0 = Spade(inside, repeat)
        self.norm_1 = Spade(middle, repeat)
        self._narrows = inside != outside
        if self._narrows:
            self.conv_s = SpectralConv2d(inside, outside, 1, bias=False)
            self.norm_s = Spade(inside, repeat)

    def fold(self) -> None:
        """Nothing stands between norm_s and conv_s, so that conv_s can go into the map that is added."""
        if self._narrows:
            self.norm_s.narrow(self.conv_s)

    def forward(self, x: Tensor, features: Tensor, *, double: bool = False) -> Tensor:
        """(B, outside, H, W), of the input with its pixels doubled if `double`."""
        plain = normalised(x)  # doubling changes neither mean nor spread
        if double:
            plain = doubled(plain)
        scale, shift = self.norm_0(features)
        y = self.conv_0(functional.leaky_relu_(torch.addcmul(shift, plain, scale), LEAK))
        scale, shift = self.norm_1(features)
        y = self.conv_1(functional.leaky_relu_(torch.addcmul(shift, normalised(y), scale), LEAK))
        if not self._narrows:
            return (doubled(x) if double else x) + y
        scale, shift = self.norm_s(features)
        return y.add_(shift).add_(self.conv_s(plain.mul_(scale)))


def normalised(x: Tensor) -> Tensor:
    """Each channel of each picture with mean 0 and spread 1, worked out in float32."""
    spread, mean = _moments(x.float())
    factor = torch.rsqrt(spread + EPSILON)
    return torch.addcmul(-(mean * factor), x, factor).to(x.dtype)


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """(spread squared, mean), each (B, C, 1, 1)."""
    if x.device.type != "cpu":
        return torch.var_mean(x, dim=(2, 3), correction=0, keepdim=True)
    # Several times faster where channels come last, as they do on a CPU.
    pixels = x.permute(0, 2, 3, 1)
    mean = pixels.mean(dim=1).mean(dim=1)
    spread = (pixels - mean[:, None, None]).square_().mean(dim=1).mean(dim=1)
    return spread[..., None, None], mean[..., None, None]


def doubled(x: Tensor) -> Tensor:
    """Every pixel twice, across and along."""
    return functional.interpolate(x, scale_factor=2)


class SpadeGenerator(nn.Module):
    """(B, 256, 64, 64) -> (B, 3, 512, 512) in [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Conv2d(FEATURES, WIDE, 3, padding=1)
        for number in range(BLOCKS):
            setattr(self, f"G_middle_{number}", Block(WIDE, WIDE))
        self.up_0 = Block(WIDE, FEATURES, 2)
        self.up_1 = Block(FEATURES, FEATURES // 4, 4)
        self.conv_img = nn.Sequential(
            nn.Conv2d(FEATURES // 4, 3 * SHUFFLE**2, 3, padding=1), nn.PixelShuffle(SHUFFLE)
        )

    def forward(self, features: Tensor) -> Tensor:
        """RGB, (B, 3, 512, 512)."""
        x = self.fc(features)
        for number in range(BLOCKS):
            x = getattr(self, f"G_middle_{number}")(x, features)
        x = self.up_0(x, features, double=True)
        x = self.up_1(x, features, double=True)
        return torch.sigmoid(self.conv_img(functional.leaky_relu_(x, LEAK)).float())
