"""The one door: every picture that comes from outside passes `open_image` and nothing else decodes it."""

import io
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageFile, UnidentifiedImageError
from PIL.Image import DecompressionBombError, DecompressionBombWarning

from scenehf.errors import BadPicture
from scenehf.pixels.apart import belongs_apart, read_apart
from scenehf.pixels.limits import HOME, Limits
from scenehf.pixels.reading import read
from scenehf.scene import Source

# Pillow's own guard stands behind the header check, for pictures inside containers.
Image.MAX_IMAGE_PIXELS = HOME.pixels
warnings.simplefilter("error", DecompressionBombWarning)

_CURE = "save it as PNG or JPEG"
_SNIFF = 512  # bytes looked at to say what a file is instead of a picture
_OTHERS = (  # how files begin that people give by mistake
    (b"%PDF", "a PDF"),
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"8BPS", "a Photoshop file"),
    (b"PK\x03\x04", "a zip file"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x1a\x45\xdf\xa3", "a film"),
)


def open_image(data: bytes | Path, limits: Limits = HOME) -> Source:
    """The picture upright, in sRGB, 8 bit, its own alpha apart; the first frame of an animation.

    data: the file's bytes, or its path (leaner). Needs about 8 bytes per pixel, so 1 GB for 100 megapixels.
    Raises BadPicture, and nothing else, with a sentence for the person.
    """
    name = (data.name or str(data)) if isinstance(data, Path) else "This file"
    with _opened(data, name, limits) as stream:
        start = stream.read(_SNIFF)
        stream.seek(0)
        return read_apart(stream, name, limits) if belongs_apart(start) else decoded(stream, name, limits)


def decoded(stream: BinaryIO, name: str, limits: Limits) -> Source:
    """The picture in `stream`, by a decoder of this process. Raises BadPicture."""
    try:
        image = _identified(stream, name, limits)
        return read(image, stream)
    except BadPicture:
        raise
    except (DecompressionBombError, DecompressionBombWarning):
        most = f"{limits.pixels / 1e6:.0f} megapixels"
        raise BadPicture(f"{name} has more than {most}; make the picture smaller first.") from None
    except MemoryError:
        raise BadPicture(f"{name} needs more memory than is free; make the picture smaller first.") from None
    except Exception as error:  # decoders raise anything over damaged files
        raise BadPicture(f"{name} is damaged or incomplete; open it elsewhere and {_CURE}.") from error


@contextmanager
def _opened(data: bytes | Path, name: str, limits: Limits) -> Iterator[BinaryIO]:
    """The file as a stream, after its existence, kind and length were checked."""
    if not isinstance(data, Path):
        _check_length(len(data), name, limits)
        yield io.BytesIO(data)
        return
    try:
        about = data.stat()
        if stat.S_ISDIR(about.st_mode):
            raise BadPicture(f"{name} is a folder; give one picture file.")
        if not stat.S_ISREG(about.st_mode):
            raise BadPicture(f"{name} is not a file; give one picture file.")
        _check_length(about.st_size, name, limits)
        stream = data.open("rb")
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "not a path"
        raise BadPicture(f"{str(data)!r} cannot be opened ({reason}); check the path.") from None
    with stream:
        yield stream


def _check_length(length: int, name: str, limits: Limits) -> None:
    if not length:
        raise BadPicture(f"{name} is empty; choose a picture.")
    if length > limits.bytes:
        sizes = f"{length / 1e6:.0f} MB and the limit is {limits.bytes / 1e6:.0f} MB"
        raise BadPicture(f"{name} has {sizes}; make the picture smaller first.")


def _identified(stream: BinaryIO, name: str, limits: Limits) -> ImageFile.ImageFile:
    """The picture with only its header read and every limit checked. Raises BadPicture."""
    start = stream.read(_SNIFF)
    stream.seek(0)
    formats = [name for name in limits.formats if name != "HEIF"]
    if start[4:8] == b"ftyp" and "HEIF" in limits.formats:
        import pillow_heif
        from PIL import AvifImagePlugin

        pillow_heif.options.DECODE_THREADS = AvifImagePlugin.DEFAULT_MAX_THREADS = (
            1  # each has its own memory
        )
        pillow_heif.register_heif_opener()  # only then does Pillow know the name
        formats.append("HEIF")
    try:
        image = Image.open(stream, formats=formats)
    except UnidentifiedImageError:
        raise BadPicture(f"{name}{_what_else(start)} is not a picture this app can read; {_CURE}.") from None
    width, height = image.size
    if width < 1 or height < 1:
        raise BadPicture(f"{name} has no pixels; choose another picture.")
    if width * height > limits.pixels:
        size = f"{width * height / 1e6:.1f} megapixels ({width} x {height})"
        raise BadPicture(
            f"{name} has {size} and the limit is {limits.pixels / 1e6:.0f}; make it smaller first."
        )
    if max(width, height) > limits.side:
        size = f"{width} x {height} pixels and the limit is {limits.side} per side"
        raise BadPicture(f"{name} has {size}; make it smaller first.")
    if image.mode in ("F", "I"):
        kind = "floating-point" if image.mode == "F" else "32-bit or signed"
        raise BadPicture(f"{name} holds {kind} values, not colours; {_CURE}.")
    return image


def _what_else(start: bytes) -> str:
    """A word in brackets on what the file seems to be, or nothing."""
    for beginning, kind in _OTHERS:
        if start.startswith(beginning):
            return f" ({kind})"
    if b"<svg" in start.lower():
        return " (an SVG drawing)"
    return " (text)" if start.isascii() and start.decode("ascii").strip().isprintable() else ""
