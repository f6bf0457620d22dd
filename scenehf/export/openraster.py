"""OpenRaster (Krita, GIMP, MyPaint): a zip with one PNG per layer. https://www.openraster.org, version 0.0.3."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from scenehf.pixels import composite, encode_png, label, thumbnail
from scenehf.scene import Pixels, Scene

_THUMBNAIL_SIDE = 256  # px, of the format


def write(path: Path, scene: Scene, merged: Pixels | None = None) -> None:
    """Write the scene's layers, front first, above 'Plate' and a hidden 'Source'. merged: `composite(scene)`."""
    flat = composite(scene) if merged is None else merged
    width, height = scene.size
    image = ElementTree.Element("image", version="0.0.3", w=str(width), h=str(height), xres="72", yres="72")
    stack = ElementTree.SubElement(image, "stack")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(
            zipfile.ZipInfo("mimetype"), b"image/openraster"
        )  # first and stored, so magic(5) sees it
        for index, (name, pixels, x, y, visible) in enumerate(_sheets(scene)):
            source = f"data/layer{index:03d}.png"
            archive.writestr(source, encode_png(pixels))
            about = {"name": name, "src": source, "x": str(x), "y": str(y), "opacity": "1.0"}
            shown = {"visibility": "visible" if visible else "hidden", "composite-op": "svg:src-over"}
            ElementTree.SubElement(stack, "layer", about | shown)
        archive.writestr("mergedimage.png", encode_png(flat))
        archive.writestr("Thumbnails/thumbnail.png", encode_png(thumbnail(flat, _THUMBNAIL_SIDE)))
        archive.writestr("stack.xml", ElementTree.tostring(image, encoding="utf-8", xml_declaration=True))


def _sheets(scene: Scene) -> Iterator[tuple[str, Pixels, int, int, bool]]:
    """(name, pixels, x, y, visible), front to back."""
    for layer in scene.layers:
        yield label(layer.name), layer.pixels, layer.x, layer.y, True
    yield "Plate", scene.plate, 0, 0, True
    yield "Source", scene.source, 0, 0, False
