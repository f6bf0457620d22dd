"""PNG of our own arrays. OpenCV's encoder needs half of Pillow's time for files of the same size."""

import struct

import numpy as np

from scenehf.pixels.limits import HOME
from scenehf.scene import Pixels

_START = b"\x89PNG\r\n\x1a\n"


def encode_png(array: Pixels, level: int = 1) -> bytes:
    """PNG bytes of uint8 (height, width), (height, width, 3) RGB or (height, width, 4) straight RGBA.

    level: zlib's 0..9. The round trip through `decode_png` is exact, also under alpha 0. Raises ValueError.
    """
    import cv2

    if (
        array.dtype != np.uint8
        or array.ndim not in (2, 3)
        or (array.ndim == 3 and array.shape[2] not in (3, 4))
    ):
        raise ValueError(f"not a grey, RGB or RGBA picture of 8 bits: {array.dtype} {array.shape}")
    if array.ndim == 2:
        swapped = np.ascontiguousarray(array)
    else:
        swapped = cv2.cvtColor(array, cv2.COLOR_RGB2BGR if array.shape[2] == 3 else cv2.COLOR_RGBA2BGRA)
    done, data = cv2.imencode(
        ".png",
        swapped,
        [cv2.IMWRITE_PNG_COMPRESSION, level, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP],
    )
    if not done:
        raise ValueError(f"cannot encode {array.shape} as PNG")
    png: bytes = data.tobytes()
    return png


def decode_png(data: bytes) -> Pixels:
    """The array that `encode_png` was given. For our own files: people's come by `open_image`. ValueError for any other
    file, which an imported job may hold, and for one larger than any picture here."""
    import cv2

    if data[: len(_START)] != _START or not _is_usual(*struct.unpack_from(">II", data.ljust(24), 16)):
        raise ValueError("not a PNG of ours")
    array: Pixels | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None or array.dtype != np.uint8:
        raise ValueError("not a PNG of 8 bits")
    if array.ndim == 2:
        return array
    straight: Pixels = cv2.cvtColor(array, cv2.COLOR_BGR2RGB if array.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)
    return straight


def _is_usual(width: int, height: int) -> bool:
    return 0 < width * height <= HOME.pixels and max(width, height) <= HOME.side
