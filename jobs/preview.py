"""Intermediate pictures: small, and not too many of them."""

import io
from typing import Protocol

PREVIEW_GAP = 0.5  # seconds between two previews of one run
PREVIEW_SIDE = 768  # px: the long side of a stored preview
KINDS = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}


class Picture(Protocol):
    """The part of `PIL.Image.Image` that a preview needs."""

    def copy(self) -> "Picture": ...
    def thumbnail(self, size: tuple[int, int]) -> None: ...
    def save(self, fp: io.BytesIO, format: str, *, quality: int, method: int) -> None: ...


def encode_preview(image: Picture | bytes) -> tuple[bytes, str]:
    """(bytes, media type): a small WebP of a picture; bytes that are encoded already pass through."""
    if isinstance(image, bytes):
        return image, next((mime for magic, mime in KINDS.items() if image.startswith(magic)), "image/webp")
    small = image.copy()
    small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=80, method=1)
    return buffer.getvalue(), "image/webp"
