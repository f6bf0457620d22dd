"""How much work a picture is, before it is made: what is shown, capped, and taken to guess how long it lasts."""

from collections.abc import Mapping, Sequence
from typing import Any

from models.spec import ModelSpec, Size

MEGA = 1_000_000


def compute(spec: ModelSpec, options: Mapping[str, Any], images: Sequence[Size]) -> float | None:
    """Megapixels times steps of one picture, as large as it is worked on; None where the model has no steps or its size
    is not known before."""
    steps, pixels = getattr(spec.chosen(options), "steps", None), _drawn(spec, options, images)
    return None if steps is None or pixels is None else pixels * steps / MEGA


def effort(spec: ModelSpec, options: Mapping[str, Any], images: Sequence[Size]) -> float:
    """What the time for one picture grows with: every picture that is looked at counts, and guidance looks twice. 1
    where nothing is known of it."""
    chosen, pixels = spec.chosen(options), _drawn(spec, options, images)
    steps = getattr(chosen, "steps", 1 if spec.where == "local" else None)
    if steps is None or pixels is None:
        return 1.0
    rounds = 2 if chosen.looks_twice() else 1
    return (pixels + _looked_at(spec, options, images, pixels)) * steps * rounds / MEGA


def _drawn(spec: ModelSpec, options: Mapping[str, Any], images: Sequence[Size]) -> int | None:
    """Pixels that the model draws."""
    keeps = spec.keeps_size(options, images=len(images))
    pixels = images[0][0] * images[0][1] if keeps else spec.chosen(options).pixels(images)
    return min(pixels, spec.fit.most) if pixels and spec.fit else pixels


def _looked_at(spec: ModelSpec, options: Mapping[str, Any], images: Sequence[Size], drawn: int) -> int:
    """Pixels that it takes into account: of the picture that it draws anew, and of every other one."""
    if not spec.keeps_size(options, images=len(images)):
        return drawn if images else 0  # side by side they are one
    others = (width * height for width, height in images[1:])
    return drawn + sum(min(pixels, spec.fit.reference) if spec.fit else pixels for pixels in others)
