"""Pictures to latents and back, in tiles, so that memory does not grow with the picture.

The published network is one for films, whose convolutions look at two earlier frames. A picture has none: two thirds of
each kernel meet zeros, and are left out.
"""

from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers.models.autoencoders.autoencoder_kl_qwenimage import (
    AutoencoderKLQwenImage,
    QwenImageCausalConv3d,
)
from torch import Tensor, nn

from models.local.qwen_edit_gguf.memory import KERNEL, PIXELS
from models.requests import Image
from models.runtime import tensors
from models.runtime.tensors import TensorFile, damaged
from models.runtime.ticks import Ticks, watched

CELL = 8  # px of a latent
TILE, OVERLAP = 256, 64  # px; as the class has it, which blends what overlaps


class FirstFrame(QwenImageCausalConv3d):
    """A causal convolution that only ever sees the first frame."""

    def forward(self, x: Tensor, cache_x: Tensor | None = None) -> Tensor:
        """(1, channels, 1, rows, columns) to the same."""
        across, _, down = self._padding[:3]
        frame, kernel = x[:, :, 0].contiguous(), self.weight[:, :, -1].contiguous()
        return nn.functional.conv2d(frame, kernel, self.bias, self.stride[1:], (down, across)).unsqueeze(2)


def load(folder: Path, device: Any, dtype: Any) -> AutoencoderKLQwenImage:
    """The autoencoder of a folder in the layout of diffusers. Raises WeightsDamaged."""
    config = AutoencoderKLQwenImage.load_config(folder, local_files_only=True)
    with init_empty_weights():
        vae: AutoencoderKLQwenImage = AutoencoderKLQwenImage.from_config(config).eval()
    vae.enable_tiling(TILE, TILE, TILE - OVERLAP, TILE - OVERLAP)
    file = TensorFile(folder / PIXELS, tensors.listed(folder / PIXELS))
    for name, _ in list(vae.named_parameters()):
        weight = nn.Parameter(file.values(name, device, dtype), requires_grad=False)
        try:
            tensors.place(vae, name, weight, dtype)
        except ValueError as error:
            raise damaged(file.path, f"does not fit: {error}") from None
        layer = vae.get_submodule(name.rpartition(".")[0])
        if isinstance(layer, QwenImageCausalConv3d) and weight.dim() == KERNEL:
            layer.__class__ = FirstFrame  # the network counts its layers of this kind
            layer.weight = nn.Parameter(weight[:, :, -1:].clone(), requires_grad=False)
    return vae


def tiles(width: int, height: int) -> int:
    """How many pieces a picture is worked on in."""
    if max(width, height) <= TILE:
        return 1
    stride = TILE - OVERLAP
    return -(-width // stride) * -(-height // stride)


def encoded(vae: AutoencoderKLQwenImage, picture: Image, tick: Ticks) -> Tensor:
    """(1, tokens, channels): the packed latents of a picture whose sides are multiples of 16."""
    levels = torch.from_numpy(picture).permute(2, 0, 1)[None, :, None].float() / 255
    with watched([vae.encoder], tick):
        mode = vae.encode((2.0 * levels - 1.0).to(vae.device, vae.dtype)).latent_dist.mode()
    mean, std = _statistics(vae, mode)
    return packed((mode - mean) / std)


def decoded(vae: AutoencoderKLQwenImage, latents: Tensor, width: int, height: int, tick: Ticks) -> Image:
    """uint8 (height, width, 3) of packed latents."""
    spread = unpacked(latents, width, height).to(vae.dtype)
    mean, std = _statistics(vae, spread)
    with watched([vae.decoder], tick):
        drawn = vae.decode(spread / (1.0 / std) + mean, return_dict=False)[0][0, :, 0]
    levels = (drawn / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).cpu().float()
    picture: Image = (levels * 255).round().to(torch.uint8).numpy()
    return picture


def _statistics(vae: AutoencoderKLQwenImage, like: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of the latents, by which the transformer's are normalised."""
    mean, std = (
        torch.tensor(numbers).view(1, -1, 1, 1, 1).to(like)
        for numbers in (vae.config.latents_mean, vae.config.latents_std)
    )
    return mean, std


def packed(latents: Tensor) -> Tensor:
    """(1, tokens, 4 * channels) of (1, channels, 1, rows, columns): squares of two by two become one token."""
    _, channels, _, rows, columns = latents.shape
    squares = latents.view(1, channels, rows // 2, 2, columns // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return squares.reshape(1, rows // 2 * (columns // 2), 4 * channels)


def unpacked(tokens: Tensor, width: int, height: int) -> Tensor:
    """(1, channels, 1, rows, columns) of the tokens of a picture of this size."""
    rows, columns = height // CELL // 2, width // CELL // 2
    squares = tokens.view(1, rows, columns, -1, 2, 2).permute(0, 3, 1, 4, 2, 5)
    return squares.reshape(1, -1, 1, 2 * rows, 2 * columns)
