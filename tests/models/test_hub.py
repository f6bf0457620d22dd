"""The hub's own client against a hub on this machine, run as a person runs it."""

import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from models.errors import WeightsMissing
from models.runtime import hub
from models.runtime.hub import HUB, RECORD
from tests.models.hub_server import REVISION, serving

ROOT = Path(__file__).parents[2]
SET = HUB["liveportrait"]
OFFICIAL = "KwaiVGI/LivePortrait"


def pickled(content):
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def tiny(value=1.0):
    """The repository's files with hardly anything in them."""
    files = {
        file.path: pickled({"layer.weight": torch.full((2, 3), value), "count": torch.tensor(7)})
        for file in SET.files[:-1]
    }
    parts = ("retarget_shoulder", "retarget_mouth", "retarget_eye")
    small = {part: {f"module.mlp.{n}": torch.full((n + 1,), value)} for n, part in enumerate(parts)}
    return files | {SET.files[-1].path: pickled(small)}


@pytest.fixture
def pull(home, tmp_path):
    def run(url):
        env = os.environ | {
            "HF_ENDPOINT": url,
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HOME": str(tmp_path / "hf"),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ['PYTHONPATH']}",
        }
        command = [sys.executable, "-m", "scenehf", "models", "pull", "liveportrait"]
        return subprocess.run(command, capture_output=True, text=True, env=env, cwd=tmp_path, check=False)

    return run


@pytest.fixture
def folder(home):
    return home / "weights" / "liveportrait"


def test_the_first_pull_shows_and_keeps_what_the_hub_says(pull, folder, home):
    with serving(OFFICIAL, tiny()) as server:
        told = pull(server.url)
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    assert lines[0] == "LivePortrait: licence MIT, about 521 MB"
    assert lines[1] == f"{OFFICIAL} at {REVISION}, licence there: mit"
    hashes = {path: hashlib.sha256(data).hexdigest() for path, data in server.files.items()}
    assert lines[3:8] == [f"  {hashes[file.path]}  {file.path}" for file in SET.files]
    kept = json.loads((folder / RECORD).read_text())
    assert kept["revision"] == REVISION
    assert {path: entry["sha256"] for path, entry in kept["files"].items()} == hashes
    assert sorted(path.name for path in folder.iterdir()) == sorted([*SET.kept, RECORD])
    network = load_file(folder / "motion_extractor.safetensors")
    assert torch.equal(network["layer.weight"], torch.ones(2, 3)) and network["count"] == 7
    assert list(load_file(folder / "lip.safetensors")) == ["mlp.1"]
    assert {finding.state for finding in hub.verify(home / "weights", ("liveportrait",))} == {"present"}
    assert hub.here(home / "weights", "liveportrait")


def test_what_is_here_asks_no_hub_and_what_is_damaged_comes_again(pull, folder):
    with serving(OFFICIAL, tiny()) as server:
        pull(server.url)
        server.asked.clear()
        assert pull(server.url).stdout == "LivePortrait: already here\n"
        assert server.asked == []
        whole = (folder / "lip.safetensors").read_bytes()
        (folder / "lip.safetensors").write_bytes(whole[:-1] + b"!")
        told = pull(server.url)
    assert "as kept from the first pull" in told.stdout
    assert (folder / "lip.safetensors").read_bytes() == whole
    assert [line for line in server.asked if "GET" in line and ".pth" in line] == [
        f"GET /{OFFICIAL}/resolve/{REVISION}/{SET.files[-1].path}"
    ]


def test_a_hub_that_changed_its_mind_is_refused(pull, folder):
    with serving(OFFICIAL, tiny()) as server:
        pull(server.url)
        (folder / "lip.safetensors").unlink()
        server.files = tiny(2.0)
        told = pull(server.url)
    assert told.returncode == 1
    assert "is not the file that the hub told of, so it was not used." in told.stderr
    assert len(told.stderr.splitlines()) == 1
    assert not (folder / "lip.safetensors").exists()


def test_a_file_that_differs_from_its_own_hash_is_refused(pull, folder):
    with serving(OFFICIAL, tiny()) as server:
        server.told[SET.files[0].path] = "0" * 64
        told = pull(server.url)
    assert told.returncode == 1
    assert "so it was not used" in told.stderr
    assert not (folder / "appearance_feature_extractor.safetensors").exists()


def test_a_pickle_that_is_more_than_tensors_is_not_run(pull, folder, tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "trapped",))

    files = tiny()
    files[SET.files[0].path] = pickled({"layer.weight": Trap()})
    with serving(OFFICIAL, files) as server:
        told = pull(server.url)
    assert told.returncode == 1
    assert len(told.stderr.splitlines()) == 1
    assert not (tmp_path / "trapped").exists()


def test_the_repository_is_found_under_its_later_name(pull):
    with serving("KlingTeam/LivePortrait", tiny()) as server:
        assert pull(server.url).stdout.splitlines()[1].startswith("KlingTeam/LivePortrait at ")


def test_a_hub_out_of_reach_is_one_sentence(pull):
    with serving(OFFICIAL, {}) as server:
        url = server.url
    told = pull(url)
    assert told.returncode == 1
    assert told.stderr.endswith("Check the connection and run the same command again.\n")
    assert len(told.stderr.splitlines()) == 1


def test_missing_weights_say_how_to_get_them(tmp_path):
    with pytest.raises(WeightsMissing, match=r"Run `\./launch\.sh models pull liveportrait`\."):
        hub.path(tmp_path, "liveportrait", "lip.safetensors")
    assert {finding.state for finding in hub.verify(tmp_path, ("liveportrait",))} == {"missing"}
