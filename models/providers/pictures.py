"""Arrays to the bytes that services take, and back."""

import io

import numpy as np
from PIL import Image as Picture

from models.errors import ResultInvalid
from models.requests import Alpha, Image


def encode(image: Image, longest: int | None = None) -> bytes:
    """PNG of the image, made smaller if its longer side is above `longest` px."""
    picture = Picture.fromarray(image)
    if longest and max(picture.size) > longest:
        scale = longest / max(picture.size)
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        picture = picture.resize(size, Picture.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)  # it travels once: speed counts, not size
    return out.getvalue()


def decode(data: bytes, size: tuple[int, int] | None = None) -> Image:
    """The picture without its alpha, resized to `size` (width, height) px."""
    with Picture.open(io.BytesIO(data)) as picture:
        plain = picture.convert("RGB")
    if size and plain.size != size:
        plain = plain.resize(size, Picture.Resampling.LANCZOS)
    return np.asarray(plain)


def decode_alpha(data: bytes, size: tuple[int, int]) -> Alpha:
    """The alpha of a cut-out, float32 (height, width), resized to `size` (width, height) px. ResultInvalid if it has
    none."""
    with Picture.open(io.BytesIO(data)) as picture:
        if "A" not in picture.getbands():
            raise ResultInvalid("The service sent a picture without transparency.")
        alpha = picture.getchannel("A")
    if alpha.size != size:
        alpha = alpha.resize(size, Picture.Resampling.BICUBIC)
    return np.asarray(alpha, np.float32) / np.float32(255)
