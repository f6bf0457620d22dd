"""GGUF headers: what is read of good files, and that nothing but a sentence comes of bad ones."""

import struct
from contextlib import suppress

import gguf
import numpy as np
import pytest
import torch
from diffusers.quantizers.gguf.utils import SUPPORTED_GGUF_QUANT_TYPES
from gguf import GGMLQuantizationType, GGUFWriter
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.kquants import quantised
from models.errors import WeightsDamaged
from models.runtime.gguf import COMPUTED, GgufFile
from models.runtime.tensors import BF16, F16, F32, Shards, missing, place

VALUES = np.random.default_rng(0).standard_normal((6, 512)).astype(np.float32)
KINDS = ("Q2_K", "Q4_K", "Q5_K", "Q6_K", "Q8_0")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("gguf") / "some.gguf"
    writer = GGUFWriter(path, "some")
    writer.add_uint32("some.count", 7)
    writer.add_float32("some.share", 0.5)
    writer.add_bool("some.flag", True)
    writer.add_array("some.few", [1, 2, 3])
    writer.add_array("some.many", [f"word {place}" for place in range(100)])
    writer.add_array("some.numbers", list(range(1000)))
    writer.add_string("some.name", "Grüße")
    for kind in KINDS:
        writer.add_tensor(f"{kind}.weight", quantised(VALUES, kind), raw_dtype=GGMLQuantizationType[kind])
    writer.add_tensor("plain.weight", VALUES)
    writer.add_tensor("half.weight", VALUES.astype(np.float16))
    brain = torch.from_numpy(VALUES).to(torch.bfloat16).view(torch.uint8).numpy()
    writer.add_tensor("brain.weight", brain, raw_dtype=GGMLQuantizationType.BF16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_what_a_file_tells(file):
    found = GgufFile(file, "some")
    assert found.number("some.count") == 7 and found.number("some.share") == 0.5
    assert found.number("some.flag") is True and found.number("some.name") == "Grüße"
    assert found.number("some.few") == [1, 2, 3]
    assert found.metadata["some.many"] is None and found.metadata["some.numbers"] is None
    assert found.stored("Q4_K.weight").shape == (6, 512)
    reader = gguf.GGUFReader(file)
    theirs = {tensor.name: (tensor.data_offset, tensor.n_bytes) for tensor in reader.tensors}
    assert theirs == {name: (stored.start, stored.bytes) for name, stored in found.tensors.items()}


def test_what_tensors_hold(file):
    found = GgufFile(file, "some")
    for kind in KINDS:
        expected = gguf.dequantize(quantised(VALUES, kind), GGMLQuantizationType[kind])
        assert np.allclose(found.values(f"{kind}.weight", "cpu", torch.float32), expected, atol=6e-3)
    for name in ("plain", "half", "brain"):
        assert np.allclose(found.values(f"{name}.weight", "cpu", torch.float32), VALUES, atol=2e-2)
    assert found.parameter("plain.weight", "cpu", torch.bfloat16).dtype == torch.bfloat16


def test_weights_get_into_a_network_without_a_copy(file):
    found = GgufFile(file, "some")
    with torch.device("meta"):
        network = torch.nn.Sequential(
            torch.nn.Linear(512, 6, bias=False), torch.nn.Linear(512, 6, bias=False)
        )
    assert list(missing(network)) == ["0.weight", "1.weight"]
    place(network, "0.weight", found.parameter("Q8_0.weight", "cpu", torch.float32), torch.float32)
    place(network, "1.weight", found.parameter("plain.weight", "cpu", torch.float32), torch.float32)
    assert list(missing(network)) == []
    states = torch.randn(2, 512)
    assert torch.allclose(network[0](states), network[1](states), atol=0.5)
    mapping = found._mapped(found.stored("Q8_0.weight")).untyped_storage().data_ptr()
    assert {weight.untyped_storage().data_ptr() for weight in network.parameters()} == {mapping}
    with pytest.raises(ValueError, match="should be"):
        place(network, "0.weight", torch.nn.Parameter(torch.zeros(2, 2)), torch.float32)


def test_types_are_those_that_diffusers_unpacks():
    known = {int(kind) for kind in SUPPORTED_GGUF_QUANT_TYPES} - {BF16}
    assert known == set(COMPUTED)
    assert (GGMLQuantizationType.F32, GGMLQuantizationType.F16, GGMLQuantizationType.BF16) == (F32, F16, BF16)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.9999])
def test_a_file_that_is_cut_short_says_so(file, tmp_path, share):
    whole = file.read_bytes()
    short = tmp_path / "short.gguf"
    short.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(WeightsDamaged, match=r"short\.gguf is cut short or no GGUF file"):
        GgufFile(short, "some")


def test_another_architecture_and_what_is_not_there_say_so(file):
    with pytest.raises(
        WeightsDamaged, match=r"'some', and 'qwen_image' is needed\. Remove .* and pull it again"
    ):
        GgufFile(file, "qwen_image")
    with pytest.raises(WeightsDamaged, match="has no tensor other"):
        GgufFile(file, "some").stored("other")
    with pytest.raises(WeightsDamaged, match="does not tell its other"):
        GgufFile(file, "some").number("other")


def test_a_type_that_cannot_be_unpacked_says_so(tmp_path):
    path = tmp_path / "odd.gguf"
    writer = GGUFWriter(path, "some")
    writer.add_tensor("a", np.zeros((1, 66), np.uint8), raw_dtype=GGMLQuantizationType.IQ2_XXS)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(WeightsDamaged, match="IQ2_XXS, which cannot be computed with"):
        GgufFile(path, "some")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_header_with_wrong_bytes_is_never_worse_than_a_sentence(file, tmp_path_factory, data):
    content = bytearray(file.read_bytes())
    header = min(stored.start for stored in GgufFile(file, "some").tensors.values())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, header - 8))
        content[at : at + 8] = struct.pack("<Q", data.draw(st.integers(0, 2**64 - 1)))
    path = tmp_path_factory.getbasetemp() / "wrong.gguf"
    path.write_bytes(content)
    with suppress(WeightsDamaged):
        GgufFile(path, "some")


@pytest.mark.parametrize(
    "wrong", [b"", b"\xff" * 20, b'\x10\0\0\0\0\0\0\0{"a": {"dtype"}}', b"\x02\0\0\0\0\0\0\0[]"]
)
def test_safetensors_that_are_none_say_so(tmp_path, wrong):
    (tmp_path / "a.safetensors").write_bytes(wrong)
    with pytest.raises(WeightsDamaged, match=r"a\.safetensors is cut short or no safetensors file"):
        Shards(tmp_path)
