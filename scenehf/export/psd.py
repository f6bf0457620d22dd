"""Photoshop: named layers with offsets and transparency, a hidden 'Source' at the bottom, a true preview.

Written with psd-tools, whose private record is set where its own answer is wrong (1.26, hence pinned).
"""

import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from scenehf.errors import CannotExport
from scenehf.pixels import composite, label
from scenehf.scene import Pixels, Scene

_LONGEST_SIDE = 30_000  # px, of the format
_LARGEST_FILE = 2 << 30  # bytes, of the format; readers count in signed 32 bits
_CHANNELS = 3  # of the merged preview


def write(path: Path, scene: Scene, merged: Pixels | None = None) -> None:
    """Write the scene as layers, front on top, above 'Plate' and a hidden 'Source'. merged: `composite(scene)`.

    Raises CannotExport where the scene is larger than the format.
    """
    from psd_tools import PSDImage

    if max(scene.size) > _LONGEST_SIDE:
        sides = f"{scene.size[0]} x {scene.size[1]}"
        raise CannotExport(
            f"A PSD holds {_LONGEST_SIDE} pixels per side and this scene has {sides}; use OpenRaster."
        )
    document = PSDImage.new("RGBA", scene.size)  # "RGB" would turn every layer's alpha into a layer mask
    _add(document, "Source", _opaque(scene.source), 0, 0, visible=False)
    _add(document, "Plate", _opaque(scene.plate), 0, 0)
    for layer in reversed(scene.layers):
        _add(document, label(layer.name), Image.fromarray(layer.pixels), layer.x, layer.y)
    _set_preview(document, composite(scene) if merged is None else merged)
    try:
        document.save(path)
        fits = path.stat().st_size <= _LARGEST_FILE
    except struct.error:  # a section is longer than its 32-bit length
        fits = False
    if not fits:
        raise CannotExport("This scene is larger than the 2 GB that a PSD holds; use OpenRaster.")


def _add(document: Any, name: str, image: Image.Image, x: int, y: int, *, visible: bool = True) -> None:
    from psd_tools.constants import Compression

    layer = document.create_pixel_layer(image, name="layer", left=x, top=y, compression=Compression.RLE)
    layer.name = name  # as an argument of the call above a name beyond Mac Roman would raise
    layer.visible = visible


def _set_preview(document: Any, merged: Pixels) -> None:
    """The flat picture that viewers show; psd-tools' own has alpha 0 everywhere. Opaque, so it is plain RGB."""
    record = document._record
    record.header.channels = _CHANNELS
    planes = [np.ascontiguousarray(merged[..., channel]).tobytes() for channel in range(_CHANNELS)]
    record.image_data.set_data(planes, record.header)
    document._updated = False  # otherwise it would be rendered anew on saving


def _opaque(rgb: Pixels) -> Image.Image:
    image = Image.fromarray(rgb)
    image.putalpha(255)
    return image
