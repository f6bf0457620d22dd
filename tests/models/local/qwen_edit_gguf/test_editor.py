"""Whole edits as a person asks for them, and everything that can go wrong with one."""

import gc
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.silence import Silence
from models.catalog import SPECS
from models.errors import InvalidRequest, OutOfMemory, ResultInvalid, WeightsDamaged, WeightsMissing
from models.local import qwen_edit_gguf
from models.local.qwen_edit_gguf import QwenEdit, memory, options
from models.local.qwen_edit_gguf.engine import denoise, text, transformer
from models.local.qwen_edit_gguf.engine import edit as edit_stage
from models.local.qwen_edit_gguf.engine.edit import Chip, Editor
from models.local.qwen_edit_gguf.engine.preview import painter
from models.local.qwen_edit_gguf.files import VERSIONS, found
from models.local.qwen_edit_gguf.kept import Kept
from models.local.qwen_edit_gguf.options import QwenEditOptions
from models.requests import ImageEdit
from models.runtime.device import SPARED
from models.runtime.frames import framed
from models.runtime.gguf import GgufFile
from models.spec import Fit, Host

CPU = torch.device("cpu")
SPEC = next(spec for spec in SPECS if spec.id == "qwen-edit-2509-gguf")


class Heard(Silence):
    """What a run was told."""

    def __init__(self) -> None:
        self.fractions, self.messages, self.lines, self.pictures = [], [], [], []

    def progress(self, fraction, message=""):
        self.fractions.append(fraction)
        self.messages.append(message)

    def preview(self, image):
        self.pictures.append(image)

    def log(self, text):
        self.lines.append(text)


def picture(width: int, height: int, seed: int = 0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture
def edit(files, tmp_path):
    """Edit with few steps, on the CPU, with as much memory as is asked for."""

    def run(
        *images,
        prompt="make it red",
        mask=None,
        run=None,
        files=files,
        lent=1 << 40,
        version="2509",
        **options,
    ):
        chip = Chip(CPU, torch.float32, lent)
        model = QwenEdit(Editor(files, VERSIONS[version], chip, Kept(tmp_path / "kept")))
        asked = ImageEdit(images, prompt, mask, {"steps": 1, "seed": 4, **options})
        SPEC.check(asked)
        (answer,) = model(asked, run or Heard())
        return answer

    return run


# --- exact sizes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantisation", "size"),
    [("Q2_K", (101, 67)), ("Q4_K_M", (17, 90)), ("Q5_K_S", (1, 1)), ("Q8_0", (64, 48))],
)
def test_every_quantisation_gives_back_the_size_that_came(files, edit, quantisation, size):
    only = replace(files, transformers={quantisation: files.transformers[quantisation]})
    heard = Heard()
    found = edit(picture(*size), files=only, run=heard)
    assert found.shape == (size[1], size[0], 3) and found.dtype == np.uint8
    assert any(line.startswith(f"{quantisation} takes about") for line in heard.lines)


def test_several_pictures_side_by_side_or_apart(edit):
    first, second, third = picture(40, 32), picture(20, 16, 1), picture(18, 50, 2)
    assert edit(first, second, references="joined").shape == (32, 80, 3)
    assert edit(first, second, third, references="separate").shape == (32, 40, 3)


def test_outside_the_mask_no_bit_differs(edit):
    source = picture(70, 50)
    mask = np.zeros((50, 70), np.float32)
    mask[10:30, 20:50] = 1
    found = edit(source, mask=mask, steps=2)
    assert np.array_equal(found[mask == 0], source[mask == 0])
    assert not np.array_equal(found[mask > 0], source[mask > 0])


def test_a_large_picture_is_worked_on_smaller_and_comes_back_as_large(edit, monkeypatch):
    monkeypatch.setattr(edit_stage, "FIT", Fit(64 * 64, 64 * 64))
    assert edit(picture(211, 97)).shape == (97, 211, 3)


# --- what is used again --------------------------------------------------------------------------------------------


def test_the_same_prompt_and_pictures_are_read_once(edit, monkeypatch):
    first = edit(picture(33, 21))
    monkeypatch.setattr(text, "load", None)  # whoever calls it fails
    assert np.array_equal(edit(picture(33, 21)), first)
    assert not np.array_equal(edit(picture(33, 21), seed=5), first)
    with pytest.raises(TypeError):
        edit(picture(33, 21), prompt="make it blue")
    with pytest.raises(TypeError):
        edit(picture(33, 21, 9))


def test_with_room_the_transformer_stays_and_without_it_goes(files, tmp_path, monkeypatch):
    loads = []
    load = transformer.load
    monkeypatch.setattr(transformer, "load", lambda *what, **how: loads.append(1) or load(*what, **how))
    only = replace(files, transformers={"Q2_K": files.transformers["Q2_K"]})
    tight = int(planned(only, 1 << 40).peak / SPARED) + 1
    for lent, times in ((1 << 40, 1), (tight, 2)):
        editor = Editor(only, VERSIONS["2509"], Chip(CPU, torch.float32, lent), Kept(tmp_path / "kept"))
        loads.clear()
        for seed in (1, 2):
            QwenEdit(editor)(ImageEdit((picture(16, 16),), "x", None, {"steps": 1, "seed": seed}), Heard())
        assert len(loads) == times


def test_guidance_needs_a_second_look_at_the_prompt(edit, monkeypatch):
    monkeypatch.setattr(options, "LIGHTNING", 1)  # so that two steps are many
    monkeypatch.setattr(options, "QUALITY", 2)
    plain = edit(picture(16, 16), steps=2, guidance=1.0)
    guided = edit(picture(16, 16), steps=2, guidance=4.0, negative_prompt="blue")
    assert not np.array_equal(plain, guided)
    assert np.array_equal(
        edit(picture(16, 16), guidance=4.0), edit(picture(16, 16), guidance=1.0)
    )  # Lightning


def test_only_steps_with_guidance_are_made_twice():
    assert QwenEditOptions(steps=40).looks_twice()
    assert not QwenEditOptions(steps=4).looks_twice()
    assert not QwenEditOptions(steps=40, guidance=1.0).looks_twice()


def test_the_newer_version_tells_references_by_a_time_of_their_own(edit):
    assert not np.array_equal(edit(picture(32, 32)), edit(picture(32, 32), version="2511"))


# --- how it is followed --------------------------------------------------------------------------------------------


def test_progress_only_grows_and_every_step_shows_where_it_heads(edit):
    heard = Heard()
    edit(picture(50, 34), run=heard, steps=3)
    assert heard.fractions == sorted(heard.fractions) and 0 <= heard.fractions[0] <= heard.fractions[-1] <= 1
    words = list(dict.fromkeys(message.split(" of ")[0] for message in heard.messages))
    assert words == [
        "Loading what reads the prompt", "Reading the prompt", "Reading the pictures", "Loading Q8_0", "Step 1",
        "Step 2", "Step 3", "Drawing the result",
    ]  # fmt: skip
    assert [preview.size for preview in heard.pictures] == [(25, 17)] * 3
    heard = Heard()
    edit(picture(50, 34), run=heard, preview=False)
    assert heard.pictures == []


def test_a_preview_has_the_colours_of_the_picture():
    ys, xs = np.mgrid[:64, :96]
    source = np.stack([xs * 2, ys * 3, 200 - xs], -1).clip(0, 255).astype(np.uint8)
    cells = source.reshape(8, 8, 12, 8, 3).mean(axis=(1, 3)).transpose(2, 0, 1)
    mixed = np.tensordot(np.random.default_rng(0).normal(size=(4, 3)), cells / 255, 1)[None, :, None]
    latents = torch.from_numpy(mixed).float()
    packed = latents.view(1, 4, 4, 2, 6, 2).permute(0, 2, 4, 1, 3, 5).reshape(1, 24, 16)
    shown = painter(packed, source, 90, 60)(packed)
    assert shown.size == (45, 30)
    small = Image.fromarray(source).resize((48, 32), Image.Resampling.BOX).crop((0, 0, 45, 30))
    assert np.abs(np.asarray(shown).astype(int) - np.asarray(small)).mean() < 6


class Stop(BaseException):
    pass


class Impatient(Heard):
    """Cancels at the second block of the second step."""

    def __init__(self, network: list[weakref.ref]) -> None:
        super().__init__()
        self.network = network

    def check(self):
        if "Step 2 of 4" in self.messages:
            raise Stop


def test_a_cancel_ends_a_step_inside_frees_the_memory_and_harms_no_later_edit(edit, monkeypatch):
    expected = edit(picture(40, 24), steps=4)
    seen = []
    load = transformer.load

    def watched(*what, **how):
        found = load(*what, **how)
        seen.append(weakref.ref(found.network))
        return found

    monkeypatch.setattr(transformer, "load", watched)
    heard = Impatient(seen)
    with pytest.raises(Stop):
        edit(picture(40, 24), steps=4, run=heard)
    assert heard.messages[-1] == "Step 2 of 4" and len(heard.pictures) == 1
    gc.collect()
    assert seen[0]() is None
    assert np.array_equal(edit(picture(40, 24), steps=4), expected)


# --- what goes wrong -----------------------------------------------------------------------------------------------


def test_without_weights_it_says_what_to_type(tmp_path):
    with pytest.raises(WeightsMissing, match=r"Run `\./launch\.sh models pull qwen-edit-2509-gguf`"):
        qwen_edit_gguf.load(Host(weights=tmp_path))


def planned(files, lent, device="cpu", size=(16, 16), steps=1):
    asked = QwenEditOptions(steps=steps)
    return memory.planned(files, framed([picture(*size)], edit_stage.FIT), "x", asked, device, lent, 4)


def test_the_largest_quantisation_that_fits_is_taken_or_the_numbers_are_told(files, edit):
    peaks = {}
    for name, path in files.transformers.items():
        peaks[name] = planned(replace(files, transformers={name: path}), 1 << 40).peak
    assert sorted(peaks, key=peaks.__getitem__) == ["Q2_K", "Q4_K_M", "Q5_K_S", "Q8_0"]
    for name, peak in peaks.items():
        assert planned(files, int(peak / SPARED) + 1).quantisation == name
    with pytest.raises(
        OutOfMemory, match=r"Q2_K takes about .* This machine lends 0\.0 GB.* Use a smaller picture"
    ):
        edit(picture(16, 16), lent=int(peaks["Q2_K"] / SPARED) - 10)


def test_more_pictures_steps_and_a_device_without_its_own_attention_take_more(files):
    least = planned(files, 1 << 40).stages
    for more in (planned(files, 1 << 40, "mps"), planned(files, 1 << 40, size=(500, 500))):
        assert more.stages["denoise"] > least["denoise"]
    assert planned(files, 1 << 40, steps=8).stages["load"] > least["load"]


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("MPS backend out of memory (MPS allocated: 9.07 GB)")]
)
def test_running_out_of_memory_is_a_sentence_and_frees_it(edit, monkeypatch, error):
    expected = edit(picture(16, 16))
    with monkeypatch.context() as patch:
        patch.setattr(denoise, "denoised", lambda *what: (_ for _ in ()).throw(error))
        with pytest.raises(OutOfMemory) as told:
            edit(picture(16, 16))
    assert "takes about" in str(told.value)
    assert "This machine ran out of it. Use a smaller picture" in str(told.value)
    assert np.array_equal(edit(picture(16, 16)), expected)


def test_a_number_that_is_none_ends_the_edit_with_a_sentence(files, edit, tmp_path):
    source = files.transformers["Q2_K"]
    broken = tmp_path / "broken.gguf"
    content = bytearray(source.read_bytes())
    stored = GgufFile(source, "qwen_image").stored("proj_out.bias")
    content[stored.start : stored.start + 4] = np.float32(np.nan).tobytes()
    broken.write_bytes(content)
    with pytest.raises(ResultInvalid, match=r"numbers that are none\. Try another seed"):
        edit(picture(16, 16), files=replace(files, transformers={"Q2_K": broken}))


@pytest.mark.parametrize("wrong", ["short", "other", "text"])
def test_a_wrong_file_ends_the_edit_with_a_sentence(files, edit, tmp_path, wrong):
    broken = tmp_path / "broken.gguf"
    source = files.transformers["Q2_K"].read_bytes()
    if wrong == "short":
        broken.write_bytes(source[:-5000])
    elif wrong == "other":
        broken.write_bytes(
            source.replace(
                b"transformer_blocks.1.img_mlp.net.2.weight", b"transformer_blocks.1.img_mlp.net.9.weight"
            )
        )
    else:
        broken.write_bytes(files.text.read_bytes())
    with pytest.raises(WeightsDamaged, match=r"Remove .*broken\.gguf and pull it again"):
        edit(picture(16, 16), files=replace(files, transformers={"Q2_K": broken}))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"prompt": "   "}, "The prompt is empty"),
        ({"prompt": "x" * 100_000}, "100,000 characters"),
        ({"steps": 12}, r"Steps cannot be 12: it should be up to 8, or 20 and more"),
        ({"steps": 51}, "Steps cannot be 51"),
        ({"guidance": 0.5}, "Guidance cannot be 0.5"),
        ({"unknown": 1}, "has no option 'unknown'"),
        ({"mask": np.ones((3, 3), np.float32)}, "The mask and the first picture differ in size"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_loaded(edit, asked, words):
    with pytest.raises(InvalidRequest, match=words):
        edit(picture(16, 16), **asked)


def test_pictures_beyond_what_it_takes_are_refused(edit):
    with pytest.raises(InvalidRequest, match="takes 1 to 3 pictures"):
        edit(*[picture(8, 8)] * 4)
    with pytest.raises(InvalidRequest, match="takes sides of 1 to 8192 px"):
        edit(np.zeros((1, 8193, 3), np.uint8))


def test_files_are_found_where_a_pull_puts_them(qwen_weights):
    files = found(qwen_weights, VERSIONS["2509"])
    assert sorted(files.transformers) == ["Q2_K", "Q4_K_M", "Q5_K_S", "Q8_0"]
    assert {steps: files.change(steps).name for steps in (1, 4, 5, 8)} == {
        steps: f"Qwen-Image-Edit-2509-Lightning-{most}steps-V1.0-bf16.safetensors"
        for steps, most in ((1, 4), (4, 4), (5, 8), (8, 8))
    }
    assert isinstance(files.pixels, Path) and (files.pixels / "config.json").is_file()
