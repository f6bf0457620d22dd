"""HunyuanImage 3.0 on Replicate: pictures from words."""

from typing import Annotated, Literal

from pydantic import Field

from models.providers.bought import bought
from models.providers.connect import connect
from models.providers.remote import Provider
from models.requests import Image, Run, TextToImage
from models.spec import Host, Limits, Seeded

MODEL = "tencent/hunyuan-image-3"
LIMITS = Limits()


class HunyuanImage3Options(Seeded):
    """https://replicate.com/tencent/hunyuan-image-3/api"""

    aspect_ratio: Annotated[
        Literal["1:1", "16:9", "21:9", "3:2", "2:3", "4:5", "5:4", "3:4", "4:3", "9:16", "9:21"],
        Field(title="Aspect ratio", description="Width to height."),
    ] = "1:1"
    go_fast: Annotated[bool, Field(title="Fast", description="Quicker, with a little less detail.")] = True


class HunyuanImage3:
    """Stateless."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def __call__(self, request: TextToImage, run: Run) -> tuple[Image, ...]:
        """One paid call, one picture."""
        options = HunyuanImage3Options.model_validate(request.options)
        inputs = {"prompt": request.prompt, "output_format": "png"} | options.model_dump(exclude_none=True)
        return bought(self._provider, MODEL, inputs, run, call=request.call)


def load(host: Host) -> HunyuanImage3:
    """Raises KeyMissing."""
    return HunyuanImage3(connect("replicate", host.access))
