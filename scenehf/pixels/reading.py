"""A checked picture file -> upright sRGB pixels and alpha, in blocks of rows so that 100 megapixels fit."""

from collections.abc import Callable
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageFile

from scenehf.pixels.colour import to_srgb
from scenehf.pixels.depth import is_deep, rounded
from scenehf.pixels.sheets import row_blocks
from scenehf.scene import Pixels, Source

Band = Callable[[slice], Image.Image]  # rows of the file -> a picture of them, 8 bit

_ALPHA_MODES = ("LA", "PA", "La", "RGBA", "RGBa")
_LEAN_WEBP = 16_000_000  # pixels: Pillow's WebP decoder needs 15 bytes for each, OpenCV's 6
_ARRAY_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}

# EXIF orientation -> the view of an upright array in which the file's rows lie as stored.
_STORED: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[:, ::-1],
}


def read(image: ImageFile.ImageFile, stream: BinaryIO) -> Source:
    """The source of a picture whose header was checked. Raises whatever its decoder raises."""
    notices = _sequence_notice(image)
    if is_deep(image):
        array: Pixels | None = rounded(image, stream)
        notices.append("Its 16 bits per channel were rounded to 8.")
    else:
        array = _decoded(image, stream)
    orientation = _orientation(image, notices)
    if array is None:
        size, mode, band = image.size, image.mode, _image_bands(image)
        has_alpha = mode in _ALPHA_MODES or "transparency" in image.info
    else:
        size, mode, band = _array_bands(array, "CMYK" if image.mode == "CMYK" else None)
        has_alpha = mode in _ALPHA_MODES
    opaque = mode if mode in ("CMYK", "LAB") else "L" if mode in ("1", "L", "LA", "La") else "RGB"
    convert, notice = to_srgb(image.info.get("icc_profile"), opaque)
    if notice:
        notices.append(notice)
    del image  # what the bands need they hold; a decoded picture is 4 bytes per pixel

    turned = orientation >= 5
    shape = (size[0], size[1]) if turned else (size[1], size[0])
    pixels = np.empty((*shape, 3), np.uint8)
    alpha = np.empty(shape, np.uint8) if has_alpha else None
    stored = _STORED[orientation]
    for rows in row_blocks(*size):
        colours, clear = _split(band(rows), opaque, has_alpha)
        stored(pixels)[rows] = np.asarray(convert(colours))
        if alpha is not None and clear is not None:
            stored(alpha)[rows] = np.asarray(clear)
    if alpha is not None and alpha.min() == 255:
        alpha = None
    return Source(pixels, alpha, tuple(notices))


def _sequence_notice(image: ImageFile.ImageFile) -> list[str]:
    """MPO is silent: its first picture is the photo, the others are a gain map or a second view."""
    if image.format == "MPO" or not getattr(image, "is_animated", False):
        return []
    kind = "several pictures" if image.format in ("TIFF", "HEIF") else "an animation"
    return [f"It holds {kind}; the first one is used."]


def _decoded(image: ImageFile.ImageFile, stream: BinaryIO) -> Pixels | None:
    """Loads the picture in place and returns None, or returns the pixels of a large still WebP."""
    still = not getattr(image, "is_animated", False)
    if image.format != "WEBP" or not still or image.width * image.height <= _LEAN_WEBP:
        image.load()
        return None
    import cv2

    stream.seek(0)
    array = cv2.imdecode(np.frombuffer(stream.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None or array.shape[1::-1] != image.size:
        raise OSError("WebP data do not fit their header")
    order = cv2.COLOR_BGR2RGB if array.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
    swapped: Pixels = cv2.cvtColor(array, order, dst=array)
    return swapped


def _orientation(image: Image.Image, notices: list[str]) -> int:
    """EXIF's 1..8; 1 for formats whose decoder has turned the picture. After loading: PNG may say it late."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001 - damaged metadata raise anything and cost only the orientation
        notices.append("Its metadata are damaged, so it may lie on its side.")
        return 1
    return int(value) if value in _STORED else 1


def _image_bands(image: Image.Image) -> Band:
    return lambda rows: image.crop((0, rows.start, image.width, rows.stop))


def _array_bands(array: Pixels, mode: str | None) -> tuple[tuple[int, int], str, Band]:
    """(size, mode, bands) of uint8 (height, width, channels)."""
    known = mode or _ARRAY_MODES[array.shape[2]]

    def band(rows: slice) -> Image.Image:
        part = np.ascontiguousarray(array[rows])
        return Image.frombuffer(known, (part.shape[1], part.shape[0]), part.tobytes(), "raw", known, 0, 1)

    return (array.shape[1], array.shape[0]), known, band


def _split(band: Image.Image, opaque: str, has_alpha: bool) -> tuple[Image.Image, Image.Image | None]:
    """(colours in the mode `opaque`, alpha or None); colours stay straight."""
    alpha = None
    if has_alpha:
        band = (band.convert("LA") if band.mode == "La" else band).convert("RGBA")
        alpha = band.getchannel("A")
    return (band if band.mode == opaque else band.convert(opaque)), alpha
