"""Plate and layers, as written in 8 bits, add up to the source within 2 of 255 on every pixel."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scenehf.layers import recompose
from scenehf.scene import Layer, Pixels

ALPHAS = (0, 0, 1, 2, 7, 77, 128, 240, 254, 255, 255)


def composite(plate: Pixels, layers: tuple[Layer, ...]) -> NDArray[np.float64]:
    """Source-over written here again, on purpose: the promise is about bytes, not about our own reader."""
    canvas = plate.astype(np.float64) / 255
    height, width = plate.shape[:2]
    for layer in reversed(layers):
        for y, x in np.ndindex(layer.pixels.shape[:2]):
            row, column = y + layer.y, x + layer.x
            if 0 <= row < height and 0 <= column < width:
                *colour, alpha = layer.pixels[y, x] / 255
                canvas[row, column] = alpha * np.array(colour) + (1 - alpha) * canvas[row, column]
    return canvas


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Pixels, Pixels, list[Layer]]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    height, width, count = draw(st.integers(1, 12)), draw(st.integers(1, 12)), draw(st.integers(1, 4))
    extremes = draw(st.booleans())

    def picture(h: int, w: int) -> Pixels:
        values = rng.choice([0, 1, 254, 255], (h, w, 3)) if extremes else rng.integers(0, 256, (h, w, 3))
        return values.astype(np.uint8)

    layers = []
    for k in range(count):
        h, w = draw(st.integers(1, 14)), draw(st.integers(1, 14))
        pixels = np.dstack([picture(h, w), rng.choice(ALPHAS, (h, w)).astype(np.uint8)])
        place = draw(st.integers(-6, 10)), draw(st.integers(-6, 10))
        layers.append(Layer(f"s{k}", "any", count - k, pixels, *place))
    return picture(height, width), picture(height, width), layers


@settings(max_examples=150, deadline=None)
@given(scenes())
def test_any_scene_recomposes_within_two(scene: tuple[Pixels, Pixels, list[Layer]]) -> None:
    source, plate, layers = scene
    before = [layer.pixels.copy() for layer in layers]
    result = recompose.faithful(source, plate, layers)
    error = np.abs(composite(result.scene.plate, result.scene.layers) - source / 255.0).max()
    assert error <= 2 / 255
    assert abs(error * 255 - result.max_error) < 1e-6
    assert all(np.array_equal(a, layer.pixels) for a, layer in zip(before, layers, strict=True))


def one(alpha: int, colour: int) -> Layer:
    return Layer("s1", "dot", 1, np.array([[[colour, colour, colour, alpha]]], np.uint8), 0, 0)


def flat(value: int) -> Pixels:
    return np.full((1, 1, 3), value, np.uint8)


def test_alpha_is_raised_only_as_far_as_needed() -> None:
    result = recompose.faithful(flat(0), flat(200), [one(10, 0)])
    assert result.scene.layers[0].pixels[0, 0].tolist() == [0, 0, 0, 253]
    assert result.raised == 1


def test_the_tolerance_is_spent_before_alpha_and_before_the_clean_colour() -> None:
    result = recompose.faithful(flat(100), flat(102), [one(10, 60)])
    assert result.scene.layers[0].pixels[0, 0].tolist() == [60, 60, 60, 10]
    assert result.raised == 0
    assert 0 < result.max_error <= 2


def test_opaque_pixels_are_the_photos_own() -> None:
    result = recompose.faithful(flat(93), flat(7), [one(255, 12)])
    assert result.scene.layers[0].pixels[0, 0].tolist() == [93, 93, 93, 255]
    assert result.max_error == 0


def test_what_an_opaque_layer_hides_is_kept() -> None:
    result = recompose.faithful(flat(93), flat(7), [one(255, 93), one(255, 30)])
    assert result.scene.layers[1].pixels[0, 0].tolist() == [30, 30, 30, 255]


def test_the_plate_is_the_source_where_no_layer_is() -> None:
    for solve in (recompose.faithful, recompose.clean):
        assert solve(flat(93), flat(7), [one(0, 12)]).scene.plate[0, 0].tolist() == [93, 93, 93]


def test_clean_keeps_the_clean_colours_and_says_how_far_off_it_is() -> None:
    result = recompose.clean(flat(100), flat(0), [one(128, 90)])
    assert result.scene.layers[0].pixels[0, 0].tolist() == [90, 90, 90, 128]
    assert result.max_error > 2
