"""Where a step is heading, as a picture an eighth as large, by a map from latents to colours that is found anew for
each edit: from the first picture and its own latents, by least squares. No decoder runs, and no table is needed."""

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image as Pictures
from torch import Tensor

from models.local.qwen_edit_gguf.engine.vae import CELL, unpacked
from models.requests import Image

RIDGE = 1e-3  # of the mean energy of a channel: keeps the map tame where a picture is flat or tiny
ENLARGED = 4


def painter(latents: Tensor, picture: Image, width: int, height: int) -> Callable[[Tensor], Pictures.Image]:
    """From packed latents of a result to a picture of its first `width` x `height` px. latents: of `picture`."""
    rows, columns = picture.shape[0] // CELL, picture.shape[1] // CELL
    colours = picture.reshape(rows, CELL, columns, CELL, 3).mean(axis=(1, 3)).reshape(-1, 3)
    known = _channels(latents, picture.shape[1], picture.shape[0])
    gram = known.T @ known
    ridge = RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    by = np.linalg.solve(gram + ridge, known.T @ colours)

    def paint(heading: Tensor) -> Pictures.Image:
        levels = _channels(heading, picture.shape[1], picture.shape[0]) @ by
        small = np.clip(levels + 0.5, 0, 255).astype(np.uint8).reshape(rows, columns, 3)
        size = (columns * ENLARGED, rows * ENLARGED)
        box = (0, 0, max(1, width * ENLARGED // CELL), max(1, height * ENLARGED // CELL))
        return Pictures.fromarray(small).resize(size, Pictures.Resampling.BICUBIC).crop(box)

    return paint


def _channels(latents: Tensor, width: int, height: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """(cells, channels + 1): the latents of every cell, and a one."""
    with torch.inference_mode():
        flat = unpacked(latents, width, height)[0, :, 0].flatten(1).T.double().cpu().numpy()
    return np.concatenate([flat, np.ones((len(flat), 1))], axis=1)
