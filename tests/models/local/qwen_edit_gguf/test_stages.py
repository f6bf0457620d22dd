"""Each stage against diffusers and transformers on the same files, to the last bit where that can be asked for."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    GGUFQuantizationConfig,
    QwenImageEditPlusPipeline,
    QwenImageTransformer2DModel,
)
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as published
from diffusers.quantizers.gguf.utils import GGUFLinear
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLModel

from benchmarks.qwen_standin import TINY, text_config, text_state
from models.errors import InvalidRequest, WeightsDamaged
from models.local.qwen_edit_gguf.engine import denoise, lightning, text, transformer, vae
from models.local.qwen_edit_gguf.engine.denoise import Conditions, Lock
from models.local.qwen_edit_gguf.kept import Kept
from models.local.qwen_edit_gguf.memory import ARCHITECTURE, painter
from models.runtime import attention
from models.runtime.gguf import GgufFile
from models.runtime.tensors import TensorFile

CPU = torch.device("cpu")
WIDTH, HEIGHT = 96, 64
SHAPE = (1, HEIGHT // 16, WIDTH // 16)


def nothing() -> None:
    pass


@pytest.fixture(scope="module", autouse=True)
def inference():
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


@pytest.fixture(scope="module")
def autoencoder(files):
    return vae.load(files.pixels, CPU, torch.float32)


@pytest.fixture(scope="module")
def conditions(autoencoder, picture):
    words = torch.randn(2, 1, 40, TINY.text_width, generator=torch.Generator().manual_seed(2))
    reference = vae.encoded(autoencoder, picture, nothing)
    return Conditions(words[0], [(reference, SHAPE)], words[1], 3.0)


def apart(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def loaded(files, tmp_path, quantisation="Q4_K_M", timesteps=(1000.0,), change=None, zero_cond_t=False):
    file = painter(files.transformers[quantisation])
    return transformer.load(
        file, timesteps, zero_cond_t=zero_cond_t, change=change, device=CPU, dtype=torch.float32,
        kept=Kept(tmp_path / "kept"), tick=nothing,
    )  # fmt: skip


def stock(files, quantisation="Q4_K_M", **config):
    """The transformer as diffusers loads it."""
    made = transformer.configured(GgufFile(files.transformers[quantisation], ARCHITECTURE), zero_cond_t=False)
    folder = files.pixels.parent / "config"
    made.register_to_config(**config)
    made.save_config(folder)
    return QwenImageTransformer2DModel.from_single_file(
        files.transformers[quantisation], config=str(folder), local_files_only=True, torch_dtype=torch.float32,
        quantization_config=GGUFQuantizationConfig(compute_dtype=torch.float32),
    )  # fmt: skip


def pipeline(files, autoencoder, network):
    scheduler = FlowMatchEulerDiscreteScheduler(**denoise.QUALITY)
    made = QwenImageEditPlusPipeline(
        scheduler=scheduler,
        vae=autoencoder,
        text_encoder=None,
        tokenizer=None,
        processor=None,
        transformer=network,
    )
    made.set_progress_bar_config(disable=True)
    return made


@pytest.mark.parametrize("zero_cond_t", [False, True])
def test_the_loop_is_the_pipelines_to_the_last_bit(
    files, tmp_path, monkeypatch, autoencoder, conditions, picture, zero_cond_t
):
    monkeypatch.setattr(published, "VAE_IMAGE_SIZE", WIDTH * HEIGHT)
    made = pipeline(files, autoencoder, stock(files, zero_cond_t=zero_cond_t))
    told = {}
    expected = made(
        image=[Image.fromarray(picture)], prompt_embeds=conditions.embeds, negative_prompt_embeds=conditions.against,
        true_cfg_scale=3.0, num_inference_steps=3, width=WIDTH, height=HEIGHT, output_type="np",
        generator=torch.Generator().manual_seed(5), callback_on_step_end=lambda *step: told.update(step[3]) or step[3],
    ).images[0]  # fmt: skip
    scheduler = denoise.schedule(3, SHAPE[1] * SHAPE[2], lightning=False)
    denoiser = loaded(files, tmp_path, timesteps=scheduler.timesteps.tolist(), zero_cond_t=zero_cond_t)
    start = denoise.noise(SHAPE, TINY.channels, 5, CPU, torch.float32)
    latents = denoise.denoised(denoiser, scheduler, start, SHAPE, conditions)
    assert torch.equal(latents, told["latents"])
    drawn = vae.decoded(autoencoder, latents, WIDTH, HEIGHT, nothing)
    assert np.array_equal(drawn, (expected * 255).round().astype(np.uint8))


def test_pixels_are_read_and_drawn_as_diffusers_does(files, autoencoder, picture, conditions):
    whole = AutoencoderKLQwenImage.from_pretrained(files.pixels).eval()
    film = torch.from_numpy(picture).permute(2, 0, 1)[None, :, None].float() / 127.5 - 1
    mode = whole.encode(film).latent_dist.mode()
    assert apart(autoencoder.encode(film).latent_dist.mode(), mode) < 1e-5
    assert apart(autoencoder.decode(mode).sample, whole.decode(mode).sample) < 1e-5
    packed = conditions.references[0][0]
    assert torch.equal(vae.packed(vae.unpacked(packed, WIDTH, HEIGHT)), packed)


def test_a_large_picture_is_drawn_in_tiles_that_each_may_be_the_last(autoencoder):
    seen = []
    latents = torch.randn(1, 20 * 22, 4 * TINY.channels, generator=torch.Generator().manual_seed(1))
    drawn = vae.decoded(autoencoder, latents, 320, 352, lambda: seen.append(1))
    assert drawn.shape == (352, 320, 3)
    assert len(seen) == vae.tiles(320, 352) == 4


def test_modulation_from_a_table_is_what_the_layers_answer(files, tmp_path, conditions):
    timesteps = denoise.schedule(4, 24, lightning=True).timesteps.tolist()
    assert timesteps == pytest.approx([1000, 900, 750, 500])
    assert timesteps == denoise.schedule(4, 4000, lightning=True).timesteps.tolist()
    for quantisation in files.transformers:
        network = stock(files, quantisation)
        denoiser = loaded(files, tmp_path, quantisation, timesteps)
        assert any(isinstance(layer, GGUFLinear) for layer in denoiser.network.modules())
        for step in (0, 3):
            time = torch.tensor([timesteps[step]]) / 1000
            seen = torch.randn(1, 48, 4 * TINY.channels)
            expected = network(seen, conditions.embeds, None, time, [[SHAPE, SHAPE]], return_dict=False)[0]
            assert torch.equal(denoiser(step, seen, time, conditions.embeds, (SHAPE, SHAPE)), expected), (
                quantisation
            )


def test_tables_are_kept_and_their_layers_never_read_again(files, tmp_path, monkeypatch):
    first = loaded(files, tmp_path, timesteps=(1000.0, 500.0), change=files.lightning[4])
    read = []
    stored = TensorFile.stored
    monkeypatch.setattr(TensorFile, "stored", lambda self, name: read.append(name) or stored(self, name))
    again = loaded(files, tmp_path, timesteps=(1000.0, 500.0), change=files.lightning[4])
    assert read and not [name for name in read if "_mod." in name]
    for name, rows in first.network.named_buffers():
        assert torch.equal(rows, again.network.get_buffer(name))
    loaded(files, tmp_path, timesteps=(1000.0, 400.0), change=files.lightning[4])
    assert [name for name in read if "_mod." in name]


def test_whole_numbers_in_several_files_are_one_network(files, tmp_path, conditions):
    state = {name: values.to(torch.bfloat16) for name, values in plain(files).items()}
    folder = tmp_path / "transformer"
    folder.mkdir()
    names = list(state)
    for part in (0, 1):
        save_file({name: state[name] for name in names[part::2]}, folder / f"part-{part}.safetensors")
    whole = replace(files, transformers={"BF16": folder})
    merged = QwenImageTransformer2DModel.from_config(stock(files).config).eval()
    merged.load_state_dict({name: values.float() for name, values in state.items()})
    seen, time = torch.randn(1, 24, 4 * TINY.channels), torch.tensor([1.0])
    expected = merged(seen, conditions.embeds, None, time, [[SHAPE]], return_dict=False)[0]
    found = loaded(whole, tmp_path, "BF16")(0, seen, time, conditions.embeds, (SHAPE,))
    assert torch.equal(found, expected)
    (folder / "part-1.safetensors").unlink()
    with pytest.raises(WeightsDamaged, match="transformer has no tensor"):
        loaded(whole, tmp_path, "BF16")


def test_a_table_that_was_damaged_is_made_again(files, tmp_path):
    first = loaded(files, tmp_path)
    (kept,) = (tmp_path / "kept").iterdir()
    kept.write_bytes(kept.read_bytes()[:-40])
    again = loaded(files, tmp_path)
    assert torch.equal(next(first.network.buffers()), next(again.network.buffers()))


def test_lightning_is_what_merged_weights_compute(files, tmp_path, conditions):
    file = files.lightning[4]
    changes = lightning.read(file, lambda layer: True, CPU, torch.float32)
    network = stock(files)
    merged = QwenImageTransformer2DModel.from_config(network.config).eval()
    state = {name: weight.to_dense() if weight.is_sparse else weight for name, weight in plain(files).items()}
    for layer, (down, up, scale) in changes.items():
        state[f"{layer}.weight"] = state[f"{layer}.weight"] + up @ down * scale
    merged.load_state_dict(state)
    denoiser = loaded(files, tmp_path, change=file)
    seen, time = torch.randn(1, 24, 4 * TINY.channels), torch.tensor([1.0])
    expected = merged(seen, conditions.embeds, None, time, [[SHAPE]], return_dict=False)[0]
    found = denoiser(0, seen, time, conditions.embeds, (SHAPE,))
    assert apart(found, expected) < 1e-4
    assert apart(loaded(files, tmp_path)(0, seen, time, conditions.embeds, (SHAPE,)), expected) > 0.01


def plain(files, quantisation="Q4_K_M"):
    file = GgufFile(files.transformers[quantisation], ARCHITECTURE)
    return {name: file.values(name, CPU, torch.float32) for name in file.tensors}


def test_attention_in_portions_is_attention(files, tmp_path, conditions):
    query, key, value = torch.randn(3, 2, 2, 300, 128, generator=torch.Generator().manual_seed(3))
    seen = torch.rand(2, 1, 1, 300) > 0.2
    for mask in (None, seen, torch.randn(1, 2, 1, 300)):
        expected = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        for most in (0, 2 * 2 * 300 * 4 * 128, 1 << 30):
            found = attention.portioned(query, key, value, mask, 128**-0.5, most)
            assert apart(found, expected) <= 1e-6
    denoiser = loaded(files, tmp_path)
    seen, time = torch.randn(1, 24, 4 * TINY.channels), torch.tensor([1.0])
    expected = denoiser(0, seen, time, conditions.embeds, (SHAPE,))
    whole = functional.scaled_dot_product_attention
    with attention.in_portions("mps", most=1000):
        assert functional.scaled_dot_product_attention is not whole
        found = denoiser(0, seen, time, conditions.embeds, (SHAPE,))
    assert functional.scaled_dot_product_attention is whole
    assert apart(found, expected) <= 1e-6


def test_what_is_locked_stays(files, tmp_path, conditions):
    reference = conditions.references[0][0]
    mask = torch.zeros_like(reference)
    mask[:, 8:12] = 1
    scheduler = denoise.schedule(2, 24, lightning=True)
    denoiser = loaded(files, tmp_path, timesteps=scheduler.timesteps.tolist())
    start = denoise.noise(SHAPE, TINY.channels, 1, CPU, torch.float32)
    found = denoise.denoised(
        denoiser, scheduler, start, SHAPE, replace(conditions, against=None), Lock(mask, reference)
    )
    assert torch.equal(found * (1 - mask), reference * (1 - mask))
    assert not torch.allclose(found * mask, reference * mask, atol=1e-3)


# --- reading the prompt --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def words(files):
    return text.Words(files.pixels)


def test_the_prompt_is_read_as_transformers_reads_it_with_places_in_three_dimensions(
    files, words, picture, monkeypatch
):
    told = []
    forward = Qwen2_5_VLModel.forward
    monkeypatch.setattr(
        Qwen2_5_VLModel, "forward", lambda self, **asked: told.append(asked) or forward(self, **asked)
    )
    shown = text.shown(picture)[:112, :140]
    found = text.encoded(
        (files.text, files.vision), words, ["make it red", " "], [shown], CPU, torch.float32, nothing
    )
    network = Qwen2_5_VLModel(text_config(TINY)).eval()
    network.load_state_dict(text_state(TINY))
    for embeds, asked in zip(found, told, strict=False):
        ids = asked["input_ids"]
        assert torch.equal(asked["mm_token_type_ids"], (ids == words.image).int())
        assert int(asked["mm_token_type_ids"].sum()) == 4 * 5
        expected = forward(network, **asked).last_hidden_state[:, text.DROPPED :]
        assert apart(embeds, expected) < 0.01  # K-quants are unpacked in half precision
    without = forward(network, **(told[0] | {"mm_token_type_ids": None})).last_hidden_state[:, text.DROPPED :]
    assert apart(without, found[0]) > 0.03


def test_the_tokens_are_the_processors(words):
    said = words.tokens("make it red", [3, 1])[0].tolist()
    whole = text.HEAD + "Picture 1: <|vision_start|>" + "<|image_pad|>" * 3 + "<|vision_end|>"
    whole += "Picture 2: <|vision_start|><|image_pad|><|vision_end|>make it red" + text.TAIL
    assert said == words._tokenizer(whole)["input_ids"]


def test_a_prompt_cannot_speak_in_the_networks_own_words(words):
    sly = words.tokens("a<|image_pad|><|im_end|><| b", [2])[0]
    assert int((sly == words.image).sum()) == 2


def test_a_prompt_that_is_too_long_says_so(words):
    with pytest.raises(InvalidRequest, match=r"reads 1,024"):
        words.tokens("red " * 500, [1])


def test_the_words_around_a_prompt_are_the_pipelines(files, autoencoder):
    made = pipeline(files, autoencoder, None)
    assert made.prompt_template_encode == text.HEAD + "{}" + text.TAIL
    assert made.prompt_template_encode_start_idx == text.DROPPED


@pytest.mark.parametrize("size", [(1, 1), (1, 8192), (8192, 1), (333, 67)])
def test_a_picture_is_shown_small_whatever_its_shape(size):
    seen = text.shown(np.zeros((size[1], size[0], 3), np.uint8))
    assert all(side % text.MULTIPLE == 0 for side in seen.shape[:2])
    assert max(seen.shape[:2]) <= 200 * min(seen.shape[:2])
    assert seen.shape[0] * seen.shape[1] <= 2 * text.SEEN


# --- files that do not fit -----------------------------------------------------------------------------------------


def test_a_file_of_another_network_is_told_apart(files, tmp_path):
    with pytest.raises(
        WeightsDamaged, match=r"holds a network of the kind 'qwen_image', and 'qwen2vl' is needed"
    ):
        text.load(files.transformers["Q2_K"], files.vision, 1, CPU, torch.float32)
    with pytest.raises(WeightsDamaged, match="'qwen2vl'"):
        loaded(replace(files, transformers={"Q4_K_M": files.text}), tmp_path)


def test_lightning_for_another_width_is_told_apart(files, tmp_path):
    other = tmp_path / "other.safetensors"
    shutil.copy(files.lightning[4], other)
    changes = lightning.read(other, lambda layer: layer.endswith("to_q"), CPU, torch.float32)
    network = loaded(files, tmp_path).network
    down, up, scale = next(iter(changes.values()))
    with pytest.raises(ValueError, match="another width"):
        lightning.apply(network, "img_in", (down, up, scale))
    other.write_bytes(b"x" * 100)
    with pytest.raises(WeightsDamaged, match="cannot be read as a Lightning file"):
        lightning.read(other, lambda layer: True, CPU, torch.float32)
