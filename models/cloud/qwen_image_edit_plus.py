"""Qwen-Image-Edit-2509 on Replicate: redraws the first of up to three pictures; the others are looked at."""

from typing import Annotated

from pydantic import Field

from models.providers.bought import bought
from models.providers.connect import connect
from models.providers.pictures import encode
from models.providers.remote import Provider
from models.requests import Image, ImageEdit, Run
from models.spec import Host, Limits, Seeded

MODEL = "qwen/qwen-image-edit-plus"
# As of the model without "plus", see there.
LIMITS = Limits(prompt=(1, 4000), side=(256, 4096), pixels=1 << 22, ratio=4.0, multiple=16)


class QwenImageEditPlusOptions(Seeded):
    """https://replicate.com/qwen/qwen-image-edit-plus/api. It has an aspect ratio too, which an edit keeps."""

    go_fast: Annotated[bool, Field(title="Fast", description="Quicker, with a little less detail.")] = True


class QwenImageEditPlus:
    """Stateless."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def __call__(self, request: ImageEdit, run: Run) -> tuple[Image, ...]:
        """One paid call, one picture. A mask is not read."""
        options = QwenImageEditPlusOptions.model_validate(request.options)
        fixed = {"prompt": request.prompt, "aspect_ratio": "match_input_image", "output_format": "png"}
        inputs = fixed | options.model_dump(exclude_none=True)
        files = {"image": [encode(image) for image in request.images]}
        return bought(self._provider, MODEL, inputs, run, files=files, call=request.call)


def load(host: Host) -> QwenImageEditPlus:
    """Raises KeyMissing."""
    return QwenImageEditPlus(connect("replicate", host.access))
