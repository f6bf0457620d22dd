"""A redraw is laid over the photo to within half a pixel, or it is said that the two do not show the same."""

import cv2
import numpy as np
import pytest

from scenehf.layers.register import aligned


def moved(picture, dx, dy, scale):
    height, width = picture.shape[:2]
    matrix = np.array([[scale, 0, dx], [0, scale, dy]], np.float64)
    return matrix, cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


@pytest.mark.parametrize(
    ("name", "dx", "dy", "scale"),
    [("chelsea", 0, 0, 1), ("chelsea", 3.4, -2.2, 0.985), ("coffee", -6.5, 5.25, 1.01)],
)
def test_within_half_a_pixel(request, name, dx, dy, scale):
    photo = request.getfixturevalue(name)
    redrawn = np.clip(photo.astype(np.int16) + np.random.default_rng(0).integers(-9, 10, photo.shape), 0, 255)
    _, redraw = moved(redrawn.astype(np.uint8), dx, dy, scale)
    laid = aligned(redraw, photo, np.ones(photo.shape[:2], bool))
    assert laid is not None
    inner = slice(24, -24)
    grey, wanted = (np.float32(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY)[inner, inner]) for one in (laid, photo))
    # What motion is left, everywhere: in each quarter of the picture.
    for rows in np.array_split(np.arange(grey.shape[0]), 2):
        for columns in np.array_split(np.arange(grey.shape[1]), 2):
            part = np.ix_(rows, columns)
            window = cv2.createHanningWindow((len(columns), len(rows)), cv2.CV_32F)
            (left_x, left_y), _ = cv2.phaseCorrelate(grey[part], wanted[part], window)
            assert np.hypot(left_x, left_y) < 0.5


def test_another_picture_is_not_laid_over(coffee, chelsea):
    other = cv2.resize(chelsea, (coffee.shape[1], coffee.shape[0]))
    assert aligned(other, coffee, np.ones(coffee.shape[:2], bool)) is None
    assert aligned(coffee, coffee, np.zeros(coffee.shape[:2], bool)) is None
