"""PNG of our own, sheets on a canvas, thumbnails and names."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from scenehf.pixels import (
    blocks,
    composite,
    decode_png,
    encode_png,
    full_canvas,
    label,
    over,
    slug,
    thumbnail,
    trim,
)
from scenehf.scene import Layer, Scene


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 3), (9, 7, 4), (1, 1, 4)])
def test_png_round_trip_is_exact(shape: tuple[int, ...]) -> None:
    array = pixels(*shape)
    data = encode_png(array)
    assert np.array_equal(decode_png(data), array)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), array)  # another reader: RGB order, alpha
    assert np.array_equal(decode_png(encode_png(array[::-1, ::-1])), array[::-1, ::-1])


def test_png_refuses_other_arrays() -> None:
    for array in (np.zeros((4, 4), np.float64), np.zeros((4, 4, 2), np.uint8), np.zeros(4, np.uint8)):
        with pytest.raises(ValueError):
            encode_png(array)
    with pytest.raises(ValueError):
        decode_png(b"nothing")


def test_trim_and_full_canvas_are_inverse() -> None:
    sheet = np.zeros((20, 30, 4), np.uint8)
    sheet[4:9, 6:17] = 200
    sheet[4, 6, 3] = 1
    crop, x, y = trim(sheet)
    assert crop.shape == (5, 11, 4) and (x, y) == (6, 4)
    assert np.array_equal(full_canvas(Layer("a", "a", 1, crop, x, y), (30, 20)), sheet)
    empty, x, y = trim(np.zeros((5, 5, 4), np.uint8))
    assert empty.shape == (1, 1, 4) and (x, y) == (0, 0)


@pytest.mark.parametrize(("x", "y"), [(-3, -2), (8, 7), (-40, 0), (0, 40), (2, 2)])
def test_layers_may_hang_over_the_canvas(x: int, y: int) -> None:
    sheet = pixels(6, 5, 4)
    wide = np.zeros((90, 90, 4), np.uint8)
    wide[40 + y : 46 + y, 40 + x : 45 + x] = sheet
    assert np.array_equal(full_canvas(Layer("a", "a", 1, sheet, x, y), (10, 9)), wide[40:49, 40:50])


def test_composite_is_source_over_back_to_front(monkeypatch: pytest.MonkeyPatch) -> None:
    plate = pixels(40, 50, 3)
    layers = tuple(Layer(str(i), "n", i, pixels(20 + i, 15, 4), 10 * i - 5, 7 * i) for i in range(4))
    expected = plate.astype(np.float64)
    for layer in reversed(layers):
        sheet = full_canvas(layer, (50, 40)).astype(np.float64)
        alpha = sheet[..., 3:] / 255
        expected = sheet[..., :3] * alpha + expected * (1 - alpha)
    assert np.abs(over(layers, plate) - expected).max() < 1e-9
    monkeypatch.setattr("scenehf.pixels.sheets._BLOCK", 50 * 7)
    assert len(list(blocks(layers, plate))) == 6
    assert np.array_equal(composite(Scene(layers, plate, plate)), np.rint(expected))


def test_thumbnail_is_an_area_average() -> None:
    array = pixels(40, 60, 3)
    small = thumbnail(array, 15)
    assert np.abs(small - array.reshape(10, 4, 15, 4, 3).mean(axis=(1, 3))).max() <= 0.51
    assert np.array_equal(thumbnail(array, 100), array)
    assert thumbnail(pixels(40, 60), 15).shape == (10, 15)
    assert thumbnail(pixels(1, 1000, 3), 10).shape == (1, 10, 3)


def test_thumbnail_has_no_dark_fringe() -> None:
    sheet = np.zeros((8, 8, 4), np.uint8)
    sheet[:, :3] = (200, 100, 50, 255)
    small = thumbnail(sheet, 4)
    assert (small[:, 1] == (200, 100, 50, 128)).all() and (small[:, 3] == 0).all()


@given(st.text())
def test_slug_is_a_file_name_and_label_is_one_line(name: str) -> None:
    short = slug(name)
    assert short and len(short) <= 48 and set(short) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    line = label(name)
    assert 0 < len(line) <= 255 and line.encode() and not any(ord(c) < 32 for c in line)


def test_names() -> None:
    assert slug("Crème Brûlée!") == "creme-brulee"
    assert slug("../../etc/passwd") == "etc-passwd"
    assert slug("切り抜き") == slug("") == "layer"
    assert label(" cup\nred\0 ") == "cup red" and label("\ud800") == "layer"
