"""Numbers into GGML's K-quants, for files to test and measure with: gguf-py only reads these types.

Rounding to nearest in the layout of the format, without the search for better scales that llama.cpp does, so the errors
are somewhat larger than those of published files. Layouts: ggml/src/ggml-common.h (block_q2_K, block_q4_K, ...).
"""

from collections.abc import Callable

import gguf
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
BLOCK = 256


def quantised(values: Floats, name: str) -> Bytes:
    """uint8 (..., bytes of a row): `values` (..., columns) as the GGML type `name`, such as "Q4_K"."""
    rows = np.ascontiguousarray(values, np.float32)
    if name not in ENCODERS:
        return np.asarray(gguf.quantize(rows, gguf.GGMLQuantizationType[name]))
    return ENCODERS[name](rows).reshape(*rows.shape[:-1], -1)


def _q2_k(values: Floats) -> Bytes:
    scale, least, scales, leasts, levels = _affine(values.reshape(-1, 16, 16), 3, 4)
    quarters = levels.reshape(-1, 2, 4, 32)
    packed = quarters[:, :, 0] | quarters[:, :, 1] << 2 | quarters[:, :, 2] << 4 | quarters[:, :, 3] << 6
    return np.concatenate([scales | leasts << 4, packed.reshape(-1, 64), scale, least], axis=1)


def _q4_k(values: Floats) -> Bytes:
    scale, least, scales, leasts, levels = _affine(values.reshape(-1, 8, 32), 15, 6)
    return np.concatenate([scale, least, _sixes(scales, leasts), _nibbles(levels)], axis=1)


def _q5_k(values: Floats) -> Bytes:
    scale, least, scales, leasts, levels = _affine(values.reshape(-1, 8, 32), 31, 6)
    high = np.zeros((len(levels), 32), np.uint8)
    for part in range(8):
        high |= levels[:, part] >> 4 << part
    return np.concatenate([scale, least, _sixes(scales, leasts), high, _nibbles(levels & 15)], axis=1)


def _q6_k(values: Floats) -> Bytes:
    parts = values.reshape(-1, 16, 16)
    furthest = np.take_along_axis(parts, np.abs(parts).argmax(-1)[..., None], -1)[..., 0]
    scales = furthest / -32
    largest = np.take_along_axis(scales, np.abs(scales).argmax(-1)[:, None], -1)[:, 0]
    scale = (largest / -128).astype(np.float16)
    steps = np.rint(_over(scales, scale.astype(np.float32)[:, None])).clip(-128, 127).astype(np.int8)
    exact = scale.astype(np.float32)[:, None] * steps
    levels = (np.rint(_over(parts, exact[..., None])).clip(-32, 31) + 32).astype(np.uint8)
    quarters = levels.reshape(-1, 2, 4, 32)
    low = np.stack(
        [quarters[:, :, k] & 15 | (quarters[:, :, k + 2] & 15) << 4 for k in (0, 1)], axis=2
    ).reshape(-1, 128)
    high = sum(quarters[:, :, k] >> 4 << 2 * k for k in range(4))
    return np.concatenate(
        [low, np.asarray(high, np.uint8).reshape(-1, 64), steps.view(np.uint8), _halves(scale)], axis=1
    )


def _affine(parts: Floats, most: int, bits: int) -> tuple[Bytes, Bytes, Bytes, Bytes, Bytes]:
    """Parts (blocks, parts of a block, values) as level * scale - least: the block's two half-precision factors as
    bytes, each part's scale and least in `bits`, and the levels up to `most`."""
    least = -np.minimum(parts.min(-1), 0)
    spread = (np.maximum(parts.max(-1), 0) + least) / most
    top = (1 << bits) - 1
    factor, floor = ((side.max(-1) / top).astype(np.float16) for side in (spread, least))
    scales = np.rint(_over(spread, factor.astype(np.float32)[:, None])).clip(0, top).astype(np.uint8)
    leasts = np.rint(_over(least, floor.astype(np.float32)[:, None])).clip(0, top).astype(np.uint8)
    step = factor.astype(np.float32)[:, None] * scales
    lift = floor.astype(np.float32)[:, None] * leasts
    levels = np.rint(_over(parts + lift[..., None], step[..., None])).clip(0, most).astype(np.uint8)
    return _halves(factor), _halves(floor), scales, leasts, levels


def _over(numbers: Floats, by: Floats) -> Floats:
    """The quotient; 0 where there is nothing to divide by."""
    return np.divide(numbers, by, out=np.zeros_like(numbers), where=by != 0)


def _halves(factor: NDArray[np.float16]) -> Bytes:
    return np.ascontiguousarray(factor)[:, None].view(np.uint8)


def _nibbles(levels: Bytes) -> Bytes:
    """(blocks, 8, 32) levels below 16, two to a byte."""
    return (levels[:, 0::2] | levels[:, 1::2] << 4).reshape(-1, 128)


def _sixes(scales: Bytes, leasts: Bytes) -> Bytes:
    """(blocks, 8) twice, of six bits, in twelve bytes."""
    packed = np.zeros((len(scales), 12), np.uint8)
    packed[:, 0:4] = scales[:, :4] & 63 | scales[:, 4:] >> 4 << 6
    packed[:, 4:8] = leasts[:, :4] & 63 | leasts[:, 4:] >> 4 << 6
    packed[:, 8:12] = scales[:, 4:] & 15 | (leasts[:, 4:] & 15) << 4
    return packed


ENCODERS: dict[str, Callable[[Floats], Bytes]] = {
    "Q2_K": _q2_k,
    "Q4_K": _q4_k,
    "Q5_K": _q5_k,
    "Q6_K": _q6_k,
}
