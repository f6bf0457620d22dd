"""The denoising loop, step by step as diffusers' QwenImageEditPlusPipeline has it, to the last bit.

What the pipeline has not: sizes of one's own for every reference, a mask, a preview of where each step is heading, and
a stop at the first number that is none.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from torch import Tensor

from models.errors import ResultInvalid
from models.local.qwen_edit_gguf.engine.transformer import Denoiser

# https://huggingface.co/Qwen/Qwen-Image-Edit-2509/blob/main/scheduler/scheduler_config.json
QUALITY: dict[str, Any] = {
    "base_shift": 0.5, "max_shift": 0.9, "shift_terminal": 0.02, "base_image_seq_len": 256, "max_image_seq_len": 8192,
    "use_dynamic_shifting": True, "shift": 1.0, "time_shift_type": "exponential",
}  # fmt: skip
# https://github.com/ModelTC/Qwen-Image-Lightning/blob/main/generate_with_diffusers.py: the same times for every size
LIGHTNING = QUALITY | {"base_shift": math.log(3), "max_shift": math.log(3), "shift_terminal": None}

Shape = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Conditions:
    """What the result depends on. embeds: of the prompt; against: of the negative one, where guidance is used;
    references: packed latents with their (1, rows, columns) in tokens."""

    embeds: Tensor
    references: Sequence[tuple[Tensor, Shape]]
    against: Tensor | None = None
    guidance: float = 1.0


@dataclass(frozen=True, eq=False)
class Lock:
    """Where the result has to stay as it was. mask: (1, tokens, channels), 1 may change; latents: of the picture."""

    mask: Tensor
    latents: Tensor


def schedule(steps: int, tokens: int, *, lightning: bool) -> FlowMatchEulerDiscreteScheduler:
    """The scheduler, set to `steps` for a result of so many tokens."""
    config = LIGHTNING if lightning else QUALITY
    found = FlowMatchEulerDiscreteScheduler(**config)
    slope = (config["max_shift"] - config["base_shift"]) / (
        config["max_image_seq_len"] - config["base_image_seq_len"]
    )
    base = config["base_shift"] - slope * config["base_image_seq_len"]
    found.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps), mu=tokens * slope + base)
    found.set_begin_index(0)
    return found


def noise(shape: Shape, channels: int, seed: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(1, tokens, 4 * channels): the start, drawn on the CPU, so that a seed means the same on every device."""
    _, rows, columns = shape
    drawn = torch.randn(
        (1, 1, channels, 2 * rows, 2 * columns), generator=torch.Generator().manual_seed(seed), dtype=dtype
    ).to(device)
    squares = drawn.view(1, channels, rows, 2, columns, 2).permute(0, 2, 4, 1, 3, 5)
    return squares.reshape(1, rows * columns, 4 * channels)


def denoised(
    denoiser: Denoiser,
    scheduler: FlowMatchEulerDiscreteScheduler,
    start: Tensor,
    shape: Shape,
    conditions: Conditions,
    lock: Lock | None = None,
    heard: Callable[[int, Tensor], None] = lambda step, latents: None,
) -> Tensor:
    """The packed latents of the result. `heard` gets each step's number and the picture that it is heading for.
    Raises ResultInvalid where a number is none."""
    latents = start
    references = [packed for packed, _ in conditions.references]
    shapes = [shape, *(of for _, of in conditions.references)]
    sigmas = scheduler.sigmas.tolist()
    for step, time in enumerate(scheduler.timesteps.to(start.device)):
        seen = torch.cat([latents, *references], dim=1)
        timestep = time.expand(1).to(latents.dtype) / 1000

        def velocity(
            embeds: Tensor, step: int = step, seen: Tensor = seen, timestep: Tensor = timestep
        ) -> Tensor:
            return denoiser(step, seen, timestep, embeds, shapes)[:, : start.shape[1]]

        found = velocity(conditions.embeds)
        if conditions.against is not None and conditions.guidance > 1:
            found = _guided(found, velocity(conditions.against), conditions.guidance)
        heading = latents - sigmas[step] * found
        if not bool(torch.isfinite(heading).all()):
            raise ResultInvalid(
                "The network answered with numbers that are none.",
                hint="Try another seed or another quantisation; if that does not help, pull the weights again.",
            )
        latents = scheduler.step(found, time, latents, return_dict=False)[0]
        if lock is not None:
            still = sigmas[step + 1] * start + (1 - sigmas[step + 1]) * lock.latents
            latents = (lock.mask * latents + (1 - lock.mask) * still).to(start.dtype)
        heard(step, heading)
    return latents


def _guided(found: Tensor, against: Tensor, guidance: float) -> Tensor:
    """Away from the negative prompt, as long as before."""
    further = against + guidance * (found - against)
    lengths = [torch.norm(way, dim=-1, keepdim=True) for way in (found, further)]
    return further * (lengths[0] / lengths[1])
