from pathlib import Path

import pytest
import torch

from models.runtime import device


def test_memory_is_what_the_machine_says():
    assert 1 << 29 < device.free_memory() <= device.total_memory()


@pytest.mark.parametrize(
    ("mps", "cuda", "best"),
    [(True, True, "mps"), (True, False, "mps"), (False, True, "cuda"), (False, False, "cpu")],
)
def test_mps_comes_before_cuda_and_cuda_before_the_processor(
    monkeypatch: pytest.MonkeyPatch, mps: bool, cuda: bool, best: str
):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    assert device.best_device() == best


def test_a_container_has_the_memory_of_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(device, "CGROUP_LIMIT", tmp_path / "memory.max")
    machine = device.total_memory()
    (tmp_path / "memory.max").write_text("max\n")
    assert device.total_memory() == machine
    (tmp_path / "memory.max").write_text("100000000\n")
    assert device.total_memory() == 100_000_000
    assert device.free_memory() <= 100_000_000
