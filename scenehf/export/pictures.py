"""The scene as PNG files, each on the full canvas: `layers/NN-name.png`, `plate.png`, `composite.png`."""

from collections.abc import Callable, Iterator

from scenehf.pixels import composite, encode_png, full_canvas, slug
from scenehf.scene import Layer, Pixels, Scene


def layer_name(scene: Scene, index: int) -> str:
    """`layers/NN-name.png`; 01 is frontmost. Unique by its number and never a path that a layer's name chose."""
    return f"layers/{index + 1:02d}-{slug(scene.layers[index].name)}.png"


def makers(scene: Scene, merged: Pixels | None = None) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """(name, function that encodes it), so that one picture at a time is in memory. merged: `composite(scene)`."""

    def sheet(layer: Layer) -> Callable[[], bytes]:
        return lambda: encode_png(full_canvas(layer, scene.size))

    for index, layer in enumerate(scene.layers):
        yield layer_name(scene, index), sheet(layer)
    yield "plate.png", lambda: encode_png(scene.plate)
    yield "composite.png", lambda: encode_png(composite(scene) if merged is None else merged)
