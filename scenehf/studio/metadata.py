"""Recipes inside PNG, JPEG and WebP, with Pillow alone: written so that other programs read them, and read back whole.

A1111's text goes where it is looked for (a PNG text chunk, EXIF's UserComment). XMP, which all three formats have,
carries IPTC's digital source type and the recipe as JSON. A JPEG holds neither where they are too long: then the whole
recipe goes into a file beside it.
"""

import io
import re
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Literal, TypeAlias
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from PIL import ExifTags, PngImagePlugin
from PIL import Image as Picture
from pydantic import ValidationError

from scenehf.scene import Pixels
from scenehf.studio.recipe import APP, Recipe, parameters

Kind: TypeAlias = Literal["png", "jpeg", "webp"]
MIMES: dict[Kind, str] = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
SUFFIXES: dict[Kind, str] = {"png": "png", "jpeg": "jpg", "webp": "webp"}
QUALITY = 95
JPEG_TEXT = 32_000  # characters of UTF-16 that fit into EXIF's 64 KB with the rest
JPEG_XMP = 65_000  # bytes of XMP in its one segment
MOST_XMP = 4 << 20  # bytes that are looked through
SHORT = 300  # characters of a description
SOURCES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
OURS = "https://scenehf.local/ns/"
UNICODE = b"UNICODE\0"  # how a UserComment says that UTF-16 follows
_RECIPE = re.compile(rb"scenehf:Recipe=(?:\"([^\"]*)\"|'([^']*)')")

XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:scenehf="{ours}" xmp:CreatorTool="{app}"
 Iptc4xmpExt:DigitalSourceType="{source}"{recipe}>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{description}</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


@dataclass(frozen=True)
class Written:
    """A picture file, and the recipe as JSON where it did not fit into it."""

    data: bytes
    sidecar: bytes | None = None


def write(pixels: Pixels, recipe: Recipe | None, kind: Kind, quality: int = QUALITY) -> Written:
    """A file of uint8 (height, width, 3) or (height, width, 4); JPEG puts what is transparent on white. quality:
    1 to 100, not of PNG. Without a recipe it carries none, and no claim of how it was made."""
    picture = Picture.fromarray(pixels if kind != "jpeg" else _opaque(pixels))
    out = io.BytesIO()
    if recipe is None:
        picture.save(out, kind, **_settings(kind, quality))
        return Written(out.getvalue())
    text, whole = parameters(recipe), recipe.model_dump_json()
    xmp = _xmp(recipe, whole)
    fits = kind != "jpeg" or (len(text.encode("utf-16-be")) <= 2 * JPEG_TEXT and len(xmp) <= JPEG_XMP)
    if not fits:
        text, xmp = _cut(text), _xmp(recipe, None)
    if kind == "png":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("parameters", text)
        info.add_itxt("XML:com.adobe.xmp", xmp.decode())
        info.add_text("Software", APP)
        picture.save(out, kind, pnginfo=info, **_settings(kind, quality))
    else:
        picture.save(out, kind, exif=_exif(text), xmp=xmp, **_settings(kind, quality))
    return Written(out.getvalue(), None if fits else whole.encode())


def read(file: bytes | Path) -> Recipe | None:
    """The recipe of a picture file, or of the JSON file that lies beside it or is itself the file; None where there is
    none that can be read. Nothing of the picture is decoded."""
    if isinstance(file, Path) and (beside := file.with_suffix(".json")) != file and beside.is_file():
        found = _recipe(_inside(file)) or _recipe(beside.read_bytes())
    else:
        data = file.read_bytes() if isinstance(file, Path) else file
        found = _recipe(data) if data[:1] == b"{" else _recipe(_inside(data))
    return found


def _inside(file: bytes | Path) -> bytes | None:
    """The recipe's JSON out of a picture's XMP."""
    try:
        with Picture.open(
            io.BytesIO(file) if isinstance(file, bytes) else file, formats=("PNG", "JPEG", "WEBP")
        ) as picture:
            xmp = picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp") or b""
    except (
        OSError,
        SyntaxError,
        ValueError,
        Picture.DecompressionBombError,
        Picture.DecompressionBombWarning,
    ):
        return None
    data = xmp.encode() if isinstance(xmp, str) else bytes(xmp)
    match = _RECIPE.search(data[:MOST_XMP])
    return unescape((match[1] or match[2] or b"").decode("utf-8", "replace")).encode() if match else None


def _recipe(data: bytes | None) -> Recipe | None:
    try:
        return Recipe.model_validate_json(data) if data else None
    except ValidationError:
        return None


def _xmp(recipe: Recipe, whole: str | None) -> bytes:
    told = "" if whole is None else f" scenehf:Recipe={quoteattr(whole)}"
    description = escape("".join(c for c in recipe.prompt[:SHORT] if c.isprintable()))
    source = SOURCES + recipe.source
    return XMP.format(ours=OURS, app=APP, source=source, recipe=told, description=description).encode()


def _exif(text: str) -> bytes:
    exif = Picture.Exif()
    exif[ExifTags.Base.Software] = APP
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = UNICODE + text.encode("utf-16-be")
    return exif.tobytes()


def _cut(text: str) -> str:
    """The beginning of a text and its last line, which holds the values, as far as a JPEG can hold."""
    *rest, last = text.split("\n")
    room = JPEG_TEXT // 2 - len(last[: JPEG_TEXT // 4])
    return "\n".join(rest)[: max(0, room)] + "\n" + last[: JPEG_TEXT // 4]


def _settings(kind: Kind, quality: int) -> dict[str, int]:
    return (
        {"compress_level": 4}
        if kind == "png"
        else {"quality": quality} | ({"subsampling": 0} if kind == "jpeg" else {"method": 4})
    )


def _opaque(pixels: Pixels) -> Pixels:
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[..., 3:].astype(np.float32) / 255
    mixed: Pixels = np.rint(pixels[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return mixed
