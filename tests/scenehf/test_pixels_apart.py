"""The process that reads TIFF, HEIF and AVIF: it answers as the door does, and whatever becomes of it, we live."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenehf.errors import BadPicture
from scenehf.pixels import HOME, PUBLIC, Limits, apart, decode_png, open_image
from scenehf.pixels.apart import belongs_apart
from tests.scenehf.picture_files import encode, heic, hostile, noise, png

SMALL = Limits(1_000_000, 4000, 10_000_000, HOME.formats)


@pytest.mark.parametrize("limits", [HOME, PUBLIC], ids=["home", "public"])
def test_strangers_pictures_of_every_format_are_read(limits: Limits, tmp_path: Path):
    picture = noise()
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    path = tmp_path / "a.tif"
    path.write_bytes(encode(picture, "TIFF", compression="tiff_lzw"))
    source = open_image(path, limits)
    assert np.array_equal(source.pixels, np.asarray(picture.convert("RGB")))
    assert source.alpha is not None and np.array_equal(source.alpha, np.asarray(picture.getchannel("A")))
    for data in (encode(noise(), "AVIF", quality=90), heic(noise(), quality=90)):
        assert open_image(data, limits).size == noise().size


def test_it_tells_what_it_saw():
    frames = [noise(), noise().rotate(90)]
    told = open_image(encode(frames[0], "TIFF", save_all=True, append_images=frames[1:])).notices
    assert told == ("It holds several pictures; the first one is used.",)


def test_refusals_are_the_same_sentences(tmp_path: Path):
    (tmp_path / "mine.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(300))
    with pytest.raises(BadPicture, match=r"^mine\.heic is not a picture this app can read"):
        open_image(tmp_path / "mine.heic")
    with pytest.raises(BadPicture, match="the limit is 1; make it smaller"):
        open_image(encode(Image.new("RGB", (2000, 1000)), "TIFF"), SMALL)


def test_some_of_the_hostile_ones():
    """All of them are read by the same code in `test_pixels_hostile`."""
    files = {name: data for name, data in hostile().items() if belongs_apart(data)}
    assert len(files) > 50
    for name in list(files)[::25]:
        try:
            open_image(files[name], PUBLIC)
        except BadPicture:
            pass


SHORT = {"width": 9, "height": 9, "alpha": True, "notices": []}
CONFINED = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from scenehf.pixels import Limits, apart
apart._confine(Limits(**json.loads(sys.argv[2])["limits"]))
"""
CODES = {
    "crashes": "import os; os.kill(os.getpid(), 11)",
    "says nothing": "",
    "ends badly": "raise SystemExit(3)",
    "lies about its size": f"print({json.dumps(json.dumps(SHORT).ljust(4096))})",
    "eats memory": CONFINED + "bytearray(5 << 30)",
    "fills the disk": CONFINED + "while True: sys.stdout.buffer.write(bytes(1 << 20))",
    "never ends": "while True: pass",
}


@pytest.mark.parametrize("code", CODES.values(), ids=CODES.keys())
def test_whatever_becomes_of_it_is_one_sentence(code: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(apart, "BOOT", code)
    monkeypatch.setattr(apart, "_seconds", lambda _: 1)
    began = time.monotonic()
    with pytest.raises(BadPicture, match="could not be read"):
        open_image(encode(noise(), "TIFF"), SMALL)
    assert time.monotonic() - began < 10


def test_it_knows_no_keys_and_inherits_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "secret").write_text("x")
    monkeypatch.setenv("OPENAI_API_KEY", "CANARY")
    code = """
import json, os
def file(fd):
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return ""
files = [file(fd) for fd in os.listdir("/proc/self/fd")]
seen = [dict(os.environ), [name for name in files if "secret" in name], os.getcwd()]
print(json.dumps({"refused": json.dumps(seen)}).ljust(4096))
"""
    monkeypatch.setattr(apart, "BOOT", code)
    with (tmp_path / "secret").open(), pytest.raises(BadPicture) as told:
        open_image(encode(noise(), "TIFF"))
    surroundings, files, folder = json.loads(str(told.value))
    assert set(surroundings) <= {"LC_CTYPE"} and (files, folder) == ([], "/")


def test_only_so_many_at_once(monkeypatch: pytest.MonkeyPatch):
    at_once, most, turn = [0], [0], threading.Lock()

    def run(*_: object) -> int:
        with turn:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        time.sleep(0.05)
        with turn:
            at_once[0] -= 1
        return 1

    monkeypatch.setattr(apart, "_run", run)

    def read() -> None:
        with pytest.raises(BadPicture):
            open_image(encode(noise(), "TIFF"))

    readers = [threading.Thread(target=read) for _ in range(6)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert most == [apart.AT_ONCE]


def test_files_that_only_say_that_they_are_ours_are_no_bombs():
    """Pictures of a job come back with an imported bundle, and are read without the door."""
    for data in (
        png(60_000, 60_000, depth=1, colour=0, data=b""), png(1, 1_000_000, colour=0), b"", b"\x89PNG\r\n\x1a\n",
        encode(noise(), "TIFF"), encode(noise(), "JPEG"), encode(noise(), "BMP"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="not a PNG"):
            decode_png(data)
    assert decode_png(encode(noise(), "PNG")).shape == (48, 64, 3)


def test_importing_the_door_stays_light():
    heavy = ["pillow_heif", "PIL.AvifImagePlugin", "cv2"]
    code = f"import sys, scenehf.pixels; print([name for name in {heavy} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
