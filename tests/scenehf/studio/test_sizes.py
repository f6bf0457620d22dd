"""Edits keep the size and the frame of their picture, to the pixel, whatever a service makes of it."""

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from models.catalog import SPECS
from models.pool import Pool
from models.requests import ImageEdit
from models.spec import Access, Host
from scenehf.studio.make import make
from scenehf.studio.sizes import frame, laid
from tests.models.providers.artist import Artist, scene
from tests.models.providers.conftest import payer, quick, served, store  # noqa: F401 -- fixtures
from tests.models.providers.services import CANARY

EDITORS = [spec for spec in SPECS if ImageEdit in spec.tasks]
REPLICATE = [spec for spec in EDITORS if spec.where == "replicate"]
SIZES = [(1, 1), (101, 67), (640, 33), (1021, 769)]
SHIFT = 0.5  # px


@settings(max_examples=200)
@example(1, 1)
@example(8192, 8192)
@example(8192, 1)
@example(1, 8191)
@example(8191, 4093)
@given(st.integers(1, 8192), st.integers(1, 8192))
def test_whatever_a_picture_measures_every_model_takes_what_it_is_sent(width: int, height: int):
    for spec in EDITORS:
        fit = frame((width, height), spec.limits)
        spec._check_size(*fit.sent)
        assert all(side % spec.limits.multiple == 0 for side in fit.sent)
        stretch = (fit.sent[0] / fit.padded[0]) / (fit.sent[1] / fit.padded[1])
        assert 0.9 < stretch < 1.1 or min(fit.padded) < 40, "what the model sees is hardly distorted"


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (641, 481), (640, 33), (37, 1021)])
def test_there_and_back_nothing_moves(size: tuple[int, int]):
    for spec in EDITORS:
        fit, picture = frame(size, spec.limits), scene(*size)
        again = fit.back(fit.inwards(picture))
        assert again.shape == picture.shape
        assert np.abs(again.astype(int) - picture).mean() < (4 if min(size) > 16 else 16)
        assert moved(picture, again) <= SHIFT


def moved(before: np.ndarray, after: np.ndarray) -> float:
    """By how many px a picture was shifted, at most at any corner, scale included; 0 for what is too small to tell."""
    if min(before.shape[:2]) < 16:
        return 0.0
    grey = [cv2.cvtColor(one, cv2.COLOR_RGB2GRAY).astype(np.float32) for one in (before, after)]
    matrix = np.eye(2, 3, dtype=np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-5)
    _, matrix = cv2.findTransformECC(*grey, matrix, cv2.MOTION_AFFINE, criteria, None, 3)
    height, width = grey[0].shape
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], np.float32)
    return float(np.abs(corners @ matrix.T - corners[:, :2]).max())


@pytest.fixture
def pool(served, quick, tmp_path):  # noqa: F811
    """A function: a pool whose services are this artist."""

    def over(artist: Artist) -> Pool:
        access = Access(replicate=SecretStr(CANARY), addresses={"replicate": served(artist).url})
        return Pool(Host(weights=tmp_path, access=access))

    return over


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_an_editor_that_changes_nothing_moves_nothing(size, pool, payer):  # noqa: F811
    artist = Artist()
    models = pool(artist)
    picture = scene(*size)
    for number, spec in enumerate(REPLICATE):
        request = ImageEdit((picture,), "leave it as it is", call=f"{number}")
        (result,) = make(models, spec.id, request, payer)
        assert result.shape == picture.shape
        assert moved(picture, result) <= SHIFT, spec.id
    assert artist.jobs == len(REPLICATE)


def test_outside_the_mask_not_one_bit_differs(pool, payer, chelsea):  # noqa: F811
    models = pool(Artist(lambda pictures: pictures[0].point(lambda value: 255 - value)))
    mask = np.zeros(chelsea.shape[:2], np.float32)
    cv2.circle(mask, (200, 150), 60, 1.0, -1, cv2.LINE_AA)
    for number, spec in enumerate(REPLICATE):
        (result,) = make(models, spec.id, ImageEdit((chelsea,), "red", mask, call=f"{number}"), payer)
        assert np.array_equal(result[mask == 0], chelsea[mask == 0])
        assert np.abs(result[mask == 1].astype(int) - chelsea[mask == 1]).mean() > 40


def test_a_soft_mask_mixes():
    picture, answer = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 200, np.uint8)
    mask = np.array([[0, 0.5], [0.25, 1]], np.float32)
    assert laid(answer, picture, mask)[..., 0].tolist() == [[0, 100], [50, 200]]
