"""One edit from pictures to a picture, with one network in memory at a time."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.errors import OutOfMemory
from models.local.qwen_edit_gguf import memory
from models.local.qwen_edit_gguf.engine import denoise, text, transformer, vae
from models.local.qwen_edit_gguf.engine.denoise import Conditions, Lock, Shape
from models.local.qwen_edit_gguf.engine.preview import painter
from models.local.qwen_edit_gguf.engine.transformer import Denoiser
from models.local.qwen_edit_gguf.files import Files, Version
from models.local.qwen_edit_gguf.kept import Kept, identity
from models.local.qwen_edit_gguf.memory import Plan
from models.local.qwen_edit_gguf.options import FIT, QwenEditOptions
from models.requests import Alpha, Image, Run
from models.runtime import frames
from models.runtime.attention import in_portions
from models.runtime.device import is_out_of_memory, release
from models.runtime.frames import Frame
from models.runtime.ticks import Ticks, watched

EMPTY = " "  # what a negative prompt is where there is none


@dataclass(frozen=True, eq=False)
class Edit:
    """What is asked for. mask: of the first picture, 1 may change."""

    pictures: tuple[Image, ...]
    prompt: str
    mask: Alpha | None
    options: QwenEditOptions
    seed: int

    @property
    def joined(self) -> bool:
        """Whether several pictures are one, side by side."""
        return self.options.references == "joined"


@dataclass(frozen=True)
class Chip:
    """Where networks compute, in which numbers, and how many bytes they may take."""

    device: torch.device
    dtype: torch.dtype
    bytes: int


class Editor:
    """The editor of some files. What a later edit may use again stays: embeddings and tables on the disk, and the
    transformer in memory if there is room for everything."""

    def __init__(self, files: Files, version: Version, chip: Chip, kept: Kept) -> None:
        self._files, self._version, self._chip, self._kept = files, version, chip, kept
        self._words: text.Words | None = None
        self._held: tuple[object, Denoiser] | None = None

    def __call__(self, asked: Edit, run: Run) -> Image:
        """The edited first picture, exactly as large as it came. Raises InvalidRequest, OutOfMemory, ResultInvalid,
        WeightsDamaged."""
        frame = frames.framed(asked.pictures, FIT, joined=asked.joined)
        chip = self._chip
        plan = memory.planned(
            self._files, frame, asked.prompt, asked.options, chip.device.type, chip.bytes, chip.dtype.itemsize
        )
        run.log(plan.told)
        try:
            with torch.inference_mode(), in_portions(chip.device.type):
                drawn = self._drawn(asked, frame, plan, run)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            self._held = None
            raise OutOfMemory(f"{plan.told} This machine ran out of it.", hint=plan.advice) from None
        finally:
            if not plan.roomy:
                self._held = None
            release(chip.device.type)
        return frames.brought_back(drawn, frame, asked.mask)

    def _drawn(self, asked: Edit, frame: Frame, plan: Plan, run: Run) -> Image:
        conditions, start, lock, paint = self._conditions(asked, frame, plan, run)
        width, height = frame.size
        shape = _shape(frame.padded)
        options = asked.options
        scheduler = denoise.schedule(options.steps, shape[1] * shape[2], lightning=options.lightning)
        denoiser = self._denoiser(scheduler.timesteps.tolist(), asked, plan, run)
        blocks = denoiser.network.transformer_blocks
        rounds = 1 if conditions.against is None else 2
        low, high = plan.span("denoise")
        tick = Ticks(run, low, high, options.steps * rounds * len(blocks), f"Step 1 of {options.steps}")

        def heard(step: int, heading: Tensor) -> None:
            tick.message = f"Step {min(step + 2, options.steps)} of {options.steps}"
            if paint is not None:
                run.preview(paint(heading))

        with watched(blocks, tick):
            latents = denoise.denoised(denoiser, scheduler, start, shape, conditions, lock, heard)
        if not plan.roomy:
            self._held = None
        del denoiser, blocks
        release(self._chip.device.type)
        tick = Ticks(run, *plan.span("decode"), vae.tiles(width, height), "Drawing the result")
        network = vae.load(self._files.pixels, self._chip.device, self._chip.dtype)
        return vae.decoded(network, latents, width, height, tick)

    def _conditions(
        self, asked: Edit, frame: Frame, plan: Plan, run: Run
    ) -> tuple[Conditions, Tensor, Lock | None, Callable[[Tensor], object] | None]:
        """What the loop starts from: conditions, noise, what is locked, and how to paint a preview."""
        options, chip = asked.options, self._chip
        guided = options.looks_twice()
        prompts = [asked.prompt, *([options.negative_prompt or EMPTY] if guided else [])]
        seen = (frame.original,) if asked.joined else asked.pictures
        embeds = self._embeds(prompts, seen, plan, run)
        release(chip.device.type)
        pieces = sum(vae.tiles(*reference.shape[1::-1]) for reference in frame.references)
        tick = Ticks(run, *plan.span("encode"), pieces, "Reading the pictures")
        network = vae.load(self._files.pixels, chip.device, chip.dtype)
        references = [
            (vae.encoded(network, reference, tick), _shape(reference)) for reference in frame.references
        ]
        channels = network.config.z_dim
        del network
        release(chip.device.type)
        first, shape = references[0]
        start = denoise.noise(shape, channels, asked.seed, chip.device, chip.dtype)
        lock = None if asked.mask is None else Lock(self._open(asked.mask, frame, channels), first)
        height, width = frame.small.shape[:2]
        paint = painter(first, frame.padded, width, height) if options.preview else None
        found = Conditions(
            embeds[0], references, embeds[1] if guided else None, options.guidance if guided else 1.0
        )
        return found, start, lock, paint

    def _embeds(
        self, prompts: Sequence[str], pictures: Sequence[Image], plan: Plan, run: Run
    ) -> list[Tensor]:
        """Of every prompt, from the disk where they are kept."""
        chip, files = self._chip, self._files
        shown = [text.shown(picture) for picture in pictures]
        made_from = {
            "prompts": list(prompts), "pictures": [_digest(picture) for picture in shown],
            "files": [identity(files.text), identity(files.vision)], "dtype": str(chip.dtype),
            "device": chip.device.type,
        }  # fmt: skip
        kept = self._kept.find(made_from)
        if kept is None:
            if self._words is None:
                self._words = text.Words(files.pixels)
            if not plan.roomy:
                self._held = None
                release(chip.device.type)
            tick = Ticks(run, *plan.span("text"), plan.blocks * len(prompts), "Reading the prompt")
            run.progress(0.0, "Loading what reads the prompt")
            found = text.encoded(
                (files.text, files.vision), self._words, prompts, shown, chip.device, chip.dtype, tick
            )
            kept = {str(place): embeds for place, embeds in enumerate(found)}
            self._kept.keep(made_from, kept)
        return [kept[str(place)].to(chip.device, chip.dtype) for place in range(len(prompts))]

    def _denoiser(self, timesteps: Sequence[float], asked: Edit, plan: Plan, run: Run) -> Denoiser:
        """The transformer with tables for these timesteps: the one of the last edit, if that is still here."""
        change = self._files.change(asked.options.steps) if asked.options.lightning else None
        wanted = (plan.quantisation, change, tuple(timesteps))
        if self._held is not None and self._held[0] == wanted:
            return self._held[1]
        self._held = None
        release(self._chip.device.type)
        tick = Ticks(run, *plan.span("load"), 2 * plan.blocks, f"Loading {plan.quantisation}")
        denoiser = transformer.load(
            memory.painter(self._files.transformers[plan.quantisation]),
            timesteps,
            zero_cond_t=self._version.zero_cond_t,
            change=change,
            device=self._chip.device,
            dtype=self._chip.dtype,
            kept=self._kept,
            tick=tick,
        )
        self._held = (wanted, denoiser)
        return denoiser

    def _open(self, mask: Alpha, frame: Frame, channels: int) -> Tensor:
        """(1, tokens, 4 * channels): 1 where a latent may change."""
        cells = torch.from_numpy(frames.cells(mask, frame)).to(self._chip.device, self._chip.dtype)
        return vae.packed(cells.expand(1, channels, 1, *cells.shape).contiguous())


def _shape(picture: Image) -> Shape:
    """(1, rows, columns) of a padded picture, in tokens."""
    return 1, picture.shape[0] // frames.MULTIPLE, picture.shape[1] // frames.MULTIPLE


def _digest(picture: Image) -> str:
    return hashlib.sha256(np.ascontiguousarray(picture).tobytes() + str(picture.shape).encode()).hexdigest()
