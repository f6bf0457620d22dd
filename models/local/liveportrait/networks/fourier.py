"""A large kernel over a volume on a CPU: height and width through the Fourier transform, depth tap by tap.

Tiles overlap by the kernel's width; the wrapped-round rim of each is thrown away. With a 7 x 7 x 7 kernel that takes
a tenth of the multiplications, and in float32 strays by some 1e-6 of the largest value. A transform of 24 numbers is
a small matrix like any other, so that all of it is the products of `product`, which is quicker than many short ones.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.local.liveportrait.networks.product import PANEL, ROWS, Places, panels_of, pieces, products
from models.local.liveportrait.networks.shares import planes, shared

TILE, STEP = 24, 16  # pixels a side that are transformed, and that are kept: up to 24 - 6 would do
WAVES = TILE // 2 + 1  # of real numbers; the others mirror them
Floats = NDArray[np.float32]


class FourierConv3d(nn.Module):
    """Answers as the convolution it is made of: 7 x 7 x 7, stride 1, padded to keep the size."""

    def __init__(self, conv: nn.Conv3d) -> None:
        super().__init__()
        outside, inside, self._taps = conv.weight.shape[:3]
        self._rim = self._taps // 2
        self._outside, self._inside = outside, inside
        self._room = math.ceil(inside / PANEL) * PANEL
        # A convolution of networks is a correlation: the conjugate makes it one.
        spectrum = torch.fft.rfft2(conv.weight.detach(), s=(TILE, TILE)).conj().permute(4, 2, 3, 1, 0)
        both = spectrum.new_zeros((WAVES, self._taps, TILE, 2, self._room, outside, 2), dtype=torch.float32)
        # (re, im) of a pixel times the matrix ((re, im), (-im, re)) of the kernel
        both[:, :, :, 0, :inside] = torch.view_as_real(spectrum.resolve_conj())
        both[:, :, :, 1, :inside] = torch.view_as_real((spectrum * 1j).resolve_conj())
        self._kernel: Floats = panels_of(both.flatten(5).flatten(3, 4)).numpy()
        self.register_buffer("bias", conv.bias, persistent=False)
        angle = 2 * np.pi / TILE * np.outer(np.arange(TILE), np.arange(TILE))
        self._cosine, self._sine = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
        self._across = np.concatenate([self._cosine[:WAVES], -self._sine[1 : WAVES - 1]])

    def forward(self, x: Tensor) -> Tensor:
        """(B, outside, D, H, W); x: (B, inside, D, H, W) float32."""
        return torch.cat([self._one(picture) for picture in x])

    def _one(self, x: Tensor) -> Tensor:
        """(1, outside, D, H, W) from (inside, D, H, W)."""
        _, depth, height, width = x.shape
        rim, rows, columns = self._rim, math.ceil(height / STEP), math.ceil(width / STEP)
        high, wide = ((count - 1) * STEP + TILE for count in (rows, columns))
        framed = x.new_zeros(depth, high, wide, self._room)
        framed[:, rim : rim + height, rim : rim + width, : self._inside] = x.permute(1, 2, 3, 0)
        waves = self._waves(framed.numpy().reshape(-1), depth, high, wide, columns)
        product = self._products(waves, depth, high, rows, columns)
        result = torch.from_numpy(product)[:, :, : depth * rows * columns, : 2 * self._outside]
        spectrum = torch.view_as_complex(result.unflatten(3, (-1, 2)))
        spectrum = spectrum.unflatten(2, (depth, rows, columns)).permute(2, 3, 4, 5, 1, 0)
        found = torch.fft.irfft2(spectrum, s=(TILE, TILE))[..., :STEP, :STEP]
        whole = found.permute(3, 0, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)
        return (whole[None, :, :, :height, :width] + self.bias.view(-1, 1, 1, 1)).contiguous()

    def _waves(self, framed: Floats, depth: int, high: int, wide: int, columns: int) -> Floats:
        """(24, D * columns * high * room): each line of each tile transformed; waves of cosines, then of sines."""
        waves = np.empty((TILE, depth * columns * high * self._room), np.float32)
        lines = np.arange(high)[:, None], np.arange(columns)
        start = (lines[0] * wide + lines[1] * STEP) * self._room
        to = (lines[1] * high + lines[0]) * self._room

        def layer(which: int) -> None:
            places = _places(
                start + which * high * wide * self._room, to + which * columns * high * self._room
            )
            pieces(
                self._across, framed, self._room, waves.reshape(-1), waves.shape[1], self._room, places, False
            )

        shared(range(depth), layer)
        return waves

    def _products(self, waves: Floats, depth: int, high: int, rows: int, columns: int) -> Floats:
        """(13, 24, D * rows * columns or more, 2 * outside or more): the transformed result, re and im in turn."""
        tiles, room = rows * columns, self._room
        count = math.ceil(depth * tiles / ROWS) * ROWS
        panels, inside = self._kernel.shape[-3:-1]
        product = np.empty((WAVES, TILE, count * panels * PANEL), np.float32)
        layers, row, column = np.ogrid[:depth, :rows, :columns]
        start = ((layers * columns + column) * high + row * STEP) * room
        to = ((layers * rows + row) * columns + column + self._rim * tiles) * inside
        real, imaginary = _places(start, to), _places(start, to + room)

        def wave(which: int) -> None:
            seen = planes("spectrum", TILE, (count + (self._taps - 1) * tiles) * inside)
            seen[:, : self._rim * tiles * inside] = 0
            seen[:, (self._rim + depth) * tiles * inside :] = 0
            flat, apart = seen.reshape(-1), seen.shape[1]
            pieces(self._cosine, waves[which], room, flat, apart, room, real, False)
            pieces(-self._sine, waves[which], room, flat, apart, room, imaginary, False)
            if 0 < which < WAVES - 1:  # the first and the last are cosines alone
                sines = waves[WAVES - 1 + which]
                pieces(self._sine, sines, room, flat, apart, room, real, True)
                pieces(self._cosine, sines, room, flat, apart, room, imaginary, True)
            products(seen, self._kernel[which], product[which], count, tiles)

        shared(range(WAVES), wave)
        return product.reshape(WAVES, TILE, count, -1)


def _places(start: NDArray[np.intp], to: NDArray[np.intp]) -> Places:
    """(N, 2) of two arrays that fit together."""
    return np.stack([part.reshape(-1) for part in np.broadcast_arrays(start, to)], axis=1).astype(np.int64)
