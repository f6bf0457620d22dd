"""Closed-form matting: as good as the peer from the same trimap, exact where the trimap is sure, seamless in tiles."""

import cv2
import numpy as np
import pytest

from benchmarks import metrics
from benchmarks.composites import singles
from benchmarks.layers_pixels import jittered_mask
from benchmarks.silence import SILENT
from models.errors import InvalidRequest
from models.local.closed_form import load, pyramid
from models.requests import Matting
from models.spec import Host
from scenehf.layers.trimap import trimap


@pytest.fixture
def matte(tmp_path):
    answer = load(Host(weights=tmp_path))
    return lambda image, band: answer(Matting(image, band), SILENT)


def enlarged(case, factor):
    size = case.image.shape[1] * factor, case.image.shape[0] * factor
    alpha = cv2.resize(case.sheets[0].alpha, size, interpolation=cv2.INTER_LINEAR)
    return cv2.resize(case.image, size, interpolation=cv2.INTER_CUBIC), np.clip(alpha, 0, 1)


def test_alpha_is_found_from_a_mask_that_is_off_by_two_pixels(matte):
    errors = []
    for seed, case in enumerate(singles()[:3]):
        truth = case.sheets[0].alpha
        errors.append(metrics.sad(matte(case.image, trimap(jittered_mask(truth, seed))), truth))
    assert np.mean(errors) < 0.3  # measured .26; the mask alone: .8


def test_sure_pixels_stay_and_almost_sure_ones_become_sure(matte):
    case = singles()[1]
    band = trimap(case.sheets[0].alpha > 0.5)
    alpha = matte(case.image, band)
    assert alpha.dtype == np.float32
    assert (alpha[band == 1] == 1).all()
    assert (alpha[band == 0] == 0).all()
    assert not ((alpha > 0) & (alpha < pyramid.SOFT)).any()


def test_a_large_picture_is_solved_in_tiles_without_seams(matte, monkeypatch):
    image, truth = enlarged(singles()[1], 2)
    band = trimap(truth > 0.5)
    tiled = matte(image, band)
    assert metrics.sad(tiled, truth) / 4 < 0.4
    monkeypatch.setattr(pyramid, "TILE", 4096)
    assert np.abs(tiled - matte(image, band)).max() < 0.05


def test_a_subject_that_touches_the_frame(matte):
    case = singles()[0]  # the astronaut stands on the lower edge
    truth = case.sheets[0].alpha
    alpha = matte(case.image, trimap(truth > 0.5))
    assert np.abs(alpha - truth)[-6:].mean() < 0.02


def test_requests_that_cannot_be_answered(matte):
    image = np.zeros((8, 8, 3), np.uint8)
    for band in (None, np.zeros((4, 4), np.float32), np.full((8, 8), 0.5, np.float32)):
        with pytest.raises(InvalidRequest):
            matte(image, band)


def test_nothing_unknown_is_nothing_to_do(matte):
    band = np.eye(8, dtype=np.float32)
    assert np.array_equal(matte(np.zeros((8, 8, 3), np.uint8), band), band)
