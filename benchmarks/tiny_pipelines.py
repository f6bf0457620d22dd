"""Pipelines of diffusers with hardly any parameters, made of noise, saved in the layout that a pull leaves."""

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLFlux2,
    DDIMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from tokenizers import pre_tokenizers
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
)
from transformers.models.qwen2.tokenization_qwen2 import Qwen2Tokenizer

from benchmarks.qwen_standin import words

CHAT = "{% for message in messages %}<|im_start|>{{ message.content }}<|im_end|>{% endfor %}"
WIDTH = 16
BLOCKS = {"down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4}


def flux2_klein(folder: Path) -> None:
    """FLUX.2 klein; its reader has as many layers as the pipeline looks at."""
    torch.manual_seed(0)
    Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=AutoencoderKLFlux2(
            block_out_channels=(8, 8, 8, 8), latent_channels=4, norm_num_groups=4, layers_per_block=1, **BLOCKS
        ),
        text_encoder=Qwen3ForCausalLM(_reader(28)),
        tokenizer=_tokenizer(folder),
        transformer=Flux2Transformer2DModel(
            in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
            joint_attention_dim=3 * WIDTH, timestep_guidance_channels=16, axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        ),
        is_distilled=True,
    ).save_pretrained(folder)  # fmt: skip


def z_image(folder: Path) -> None:
    """Z-Image."""
    torch.manual_seed(0)
    ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=AutoencoderKL(
            block_out_channels=(8, 8, 8, 8), latent_channels=4, norm_num_groups=4, layers_per_block=1,
            scaling_factor=0.36, shift_factor=0.1, **BLOCKS
        ),
        text_encoder=Qwen3Model(_reader(2)),
        tokenizer=_tokenizer(folder),
        transformer=ZImageTransformer2DModel(
            in_channels=4, dim=32, n_layers=2, n_refiner_layers=1, n_heads=2, n_kv_heads=2, cap_feat_dim=WIDTH,
            axes_dims=[4, 6, 6], axes_lens=[1024, 64, 64],
        ),
    ).save_pretrained(folder)  # fmt: skip


def stable_diffusion(folder: Path) -> None:
    """The first one."""
    torch.manual_seed(0)
    tokenizer = _clip()
    StableDiffusionPipeline(
        vae=AutoencoderKL(
            block_out_channels=(16, 16, 16, 16),
            latent_channels=4,
            norm_num_groups=4,
            layers_per_block=1,
            **BLOCKS,
        ),
        text_encoder=CLIPTextModel(_clip_config(tokenizer)),
        tokenizer=tokenizer,
        unet=_unet(cross_attention_dim=32, attention_head_dim=4),
        scheduler=DDIMScheduler(clip_sample=False, set_alpha_to_one=False, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder, variant="fp16")


def stable_diffusion_xl(folder: Path) -> None:
    """The larger one, with its two readers."""
    torch.manual_seed(0)
    tokenizer = _clip()
    config = _clip_config(tokenizer)
    StableDiffusionXLPipeline(
        vae=AutoencoderKL(
            block_out_channels=(16, 16, 16, 16), latent_channels=4, norm_num_groups=4, layers_per_block=1, **BLOCKS
        ),
        text_encoder=CLIPTextModel(config),
        text_encoder_2=CLIPTextModelWithProjection(config),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=_unet(
            cross_attention_dim=64, attention_head_dim=(2, 4), use_linear_projection=True,
            addition_embed_type="text_time", addition_time_embed_dim=8, transformer_layers_per_block=(1, 1),
            projection_class_embeddings_input_dim=8 * 6 + 32,
        ),
        scheduler=EulerDiscreteScheduler(steps_offset=1, timestep_spacing="leading"),
        add_watermarker=False,
    ).save_pretrained(folder, variant="fp16")  # fmt: skip


def _unet(**more: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        block_out_channels=(8, 16), layers_per_block=1, sample_size=8, in_channels=4, out_channels=4, norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        **more,
    )  # fmt: skip


def _reader(layers: int) -> Qwen3Config:
    return Qwen3Config(
        vocab_size=270, hidden_size=WIDTH, intermediate_size=2 * WIDTH, num_hidden_layers=layers, head_dim=8,
        num_attention_heads=2, num_key_value_heads=1, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip


def _tokenizer(folder: Path) -> Qwen2Tokenizer:
    made = folder.with_name(folder.name + "-words")
    made.mkdir()
    words(made)
    told = json.loads((made / "tokenizer_config.json").read_text())
    (made / "tokenizer_config.json").write_text(json.dumps(told | {"chat_template": CHAT}))
    return Qwen2Tokenizer.from_pretrained(made, local_files_only=True)


def _clip() -> CLIPTokenizer:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    known = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={word: place for place, word in enumerate(known)}, merges=[], model_max_length=77
    )


def _clip_config(tokenizer: CLIPTokenizer) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=77, projection_dim=32, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
