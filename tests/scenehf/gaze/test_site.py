"""What an exported gaze grid is made of."""

import base64
import hashlib
import json
import re
import subprocess
import zipfile
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from scenehf.gaze import grid, site, sprites
from tests.scenehf.gaze import sites

NAMES = {
    *(f"q{number}{kind}.webp" for number in range(4) for kind in ("", "_20")),
    "still.webp", "metadata.json", "metadata.js", "gaze-portrait.js", "index.html", "site.zip",
}  # fmt: skip


def left(script: Path) -> object:
    """What the script leaves under its address."""
    found = re.fullmatch(r"\(.*\)\[document\.currentScript\.src\] = (.*);\n", script.read_text())
    assert found
    return json.loads(found[1])


def shown(file: Path, x: int, y: int, side: int) -> tuple[int, int]:
    with Image.open(file) as picture:
        return sites.cell_of(picture.convert("RGB").getpixel((x, y)), side)


def test_metadata_has_the_keys_of_gaze_app_and_ours():
    about = sites.about(30, 20, (512, 384), alpha=True)
    theirs = {
        "gridSize": 30, "quadrantSize": 15, "mobileGridSize": 20, "mobileQuadrantSize": 10, "imageWidth": 512,
        "imageHeight": 384, "hasAlpha": True, "format": "webp", "mode": "quadrants", "totalImages": 900,
    }  # fmt: skip
    assert theirs.items() <= about.items()
    assert about["faceBox"] == [0.25, 0.2, 0.75, 0.8] and about["ranges"] == {"yaw": 10.0, "pitch": 8.0}
    assert max(about["mobileImageWidth"], about["mobileImageHeight"]) * 10 <= sprites.LONGEST_MOBILE_SIDE
    assert {"engine", "calibration", "seed", "version", "still"} <= about.keys()


def test_a_small_grid_needs_no_single_cells(tmp_path: Path):
    names = sites.make(tmp_path, *sites.SHEETS)
    assert set(names) == NAMES == {file.name for file in tmp_path.iterdir()}
    about = json.loads((tmp_path / "metadata.json").read_text())
    assert about["cells"] is None and left(tmp_path / "metadata.js") == about


def test_large_cells_travel_one_by_one_in_the_order_of_the_grid(tmp_path: Path):
    side = sites.CELLS[0]
    assert set(sites.make(tmp_path, *sites.CELLS)) == NAMES | {"cells.js"}
    assert json.loads((tmp_path / "metadata.json").read_text())["cells"] == "cells.js"
    cells = left(tmp_path / "cells.js")
    assert isinstance(cells, list) and len(cells) == side * side
    (tmp_path / "one.webp").write_bytes(base64.b64decode(cells[3 * side + 5]))
    assert shown(tmp_path / "one.webp", 400, 400, side) == (3, 5)


def test_the_middle_of_an_odd_grid_lies_on_the_lower_right_sheet(tmp_path: Path):
    sites.make(tmp_path, 5, 3, (64, 48))
    assert shown(tmp_path / "q3.webp", 32, 24, 5) == (2, 2)
    assert shown(tmp_path / "q0.webp", 32 + 64, 24 + 48, 5) == (1, 1)
    assert shown(tmp_path / "q3_20.webp", 32, 24, 5) == (2, 2)
    assert json.loads((tmp_path / "metadata.json").read_text())["mobileQuadrantSize"] == 1


def test_the_zip_holds_the_site_and_is_the_same_every_time(tmp_path: Path):
    names = sites.make(tmp_path / "a", *sites.SHEETS)
    sites.make(tmp_path / "b", *sites.SHEETS)
    zips = [(tmp_path / run / "site.zip").read_bytes() for run in ("a", "b")]
    assert hashlib.sha256(zips[0]).digest() == hashlib.sha256(zips[1]).digest()
    with zipfile.ZipFile(tmp_path / "a" / "site.zip") as archive:
        assert archive.namelist() == names[:-1]
        assert archive.testzip() is None
        assert archive.read("q0.webp") == (tmp_path / "a" / "q0.webp").read_bytes()


def test_sheets_in_any_order_make_the_same_site(tmp_path: Path):
    about, sheets = sites.about(*sites.SHEETS), {"q0.webp": b"a", "q1.webp": b"b"}
    site.write_site(tmp_path / "a", sheets, about, None, b"still")
    site.write_site(tmp_path / "b", dict(reversed(sheets.items())), about, None, b"still")
    assert (tmp_path / "a/site.zip").read_bytes() == (tmp_path / "b/site.zip").read_bytes()


def test_missing_cells_are_told_before_anything_is_written(tmp_path: Path):
    cells = [((0, 0), b"only one")]
    with pytest.raises(ValueError, match=r"24 cells are missing, \(0, 1\)"):
        site.write_site(tmp_path / "new", {}, sites.about(*sites.SHEETS), cells, b"")
    assert not (tmp_path / "new").exists()


def test_the_contact_sheet_shows_the_edges_and_the_middle(tmp_path: Path):
    assert site.write_contact(tmp_path, sites.atlas(9, (40, 30)), 9) == "contact.jpg"
    with Image.open(tmp_path / "contact.jpg") as picture:
        size = picture.size
    assert size == (7 * 128, 7 * 96)
    assert shown(tmp_path / "contact.jpg", 64, 48, 9) == (0, 0)
    assert shown(tmp_path / "contact.jpg", size[0] // 2, size[1] // 2, 9) == (4, 4)
    assert shown(tmp_path / "contact.jpg", size[0] - 64, size[1] - 48, 9) == (8, 8)


@pytest.mark.parametrize("side", [3, 4, 7, 30])
def test_the_film_sees_every_cell_and_never_jumps(side: int):
    path = list(site.serpentine(side))
    assert set(path) == set(grid.order(side))
    steps = zip(path, path[1:] + path[:1], strict=True)
    assert max(max(abs(a[0] - b[0]), abs(a[1] - b[1])) for a, b in steps) == 1


@pytest.mark.parametrize("channels", [3, 4])
def test_the_film_plays_everywhere(tmp_path: Path, channels: int):
    cells = sites.atlas(4, (65, 49), channels)  # odd sides, which H.264 does not have
    assert site.write_film(tmp_path, cells, 4) == "loop.mp4"
    film = tmp_path / "loop.mp4"
    data = film.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # it starts before it has loaded
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(film)]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    assert "h264" in told and "yuv420p" in told and "66x50" in told and "30 fps" in told
    reader = imageio_ffmpeg.read_frames(str(film))
    next(reader)
    frames = [np.frombuffer(frame, np.uint8).reshape(50, 66, 3) for frame in reader]
    assert [sites.cell_of(tuple(map(int, f[25, 33])), 4) for f in frames] == list(site.serpentine(4))
    again = tmp_path / "again"
    site.write_film(again, cells, 4)
    assert (again / "loop.mp4").read_bytes() == data


def test_transparency_is_a_light_ground_in_film_and_contact_sheet(tmp_path: Path):
    cells = sprites.Atlas(3, (32, 32), 4)
    for cell in grid.order(3):
        cells.put(cell, np.zeros((32, 32, 4), np.uint8))
    site.write_contact(tmp_path, cells, 3)
    with Image.open(tmp_path / "contact.jpg") as picture:
        assert picture.getpixel((9, 9)) == (240, 240, 240)


def test_a_film_without_ffmpeg_is_a_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from scenehf.errors import CannotExport

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: str(tmp_path / "nowhere"))
    monkeypatch.setattr(imageio_ffmpeg._io, "get_ffmpeg_exe", lambda: str(tmp_path / "nowhere"))
    with pytest.raises(CannotExport, match="ffmpeg"):
        site.write_film(tmp_path, sites.atlas(3, (32, 32)), 3)
    assert list(tmp_path.iterdir()) == []
