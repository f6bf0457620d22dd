"""Gemini Nano Banana 2.1: redraws a picture as a prompt says. It has no masks; whoever calls it composites locally.

It answers in one of fourteen shapes. The picture is padded to the nearest one, so that the answer maps back onto it
without being stretched.
"""

import numpy as np

from models.providers.connect import connect
from models.providers.pictures import decode, encode
from models.providers.prices import price
from models.providers.remote import Order, Provider, drive
from models.requests import Image, ImageEdit, Run
from models.spec import Host

MODEL = "gemini-nano-banana-2.1"
LONGEST = 1024  # px; the answer is of this size
SHAPES = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9", "1:4", "4:1", "1:8", "8:1")


class GoogleImage:
    """Stateless."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def __call__(self, request: ImageEdit, run: Run) -> tuple[Image, ...]:
        """One paid call, one picture. A mask is not read."""
        first = request.images[0]
        height, width = first.shape[:2]
        shape, (across, down) = fitting(width, height)
        padded = np.pad(first, ((0, down - height), (0, across - width), (0, 0)), mode="edge")
        config = {
            "response_modalities": ["TEXT", "IMAGE"],
            "image_config": {"aspect_ratio": shape, "image_size": "1K"},
        }
        order = Order(
            MODEL,
            {"prompt": request.prompt, "config": config},
            {"images": [encode(one, LONGEST) for one in (padded, *request.images[1:])]},
            price("google", MODEL).bound(),
            call=request.call,
        )
        answer = decode(drive(self._provider, order, run)[0], (across, down))
        return (np.ascontiguousarray(answer[:height, :width]),)


def fitting(width: int, height: int) -> tuple[str, tuple[int, int]]:
    """The shape nearest to a picture's, and the size (width, height) px to which it is padded for it."""

    def of(shape: str) -> float:
        across, down = map(int, shape.split(":"))
        return across / down

    nearest = min(SHAPES, key=lambda shape: abs(np.log(of(shape) * height / width)))
    wanted = of(nearest)
    return nearest, (max(width, round(height * wanted)), max(height, round(width / wanted)))


def load(host: Host) -> GoogleImage:
    """Raises KeyMissing."""
    return GoogleImage(connect("google", host.access))
