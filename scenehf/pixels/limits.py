"""How large a picture may be and which formats are read, checked on the header before a pixel is decoded."""

from dataclasses import dataclass

_SMALL_DECODERS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")


@dataclass(frozen=True)
class Limits:
    """pixels: width * height; side: the longer side in px; bytes: of the file; formats: Pillow's names."""

    pixels: int
    side: int
    bytes: int
    formats: tuple[str, ...]


# JPEG includes MPO (phones store a gain map or a second view behind the photo).
HOME = Limits(100_000_000, 16384, 1 << 30, (*_SMALL_DECODERS, "TIFF", "HEIF", "AVIF"))

# Strangers' files: the decoders with the longest record of memory errors stay shut.
PUBLIC = Limits(40_000_000, 16384, 40 << 20, _SMALL_DECODERS)
