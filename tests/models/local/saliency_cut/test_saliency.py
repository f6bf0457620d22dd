"""Saliency finds what stands out, at any size, in [0, 1]."""

import numpy as np
import pytest

from models.local.saliency_cut.saliency import barrier_distance, robust_background

MAPS = pytest.mark.parametrize("saliency", [robust_background, barrier_distance])


@MAPS
def test_a_flower_stands_out(saliency, flower):
    salient = saliency(flower)
    assert salient.shape == flower.shape[:2]
    assert salient.dtype == np.float32
    assert salient.min() >= 0 and salient.max() <= 1
    assert salient[180:280, 250:370].mean() > 3 * salient[:, :100].mean()


@MAPS
@pytest.mark.parametrize("size", [(8, 8), (9, 300), (300, 9)])
def test_pictures_without_content_are_survived(saliency, size):
    assert np.isfinite(saliency(np.full((*size, 3), 77, np.uint8))).all()
