"""Weights for Qwen-Image-Edit that anyone can make: noise of the published names and shapes, of any width and depth.

They edit no picture. They prove that our engine computes what diffusers and transformers compute from the same files,
how fast, and in how much memory: none of it depends on what the numbers are. Tensors are tiled from a small block of
noise that is quantised once, and written one after the other, so that twenty billion parameters need no more memory
than one tensor.
"""

import json
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from accelerate import init_empty_weights
from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel
from gguf import GGMLQuantizationType, GGUFWriter
from numpy.typing import NDArray
from safetensors.torch import save_file
from tokenizers import pre_tokenizers
from transformers import Qwen2_5_VLConfig
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLModel

from benchmarks.kquants import quantised
from models.runtime.hub_sets import HUB

Floats = NDArray[np.float32]
NOISE = 1 << 20  # values that tensors are tiled from
MIXES = {"Q2_K": "Q2_K", "Q4_K_M": "Q4_K", "Q5_K_S": "Q5_K", "Q8_0": "Q8_0"}
SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
    "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip


@dataclass(frozen=True)
class Size:
    """How large the networks are; the smallest that K-quants and rotary positions allow."""

    heads: int = 2
    blocks: int = 2
    channels: int = 4  # of a latent
    text_width: int = 256
    text_inner: int = 512
    text_blocks: int = 2
    text_heads: int = 2
    sight_width: int = 32
    sight_inner: int = 64
    sight_blocks: int = 2
    rank: int = 4

    @property
    def real_pixels(self) -> bool:
        """Whether the autoencoder is as large as the published one."""
        return self.channels == 16


TINY = Size()
PUBLISHED = Size(24, 60, 16, 3584, 18944, 28, 28, 1280, 3420, 32, 64)


# --- numbers ------------------------------------------------------------------------------------------------------


@cache
def _base(spread: float, kind: str) -> tuple[NDArray[np.uint8], int, int]:
    """Noise of a standard deviation, quantised: rows of one block each; values and bytes of a block."""
    block, width = gguf.GGML_QUANT_SIZES[GGMLQuantizationType[kind]]
    noise = np.random.default_rng(0).standard_normal(NOISE, np.float32) * np.float32(spread)
    return quantised(noise.reshape(-1, block), kind).view(np.uint8).reshape(-1, width), block, width


def stored(name: str, shape: tuple[int, ...], kind: str) -> NDArray[Any]:
    """A tensor as a file has it: bytes of rows for a quantised kind, float32 for "F32". Norms are near one."""
    spread = 0.02 if len(shape) == 1 else math.prod(shape[1:]) ** -0.5
    raw, block, width = _base(round(spread, 6), kind)
    start = zlib.crc32(name.encode()) % len(raw)
    tiled = np.resize(np.roll(raw, -start, axis=0), (math.prod(shape) // block, width))
    if kind != "F32":
        return np.ascontiguousarray(tiled).reshape(*shape[:-1], -1)
    norm = ("norm" in name and name.endswith("weight")) or name.endswith("ln_q.weight")
    return np.ascontiguousarray(tiled).view(np.float32).reshape(shape) + np.float32(norm)


def values(name: str, shape: tuple[int, ...], kind: str) -> Floats:
    """The numbers of `stored`."""
    data = stored(name, shape, kind)
    if kind == "F32":
        return np.asarray(data, np.float32)
    return np.asarray(gguf.dequantize(data, GGMLQuantizationType[kind]), np.float32)


def _kind(shape: tuple[int, ...], kind: str, *, block: bool) -> str:
    """Vectors, and what stands outside the blocks, are not quantised, nor are rows that are no whole blocks."""
    whole = shape[-1] % gguf.GGML_QUANT_SIZES[GGMLQuantizationType[kind]][0] == 0
    return kind if block and len(shape) == 2 and whole else "F32"


# --- files --------------------------------------------------------------------------------------------------------


def write(weights: Path, size: Size = TINY, quantisations: tuple[str, ...] = tuple(MIXES)) -> Path:
    """All files of `qwen-edit-2509-gguf` and what it needs, as a pull lays them out; returns `weights`."""
    sets = HUB["qwen-edit-2509-gguf"]
    for name in (sets.name, *sets.needs):
        (weights / name).mkdir(parents=True, exist_ok=True)
    for quantisation in quantisations:
        transformer(_only(weights / sets.name, sets.choices[quantisation].becomes), size, quantisation)
    reader, pixels, lightning = (HUB[name] for name in sets.needs)
    language(weights / reader.name / reader.kept[0], size)
    sight(weights / reader.name / reader.kept[1], size)
    autoencoder(size).save_pretrained(weights / pixels.name)
    words(weights / pixels.name)
    for kept in lightning.kept:
        change(weights / lightning.name / kept, size)
    return weights


def _only(folder: Path, becomes: Mapping[str, object]) -> Path:
    return folder / next(iter(becomes))


def transformer_shapes(size: Size) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every parameter."""
    with init_empty_weights():
        network = QwenImageTransformer2DModel(
            in_channels=4 * size.channels, out_channels=size.channels, num_layers=size.blocks,
            num_attention_heads=size.heads, joint_attention_dim=size.text_width,
        )  # fmt: skip
    return {name: tuple(weight.shape) for name, weight in network.state_dict().items()}


def transformer(file: Path, size: Size, quantisation: str, architecture: str = "qwen_image") -> None:
    """The denoising transformer, in the names of diffusers, as the published files have it."""
    writer = GGUFWriter(file, architecture)
    kind = MIXES[quantisation]
    tensors = [
        (name, name, shape, _kind(shape, kind, block=name.startswith("transformer_blocks.")))
        for name, shape in transformer_shapes(size).items()
    ]
    _write(writer, tensors)


def text_config(size: Size) -> Qwen2_5_VLConfig:
    """Of the network that reads the prompt."""
    eighth = size.text_width // size.text_heads // 8
    return Qwen2_5_VLConfig(
        text_config={
            "vocab_size": 256 + len(SPECIAL), "hidden_size": size.text_width, "intermediate_size": size.text_inner,
            "num_hidden_layers": size.text_blocks, "num_attention_heads": size.text_heads,
            "num_key_value_heads": max(1, size.text_heads // 7), "rms_norm_eps": 1e-6, "bos_token_id": None,
            "eos_token_id": None,
            "rope_parameters": {
                "rope_type": "default", "rope_theta": 1e6,
                "mrope_section": [4 * eighth - 2 * (3 * eighth // 2), 3 * eighth // 2, 3 * eighth // 2],
            },
        },
        vision_config={
            "depth": size.sight_blocks, "hidden_size": size.sight_width, "intermediate_size": size.sight_inner,
            "num_heads": max(1, size.sight_width // 80) if size.real_pixels else 2, "out_hidden_size": size.text_width,
            "fullatt_block_indexes": list(range(_pattern(size) - 1, size.sight_blocks, _pattern(size))),
        },
        image_token_id=256 + SPECIAL.index("<|image_pad|>"),
    )  # fmt: skip


def _pattern(size: Size) -> int:
    return min(8, size.sight_blocks)


def text_shapes(size: Size) -> dict[str, tuple[int, ...]]:
    """Name in transformers -> shape of every parameter."""
    with init_empty_weights():
        network = Qwen2_5_VLModel(text_config(size))
    return {name: tuple(weight.shape) for name, weight in network.named_parameters()}


def language(file: Path, size: Size, kind: str = "Q4_K") -> None:
    """The language part under llama.cpp's names, which gguf-py knows."""
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2VL, size.text_blocks)
    config = text_config(size).text_config
    writer = GGUFWriter(file, "qwen2vl")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_sections([*config.rope_parameters["mrope_section"], 0])
    writer.add_token_list(
        [f"word {place}" for place in range(config.vocab_size)]
    )  # long arrays are passed over
    tensors = []
    for name, shape in text_shapes(size).items():
        if name.startswith("language_model."):
            known = names.get_name(name.replace("language_model", "model", 1), (".weight", ".bias"))
            tensors.append((known, name, shape, _kind(shape, kind, block=True)))
    _write(writer, tensors)


def sight(file: Path, size: Size) -> None:
    """The vision part as llama.cpp's converter writes it: queries, keys and values apart, patches in two."""
    config = text_config(size).vision_config
    writer = GGUFWriter(file, "clip")
    writer.add_clip_projector_type(gguf.VisionProjectorType.QWEN25VL)
    writer.add_vision_block_count(config.depth)
    writer.add_vision_embedding_length(config.hidden_size)
    writer.add_vision_feed_forward_length(config.intermediate_size)
    writer.add_vision_head_count(config.num_heads)
    writer.add_vision_patch_size(config.patch_size)
    writer.add_vision_projection_dim(config.out_hidden_size)
    writer.add_vision_n_wa_pattern(_pattern(size))
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.MMPROJ, max(3, size.sight_blocks))  # mm.2 counts as one
    for name, shape in text_shapes(size).items():
        if name.startswith("visual."):
            for part, data in _parts(name, values(name, shape, "F32")):
                known = names.get_name(part, (".weight", ".bias", ".weight.1"))
                writer.add_tensor(known or part, np.ascontiguousarray(data))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _parts(name: str, data: Floats) -> Iterator[tuple[str, Floats]]:
    if ".qkv." in name:
        for letter, third in zip("qkv", np.split(data, 3), strict=True):
            yield name.replace("qkv", letter), third
    elif name == "visual.patch_embed.proj.weight":
        yield "v.patch_embd.weight", data[:, :, 0]
        yield "v.patch_embd.weight.1", data[:, :, 1]
    else:
        yield name, data


def _write(writer: GGUFWriter, tensors: list[tuple[str, str, tuple[int, ...], str]]) -> None:
    """The header, then each tensor when it is its turn."""
    for name, _, shape, kind in tensors:
        known = GGMLQuantizationType[kind]
        block, width = gguf.GGML_QUANT_SIZES[known]
        whole = (*shape[:-1], shape[-1] // block * width)
        if kind == "F32":
            writer.add_tensor_info(name, shape, np.dtype(np.float32), math.prod(shape) * 4)
        else:
            writer.add_tensor_info(name, whole, np.dtype(np.uint8), math.prod(whole), known)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for _, source, shape, kind in tensors:
        writer.write_tensor_data(stored(source, shape, kind))
    writer.close()


def text_state(size: Size, kind: str = "Q4_K") -> dict[str, torch.Tensor]:
    """What the files hold, by the names of transformers' `Qwen2_5_VLModel`."""
    return {
        name: torch.from_numpy(
            values(
                name, shape, _kind(shape, kind, block=True) if name.startswith("language_model.") else "F32"
            )
        )
        for name, shape in text_shapes(size).items()
    }


def autoencoder(size: Size) -> AutoencoderKLQwenImage:
    """With the numbers that its class draws."""
    torch.manual_seed(0)
    if size.real_pixels:
        return AutoencoderKLQwenImage()
    width = size.channels
    return AutoencoderKLQwenImage(
        base_dim=16, z_dim=width, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True],
        latents_mean=[0.1 * place for place in range(width)], latents_std=[1 + 0.5 * place for place in range(width)],
    )  # fmt: skip


def words(folder: Path) -> None:
    """A tokeniser of single bytes, and the special words of the published one in their order."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    (folder / "vocab.json").write_text(json.dumps({letter: place for place, letter in enumerate(alphabet)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    plain = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    added = {str(256 + place): {"content": word, **plain} for place, word in enumerate(SPECIAL)}
    told = {
        "add_prefix_space": False, "added_tokens_decoder": added, "additional_special_tokens": SPECIAL[1:],
        "bos_token": None, "eos_token": "<|im_end|>", "errors": "replace", "model_max_length": 131072,
        "pad_token": "<|endoftext|>", "tokenizer_class": "Qwen2Tokenizer", "unk_token": None,
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(told))


def change(file: Path, size: Size) -> None:
    """A Lightning file: factors for every linear layer of the blocks."""
    tensors: dict[str, torch.Tensor] = {}
    for name, shape in transformer_shapes(size).items():
        if name.startswith("transformer_blocks.") and name.endswith(".weight") and len(shape) == 2:
            layer = name.removesuffix(".weight")
            for factor, sides in (("down", (size.rank, shape[1])), ("up", (shape[0], size.rank))):
                drawn = torch.from_numpy(values(f"{file.name} {layer} {factor}", sides, "F32"))
                tensors[f"{layer}.lora_{factor}.weight"] = drawn.to(torch.bfloat16)
            tensors[f"{layer}.alpha"] = torch.tensor(float(size.rank) / 2)
    save_file(tensors, file)
