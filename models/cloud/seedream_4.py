"""Seedream 4 on Replicate: pictures from words, or from words and up to ten pictures; up to fifteen at a time.

It has no seed. Asked to match a picture, it is told a width and a height of the picture's very shape, since its own
"match_input_image" only comes near to it.
"""

from math import sqrt
from typing import Annotated, Any, Literal

from pydantic import Field

from models.errors import InvalidRequest
from models.providers.bought import bought
from models.providers.connect import connect
from models.providers.pictures import encode
from models.providers.remote import Provider
from models.requests import Image, ImageEdit, Run, TextToImage
from models.spec import Host, Limits, Options

MODEL = "bytedance/seedream-4"
# Of pictures it looks at: ByteDance's own page on Seedream 4.0. More than four megapixels of them add nothing to see.
LIMITS = Limits(side=(256, 4096), pixels=1 << 22, ratio=3.0)
LEAST, MOST = 1024, 4096  # px of a side of the answer
MOST_TOGETHER = 15  # pictures in and out
AREAS = {"1K": 1 << 20, "2K": 1 << 22, "4K": 1 << 24}  # px
MATCH: Literal["match_input_image"] = "match_input_image"


class Seedream4Options(Options):
    """https://replicate.com/bytedance/seedream-4/api"""

    aspect_ratio: Annotated[
        Literal[
            "match_input_image", "1:1", "4:3", "3:4", "16:9", "9:16", "3:2", "2:3", "21:9"
        ],
        Field(
            title="Aspect ratio",
            description="Width to height. Matched to the first picture, the result has its very size.",
            json_schema_extra={"unless": {"size": "custom"}},
        ),
    ] = MATCH  # fmt: skip
    size: Annotated[
        Literal["1K", "2K", "4K", "custom"],
        Field(title="Size", description="1K is about 1024 px square, 2K 2048 and 4K 4096."),
    ] = "2K"
    width: Annotated[
        int,
        Field(ge=LEAST, le=MOST, title="Width", description="In px.", json_schema_extra={"only": {"size": "custom"}}),
    ] = 2048  # fmt: skip
    height: Annotated[
        int,
        Field(ge=LEAST, le=MOST, title="Height", description="In px.", json_schema_extra={"only": {"size": "custom"}}),
    ] = 2048  # fmt: skip
    enhance_prompt: Annotated[
        bool, Field(title="Enhance prompt", description="Let the service rewrite the prompt before it draws.")
    ] = True
    sequential_image_generation: Annotated[
        Literal["disabled", "auto"],
        Field(
            title="Series",
            description="auto: it decides how many pictures belong together. Each is paid for.",
        ),
    ] = "disabled"
    max_images: Annotated[
        int,
        Field(
            ge=1, le=MOST_TOGETHER, title="Most pictures", description="Of a series, with the pictures given.",
            json_schema_extra={"only": {"sequential_image_generation": "auto"}},
        ),
    ] = 4  # fmt: skip

    def results(self) -> int:
        """As many as a series may have."""
        return self.max_images if self.sequential_image_generation == "auto" else 1

    def keeps_size(self) -> bool:
        """Where it is to match the picture."""
        return self.size != "custom" and self.aspect_ratio == MATCH


class Seedream4:
    """Stateless."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def __call__(self, request: TextToImage | ImageEdit, run: Run) -> tuple[Image, ...]:
        """One paid call. A mask is not read. Raises InvalidRequest before it, for too many pictures in and out."""
        options = Seedream4Options.model_validate(request.options)
        images = request.images if isinstance(request, ImageEdit) else ()
        if len(images) + options.results() > MOST_TOGETHER:
            raise InvalidRequest(f"Seedream 4 takes and makes at most {MOST_TOGETHER} pictures together.")
        inputs = options.model_dump(include={"enhance_prompt", "sequential_image_generation"})
        inputs |= {"prompt": request.prompt, "max_images": options.results()} | _frame(options, images)
        files = {"image_input": [encode(image) for image in images]} if images else {}
        return bought(
            self._provider, MODEL, inputs, run, files=files, call=request.call, most=options.results()
        )


def _frame(options: Seedream4Options, images: tuple[Image, ...]) -> dict[str, Any]:
    """How large the answer is to be, as the service wants it said."""
    if options.size == "custom":
        return {"size": "custom", "width": options.width, "height": options.height}
    if options.aspect_ratio != MATCH:
        return {"size": options.size, "aspect_ratio": options.aspect_ratio}
    if not images:
        return {"size": options.size, "aspect_ratio": "1:1"}
    height, width = images[0].shape[:2]
    scale = sqrt(AREAS[options.size] / (width * height))
    scale = min(max(scale, LEAST / min(width, height)), MOST / max(width, height))
    across, down = (min(max(round(side * scale), LEAST), MOST) for side in (width, height))
    return {"size": "custom", "width": across, "height": down}


def load(host: Host) -> Seedream4:
    """Raises KeyMissing."""
    return Seedream4(connect("replicate", host.access))
