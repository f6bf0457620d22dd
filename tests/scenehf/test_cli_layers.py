"""`layers PHOTO --out DIR` as a person types it: a fresh process, every file, and a sentence for bad input."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = {"plan.json", "job.json", "report.json"}
FILES = DOCUMENTS | {
    "plate.png",
    "composite.png",
    "scene.psd",
    "scene.ora",
    "scene.tiff",
    "parallax.html",
    "scene.zip",
}


def layers(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scenehf", "layers", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)


def recomposed(folder: Path) -> np.ndarray:
    """Source-over of the written 8-bit files, back to front, in float64 on sRGB values."""
    canvas = np.asarray(Image.open(folder / "plate.png").convert("RGB")).astype(np.float64)
    for file in sorted(folder.glob("layers/*.png"), reverse=True):
        layer = np.asarray(Image.open(file)).astype(np.float64)
        alpha = layer[..., 3:] / 255
        canvas = alpha * layer[..., :3] + (1 - alpha) * canvas
    return canvas


@pytest.fixture
def small(photo_path, tmp_path):
    """The astronaut at 256 px."""
    file = tmp_path / "astronaut.png"
    Image.open(photo_path("astronaut")).resize((256, 256), Image.Resampling.LANCZOS).save(file)
    return file


def test_a_photo_becomes_every_file_and_adds_up(furnished_home, small, tmp_path):
    out = tmp_path / "out"
    done = layers(small, "--out", out, "--data", furnished_home)
    assert done.returncode == 0, done.stderr
    assert {file.name for file in out.iterdir()} == FILES | {"layers"}
    report = json.loads((out / "report.json").read_text())
    assert [file.name for file in sorted(out.glob("layers/*"))] == ["01-person.png"]
    assert report["scene"]["max_error"] <= 2
    source = np.asarray(Image.open(small).convert("RGB")).astype(np.float64)
    assert np.abs(recomposed(out) - source).max() <= 2
    alpha = np.asarray(Image.open(out / "layers" / "01-person.png"))[..., 3]
    assert 0.3 < (alpha > 127).mean() < 0.7
    assert "100%" in done.stdout


@pytest.mark.slow
def test_boxes_are_steps_front_to_back(furnished_home, small, tmp_path):
    out = tmp_path / "out"
    boxes = ("--box", "The Woman=5,3,250,253", "--box", "../Rocket=188,0,50,150")
    done = layers(small, "--out", out, *boxes, "--data", furnished_home)
    assert done.returncode == 0, done.stderr
    plan = json.loads((out / "plan.json").read_text())
    assert [step["name"] for step in plan["steps"]] == [
        "The Woman",
        "Without The Woman",
        "../Rocket",
        "Background",
    ]
    names = [file.name for file in sorted(out.glob("layers/*"))]
    assert names[0] == "01-the-woman.png"
    assert all("/" not in name and ".." not in name for name in names)
    source = np.asarray(Image.open(small).convert("RGB")).astype(np.float64)
    assert np.abs(recomposed(out) - source).max() <= 2


def test_a_picture_of_nothing_is_its_own_plate(furnished_home, tmp_path):
    photo, out = tmp_path / "grey.png", tmp_path / "out"
    Image.new("RGB", (120, 80), (128, 128, 128)).save(photo)
    done = layers(photo, "--out", out, "--data", furnished_home)
    assert done.returncode == 0, done.stderr
    assert list(out.glob("layers/*")) == []
    assert np.array_equal(np.asarray(Image.open(out / "plate.png")), np.asarray(Image.open(photo)))


@pytest.mark.parametrize(
    ("content", "arguments", "sentence"),
    [
        (b"hello", [], "is not a picture"),
        (b"", [], "is empty"),
        (None, [], "cannot be opened"),
        (b"P6", ["--box", "cup"], "NAME=X,Y,W,H"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(home, tmp_path, content, arguments, sentence):
    photo = tmp_path / "photo.png"
    if content == b"P6":
        Image.new("RGB", (60, 40)).save(photo)
    elif content is not None:
        photo.write_bytes(content)
    done = layers(photo, "--out", tmp_path / "out", *arguments, "--data", home)
    assert done.returncode == 2
    assert done.stdout == ""
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_box_outside_the_picture_is_refused(home, small, tmp_path):
    done = layers(small, "--out", tmp_path / "out", "--box", "cup=300,300,20,20", "--data", home)
    assert done.returncode == 2
    assert "256x256" in done.stderr


def test_what_costs_money_wants_a_yes(home, small, tmp_path):
    for option in (("--engine", "google"), ("--planner", "gemini")):
        done = layers(small, "--out", tmp_path / "out", "--data", home, *option)
        assert done.returncode == 2
        assert "Add --yes" in done.stderr and "$0.0" in done.stderr and "stops at $1.00" in done.stderr
    assert not (home / "store").exists() or not list((home / "store" / "assets").rglob("*.png"))
