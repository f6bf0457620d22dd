"""Arrays to the bytes that services take, and back."""

import io

import numpy as np
from PIL import Image as Picture

from models.errors import ResultInvalid
from models.requests import Alpha, Image


def encode(image: Image, longest: int | None = None) -> bytes:
    """PNG of the image, made smaller if its longer side is above `longest` px."""
    out = io.BytesIO()
    _reduced(image, longest).save(out, "PNG", compress_level=1)  # it travels once: speed counts, not size
    return out.getvalue()


def encode_small(image: Image, longest: int) -> bytes:
    """JPEG of the image, for services that limit the size of a request: at most about 1 MB for 1024 px."""
    out = io.BytesIO()
    _reduced(image, longest).save(out, "JPEG", quality=90)
    return out.getvalue()


def _reduced(image: Image, longest: int | None) -> Picture.Image:
    """The picture, made smaller if its longer side is above `longest` px."""
    picture = Picture.fromarray(image)
    if not longest or max(picture.size) <= longest:
        return picture
    scale = longest / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, Picture.Resampling.LANCZOS)


def decode(data: bytes, size: tuple[int, int] | None = None) -> Image:
    """The picture without its alpha, resized to `size` (width, height) px."""
    with Picture.open(io.BytesIO(data)) as picture:
        plain = picture.convert("RGB")
    if size and plain.size != size:
        plain = plain.resize(size, Picture.Resampling.LANCZOS)
    return np.asarray(plain)


def decode_alpha(data: bytes, size: tuple[int, int]) -> Alpha:
    """The alpha of a cut-out, or a grey picture of it, as float32 (height, width), resized to `size` (width, height)
    px. ResultInvalid for any other picture."""
    with Picture.open(io.BytesIO(data)) as picture:
        if picture.mode not in ("L", "1") and "A" not in picture.getbands():
            raise ResultInvalid("The service sent a picture without transparency.")
        alpha = picture.getchannel("A") if "A" in picture.getbands() else picture.convert("L")
    if alpha.size != size:
        alpha = alpha.resize(size, Picture.Resampling.BICUBIC)
    return np.asarray(alpha, np.float32) / np.float32(255)
