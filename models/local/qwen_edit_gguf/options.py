"""What a person can set of the editor."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, field_validator

from models.spec import Fit, Seeded, Size

LIGHTNING = 8  # steps, at most; more are made without the Lightning files
QUALITY = 20  # steps, at least
FIT = Fit(
    most=1328 * 1328,  # the largest square that Qwen-Image was trained with (its aspect_ratios)
    reference=1024 * 1024,  # as large as diffusers' pipeline makes what is looked at
)


class QwenEditOptions(Seeded):
    """Of Qwen-Image-Edit on this machine."""

    steps: Annotated[
        int,
        Field(
            ge=1,
            le=50,
            title="Steps",
            description="4 or 8: Lightning. 20 to 50: slower and finer, 40 is usual.",
        ),
    ] = 4
    guidance: Annotated[
        float,
        Field(
            ge=1.0, le=10.0, title="Guidance",
            description="How strongly to follow the prompt, from 20 steps on. Above 1 every step takes twice as long.",
        ),
    ] = 4.0  # fmt: skip
    negative_prompt: Annotated[
        str,
        Field(
            max_length=2000, title="Negative prompt", description="What to keep out, where guidance is used."
        ),
    ] = ""
    references: Annotated[
        Literal["joined", "separate"],
        Field(
            title="Several pictures",
            description="joined: two side by side, and the result shows both. separate: the result is of the first.",
        ),
    ] = "separate"
    preview: Annotated[bool, Field(title="Preview", description="Show where every step is heading.")] = True

    @field_validator("steps")
    @classmethod
    def _known(cls, steps: int) -> int:
        if LIGHTNING < steps < QUALITY:
            raise ValueError(f"should be up to {LIGHTNING}, or {QUALITY} and more")
        return steps

    def keeps_size(self) -> bool:
        """Two pictures side by side are larger than the first of them."""
        return self.references != "joined"

    def pixels(self, images: Sequence[Size] = ()) -> int | None:
        """Of the pictures side by side, all as high as the first."""
        if not images:
            return None
        high = images[0][1]
        return sum(max(1, round(width * high / height)) for width, height in images) * high

    def looks_twice(self) -> bool:
        """Lightning knows no guidance."""
        return not self.lightning and super().looks_twice()

    @property
    def lightning(self) -> bool:
        """Whether the few steps of Lightning are made."""
        return self.steps <= LIGHTNING
