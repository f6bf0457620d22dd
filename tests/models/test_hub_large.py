"""Pulling what is large: one of several quantisations and all that it needs, going on after a break, no room."""

import errno
import hashlib
import json
from pathlib import Path
from typing import BinaryIO

import pytest
from huggingface_hub import constants, file_download

from models.runtime import hub
from models.runtime.hub import HUB, PARTS, RECORD
from scenehf.cli import main
from tests.models.hub_server import serving

SET = HUB["qwen-edit-2509-gguf"]
TRANSFORMERS = SET.repositories[0]
LARGE = 300_000


def content(path: str) -> bytes:
    return hashlib.sha256(path.encode()).digest() * (LARGE // 32 if path.endswith(".gguf") else 4)


def repositories() -> dict[str, dict[str, bytes]]:
    found = {TRANSFORMERS: {file.path: content(file.path) for file in SET.choices.values()}}
    for name in SET.needs:
        needed = HUB[name]
        found[needed.repositories[0]] = {file.path: content(file.path) for file in needed.files}
    return found


@pytest.fixture
def server():
    made = repositories()
    with serving(TRANSFORMERS, made.pop(TRANSFORMERS), made) as running:
        yield running


@pytest.fixture
def models(home, server, monkeypatch, capsys):
    """The verb with the hub's own client, which is told where the hub is."""
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", LARGE // 6)

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["models", *words])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def folder(home):
    return home / "weights" / SET.name


def test_one_quantisation_comes_with_all_that_it_needs_and_another_later(models, server, folder, home):
    code, said, _ = models("pull", SET.name, "--quant", "Q4_K_M")
    assert code == 0
    weights = home / "weights"
    assert hub.here(weights, SET.name)
    assert list(hub.chosen_here(weights, SET.name)) == ["Q4_K_M"]
    file = SET.choices["Q4_K_M"]
    assert (folder / Path(file.path).name).read_bytes() == content(file.path)
    assert f"  {hashlib.sha256(content(file.path)).hexdigest()}  {file.path}" in said
    record = json.loads((folder / RECORD).read_text())
    assert sorted(record["files"]) == sorted(
        choice.path for choice in SET.choices.values()
    )  # enforced later too
    words = json.loads((weights / "qwen-image-vae" / RECORD).read_text())
    assert "git" in words["files"]["tokenizer/vocab.json"] and "sha256" in words["kept"]["vocab.json"]
    assert not list(weights.glob(f"*/{PARTS}"))
    assert {finding.state for finding in hub.verify(weights, (SET.name, *SET.needs))} == {"present"}

    server.asked.clear()
    second = SET.choices["Q2_K"]
    server.files[second.path] = content("another file than was told of.gguf")
    code, _, wrong = models("pull", SET.name, "--quant", "Q2_K")
    assert code == 1 and "so it was not used" in wrong and len(wrong.splitlines()) == 1
    server.files[second.path] = content(second.path)
    assert models("pull", SET.name, "--quant", "Q2_K")[0] == 0
    assert sorted(hub.chosen_here(weights, SET.name)) == ["Q2_K", "Q4_K_M"]
    assert not [line for line in server.asked if "/api/" in line]  # the first pull decided for good
    assert models("pull", SET.name, "--quant", "Q2_K")[1].endswith("already here\n")
    assert "present" in next(line for line in models("list")[1].splitlines() if line.startswith(SET.name))


def stopping(at: float):
    def report(fraction: float, message: str) -> None:
        if "Fetching Qwen-Image-Edit" in message and fraction > at:
            raise KeyboardInterrupt

    return report


def test_a_pull_that_was_stopped_goes_on_where_it_was(models, server, folder):
    path = SET.choices["Q5_K_S"].path
    for needed in SET.needs:
        assert models("pull", needed)[0] == 0
    with pytest.raises(KeyboardInterrupt):
        hub.pull(SET.name, folder.parent, stopping(0.5), lambda line: None)
    assert not (folder / path).exists()
    begun = sum(part.stat().st_size for part in (folder / PARTS).iterdir())
    assert 0 < begun < LARGE
    server.ranges.clear()
    assert models("pull", SET.name, "--quant", "Q5_K_S")[0] == 0
    assert server.ranges == [f"{path} bytes={begun}-"]
    assert (folder / path).read_bytes() == content(path)


class Full:
    """A file on a disk that has room for half of what is to come."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.tell, self.seek, self.truncate, self.name = (
            stream.tell,
            stream.seek,
            stream.truncate,
            stream.name,
        )

    def write(self, data: bytes) -> int:
        if self.tell() + len(data) > LARGE // 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.stream.write(data)


def test_a_disk_that_gets_full_meanwhile_is_a_sentence_and_what_came_is_kept(
    models, server, folder, monkeypatch
):
    path = SET.choices["Q5_K_S"].path
    for needed in SET.needs:
        assert models("pull", needed)[0] == 0
    fetch = file_download.http_get
    with monkeypatch.context() as full:
        full.setattr(
            file_download, "http_get", lambda url, stream, **given: fetch(url, Full(stream), **given)
        )
        code, _, wrong = models("pull", SET.name, "--quant", "Q5_K_S")
    assert code == 1
    assert "are free on the disk of" in wrong and "Free some space" in wrong and len(wrong.splitlines()) == 1
    server.ranges.clear()
    assert models("pull", SET.name, "--quant", "Q5_K_S")[0] == 0
    assert server.ranges == [f"{path} bytes={LARGE // 2}-"]
    assert (folder / path).read_bytes() == content(path)


def test_what_was_wrong_before_a_break_is_fetched_again(models, server, folder):
    path = SET.choices["Q5_K_S"].path
    for needed in SET.needs:
        assert models("pull", needed)[0] == 0
    (folder / PARTS).mkdir(parents=True)
    (folder / PARTS / hashlib.sha256(content(path)).hexdigest()).write_bytes(b"x" * 1000)
    assert models("pull", SET.name, "--quant", "Q5_K_S")[0] == 0
    assert (folder / path).read_bytes() == content(path)


def test_a_connection_that_breaks_is_taken_up_again_by_itself(models, server, monkeypatch):
    monkeypatch.setattr(file_download.time, "sleep", lambda seconds: None)
    path = "vae/diffusion_pytorch_model.safetensors"
    server.broken[path] = [40, 80]
    assert models("pull", "qwen-image-vae")[0] == 0


@pytest.mark.parametrize(
    ("gigabytes", "choice"), [(64, "Q5_K_S"), (13.6, "Q4_K_M"), (11, "Q2_K"), (4, "Q2_K")]
)
def test_the_recommended_one_is_taken_where_it_fits(gigabytes, choice):
    assert hub.suited(SET.name, int(gigabytes * 1e9)) == choice
    assert hub.suited("liveportrait", 1) is None


def test_too_small_a_disk_is_a_sentence_before_anything_is_fetched(models, server):
    path = SET.choices["Q8_0"].path
    server.large[path] = 10**15
    code, _, wrong = models("pull", SET.name, "--quant", "Q8_0")
    assert code == 1
    assert "Qwen-Image-Edit-2509 needs 1,000,000.0 GB, and" in wrong and len(wrong.splitlines()) == 1
    assert path not in " ".join(server.ranges)


def test_a_small_file_that_differs_from_its_hash_in_git_is_refused(models, server):
    server.told["tokenizer/vocab.json"] = "0" * 40
    code, _, wrong = models("pull", "qwen-image-vae")
    assert code == 1
    assert "tokenizer/vocab.json is not the file that the hub told of, so it was not used." in wrong


@pytest.mark.parametrize(
    ("name", "words"), [(SET.name, "Q5_K_S, Q2_K, Q4_K_M, Q8_0"), ("starter", "one form")]
)
def test_a_quantisation_that_there_is_not_says_which_there_are(models, name, words):
    code, _, wrong = models("pull", name, "--quant", "Q3")
    assert code == 1
    assert f"{name} does not come as Q3." in wrong and words in wrong
