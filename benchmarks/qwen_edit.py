"""The local Qwen editor against diffusers' own pipeline, on the same files: `python -m benchmarks.qwen_edit`.

Both edit one picture with networks of the published width and few blocks, made of noise (see
`benchmarks.qwen_standin`), each in a process of its own. Printed are the bytes above what the imports took and the
seconds, as ratios. The pipeline is given references as small as ours, which it would scale to a megapixel by itself.
Both compute in what this machine computes fastest: where that is float32, the pipeline's reader of prompts, which is
not quantised, takes twice what it takes in bfloat16. What is loaded only at first use is loaded before, by an edit with
tiny networks. Of the bytes that the published networks take for the pipeline in bfloat16, 58 % are what reads the
prompt, 41 % the transformer as Q4_K_M and 1 % the autoencoder; here 50, 39 and 11.

`--full` makes the published size instead (20 billion parameters, 17 GB on the disk until it ends) and one step with it.
"""

import argparse
import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.qwen_standin import PUBLISHED, TINY, Size, text_config, text_state, write
from benchmarks.silence import Silence
from jobs.preview import encode_preview

WIDE = Size(24, 4, 16, 3584, 18944, 2, 28, 1280, 3420, 4, 64)
QUANTISATION = "Q4_K_M"
TRIED = "tiny"  # the folder of networks that are tried first
LEAN, FAST = 0.6, 1.0  # of the pipeline's bytes and seconds, at most
TOLD = 0.15  # by how much the planner may err
GLIMPSE = 0.03  # of a step, at most, for its preview
FULL_BYTES = 12e9
MACS = {"Q2_K": (8, 16), "Q4_K_M": (12, 24), "Q5_K_S": (12, 24), "Q8_0": (17, 32)}  # GB at most, on which Mac
SIDE = 256  # px
STEPS = 2  # with one, the pipeline's schedule has no end to stretch to and its times are no numbers
PROMPT = "make the sky red"


class Looks(Silence):
    """A run that packs its previews as a job does, and knows when each was begun and done."""

    def __init__(self, painter: Callable[..., Any]) -> None:
        self._painter = painter
        self.times: list[tuple[float, float]] = []

    def painter(self, *given: Any) -> Callable[[Any], Any]:
        """The painter, with the time at which it begins."""
        paint = self._painter(*given)

        def painted(heading: Any) -> tuple[float, Any]:
            return time.perf_counter(), paint(heading)

        return painted

    def preview(self, image: Any) -> None:
        """One that `painter` gave."""
        began, picture = image
        encode_preview(picture)
        self.times.append((began, time.perf_counter()))

    def share(self) -> float | None:
        """Of the last step, what its preview took; None where there was only one step."""
        if len(self.times) < 2:
            return None
        (_, before), (began, ended) = self.times[-2:]
        return (ended - began) / (ended - before)


# --- one of the two, in a process of its own -----------------------------------------------------------------------


def ours(weights: Path, dtype: str, steps: int, lightning: bool) -> dict[str, Any]:
    """Bytes, seconds, what the planner said of one edit, and the share of a step that its preview takes."""
    import torch

    from models.local.qwen_edit_gguf import memory
    from models.local.qwen_edit_gguf.engine import edit as stage
    from models.local.qwen_edit_gguf.engine.edit import Chip, Edit, Editor
    from models.local.qwen_edit_gguf.files import VERSIONS, found
    from models.local.qwen_edit_gguf.kept import Kept
    from models.local.qwen_edit_gguf.options import FIT, QwenEditOptions
    from models.runtime.frames import framed

    class Asked(QwenEditOptions):
        """Few steps without Lightning, as the pipeline has none here."""

        @property
        def lightning(self) -> bool:
            return lightning

    asked = Edit((picture(SIDE),), PROMPT, None, Asked(steps=steps, guidance=1.0), 0)
    chip = Chip(torch.device("cpu"), getattr(torch, dtype), 1 << 40)
    looks = Looks(stage.painter)
    stage.painter = looks.painter

    def edited(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as kept:
            editor = Editor(found(folder, VERSIONS["2509"]), VERSIONS["2509"], chip, Kept(Path(kept)))
            assert editor(asked, looks).shape == (SIDE, SIDE, 3)

    frame = framed(asked.pictures, FIT)
    files = found(weights, VERSIONS["2509"])
    told = memory.planned(files, frame, PROMPT, asked.options, "cpu", chip.bytes, chip.dtype.itemsize).peak
    return measured(edited, weights) | {"told": told, "preview": looks.share()}


def stock(weights: Path, dtype: str, steps: int) -> dict[str, Any]:
    """Bytes and seconds of the pipeline from the same files: loading and one call."""
    import torch
    from diffusers import (
        AutoencoderKLQwenImage,
        FlowMatchEulerDiscreteScheduler,
        GGUFQuantizationConfig,
        QwenImageEditPlusPipeline,
        QwenImageTransformer2DModel,
    )
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as published
    from PIL import Image
    from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2Tokenizer, Qwen2VLProcessor
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
    from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

    from models.local.qwen_edit_gguf.engine.denoise import QUALITY
    from models.local.qwen_edit_gguf.files import VERSIONS, found

    number = getattr(torch, dtype)
    published.VAE_IMAGE_SIZE = SIDE * SIDE

    def edited(folder: Path) -> None:
        files = found(folder, VERSIONS["2509"])
        tokenizer = Qwen2Tokenizer.from_pretrained(files.pixels, local_files_only=True)
        pipeline = QwenImageEditPlusPipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(**QUALITY),
            vae=AutoencoderKLQwenImage.from_pretrained(files.pixels, dtype=number),
            text_encoder=Qwen2_5_VLForConditionalGeneration.from_pretrained(folder / "stock", dtype=number),
            tokenizer=tokenizer,
            processor=Qwen2VLProcessor(Qwen2VLImageProcessorPil(), tokenizer, Qwen2VLVideoProcessor()),
            transformer=QwenImageTransformer2DModel.from_single_file(
                files.transformers[QUANTISATION],
                config=str(folder / "stock" / "transformer"),
                quantization_config=GGUFQuantizationConfig(compute_dtype=number),
                dtype=number,
                local_files_only=True,
            ),
        )
        pipeline.set_progress_bar_config(disable=True)
        pipeline(
            image=[Image.fromarray(picture(SIDE))], prompt=PROMPT, num_inference_steps=steps, width=SIDE, height=SIDE,
            true_cfg_scale=1.0, generator=torch.Generator().manual_seed(0),
        )  # fmt: skip

    return measured(edited, weights)


def measured(edited: Callable[[Path], None], weights: Path) -> dict[str, Any]:
    """Bytes and seconds of one edit with these files, after one with tiny ones."""
    edited(weights / TRIED)
    gc.collect()
    before = _settled()
    began = time.perf_counter()
    edited(weights)
    return {"bytes": _peak() - before, "seconds": time.perf_counter() - began}


def picture(side: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Some pixels."""
    return np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)


def _settled() -> int:
    """Bytes in memory now; from here on the peak is counted anew, where the system can do that."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return _status("VmRSS")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _peak() -> int:
    try:
        return _status("VmHWM")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise OSError(name)


# --- both, and the bars ---------------------------------------------------------------------------------------------


def apart(which: str, weights: Path, dtype: str, steps: int) -> dict[str, Any]:
    """What one of the two measured, in its own process."""
    command = [sys.executable, "-m", "benchmarks.qwen_edit", "--run", which, "--weights", str(weights)]
    told = subprocess.run(
        [*command, "--dtype", dtype, "--steps", str(steps)], check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    return found


def stock_files(weights: Path, size: Size) -> None:
    """What only the pipeline needs: the text encoder as transformers has it, and a config."""
    import torch
    from safetensors.torch import save_file

    from models.local.qwen_edit_gguf.engine.transformer import configured
    from models.local.qwen_edit_gguf.files import VERSIONS, found
    from models.local.qwen_edit_gguf.memory import ARCHITECTURE
    from models.runtime.gguf import GgufFile

    folder = weights / "stock"
    state = {f"model.{name}": value.to(torch.bfloat16) for name, value in text_state(size).items()}
    state["lm_head.weight"] = state["model.language_model.embed_tokens.weight"].clone()
    config = text_config(size)
    config.save_pretrained(folder)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    file = GgufFile(found(weights, VERSIONS["2509"]).transformers[QUANTISATION], ARCHITECTURE)
    configured(file, zero_cond_t=False).save_config(folder / "transformer")


def compared(weights: Path, dtype: str) -> int:
    """Print both, their ratios and how far the planner was off; returns the misses."""
    mine, theirs = (apart(which, weights, dtype, STEPS) for which in ("ours", "stock"))
    missed = 0
    for measure, unit, bar in (("bytes", 1e9, LEAN), ("seconds", 1.0, FAST)):
        ratio = mine[measure] / theirs[measure]
        missed += int(ratio > bar)
        print(
            f"{'G' if unit > 1 else ''}{measure} in {dtype}: ours {mine[measure] / unit:.2f}, "
            f"the pipeline {theirs[measure] / unit:.2f}   ratio {ratio:.2f}   <= {bar}   "
            f"{'pass' if ratio <= bar else 'miss'}"
        )
    missed += int(mine["preview"] > GLIMPSE)
    print(
        f"a preview takes {mine['preview']:.3%} of a step   <= {GLIMPSE:.0%}   "
        f"{'pass' if mine['preview'] <= GLIMPSE else 'miss'}"
    )
    off = mine["told"] / mine["bytes"] - 1
    missed += int(abs(off) > TOLD)
    print(
        f"the planner said {mine['told'] / 1e9:.2f} GB, {off:+.0%}   within {TOLD:.0%}   "
        f"{'pass' if abs(off) <= TOLD else 'miss'}"
    )
    return missed


def full(weights: Path, fastest: str) -> int:
    """One step of the published size; returns the misses."""
    began = time.perf_counter()
    write(weights, PUBLISHED, (QUANTISATION,))
    write(weights / TRIED, TINY, (QUANTISATION,))
    print(
        f"20 billion parameters as {QUANTISATION} written in {time.perf_counter() - began:.0f} s", flush=True
    )
    found = apart("lightning", weights, fastest, 1)
    held = found["bytes"] <= FULL_BYTES
    print(
        f"one step at {SIDE} px in {fastest}: {found['seconds']:.0f} s, {found['bytes'] / 1e9:.2f} GB\n"
        f"  <= {FULL_BYTES / 1e9:.0f} GB   {'pass' if held else 'miss'}   the planner said {found['told'] / 1e9:.1f} GB"
    )
    return int(not held)


def macs(weights: Path) -> int:
    """Print what the published sizes take on Macs by the planner, which reads hollow files; returns the misses."""
    from models.local.qwen_edit_gguf import memory
    from models.local.qwen_edit_gguf.files import VERSIONS, found
    from models.local.qwen_edit_gguf.options import FIT, QwenEditOptions
    from models.runtime.frames import framed

    files = found(write(weights, PUBLISHED, hollow=True), VERSIONS["2509"])
    frame = framed([picture(1024)], FIT)
    missed = 0
    for name, (most, mac) in MACS.items():
        only = replace(files, transformers={name: files.transformers[name]})
        peak = memory.planned(only, frame, PROMPT, QwenEditOptions(steps=8), "mps", 1 << 40, 2).peak
        held = peak <= most * 1e9
        missed += not held
        print(
            f"{name} at 1024 x 1024 px, calculated: {peak / 1e9:.1f} GB   <= {most} GB ({mac} GB Mac)   "
            f"{'pass' if held else 'miss'}"
        )
    return missed


def main() -> None:
    """Print every row; the exit status is 1 if a bar was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="the published size")
    parser.add_argument("--run", choices=("ours", "stock", "lightning"), help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, help="a folder for the files, which stay there")
    parser.add_argument("--dtype", default="", help=argparse.SUPPRESS)
    parser.add_argument("--steps", type=int, default=1, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.run == "stock":
        print(json.dumps(stock(asked.weights, asked.dtype, asked.steps)))
        return
    if asked.run:
        print(json.dumps(ours(asked.weights, asked.dtype, asked.steps, asked.run == "lightning")))
        return
    from models.runtime.device import computes_bfloat16

    fastest = "bfloat16" if computes_bfloat16("cpu") else "float32"
    with tempfile.TemporaryDirectory(prefix="qwen-") as scratch:
        weights = asked.weights or Path(scratch)
        if asked.full:
            missed = full(weights, fastest)
        else:
            for folder, size in ((weights, WIDE), (weights / TRIED, TINY)):
                write(folder, size, (QUANTISATION,))
                stock_files(folder, size)
            missed = compared(weights, fastest) + macs(weights / "hollow")
    print(f"\n{missed} bars missed")
    sys.exit(int(missed > 0))


if __name__ == "__main__":
    main()
