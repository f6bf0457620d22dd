"""Plates: texture as lively as its surroundings, nothing outside the hole touched, the same answer every time."""

import numpy as np
import pytest

from benchmarks.composites import singles
from benchmarks.layers_pixels import plate_scores
from benchmarks.silence import SILENT
from models.errors import ModelError
from models.local.patchmatch import fill as filling
from models.local.patchmatch import load
from models.requests import Inpainting
from models.spec import Host
from scenehf.layers.trimap import hole_around


@pytest.fixture
def paint(tmp_path):
    answer = load(Host(weights=tmp_path))
    return lambda image, mask: answer(Inpainting(image, mask), SILENT)


@pytest.mark.slow
def test_texture_goes_on_and_the_rest_stays(paint):
    scores = []
    for case in (singles()[2], singles()[4]):  # gravel, stars
        hole = hole_around([case.sheets[0].alpha])
        plate = paint(case.image, hole)
        assert np.array_equal(plate[~hole], case.image[~hole])
        scores.append(plate_scores(plate, case, hole))
    swd, ratio, psnr = np.mean(scores, axis=0)  # measured 86, .96, 15.6; plain PatchMatch 211, .77
    assert swd < 130
    assert 0.85 < ratio < 1.1
    assert psnr > 15


def test_the_same_hole_gets_the_same_plate(paint):
    case = singles()[4]
    image, mask = case.image[:256:2, :384:2], case.sheets[0].alpha[:256:2, :384:2] > 0
    assert np.array_equal(paint(image, mask), paint(image.copy(), mask.copy()))


def test_a_large_picture_gets_its_detail_from_the_full_resolution(paint, monkeypatch):
    case = singles()[2]
    hole = hole_around([case.sheets[0].alpha])
    monkeypatch.setattr(filling, "LAYOUT_PIXELS", case.image.size // 3 // 9)
    plate = paint(case.image, hole)
    swd, ratio, _ = plate_scores(plate, case, hole)
    assert np.array_equal(plate[~hole], case.image[~hole])
    assert swd < 150  # measured 90; enlarged without detail: above 300
    assert 0.8 < ratio < 1.1


def test_holes_at_the_frame_and_over_most_of_the_picture(paint):
    image = singles()[1].image[:120, :160]
    mask = np.ones(image.shape[:2], bool)
    mask[:30, :60] = False
    plate = paint(image, mask)
    assert np.array_equal(plate[~mask], image[~mask])
    assert abs(float(plate[mask].mean()) - float(image[~mask].mean())) < 40


@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (5, 7), (21, 21), (20, 300)])
def test_small_and_thin_pictures(paint, shape):
    image = np.full((*shape, 3), 90, np.uint8)
    mask = np.zeros(shape, bool)
    mask[-1, -1] = True
    assert (paint(image, mask) == 90).all()


def test_nothing_to_fill_and_nothing_to_fill_it_with(paint):
    image = singles()[1].image[:32, :32]
    assert np.array_equal(paint(image, np.zeros((32, 32), bool)), image)
    with pytest.raises(ModelError, match="whole picture"):
        paint(image, np.ones((32, 32), bool))
    with pytest.raises(ModelError, match="size"):
        paint(image, np.ones((8, 8), bool))
