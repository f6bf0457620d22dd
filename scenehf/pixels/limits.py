"""How large a picture may be and which formats are read, checked on the header before a pixel is decoded."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """pixels: width * height; side: the longer side in px; bytes: of the file; formats: Pillow's names, of which TIFF,
    HEIF and AVIF are read by a process of their own."""

    pixels: int
    side: int
    bytes: int
    formats: tuple[str, ...]


# JPEG includes MPO (phones store a gain map or a second view behind the photo).
HOME = Limits(100_000_000, 16384, 1 << 30, ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"))
PUBLIC = Limits(40_000_000, 16384, 40 << 20, HOME.formats)  # strangers' files
