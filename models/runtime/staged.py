"""Pipelines of diffusers on this machine: one part in memory at a time, followed block by block, ended when asked."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from models.errors import OutOfMemory, ResultInvalid
from models.requests import Image, Run
from models.runtime.attention import in_portions
from models.runtime.device import best_device, computes_bfloat16, is_out_of_memory, release
from models.runtime.ticks import Ticks, watched
from models.spec import Host

if TYPE_CHECKING:
    from torch import nn

Made = TypeVar("Made")


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

    def part(self, *without: str, **how: Any) -> Any:
        """The pipeline but for some of its parts, on the device."""
        import diffusers

        made = getattr(diffusers, self._pipeline).from_pretrained(
            self._folder, dtype=self.dtype, local_files_only=True, **dict.fromkeys(without), **how
        )
        made.set_progress_bar_config(disable=True)
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


@contextmanager
def followed(
    blocks: "Iterable[nn.Module]", run: Run, steps: int, low: float = 0.0
) -> Iterator[dict[str, Any]]:
    """Within it the blocks report to `run` and end when it says so. Yields what the pipeline's call takes for that.
    low: the share of the whole that is done before."""
    listed = list(blocks)
    tick = Ticks(run, low, 1.0, steps * len(listed), f"Step 1 of {steps}")

    def ended(_: Any, step: int, __: Any, kept: dict[str, Any]) -> dict[str, Any]:
        tick.message = f"Step {min(step + 2, steps)} of {steps}"
        return kept

    with watched(listed, tick):
        yield {"callback_on_step_end": ended, "num_inference_steps": steps}


def eight_bits(levels: Any) -> Image:
    """uint8 (height, width, 3) of a pipeline's answer in numpy, (1, height, width, 3) in [0, 1]. Raises ResultInvalid
    where a number is none."""
    found = np.asarray(levels)[0]
    if not np.isfinite(found).all():
        raise ResultInvalid("The network answered with numbers that are none.", hint="Try another seed.")
    return np.asarray((found * 255).round(), np.uint8)
