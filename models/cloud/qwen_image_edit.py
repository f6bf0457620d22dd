"""Qwen-Image-Edit on Replicate: redraws one picture as a prompt says, at about one megapixel."""

from typing import Annotated

from pydantic import Field

from models.providers.bought import bought
from models.providers.connect import connect
from models.providers.pictures import encode
from models.providers.remote import Provider
from models.requests import Image, ImageEdit, Run
from models.spec import Host, Limits, Seeded

MODEL = "qwen/qwen-image-edit"
# Its text encoder reads 1,024 tokens, some 4,000 letters. Its own frame is a megapixel in steps of 16 px; what it is
# sent larger than four it only makes smaller.
LIMITS = Limits(prompt=(1, 4000), side=(256, 4096), pixels=1 << 22, ratio=4.0, multiple=16)


class QwenImageEditOptions(Seeded):
    """https://replicate.com/qwen/qwen-image-edit/api"""

    go_fast: Annotated[bool, Field(title="Fast", description="Quicker, with a little less detail.")] = True


class QwenImageEdit:
    """Stateless."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def __call__(self, request: ImageEdit, run: Run) -> tuple[Image, ...]:
        """One paid call, one picture. A mask is not read."""
        options = QwenImageEditOptions.model_validate(request.options)
        inputs = {"prompt": request.prompt, "output_format": "png"} | options.model_dump(exclude_none=True)
        files = {"image": encode(request.images[0])}
        return bought(self._provider, MODEL, inputs, run, files=files, call=request.call)


def load(host: Host) -> QwenImageEdit:
    """Raises KeyMissing."""
    return QwenImageEdit(connect("replicate", host.access))
