"""Pipelines of diffusers on this machine: one part in memory at a time, what it takes told before, followed block by
block with previews, and ended when asked."""

import functools
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from PIL import Image as Pictures

from models.errors import OutOfMemory, ResultInvalid
from models.requests import Image, Run
from models.runtime.attention import in_portions
from models.runtime.device import (
    SPARED,
    best_device,
    computes_bfloat16,
    is_out_of_memory,
    lendable_memory,
    release,
)
from models.runtime.ticks import Ticks, caught_up, watched
from models.spec import Host

if TYPE_CHECKING:
    from torch import Tensor, nn

Made = TypeVar("Made")
TILE = 512  # px of what the autoencoder works on at once
TILE_NUMBERS = 2_200  # that it holds for each px of a tile
STATE_NUMBERS = 250  # that a transformer holds for each px of the pictures that it sees: 20 states of a token
LOOP = 0.95  # of the whole: from here on the result is drawn
GLIMPSE = 256  # px of the longer side of a preview
GLIMPSES = 0.03  # of the time, at most, goes to previews


class Stages:
    """The folder of a pipeline in diffusers' layout, and where it computes. title: of the model."""

    def __init__(self, folder: Path, pipeline: str, title: str, host: Host) -> None:
        self._folder, self._pipeline, self._title = folder, pipeline, title
        self.device = best_device() if host.device == "cpu" else host.device

    @property
    def dtype(self) -> Any:
        """Half precision with the range of a whole number where the device has it."""
        import torch

        return torch.bfloat16 if computes_bfloat16(self.device) else torch.float32

    def afford(self, parts: Iterable[tuple[str, ...]], *, drawn: int, seen: int = 0) -> str:
        """The sentence of what it takes. parts: what is in memory together, one after the other; drawn: px of the
        result; seen: px of all pictures that a transformer looks at. Raises OutOfMemory where the device does not lend
        as much."""
        held = max(self._weights(together) for together in parts)
        working = max(TILE_NUMBERS * min(drawn, TILE * TILE), STATE_NUMBERS * seen)
        needed = held + working * self.dtype.itemsize
        told = f"{self._title} takes about {needed / 1e9:.1f} GB."
        lent = lendable_memory(self.device)
        if needed > SPARED * lent:
            raise OutOfMemory(
                f"{told} This machine lends {lent / 1e9:.1f} GB, and {SPARED * lent / 1e9:.1f} GB of that may be used.",
                hint="Choose a smaller model.",
            )
        return told

    def _weights(self, parts: Iterable[str]) -> int:
        """Bytes of these parts in memory, from the headers of their files."""
        from safetensors import safe_open

        numbers = 0
        for file in (file for part in parts for file in (self._folder / part).glob("*.safetensors")):
            with safe_open(file, framework="np") as opened:
                numbers += sum(math.prod(opened.get_slice(name).get_shape()) for name in opened.keys())  # noqa: SIM118
        return numbers * int(self.dtype.itemsize)

    def part(self, *without: str, **how: Any) -> Any:
        """The pipeline but for some of its parts, on the device."""
        import diffusers
        import transformers

        diffusers.utils.logging.disable_progress_bar()
        transformers.utils.logging.disable_progress_bar()
        made = getattr(diffusers, self._pipeline).from_pretrained(
            self._folder, dtype=self.dtype, local_files_only=True, **dict.fromkeys(without), **how
        )
        made.set_progress_bar_config(disable=True)
        if made.vae is not None:
            made.vae.enable_tiling()
            made.vae.tile_latent_min_size = (
                TILE * made.vae.tile_latent_min_size // made.vae.tile_sample_min_size
            )
            made.vae.tile_sample_min_size = TILE
        return made.to(self.device)

    def run(self, work: Callable[[], Made]) -> Made:
        """What `work` makes; where memory runs out it is a sentence, and freed. Raises OutOfMemory."""
        import torch

        try:
            with torch.inference_mode(), in_portions(self.device):
                return work()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemory(f"{self._title} ran out of memory.", hint="Use a smaller picture.") from None
        finally:
            release(self.device)

    def generator(self, seed: int) -> Any:
        """Draws on the CPU, so that a seed means the same on every device."""
        import torch

        return torch.Generator().manual_seed(seed)


def read_whole(tokenizer: Any, prompt: str, most: int, run: Run) -> None:
    """Say so where a prompt is longer than the model reads."""
    count = len(tokenizer(prompt)["input_ids"])
    if count > most:
        run.log(f"The prompt has {count:,} tokens; this model reads the first {most:,}.")


@contextmanager
def followed(
    pipeline: Any,
    blocks: "Iterable[nn.Module]",
    run: Run,
    steps: int,
    paint: "Callable[[Tensor], Pictures.Image]",
    low: float = 0.0,
) -> Iterator[None]:
    """Within it the blocks report to `run` and end when it says so, and steps show where they are heading.

    paint: a picture of that, from numbers as the scheduler steps them; low: the share of the whole that is done
    before. Raises ResultInvalid at the first number that is none.
    """
    import torch

    listed = list(blocks)
    tick = Ticks(run, low, LOOP, steps * len(listed), f"Step 1 of {steps}")
    scheduler, step = pipeline.scheduler, pipeline.scheduler.step
    began, spent, done = time.monotonic(), 0.0, 0

    @functools.wraps(step)  # pipelines look at what it takes
    def stepped(output: Any, at: Any, sample: Any, *more: Any, **how: Any) -> Any:
        nonlocal spent, done
        sigma = scheduler.sigmas[done]
        found = step(output, at, sample, *more, **how)
        heading = found[1] if len(found) > 1 else sample - sigma * output
        if not bool(torch.isfinite(heading).all()):
            raise _not_numbers()
        done += 1
        tick.message = f"Step {min(done + 1, steps)} of {steps}"
        caught_up()
        now = time.monotonic()
        if spent <= GLIMPSES * (now - began):
            run.preview(paint(heading))
            spent += time.monotonic() - now
        return found

    scheduler.step = stepped
    try:
        with watched(listed, tick):
            yield
    finally:
        del scheduler.step
    run.progress(LOOP, "Drawing the result")
    run.check()


def scaled(vae: Any, latents: "Tensor") -> "Tensor":
    """Latents as the autoencoder takes them, from those that are painted with."""
    return latents / vae.config.scaling_factor + (vae.config.shift_factor or 0.0)


def glimpse(vae: Any, latents: "Tensor") -> Pictures.Image:
    """A small picture of latents as the autoencoder takes them: they are made few before they are drawn."""
    from torch.nn import functional

    longest = GLIMPSE * vae.tile_latent_min_size // vae.tile_sample_min_size
    scale = min(1.0, longest / max(latents.shape[-2:]))
    size = [max(1, round(side * scale)) for side in latents.shape[-2:]]
    return Pictures.fromarray(drawn(vae, functional.interpolate(latents.float(), size, mode="area")))


def drawn(vae: Any, latents: "Tensor") -> Image:
    """uint8 (height, width, 3) of latents (1, channels, rows, columns) as the autoencoder takes them. Raises
    ResultInvalid where a number is none."""
    levels = vae.decode(latents.to(vae.dtype), return_dict=False)[0][0].float().permute(1, 2, 0).cpu().numpy()
    if not np.isfinite(levels).all():
        raise _not_numbers()
    return np.asarray((np.clip(levels / 2 + 0.5, 0, 1) * 255).round(), np.uint8)


def _not_numbers() -> ResultInvalid:
    return ResultInvalid("The network answered with numbers that are none.", hint="Try another seed.")
