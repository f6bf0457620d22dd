"""A small scene with everything that exports trip over: overlap, soft edges, foreign and hostile names."""

import numpy as np

from scenehf.scene import Layer, Scene

NAMES = ("切り抜き é 🐈", "</script><img src=x onerror=alert(1)>", "../../etc/passwd & \"quotes\" 'too'")


def small_scene(width: int = 90, height: int = 70) -> Scene:
    """Three soft-edged layers, front to back with z 3, 2, 1, over a plate; colours are noise under every alpha."""
    dice = np.random.default_rng(11)
    bounds = ((20, 10, 31, 40), (0, 30, 45, 40), (50, 5, 40, 33))
    layers = []
    for index, (x, y, w, h) in enumerate(bounds):
        pixels = dice.integers(0, 256, (h, w, 4), dtype=np.uint8)
        pixels[3:-3, 3:-3, 3] = 255
        pixels[:2, :, 3] = 0
        layers.append(Layer(f"s{index + 1}", NAMES[index], 3 - index, pixels, x, y))
    plate, source = dice.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    return Scene(tuple(layers), plate, source)


def flat_scene() -> Scene:
    """A red square before a green one before blue, so that a screenshot tells what stands where."""
    plate = np.full((300, 400, 3), (0, 0, 255), np.uint8)
    sheets = []
    for name, colour, z, x in (("front", (255, 0, 0), 9, 210), ("back", (0, 255, 0), 4, 90)):
        pixels = np.full((100, 100, 4), (*colour, 255), np.uint8)
        sheets.append(Layer(name, name, z, pixels, x, 100))
    return Scene(tuple(sheets), plate, plate)
