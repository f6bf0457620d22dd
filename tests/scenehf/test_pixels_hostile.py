"""Hostile and damaged files: each becomes a picture or a sentence, soon, and never another error."""

import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from scenehf.errors import BadPicture
from scenehf.pixels import open_image
from tests.scenehf.picture_files import encode, hostile, noise, png16

SLOWEST = 5.0  # seconds for one file, on a busy machine
HUNDRED_MEGAPIXELS = 1200  # MB that opening may add


def opens(data: bytes) -> bool:
    """Whether the door let it in; fails the test for any error but BadPicture."""
    try:
        source = open_image(data)
    except BadPicture:
        return False
    assert source.pixels.dtype == np.uint8 and source.pixels.ndim == 3
    return True


def test_hostile_files_become_a_picture_or_a_sentence() -> None:
    files = hostile()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    let_in = set()
    for name, data in files.items():
        started = time.monotonic()
        with warnings.catch_warnings():  # as in the app, where a decoder's complaint is no error
            warnings.simplefilter("ignore")
            if opens(data):
                let_in.add(name)
        assert time.monotonic() - started < SLOWEST, name
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024 < 400
    assert len(files) > 250
    assert {"zip_behind.png", "exif_garbage.jpg", "icc_garbage.jpg", "many_chunks.png"} <= let_in
    refused = {
        "bomb_60000x60000.png",
        "strip_1x1000000.png",
        "ztxt_bomb.png",
        "bomb.bmp",
        "picture.eps",
        "fake.heic",
    }
    assert not refused & let_in
    assert not [
        name
        for name in let_in
        if name.startswith("cut_") and name.endswith((".png", ".jpg", ".webp", ".png16"))
    ]


@settings(max_examples=60)
@given(
    st.binary(max_size=300),
    st.sampled_from(
        [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"II*\0", b"BM", b"RIFF\0\0\0\0WEBPVP8 "]
    ),
)
def test_any_bytes_become_a_picture_or_a_sentence(data: bytes, start: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        opens(start + data)


MEASURE = """
import resource, sys
from pathlib import Path
from scenehf.pixels import open_image
import cv2
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
source = open_image(Path(sys.argv[1]))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, *source.size)
"""


@pytest.mark.parametrize(
    "kind",
    [
        "JPEG",
        pytest.param("deep", marks=pytest.mark.slow),
        pytest.param("PNG", marks=pytest.mark.slow),
        pytest.param("WEBP", marks=pytest.mark.slow),
    ],
)
def test_a_hundred_megapixels_fit(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "huge"
    if kind == "deep":
        rows = np.zeros((1, 10_000, 4), np.uint16)
        path.write_bytes(png16(np.broadcast_to(rows, (10_000, 10_000, 4))))
    else:
        options = {
            "JPEG": {"quality": 80, "progressive": True},
            "PNG": {"compress_level": 1},
            "WEBP": {"method": 0, "quality": 50},
        }[kind]
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.new("RGB", (12_500, 8000), "teal").save(path, kind, exif=exif, **options)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True
    )
    added, width, height = map(int, done.stdout.split())
    assert (width, height) == ((10_000, 10_000) if kind == "deep" else (8000, 12_500))
    assert added < HUNDRED_MEGAPIXELS


def test_a_truncated_picture_says_so() -> None:
    data = encode(noise(), "JPEG")
    with pytest.raises(BadPicture) as caught:
        open_image(data[:-200])
    assert (
        str(caught.value)
        == "This file is damaged or incomplete; open it elsewhere and save it as PNG or JPEG."
    )
