"""How much work a picture is, before it is made: what is shown, capped, and taken to guess how long it lasts."""

from collections.abc import Mapping, Sequence
from typing import Any

from models.spec import ModelSpec

MEGA = 1_000_000
Size = tuple[int, int]  # width, height in px


def compute(spec: ModelSpec, options: Mapping[str, Any], images: Sequence[Size]) -> float | None:
    """Megapixels times steps of one picture; None where the model has no steps or its size is not known before."""
    steps, pixels = getattr(spec.chosen(options), "steps", None), _made(spec, options, images)
    return None if steps is None or pixels is None else pixels * steps / MEGA


def effort(spec: ModelSpec, options: Mapping[str, Any], images: Sequence[Size]) -> float:
    """What the time for one picture grows with: every picture that is looked at counts, and guidance looks twice. 1
    where nothing is known of it."""
    chosen, pixels = spec.chosen(options), _made(spec, options, images)
    steps = getattr(chosen, "steps", None)
    if steps is None or pixels is None:
        return 1.0
    looked_at = sum(min(width * height, spec.limits.pixels) for width, height in images)
    rounds = 2 if chosen.looks_twice() else 1
    return float((pixels + looked_at) * steps * rounds / MEGA)


def _made(spec: ModelSpec, options: Mapping[str, Any], images: Sequence[Size]) -> int | None:
    """Pixels that the model draws."""
    if not spec.keeps_size(options, images=len(images)):
        return spec.chosen(options).pixels()
    width, height = images[0]
    return min(width * height, spec.limits.pixels)
