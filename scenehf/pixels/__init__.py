"""Pixels in and out: the one door for pictures, PNG, and sheets on a canvas."""

from scenehf.pixels.door import open_image
from scenehf.pixels.limits import HOME, PUBLIC, Limits
from scenehf.pixels.names import label, slug
from scenehf.pixels.png import decode_png, encode_png
from scenehf.pixels.sheets import blocks, composite, full_canvas, over, thumbnail, trim

__all__ = [
    "HOME",
    "PUBLIC",
    "Limits",
    "blocks",
    "composite",
    "decode_png",
    "encode_png",
    "full_canvas",
    "label",
    "open_image",
    "over",
    "slug",
    "thumbnail",
    "trim",
]
