"""The editor's files, tiny and made here: real GGUF in real layouts, read by the loader that everyone runs."""

import pytest
import torch

from benchmarks.qwen_standin import write
from models.local.qwen_edit_gguf.files import VERSIONS, found


@pytest.fixture(scope="session")
def qwen_weights(tmp_path_factory):
    """A folder of weights as a pull leaves it, with all four quantisations."""
    return write(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def files(qwen_weights):
    return found(qwen_weights, VERSIONS["2509"])


@pytest.fixture
def device():
    return torch.device("cpu")
