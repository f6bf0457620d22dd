"""Sizes and places: whatever comes in goes out as large, and where nothing was changed nothing moved."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import InvalidRequest
from models.runtime import frames
from models.runtime.frames import brought_back, cells, framed
from models.spec import Fit

SIDE = st.one_of(
    st.integers(1, 40), st.sampled_from([127, 640, 1021, 1999, 4096, 8191, 8192]), st.integers(1, 8192)
)
FIT = Fit(most=1328 * 1328, reference=1024 * 1024)
MOST_TRIED = 2_500_000  # px: more only takes longer


def noise(width: int, height: int, seed: int = 0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def painted(width: int, height: int):
    """A picture with something to hold on to at every place."""
    ys, xs = np.mgrid[:height, :width].astype(np.float32)
    waves = [np.sin(xs / a + np.cos(ys / b)) for a, b in ((17, 23), (41, 11), (29, 37))]
    fine = np.random.default_rng(3).normal(0, 0.15, (height, width, 1))
    return np.clip((np.stack(waves, -1) + fine) * 60 + 128, 0, 255).astype(np.uint8)


@settings(max_examples=25, deadline=None)
@given(SIDE, SIDE)
def test_an_editor_that_changes_nothing_gives_back_the_very_picture(width, height):
    if width * height > MOST_TRIED:
        width = max(1, MOST_TRIED // height)
    picture = noise(width, height)
    frame = framed([picture], FIT)
    assert all(side % frames.MULTIPLE == 0 for side in frame.size)
    assert frame.small.shape[0] * frame.small.shape[1] <= FIT.most
    assert frame.references[0] is frame.padded
    if width * height <= FIT.most:
        assert frame.small is picture  # nothing is scaled
        assert np.array_equal(frame.padded[:height, :width], picture)
    assert np.array_equal(brought_back(frame.padded, frame), picture)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(8192, 8192), (8192, 4099)])
def test_the_largest_pictures_come_back_as_large(size):
    picture = noise(*size)
    frame = framed([picture], FIT)
    assert np.array_equal(brought_back(frame.padded, frame, np.ones(picture.shape[:2], np.float32)), picture)


@pytest.mark.parametrize("size", [(997, 641), (2003, 1501), (3001, 701)])
def test_nothing_moves(size):
    """An editor that only recolours: what it draws lies where it was, to half a pixel."""
    picture = painted(*size)
    frame = framed([picture], FIT)
    found = brought_back(255 - frame.padded, frame)
    assert found.shape == picture.shape
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) for image in (255 - picture, found)]
    for part in (np.s_[:256, :256], np.s_[-256:, -256:], np.s_[192:448, 300:556]):  # no zoom either
        window = cv2.createHanningWindow((256, 256), cv2.CV_32F)
        (right, down), sure = cv2.phaseCorrelate(
            *(np.ascontiguousarray(image[part]) for image in grey), window
        )
        assert sure > 0.5 and np.hypot(right, down) <= 0.1


def test_a_change_of_a_large_picture_replaces_its_detail_there_and_nowhere_else():
    picture = painted(1900, 1400)
    frame = framed([picture], FIT)
    drawn = frame.padded.copy()
    drawn[200:600, 300:800] = (200, 30, 60)
    found = brought_back(drawn, frame)
    scale = picture.shape[0] / frame.small.shape[0]
    inside = found[int(230 * scale) : int(570 * scale), int(330 * scale) : int(770 * scale)]
    assert np.abs(inside.astype(int) - (200, 30, 60)).max() <= 2
    outside = np.ones(picture.shape[:2], bool)
    outside[int(180 * scale) : int(620 * scale), int(280 * scale) : int(820 * scale)] = False
    assert np.array_equal(found[outside], picture[outside])


@pytest.mark.parametrize("size", [(101, 67), (1700, 1300)])
def test_outside_the_mask_no_bit_differs(size):
    picture = noise(*size)
    mask = np.zeros(picture.shape[:2], np.float32)
    mask[20:40, 30:60] = 1
    mask[20:40, 60] = 0.5
    frame = framed([picture], FIT)
    found = brought_back(255 - frame.padded, frame, mask)
    assert np.array_equal(found[mask == 0], picture[mask == 0])
    assert (found[mask == 1] != picture[mask == 1]).mean() > 0.9
    if frame.small is picture:
        assert np.array_equal(found[mask == 1], 255 - picture[mask == 1])
    touched = cells(mask, frame)
    assert touched.shape == (frame.size[1] // 8, frame.size[0] // 8)
    assert touched.any() and not touched.all()
    if frame.small is picture:
        spread = np.kron(touched, np.ones((8, 8)))[: size[1], : size[0]] > 0
        assert spread[mask > 0].all()
        assert spread.sum() <= 32 * 40


def test_two_side_by_side_are_as_high_as_the_first():
    first, second = noise(50, 40), noise(30, 80, 1)
    frame = framed([first, second], FIT, joined=True)
    assert frame.original.shape == (40, 65, 3)
    assert np.array_equal(frame.original[:, :50], first)
    assert len(frame.references) == 1
    mask = np.ones((40, 50), np.float32)
    found = brought_back(255 - frame.padded, frame, mask)
    assert np.array_equal(found[:, 50:], frame.original[:, 50:])
    assert np.array_equal(found[:, :50], 255 - first)
    with pytest.raises(InvalidRequest):
        brought_back(frame.padded, frame, np.ones((40, 70), np.float32))


def test_what_is_only_looked_at_keeps_its_size_unless_it_is_large():
    frame = framed([noise(33, 21), noise(100, 50), noise(3000, 2000)], FIT)
    assert frame.original.shape == (21, 33, 3)
    assert [reference.shape[:2] for reference in frame.references[:2]] == [(32, 48), (64, 112)]
    large = frame.references[2]
    assert large.shape[0] * large.shape[1] <= 1.05 * FIT.reference
    assert large.shape[1] / large.shape[0] == pytest.approx(1.5, abs=0.05)


def test_what_is_too_small_for_a_network_gets_a_wider_border():
    picture = noise(70, 3)
    frame = framed([picture], Fit(FIT.most, FIT.reference, least=64))
    assert frame.size == (80, 64)
    assert np.array_equal(brought_back(frame.padded, frame), picture)
    assert cells(np.ones((3, 70), np.float32), frame).sum() == 9


def test_a_side_beyond_what_is_promised_is_refused():
    with pytest.raises(InvalidRequest, match="1 to 8192 px"):
        framed([np.zeros((2, 8193, 3), np.uint8)], FIT)
