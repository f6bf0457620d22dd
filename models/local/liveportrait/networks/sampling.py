"""Grids over a volume and reading between its cells. Everything here is float32, whatever the networks run in.

A grid goes from -1 to 1 over cell centres, but is read as if from edge to edge (align_corners=False): the published
weights were trained so.
"""

import torch
from torch import Tensor
from torch.nn import functional

VARIANCE = 0.01  # of a keypoint's Gaussian, in grid units squared
SLABS = 4  # a CPU reads the samples of one batch on one core, so a volume is read in slabs of depth


def axis(count: int, device: torch.device) -> Tensor:
    """(count,): -1 to 1."""
    return torch.linspace(-1, 1, count, device=device)


def coordinates(size: tuple[int, int, int], device: torch.device) -> Tensor:
    """(depth, height, width, 3): x, y, z of every cell of a volume of size (depth, height, width)."""
    z, y, x = torch.meshgrid(*(axis(count, device) for count in size), indexing="ij")
    return torch.stack([x, y, z], dim=3)


def gaussians(keypoints: Tensor, size: tuple[int, int, int]) -> Tensor:
    """(B, K, D, H, W): exp(-|cell - keypoint|^2 / 2 variance). keypoints: (B, K, 3)."""
    one, two, three = (
        torch.exp((axis(count, keypoints.device) - keypoints[..., which, None]) ** 2 * (-0.5 / VARIANCE))
        for which, count in zip((2, 1, 0), size, strict=True)
    )
    return one[..., :, None, None] * two[..., None, :, None] * three[..., None, None, :]


def moved(volume: Tensor, shift: Tensor) -> Tensor:
    """(B, K, C, D, H, W): the volume read at every cell + shift[b, k], zero outside.

    volume: (1 or B, 1, C, D, H, W) float32; shift: (B, K, 3) as x, y, z in grid units. All cells are shifted alike,
    so linear reading is one small matrix per axis; it equals grid_sample.
    """
    depth, height, width = volume.shape[3:]
    along_z, along_y, along_x = (
        _reading(count, shift[..., which])
        for which, count in zip((2, 1, 0), (depth, height, width), strict=True)
    )
    x = volume.flatten(3, 4) @ along_x[:, :, None].transpose(-1, -2)
    x = along_y[:, :, None, None] @ x.unflatten(3, (depth, height))
    return (along_z[:, :, None] @ x.flatten(4)).unflatten(4, (height, width))


def _reading(count: int, shift: Tensor) -> Tensor:
    """(B, K, count, count): row i holds how much of each cell is read at place i."""
    place = ((axis(count, shift.device) + shift[..., None] + 1) * count - 1) / 2
    cells = torch.arange(count, device=shift.device, dtype=place.dtype)
    return (1 - (place[..., None] - cells).abs()).clamp_(min=0)


def warped(volume: Tensor, grid: Tensor) -> Tensor:
    """(B, C, D, H, W): the volume read where grid (B, D, H, W, 3) says, trilinear, zero outside.

    volume: (1, C, D, H, W) or (B, ...).
    """
    batch, depth = grid.shape[:2]
    slabs = SLABS if grid.device.type == "cpu" and depth % SLABS == 0 else 1
    places = grid.float().reshape(batch * slabs, depth // slabs, *grid.shape[2:])
    source = volume.float().expand(batch, -1, -1, -1, -1)
    source = source[:, None].expand(-1, slabs, -1, -1, -1, -1).flatten(0, 1)
    try:
        read = functional.grid_sample(source, places, align_corners=False)
    except NotImplementedError:  # a backend without 5-D sampling
        read = gathered(source, places)
    return read.unflatten(0, (batch, slabs)).transpose(1, 2).flatten(2, 3)


def gathered(volume: Tensor, grid: Tensor) -> Tensor:
    """What grid_sample gives for (N, C, D, H, W) and (N, d, h, w, 3), from its eight corners one by one."""
    batch, channels, *size = volume.shape
    counts = torch.tensor(size[::-1], device=grid.device, dtype=grid.dtype)
    place = ((grid + 1) * counts - 1) / 2
    low = place.floor()
    part = place - low
    flat = volume.reshape(batch, channels, -1)
    read = torch.zeros((batch, channels, grid[0, ..., 0].numel()), device=volume.device, dtype=volume.dtype)
    for corner in range(8):
        ahead = torch.tensor([corner & 1, corner >> 1 & 1, corner >> 2], device=grid.device)
        cell = low + ahead
        share = torch.where(ahead.bool(), part, 1 - part).prod(dim=-1)
        share = share * ((cell >= 0) & (cell < counts)).all(dim=-1)
        x, y, z = torch.minimum(cell.clamp(min=0), counts - 1).long().unbind(dim=-1)
        index = ((z * size[1] + y) * size[2] + x).flatten(1)[:, None].expand(-1, channels, -1)
        read += flat.gather(2, index) * share.flatten(1)[:, None]
    return read.unflatten(2, grid.shape[1:4])
