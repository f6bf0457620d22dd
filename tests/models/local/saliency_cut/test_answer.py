"""Masks from every kind of hint, on real photos."""

import numpy as np
import pytest

from benchmarks.silence import SILENT
from models.errors import InvalidRequest
from models.local.saliency_cut import REVIEW_BELOW, load
from models.requests import MaskGeneration
from models.spec import Host

FLOWER = (169, 85, 446, 359)


@pytest.fixture
def cut(tmp_path):
    answer = load(Host(weights=tmp_path))
    return lambda image, **hints: answer(MaskGeneration(image, **hints), SILENT)


def disc(shape, x, y, radius):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def test_a_box_gives_the_flower(cut, flower):
    (found,) = cut(flower, box=FLOWER)
    assert found.mask.shape == flower.shape[:2] and found.mask.dtype == bool
    assert np.allclose(found.box, FLOWER, atol=8)
    assert found.mask[220, 320] and not found.mask[60, 60] and not found.mask[400, 350]
    assert found.score > REVIEW_BELOW


def test_a_sloppy_box_gives_the_same_flower(cut, flower):
    (exact,), (sloppy,) = cut(flower, box=FLOWER), cut(flower, box=(185, 72, 430, 375))
    assert overlap(exact.mask, sloppy.mask) > 0.93


def test_a_click_gives_the_flower(cut, flower):
    (found,) = cut(flower, points=((320, 220, 1), (60, 60, 0)))
    (boxed,) = cut(flower, box=FLOWER)
    assert overlap(found.mask, boxed.mask) > 0.85


def test_without_hints_the_flower_is_among_the_best(cut, flower):
    found = cut(flower)
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    assert any(one.mask[220, 320] for one in found[:2])


def test_drop_is_never_inside_and_keep_always(cut, flower):
    drop, keep = disc(flower.shape, 250, 220, 25), disc(flower.shape, 520, 220, 12)
    (found,) = cut(flower, box=(169, 85, 540, 359), drop=drop, keep=keep)
    assert found.mask[drop].mean() < 0.05
    assert found.mask[keep].mean() > 0.9


def test_a_stroke_changes_the_base_only_where_it_lies(cut, flower):
    (found,) = cut(flower, box=FLOWER)
    base = found.mask | disc(flower.shape, 480, 330, 40)
    base[100:130, 100:130] = True
    (better,) = cut(flower, box=FLOWER, base=base, drop=disc(flower.shape, 490, 335, 8))
    assert better.mask[310:350, 480:510].mean() < 0.1
    assert better.mask[220, 320]
    assert better.mask[105:125, 105:125].all()


def test_what_lies_in_a_neighbours_box_is_the_neighbours(cut, flower):
    (found,) = cut(flower, box=FLOWER, avoid=((0.0, 360.0, 640.0, 427.0),))
    assert not found.mask[368:].any()


@pytest.mark.parametrize("size", [(8, 8), (20, 600), (600, 20)])
def test_pictures_without_content_give_no_error(cut, size):
    picture = np.full((*size, 3), 90, np.uint8)
    assert all(one.mask.shape == size for one in cut(picture))
    assert all(one.mask.shape == size for one in cut(picture, box=(1, 1, 7, 7)))


def test_maps_of_another_size_are_refused(cut, flower):
    with pytest.raises(InvalidRequest):
        cut(flower, prior=np.zeros((5, 5), np.float32))


def test_boxes_off_the_picture_are_clipped(cut, flower):
    (found,) = cut(flower, box=(-50, -50, 9000, 9000))
    assert found.mask.shape == flower.shape[:2]


def test_the_same_request_gives_the_same_mask(cut, flower):
    (a,), (b,) = cut(flower, box=FLOWER), cut(flower, box=FLOWER)
    assert (a.mask == b.mask).all() and a.score == b.score
