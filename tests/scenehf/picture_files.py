"""Picture files made byte by byte or with Pillow, good and hostile, for the tests of the door."""

import io
import random
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # PNG colour type -> samples per pixel


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The picture as a file of Pillow's format `kind`."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    """One PNG chunk."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(
    width: int, height: int, *, depth: int = 8, colour: int = 2, data: bytes | None = None, extra: bytes = b""
) -> bytes:
    """A PNG of zeros, or with the given compressed `data`, and `extra` chunks before them."""
    if data is None:
        row = b"\0" + bytes((width * CHANNELS[colour] * depth + 7) // 8)
        deflate = zlib.compressobj(9)
        data = b"".join(deflate.compress(row) for _ in range(height)) + deflate.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def png16(values: NDArray[np.uint16], extra: bytes = b"") -> bytes:
    """A PNG of 16 bits per sample from (height, width, 1..4)."""
    height, width, channels = values.shape
    rows = b"".join(b"\0" + values[y].astype(">u2").tobytes() for y in range(height))
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    return png(width, height, depth=16, colour=colour, data=zlib.compress(rows), extra=extra)


def noise(width: int = 64, height: int = 48) -> Image.Image:
    """The same random RGB picture every time."""
    pixels = np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def swapped_profile() -> bytes:
    """An ICC profile whose red is sRGB's green and whose green is sRGB's red."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    tags = {bytes(profile[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    profile[red + 4 : red + 12], profile[green + 4 : green + 12] = (
        profile[green + 4 : green + 12],
        profile[red + 4 : red + 12],
    )
    return bytes(profile)


def hostile() -> dict[str, bytes]:
    """Files that no door should trip over: bombs, liars, fragments, wrong kinds. Made anew, the same every time."""
    dice = random.Random(1)
    small = noise()
    bomb = zlib.compress(b"A" * 50_000_000, 9)
    files = {
        "bomb_60000x60000.png": png(60000, 60000, depth=1, colour=0, data=zlib.compress(bytes(1000))),
        "strip_1x1000000.png": png(1, 1_000_000, colour=0),
        "no_width.png": png(0, 10, data=b""),
        "negative.png": png(0xFFFFFFFF, 1, data=b"x"),
        "ztxt_bomb.png": png(8, 8, extra=chunk(b"zTXt", b"k\0\0" + bomb)),
        "itxt_bomb.png": png(8, 8, extra=chunk(b"iTXt", b"k\0\1\0\0\0" + bomb)),
        "iccp_bomb.png": png(8, 8, extra=chunk(b"iCCP", b"p\0\0" + bomb)),
        "idat_bomb.png": png(8, 8, data=bomb),
        "many_chunks.png": png(8, 8, extra=chunk(b"tEXt", b"k\0v") * 50_000),
        "chunk_length.png": png(8, 8, extra=b"\xff\xff\xff\xfftEXtabc"),
        "header_only.png": png(8, 8)[:33],
        "exif_garbage.jpg": encode(
            small, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + dice.randbytes(200)
        ),
        "icc_garbage.jpg": encode(small, "JPEG", icc_profile=dice.randbytes(5000)),
        "icc_zeros.png": encode(small, "PNG", icc_profile=bytes(128)),
        "script.png": b"<html><script>alert(1)</script>",
        "zip_behind.png": encode(small, "PNG") + b"PK\x03\x04" + bytes(100),
        "picture.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(/etc/passwd) (r) file pop\nshowpage\n",
        "program.exe": b"MZ" + dice.randbytes(500),
        "pickle.png": b"\x80\x04cos\nsystem\n(S'id'\ntR.",
        "random.png": dice.randbytes(100_000),
        "bomb.psd": b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 4, 300000, 300000, 8, 3) + bytes(20),
        "bomb.bmp": b"BM"
        + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 100000, 100000, 1, 24, 0, 0, 0, 0, 0, 0),
        "fake.heic": b"\0\0\0\x18ftypheic" + dice.randbytes(300),
        "fake.avif": b"\0\0\0\x18ftypavif" + dice.randbytes(300),
        "fake.jp2": b"\0\0\0\x0cjP  \r\n\x87\n" + dice.randbytes(200),
        "null.svg": b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><svg>&a;</svg>",
    }
    return files | _broken(dice)


def _broken(dice: random.Random) -> dict[str, bytes]:
    """Good files of every format, cut short at twelve points and with bytes changed at random."""
    small = noise()
    good = {
        "png": encode(small, "PNG"),
        "jpg": encode(small, "JPEG"),
        "webp": encode(small, "WEBP"),
        "gif": encode(small, "GIF"),
        "bmp": encode(small, "BMP"),
        "tif": encode(small, "TIFF", compression="tiff_lzw"),
        "avif": encode(small, "AVIF"),
        "heic": heic(small),
        "png16": png16(np.random.default_rng(3).integers(0, 65536, (48, 64, 3)).astype(np.uint16)),
    }
    files = {}
    for kind, data in good.items():
        for part in range(1, 12):
            files[f"cut_{part}.{kind}"] = data[: len(data) * part // 12]
        for turn in range(20):
            changed = bytearray(data)
            for _ in range(dice.choice([1, 3, 20, 200])):
                changed[dice.randrange(len(changed))] = dice.randrange(256)
            files[f"flip_{turn}.{kind}"] = bytes(changed)
    return files


def heic(image: Image.Image, **options: Any) -> bytes:
    """A phone's photo format."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    return encode(image, "HEIF", **options)
