"""A prompt and the pictures it speaks of, as the embeddings that the transformer reads: Qwen2.5-VL from GGUF files.

The weights stay quantised inside transformers' own network, and of the large table of words only the rows that a prompt
needs are unpacked. Image tokens are told as such (mm_token_type_ids): diffusers' pipelines leave that out, upon which
the network counts their places in one dimension instead of three (diffusers issue 14194).
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import init_empty_weights
from PIL import Image as Pictures
from torch import Tensor, nn
from transformers.models.qwen2.tokenization_qwen2 import Qwen2Tokenizer
from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLConfig
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLModel
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from models.errors import InvalidRequest
from models.local.qwen_edit_gguf.engine.ticks import watched
from models.local.qwen_edit_gguf.memory import MOST_WORDS, TEXT_KIND, VISION_KIND
from models.requests import Image
from models.runtime import gguf
from models.runtime.gguf import GgufFile, damaged

# As in diffusers' QwenImageEditPlusPipeline: the words around a prompt, and how many of the first tokens are dropped.
HEAD = (
    "<|im_start|>system\nDescribe the key features of the input image (color, shape, size, texture, objects, "
    "background), then explain how the user's text instruction should alter or modify the image. Generate a new image "
    "that meets the user's requirements while maintaining consistency with the original input where appropriate."
    "<|im_end|>\n<|im_start|>user\n"
)
TAIL = "<|im_end|>\n<|im_start|>assistant\n"
PICTURE = "Picture {}: <|vision_start|>{}<|vision_end|>"
IMAGE = "<|image_pad|>"
DROPPED = 64
SEEN = 384 * 384  # px: what is shown of each picture
NARROWEST = 64  # longer to shorter side of what is shown, at most; the network takes 200
MULTIPLE = 32  # px
SPECIAL = re.compile(
    r"<\|(?=[a-z_]+\|>)"
)  # words that mean something to the network are not a prompt's to say

PROJECTOR = "qwen2.5vl_merger"
WINDOW = 112  # px of the vision part's windows; its files do not tell it
TEXT_LAYER = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip
VISION_LAYER = {
    "norm1": "ln1", "norm2": "ln2", "attn.proj": "attn_out", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}  # fmt: skip
VISION_ENDS = {"merger.ln_q": "v.post_ln", "merger.mlp.0": "mm.0", "merger.mlp.2": "mm.2"}


class Rows(nn.Module):
    """A table of words that stays as it is stored; rows are unpacked when they are asked for."""

    def __init__(self, table: nn.Parameter, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__()
        self._table, self._device, self._dtype = table, device, dtype

    def forward(self, ids: Tensor) -> Tensor:
        """(..., width) of tokens (...)."""
        from diffusers.quantizers.gguf.utils import dequantize_gguf_tensor

        rows = dequantize_gguf_tensor(self._table[ids.flatten().cpu()])
        return rows.to(self._device, self._dtype).view(*ids.shape, -1)


class Words:
    """The tokeniser of a folder (vocab.json, merges.txt, tokenizer_config.json)."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = Qwen2Tokenizer.from_pretrained(folder, local_files_only=True)
        self.image = int(self._tokenizer.convert_tokens_to_ids(IMAGE))

    def tokens(self, prompt: str, pictures: Sequence[int]) -> Tensor:
        """(1, tokens) of a prompt about pictures that take so many tokens each. Raises InvalidRequest."""
        said = SPECIAL.sub("< |", prompt)
        length = len(self._tokenizer(said)["input_ids"])
        if length > MOST_WORDS:
            raise InvalidRequest(
                f"The prompt is {length:,} tokens long; this model reads {MOST_WORDS:,}.", hint="Shorten it."
            )
        shown = "".join(PICTURE.format(place + 1, IMAGE * count) for place, count in enumerate(pictures))
        return torch.tensor([self._tokenizer(HEAD + shown + said + TAIL)["input_ids"]])


def shown(picture: Image) -> Image:
    """The picture as small as the network looks at it; its shape is kept unless it is very narrow."""
    height, width = picture.shape[:2]
    ratio = min(max(width / height, 1 / NARROWEST), NARROWEST)
    across = math.sqrt(SEEN * ratio)
    size = [max(MULTIPLE, round(side / MULTIPLE) * MULTIPLE) for side in (across, across / ratio)]
    resized = Pictures.fromarray(picture).resize((size[0], size[1]), Pictures.Resampling.LANCZOS)
    return np.asarray(resized)


def encoded(
    files: tuple[Path, Path],
    words: Words,
    prompts: Sequence[str],
    pictures: Sequence[Image],
    device: torch.device,
    dtype: torch.dtype,
    tick: Callable[[], None],
) -> list[Tensor]:
    """(1, tokens, width) for each prompt. files: the language part and the vision part; pictures: as `shown`.

    The network is loaded for this and gone afterwards."""
    processor = Qwen2VLImageProcessorPil(min_pixels=56 * 56, max_pixels=SEEN * 4)
    seen = processor(images=[Pictures.fromarray(picture) for picture in pictures], return_tensors="pt")
    counts = (seen["image_grid_thw"].prod(-1) // 4).tolist()
    asked = [words.tokens(prompt, counts) for prompt in prompts]
    network = load(*files, words.image, device, dtype)
    found = []
    with watched([*network.visual.blocks, *network.language_model.layers], tick):
        for ids in asked:
            answer = network(
                input_ids=ids.to(device),
                attention_mask=torch.ones_like(ids).to(device),
                mm_token_type_ids=(ids == words.image).int().to(device),
                pixel_values=seen["pixel_values"].to(device, dtype),
                image_grid_thw=seen["image_grid_thw"].to(device),
                use_cache=False,
            )
            found.append(answer.last_hidden_state[:, DROPPED:].clone())
    return found


def load(text: Path, vision: Path, image: int, device: torch.device, dtype: torch.dtype) -> Qwen2_5_VLModel:
    """The network without its head. image: the token that stands for a part of a picture."""
    language, sight = GgufFile(text, TEXT_KIND), GgufFile(vision, VISION_KIND)
    with init_empty_weights():
        network = Qwen2_5_VLModel(configured(language, sight, image)).eval()
    for name, _ in list(network.named_parameters()):
        if name == "language_model.embed_tokens.weight":
            table = language.parameter("token_embd.weight", "cpu", dtype)
            network.language_model.embed_tokens = Rows(table, device, dtype)
        else:
            try:
                gguf.place(network, name, _weight(language, sight, name, device, dtype), dtype)
            except ValueError as error:
                file = language if name.startswith("language_model.") else sight
                raise damaged(file.path, f"does not fit: {error}") from None
    return network.to(device)


def configured(language: GgufFile, sight: GgufFile, image: int) -> Qwen2_5_VLConfig:
    """What the files tell of the network."""
    if sight.metadata.get("clip.projector_type") != PROJECTOR:
        raise damaged(sight.path, "is not the vision part of Qwen2.5-VL")

    def text(key: str) -> Any:
        return language.number(f"{TEXT_KIND}.{key}")

    def vision(key: str) -> Any:
        return sight.number(f"clip.vision.{key}")

    whole = int(vision("n_wa_pattern"))  # every so many blocks, one looks at the whole picture
    depth = int(vision("block_count"))
    return Qwen2_5_VLConfig(
        text_config={
            "vocab_size": language.stored("token_embd.weight").shape[0],
            "hidden_size": text("embedding_length"),
            "intermediate_size": text("feed_forward_length"),
            "num_hidden_layers": text("block_count"),
            "bos_token_id": None,
            "eos_token_id": None,
            "num_attention_heads": text("attention.head_count"),
            "num_key_value_heads": text("attention.head_count_kv"),
            "rms_norm_eps": text("attention.layer_norm_rms_epsilon"),
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": text("rope.freq_base"),
                "mrope_section": text("rope.dimension_sections")[:3],
            },
        },
        vision_config={
            "depth": depth,
            "hidden_size": vision("embedding_length"),
            "intermediate_size": vision("feed_forward_length"),
            "num_heads": vision("attention.head_count"),
            "patch_size": vision("patch_size"),
            "out_hidden_size": text("embedding_length"),
            "fullatt_block_indexes": list(range(whole - 1, depth, whole)),
            "window_size": WINDOW,
        },
        image_token_id=image,
    )


def _weight(
    language: GgufFile, sight: GgufFile, name: str, device: torch.device, dtype: torch.dtype
) -> nn.Parameter:
    """The parameter `name` of the network, from wherever the files have it."""
    part, _, rest = name.partition(".")
    if part == "language_model":
        return language.parameter(_language_name(rest), device, dtype)
    pieces = [sight.parameter(piece, device, dtype) for piece in _vision_names(rest)]
    if len(pieces) == 1:
        return pieces[0]
    if rest.startswith("patch_embed"):
        return nn.Parameter(torch.stack([*pieces], dim=2), requires_grad=False)
    return nn.Parameter(torch.cat([*pieces]), requires_grad=False)


def _language_name(name: str) -> str:
    owner, _, leaf = name.rpartition(".")
    if owner == "norm":
        return f"output_norm.{leaf}"
    _, block, layer = owner.split(".", 2)
    return f"blk.{block}.{TEXT_LAYER[layer]}.{leaf}"


def _vision_names(name: str) -> Iterator[str]:
    """Three for what looks, is looked for and is found; two for the patches, which the network sees twice."""
    owner, _, leaf = name.rpartition(".")
    if owner == "patch_embed.proj":
        yield from ("v.patch_embd.weight", "v.patch_embd.weight.1")
    elif owner in VISION_ENDS:
        yield f"{VISION_ENDS[owner]}.{leaf}"
    else:
        _, block, layer = owner.split(".", 2)
        parts = ("attn_q", "attn_k", "attn_v") if layer == "attn.qkv" else (VISION_LAYER[layer],)
        yield from (f"v.blk.{block}.{part}.{leaf}" for part in parts)
