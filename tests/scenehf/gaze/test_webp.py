"""Sheets as WebP files, read back with Pillow."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from skimage import data

from scenehf.gaze import webp


@pytest.mark.parametrize("channels", [3, 4])
def test_a_picture_comes_back_nearly_as_it_was(channels):
    image = data.astronaut()[:257, :131]
    alpha = np.full((*image.shape[:2], 1), 255, np.uint8)
    alpha[:100] = 7
    given = image if channels == 3 else np.dstack([image, alpha])
    read = np.asarray(Image.open(BytesIO(webp.encode(given))))
    assert read.shape == given.shape
    if channels == 4:
        assert np.array_equal(read[..., 3:], alpha)
    difference = read[100:, :, :3].astype(float) - image[100:]
    assert 10 * np.log10(255**2 / (difference**2).mean()) > 32


def test_a_view_of_a_larger_picture():
    image = data.astronaut()
    assert webp.encode(image[10:60, 20:90]) == webp.encode(image[10:60, 20:90].copy())


@pytest.mark.slow
def test_a_large_sheet_that_is_busy_everywhere():
    sheet = np.tile(data.astronaut(), (15, 15, 1))
    with pytest.raises(ValueError, match="encoding error 6"):  # the plain way has no room for it
        Image.fromarray(sheet).save(BytesIO(), "WEBP", quality=webp.WAYS[0][0], method=webp.WAYS[0][1])
    assert Image.open(BytesIO(webp.encode(sheet))).size == sheet.shape[1::-1]


def test_more_than_the_format_holds():
    with pytest.raises(ValueError, match="cannot be written"):
        webp.encode(np.zeros((1, 16384, 3), np.uint8))
