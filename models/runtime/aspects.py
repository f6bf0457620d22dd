"""How large a picture is that is made from words: an aspect ratio and a number of pixels."""

import math
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

MULTIPLE = 16  # px: what every network here works on

Aspect: TypeAlias = Annotated[
    Literal["1:1", "16:9", "9:16", "3:2", "2:3", "4:3", "3:4", "5:4", "4:5", "21:9"],
    Field(title="Aspect ratio", description="Width to height."),
]
Megapixels: TypeAlias = Annotated[
    float, Field(ge=0.05, le=2.0, title="Megapixels", description="How large, in millions of pixels.")
]


def sides(aspect_ratio: str, megapixels: float) -> tuple[int, int]:
    """(width, height) in px, as near to both as whole multiples of 16 allow."""
    across, down = (int(part) for part in aspect_ratio.split(":"))
    scale = math.sqrt(megapixels * 1e6 / (across * down))
    width, height = (max(MULTIPLE, round(side * scale / MULTIPLE) * MULTIPLE) for side in (across, down))
    return width, height
