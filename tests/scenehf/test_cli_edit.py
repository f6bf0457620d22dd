"""`edit` and `convert` as a person types them, with Replicate on this machine."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenehf.cli import main
from scenehf.studio.metadata import read
from tests.models.providers.artist import Artist
from tests.models.providers.loopback import Loopback
from tests.models.providers.services import CANARY


@pytest.fixture
def replicate(home, monkeypatch):
    monkeypatch.setattr("models.providers.remote.POLL_FIRST", 0.02)
    server = Loopback(Artist())
    monkeypatch.setenv("SCENEHF_ADDRESSES", json.dumps({"replicate": server.url}))
    monkeypatch.setenv("REPLICATE_API_TOKEN", CANARY)
    yield server.service
    server.close()


def test_pictures_and_recipes_are_written_and_converted(replicate, tmp_path, capsys, photo_path):
    out = tmp_path / "out"
    asked = [
        "edit",
        "--model",
        "qwen-image-edit-plus",
        "--prompt",
        "as it is",
        "--image",
        str(photo_path("chelsea")),
    ]
    asked += ["--image", str(photo_path("coffee")), "--seed", "7", "--no-go-fast", "--count", "2"]
    assert main([*asked, "--out", str(out)]) == 2
    assert "may cost $0.06" in capsys.readouterr().err
    assert replicate.jobs == 0
    assert main([*asked, "--out", str(out), "--yes"]) == 0
    assert sorted(file.name for file in out.iterdir()) == ["01.json", "01.png", "02.json", "02.png"]
    assert [picture["seed"] for picture in replicate.asked] == [7, 8]
    first = read(out / "01.png")
    assert first == read(out / "01.json")
    assert (first.options, first.prompt) == ({"seed": 7, "go_fast": False}, "as it is")
    assert [given.name for given in first.images] == ["chelsea.png", "coffee.png"]
    with Image.open(out / "01.png") as picture:
        assert picture.size == (451, 300)
        pixels = np.asarray(picture)
    for kind, suffix in (("jpeg", "jpg"), ("webp", "webp")):
        assert main(["convert", str(out / "01.png"), "--to", kind, "--quality", "90"]) == 0
        target = out / f"01.{suffix}"
        assert read(target.read_bytes()) == first
        with Image.open(target) as picture:
            assert picture.format == kind.upper()
            assert np.abs(np.asarray(picture.convert("RGB")).astype(int) - pixels).mean() < 4


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--model", "nothing", "--prompt", "x"], "There is no model 'nothing'"),
        (["--model", "qwen-image", "--prompt", ""], "The prompt is empty."),
        (["--model", "qwen-image", "--prompt", "x", "--steps", "99"], "Steps cannot be '99'"),
        (["--model", "qwen-image", "--prompt", "x", "--seed", "many"], "Seed cannot be 'many'"),
        (["--model", "qwen-image-edit", "--prompt", "x", "--aspect", "1:1"], "has no option 'aspect_ratio'"),
        (["--model", "qwen-image", "--prompt", "x", "--count", "17"], "--count is from 1 to 16"),
        (["--model", "patchmatch", "--image", "none.png"], "needs a mask"),
        (["--model", "patchmatch", "--image", "none.png", "--mask", "none.png"], "none.png"),
    ],
)
def test_bad_input_is_one_sentence_and_costs_nothing(replicate, tmp_path, capsys, flags, words):
    assert main(["edit", *flags, "--out", str(tmp_path / "out"), "--yes"]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert len(told.splitlines()) == 1
    assert replicate.jobs == 0


def test_without_a_key_it_says_where_to_get_one(home, tmp_path, capsys):
    assert (
        main(["edit", "--model", "seedream-4", "--prompt", "x", "--out", str(tmp_path / "o"), "--yes"]) == 2
    )
    assert "set REPLICATE_API_TOKEN" in capsys.readouterr().err


def test_a_picture_is_not_converted_onto_itself(tmp_path: Path, capsys):
    file = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(file)
    assert main(["convert", str(file), "--to", "png"]) == 2
    assert main(["convert", str(file), "--to", "webp", "--quality", "0"]) == 2
    assert main(["convert", str(file), "--to", "jpeg"]) == 0
    assert "carries no recipe" in capsys.readouterr().err
