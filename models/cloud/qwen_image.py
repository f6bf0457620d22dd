"""Qwen-Image on Replicate: pictures from words, good at lettering."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from models.providers.bought import bought
from models.providers.connect import connect
from models.providers.remote import Provider
from models.requests import Image, Run, TextToImage
from models.spec import Host, Limits, Seeded, Size

MODEL = "qwen/qwen-image"
LIMITS = Limits(prompt=(1, 4000))  # its text encoder reads 1,024 tokens, some 4,000 letters
# Width and height by aspect ratio, as https://huggingface.co/Qwen/Qwen-Image lists them.
SIZES = {
    "1:1": (1328, 1328),
    "16:9": (1664, 928),
    "9:16": (928, 1664),
    "4:3": (1472, 1140),
    "3:4": (1140, 1472),
    "3:2": (1584, 1056),
    "2:3": (1056, 1584),
}


class QwenImageOptions(Seeded):
    """https://replicate.com/qwen/qwen-image/api, without the fields for pictures and LoRAs."""

    aspect_ratio: Annotated[
        Literal["1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3"],
        Field(title="Aspect ratio", description="Width to height."),
    ] = "16:9"
    image_size: Annotated[
        Literal["optimize_for_quality", "optimize_for_speed"],
        Field(title="Size", description="Larger and slower, or smaller and quicker."),
    ] = "optimize_for_quality"
    steps: Annotated[
        int, Field(ge=1, le=50, title="Steps", description="More take longer and show more detail.")
    ] = 30
    guidance: Annotated[
        float, Field(ge=0, le=10, title="Guidance", description="How closely it follows the prompt.")
    ] = 3.0
    negative_prompt: Annotated[
        str,
        Field(max_length=4000, title="Negative prompt", description="What is not to be seen."),
    ] = ""
    go_fast: Annotated[bool, Field(title="Fast", description="Quicker, with a little less detail.")] = True
    enhance_prompt: Annotated[
        bool, Field(title="Enhance prompt", description="Let the service rewrite the prompt before it draws.")
    ] = False

    def pixels(self, images: Sequence[Size] = ()) -> int | None:
        """Of the size for quality; the other one is not published."""
        width, height = SIZES[self.aspect_ratio]
        return width * height if self.image_size == "optimize_for_quality" else None


class QwenImage:
    """Stateless."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def __call__(self, request: TextToImage, run: Run) -> tuple[Image, ...]:
        """One paid call, one picture."""
        options = QwenImageOptions.model_validate(request.options)
        inputs = {"prompt": request.prompt, "output_format": "png"} | options.model_dump(exclude_none=True)
        inputs["num_inference_steps"] = inputs.pop("steps")
        if not options.negative_prompt:
            del inputs["negative_prompt"]
        return bought(self._provider, MODEL, inputs, run, call=request.call)


def load(host: Host) -> QwenImage:
    """Raises KeyMissing."""
    return QwenImage(connect("replicate", host.access))
