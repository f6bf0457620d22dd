"""Every format is opened again by another program's reader and compared with the scene, pixel by pixel."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
from PIL import Image
from psd_tools import PSDImage

from scenehf.errors import CannotExport
from scenehf.export import FORMATS, openraster, psd, tiff, write_all, zip
from scenehf.pixels import composite, full_canvas
from scenehf.scene import Scene
from tests.scenehf.scenes import NAMES, small_scene

DOCUMENTS = {"plan.json": b'{"version": 1}', "job.json": b"{}", "report.json": b"[]"}
PICTURES = [
    "layers/01-e.png",
    "layers/02-script-img-src-x-onerror-alert-1.png",
    "layers/03-etc-passwd-quotes-too.png",
]
PICTURES += ["plate.png", "composite.png"]
EVERYTHING = [*DOCUMENTS, *PICTURES, "scene.psd", "scene.ora", "scene.tiff", "parallax.html", "scene.zip"]


def opened(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture)


def pairs(first: Sequence, second: Sequence) -> list[tuple]:
    assert len(first) == len(second)
    return [(one, second[index]) for index, one in enumerate(first)]


def test_zip_adds_up_to_the_composite(tmp_path: Path) -> None:
    scene = small_scene()
    zip.write(tmp_path / "scene.zip", scene, DOCUMENTS)
    with zipfile.ZipFile(tmp_path / "scene.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [*DOCUMENTS, *PICTURES]
        assert all(archive.read(name) == data for name, data in DOCUMENTS.items())
        sheets = [opened(archive.read(name)) for name in PICTURES]
    assert [sheet.shape for sheet in sheets] == [(70, 90, 4)] * 3 + [(70, 90, 3)] * 2
    assert np.array_equal(sheets[3], scene.plate)
    canvas = sheets[3].astype(np.float64)
    for sheet, layer in reversed(pairs(sheets[:3], scene.layers)):
        assert np.array_equal(sheet, full_canvas(layer, scene.size))
        alpha = sheet[..., 3:] / 255.0
        canvas = sheet[..., :3] * alpha + canvas * (1 - alpha)
    assert np.array_equal(sheets[4], np.rint(canvas)) and np.array_equal(sheets[4], composite(scene))


def test_psd(tmp_path: Path) -> None:
    scene = small_scene()
    psd.write(tmp_path / "scene.psd", scene)
    document = PSDImage.open(tmp_path / "scene.psd")
    assert document.size == scene.size
    source, plate, *layers = list(document)  # bottom first
    assert [(s.name, s.visible, s.opacity) for s in (source, plate)] == [
        ("Source", False, 255),
        ("Plate", True, 255),
    ]
    assert np.array_equal(np.asarray(source.topil().convert("RGB")), scene.source)
    assert np.array_equal(np.asarray(plate.topil().convert("RGB")), scene.plate)
    for read, layer in pairs(layers[::-1], scene.layers):
        height, width = layer.pixels.shape[:2]
        assert (read.name, read.visible, read.has_mask()) == (layer.name, True, False)
        assert read.bbox == (layer.x, layer.y, layer.x + width, layer.y + height)
        assert np.array_equal(np.asarray(read.topil()), layer.pixels)
    # The flat picture, by two readers; and what psd-tools makes of the layers itself.
    with Image.open(tmp_path / "scene.psd") as flat:
        assert flat.mode == "RGB" and np.array_equal(np.asarray(flat), composite(scene))
    assert np.array_equal(np.asarray(document.topil()), composite(scene))
    rendered = np.asarray(document.composite(force=True).convert("RGB")).astype(int)
    assert np.abs(rendered - composite(scene)).max() <= 1


def test_psd_refuses_what_the_format_cannot_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = np.zeros((1, 30_001, 3), np.uint8)
    with pytest.raises(CannotExport, match="30000 pixels per side"):
        psd.write(tmp_path / "wide.psd", Scene((), wide, wide))
    monkeypatch.setattr(psd, "_LARGEST_FILE", 1000)
    with pytest.raises(CannotExport, match="2 GB"):
        psd.write(tmp_path / "large.psd", small_scene())


def test_openraster(tmp_path: Path) -> None:
    scene = small_scene()
    openraster.write(tmp_path / "scene.ora", scene)
    assert (tmp_path / "scene.ora").read_bytes()[30:54] == b"mimetypeimage/openraster"
    with zipfile.ZipFile(tmp_path / "scene.ora") as archive:
        assert archive.infolist()[0].compress_type == zipfile.ZIP_STORED
        image = ElementTree.fromstring(archive.read("stack.xml"))
        assert (image.tag, image.get("w"), image.get("h")) == ("image", "90", "70")
        layers = image.findall("stack/layer")
        assert [layer.get("name") for layer in layers] == [*NAMES, "Plate", "Source"]
        assert [layer.get("visibility") for layer in layers] == ["visible"] * 4 + ["hidden"]
        for index, layer in enumerate(scene.layers):
            assert (layers[index].get("x"), layers[index].get("y")) == (str(layer.x), str(layer.y))
            assert np.array_equal(opened(archive.read(layers[index].get("src"))), layer.pixels)
        assert np.array_equal(opened(archive.read(layers[3].get("src"))), scene.plate)
        assert np.array_equal(opened(archive.read(layers[4].get("src"))), scene.source)
        assert np.array_equal(opened(archive.read("mergedimage.png")), composite(scene))
        assert max(opened(archive.read("Thumbnails/thumbnail.png")).shape) <= 256


@pytest.mark.parametrize("classic", [tiff._CLASSIC, 0])
def test_tiff(classic: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff, "_CLASSIC", classic)
    scene = small_scene()
    tiff.write(tmp_path / "scene.tiff", scene)
    expected = [
        composite(scene),
        scene.plate,
        *(full_canvas(layer, scene.size) for layer in reversed(scene.layers)),
    ]
    with tifffile.TiffFile(tmp_path / "scene.tiff") as file:
        assert file.is_bigtiff == (classic == 0)
        assert [page.tags[285].value for page in file.pages] == ["Composite", "Plate", *reversed(NAMES)]
        for page, pixels in pairs(list(file.pages), expected):
            assert page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
            assert np.array_equal(page.asarray(), pixels)
        assert [int(kind) for kind in file.pages[2].extrasamples] == [2]  # straight alpha
    with Image.open(tmp_path / "scene.tiff") as flat:  # another reader
        assert flat.n_frames == len(expected)
        for index, pixels in enumerate(expected):
            flat.seek(index)
            assert np.array_equal(np.asarray(flat), pixels)


def test_write_all_writes_the_whole_list(tmp_path: Path) -> None:
    sizes = write_all(tmp_path / "out", small_scene(), DOCUMENTS)
    assert list(sizes) == EVERYTHING
    files = sorted(p for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert {p.relative_to(tmp_path / "out").as_posix(): p.stat().st_size for p in files} == sizes


def test_a_picture_without_subjects_is_exported_too(tmp_path: Path) -> None:
    scene = small_scene()
    sizes = write_all(tmp_path, Scene((), scene.source, scene.source), DOCUMENTS)
    assert list(sizes) == [name for name in EVERYTHING if not name.startswith("layers/")]
    assert np.array_equal(opened((tmp_path / "composite.png").read_bytes()), scene.source)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "scene.psd")), scene.source)


@pytest.mark.parametrize("kind", FORMATS)
def test_each_format_alone(kind: str, tmp_path: Path) -> None:
    sizes = write_all(tmp_path, small_scene(), DOCUMENTS, formats=[kind])
    files = {"psd": ["scene.psd"], "ora": ["scene.ora"], "tiff": ["scene.tiff"], "html": ["parallax.html"]}
    assert list(sizes) == {"png": [*DOCUMENTS, *PICTURES], "zip": ["scene.zip"], **files}[kind]


def test_unknown_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="gimp"):
        write_all(tmp_path, small_scene(), {}, formats=["gimp"])


def test_a_format_that_cannot_hold_the_scene_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psd, "_LARGEST_FILE", 1000)
    said: list[str] = []
    sizes = write_all(tmp_path, small_scene(), DOCUMENTS, log=said.append)
    assert list(sizes) == [name for name in EVERYTHING if name != "scene.psd"]
    assert said == ["This scene is larger than the 2 GB that a PSD holds; use OpenRaster."]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted({name.split("/")[0] for name in sizes})


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    write_all(tmp_path, small_scene(), DOCUMENTS, formats=["tiff"])
    before = (tmp_path / "scene.tiff").read_bytes()
    (tmp_path / "plate.png").mkdir()  # a folder where a file has to go
    with pytest.raises(OSError):
        write_all(tmp_path, small_scene(40, 30), DOCUMENTS, formats=["png", "tiff"])
    assert (tmp_path / "scene.tiff").read_bytes() == before
    assert not list(tmp_path.rglob("*.part"))
