"""Replicate with models that make pictures of what they are sent, so that it can be measured what became of it."""

import hashlib
import io
import json
from collections.abc import Callable
from math import sqrt

import numpy as np
from PIL import Image

from tests.models.providers.loopback import Answer, Asked
from tests.models.providers.services import ReplicateService

AREA = 1 << 20  # px
PICTURES = ("image", "image_input")  # fields of the models' inputs that hold files


def own_frame(picture: Image.Image) -> Image.Image:
    """What Qwen-Image-Edit does to what it is sent: stretched to a megapixel, in steps of 32 px."""
    ratio = picture.width / picture.height
    width = sqrt(AREA * ratio)
    size = max(32, round(width / 32) * 32), max(32, round(width / ratio / 32) * 32)
    return picture.resize(size, Image.Resampling.BICUBIC)


class Artist(ReplicateService):
    """draw: one picture out of the pictures sent; what is there without any is a grey square."""

    def __init__(
        self, draw: Callable[[list[Image.Image]], Image.Image] | None = None, **told: object
    ) -> None:
        super().__init__(**told)
        self._draw = draw or (lambda pictures: own_frame(pictures[0]))
        self._files: dict[str, bytes] = {}
        self.asked: list[dict[str, object]] = []  # inputs of predictions, in their order

    def answer(self, asked: Asked) -> Answer:
        if asked.method == "POST" and asked.path == "/v1/files":
            reply = super().answer(asked)
            if reply.status == 201:
                self._files[reply.body["urls"]["get"]] = _part(asked.body)
            return reply
        if asked.path.startswith("/delivery/") and self.asked:
            super().answer(asked)  # its own checks
            urls = [url for name in PICTURES for url in _listed(self.asked[-1].get(name))]
            pictures = [Image.open(io.BytesIO(self._files[str(url)])).convert("RGB") for url in urls]
            drawn = self._draw(pictures) if pictures else Image.new("RGB", (1024, 1024), (90, 90, 90))
            out = io.BytesIO()
            drawn.save(out, "PNG", compress_level=1)
            return Answer(200, out.getvalue(), {"content-type": "image/png"})
        if asked.method == "POST" and asked.path.endswith("/predictions"):
            self.asked.append(asked.json()["input"] | {"model": "/".join(asked.path.split("/")[3:5])})
        return super().answer(asked)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _part(body: bytes) -> bytes:
    """The PNG of a multipart body."""
    start = body.index(b"\x89PNG")
    return body[start : body.index(b"IEND", start) + 8]


def scene(width: int, height: int, seed: int = 0) -> np.ndarray:
    """A picture with enough in it to see by how much it moved; uint8 (height, width, 3)."""
    rng = np.random.default_rng(
        int(hashlib.sha256(json.dumps([width, height, seed]).encode()).hexdigest()[:8], 16)
    )
    small = rng.integers(30, 225, (max(2, min(height, 24)), max(2, min(width, 24)), 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))
