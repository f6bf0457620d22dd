"""16-bit pictures -> 8 bit by rounding: Pillow drops the low byte of colour pictures and clips grey ones."""

import sys
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from scenehf.pixels.sheets import row_blocks
from scenehf.scene import Pixels

_NATIVE_LOW = ";16B" if sys.byteorder == "little" else ";16L"
_LOW = {";16B": ";16L", ";16L": ";16B", ";16N": _NATIVE_LOW}  # raw mode that reads the byte the other drops
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0  # TIFF tag and value


def is_deep(image: ImageFile.ImageFile) -> bool:
    """True for the unloaded pictures that `rounded` reads: 12 or 16 bits per channel."""
    return image.mode.startswith("I;16") or (
        bool(image.tile) and all(_has_low(tile.args) for tile in image.tile)
    )


def rounded(image: ImageFile.ImageFile, stream: BinaryIO) -> Pixels:
    """uint8 (height, width, 1..4) in the channels of the file, white -> 255, rounded to nearest.

    image: opened from `stream`, not yet loaded; loaded afterwards. The transparent colour that grey and RGB
    PNG may name becomes an alpha channel at the end.
    """
    if image.mode.startswith("I;16"):
        return _grey(image)
    if _rawmode(image.tile[0].args) == "LA;16B":  # 4 bytes per pixel: read both halves at once, as they lie
        image._mode, image.tile = "RGBA", [tile._replace(args="RGBA") for tile in image.tile]
        return _two_halves(image)
    stream.seek(0)
    other = Image.open(stream, formats=[str(image.format)])
    other.tile = [tile._replace(args=_low_args(tile.args)) for tile in other.tile]
    low = np.empty((other.height, other.width, len(other.getbands())), np.uint8)
    for rows in row_blocks(other.width, other.height):
        low[rows] = _rows(other, rows)
    del other  # a decoded picture is 4 bytes per pixel: never hold two
    return _join(image, low)


def _join(image: ImageFile.ImageFile, low: Pixels) -> Pixels:
    """Writes the rounded values over `low`; adds alpha where the file names a transparent colour."""
    key = image.info.get("transparency") if image.mode == "RGB" else None
    alpha = np.empty((*low.shape[:2], 1), np.uint8) if key is not None else None
    for rows in row_blocks(image.width, image.height):
        values = _rows(image, rows).astype(np.uint32) << 8 | low[rows]
        low[rows] = (values + 128) // 257
        if alpha is not None:
            alpha[rows, :, 0] = 255 * (values != np.array(key)).any(axis=-1)
    return low if alpha is None else np.concatenate([low, alpha], axis=-1)


def _two_halves(image: ImageFile.ImageFile) -> Pixels:
    """Grey and alpha of a picture that was read as (grey high, grey low, alpha high, alpha low)."""
    out = np.empty((image.height, image.width, 2), np.uint8)
    for rows in row_blocks(image.width, image.height):
        halves = _rows(image, rows).astype(np.uint32)
        out[rows] = ((halves[..., 0::2] << 8 | halves[..., 1::2]) + 128) // 257
    return out


def _grey(image: ImageFile.ImageFile) -> Pixels:
    """Grey of 16 bits, or of 12 in some TIFFs, where white may also be zero."""
    white = 4095 if _rawmode(image.tile[0].args) == "I;12" else 65535
    tags: Any = getattr(image, "tag_v2", {})
    turned = tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    key = image.info.get("transparency")
    image.load()
    out = np.empty((image.height, image.width, 1 if key is None else 2), np.uint8)
    for rows in row_blocks(image.width, image.height):
        values = _rows(image, rows).astype(np.uint32)
        grey = (values * 255 + white // 2) // white
        out[rows, :, 0] = 255 - grey if turned else grey
        if key is not None:
            out[rows, :, 1] = 255 * (values != key)
    return out


def _rows(image: Image.Image, rows: slice) -> NDArray[Any]:
    return np.asarray(image.crop((0, rows.start, image.width, rows.stop)))


def _rawmode(args: Any) -> str:
    """Pillow's word for how samples lie in the file: the tile's argument, or the first of several."""
    return str(args[0] if isinstance(args, tuple) and args else args)


def _has_low(args: Any) -> bool:
    raw = _rawmode(args)
    return raw[-4:] in _LOW and not raw.startswith(
        "RGBa"
    )  # premultiplied ones are divided while they are read


def _low_args(args: Any) -> Any:
    raw = _rawmode(args)
    low = raw[:-4] + _LOW[raw[-4:]]
    return (low, *args[1:]) if isinstance(args, tuple) else low
