"""From any photo to a portrait, or to a sentence that says why not."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.silence import SILENT
from models.pool import Pool
from models.requests import Calibration, FaceMesh, Pose
from models.spec import Host
from scenehf.gaze import lids, prepare


@pytest.fixture(scope="module")
def pool(weights_dir: Path) -> Pool:
    return Pool(Host(weights=weights_dir))


def ready(photo, pool, size=192, click=None, **options):
    face = prepare.choose(prepare.find_faces(photo, pool, SILENT), click)
    return prepare.prepare(photo, face, size, pool, SILENT, **options)


def drawing():
    """A child's face: a circle, two dots and a mouth."""
    picture = np.full((300, 300, 3), 255, np.uint8)
    cv2.circle(picture, (150, 150), 110, (0, 0, 0), 3)
    for x in (110, 190):
        cv2.circle(picture, (x, 120), 8, (0, 0, 0), -1)
    cv2.ellipse(picture, (150, 190), (50, 25), 0, 0, 180, (200, 30, 30), 3)
    return picture


def test_a_portrait_keeps_its_shape_and_is_calibrated(grace_hopper, pool):
    portrait = ready(grace_hopper, pool)
    assert portrait.image.shape == (192, 164, 3)
    assert portrait.alpha is not None and portrait.alpha.shape == (192, 164)
    assert portrait.calibration != Calibration()
    assert 0.7 < portrait.calibration.yaw < 1.6 and 0.7 < portrait.calibration.pitch < 1.6


def test_open_eyes_are_told_for_blinks(grace_hopper, pool):
    portrait = ready(grace_hopper, pool)
    left, right = portrait.eyes
    assert left["upper"][0] == left["lower"][0] and left["upper"][-1][0] < right["upper"][0][0]
    for eye in (left, right):
        upper, lower = np.array(eye["upper"]), np.array(eye["lower"])
        assert (np.diff(upper[:, 0]) > 0).all() and eye["brow"] < upper[:, 1].min() < lower[4, 1]
        assert eye["right"][0] > 0.01 > abs(eye["right"][1]) and eye["down"][1] > 0.01 > abs(eye["down"][0])


def test_closed_eyes_do_not_blink(grace_hopper, pool):
    face = ready(grace_hopper, pool).face
    points = face.points.copy()
    for upper, lower in lids.LIDS:
        points[list(upper)] = points[list(lower)]
    assert lids.lids(replace(face, points=points), (), Calibration(), (100, 100)) == []


def test_a_small_face_is_framed_inside_the_photo(astronaut, pool):
    portrait = ready(astronaut, pool)
    x, y, width, height = portrait.frame
    assert x >= 0 and y >= 0 and x + width <= 512 and y + height <= 512
    assert width == height < 320
    assert ready(astronaut, pool, whole=True).frame == (0, 0, 512, 512)


@pytest.mark.parametrize("size", [(3000, 2000), (200, 900)])
@pytest.mark.parametrize("box", [(0, 0, 90, 100), (110, 100, 199, 199), (60, 500, 140, 600)])
def test_frames_never_leave_the_photo_and_keep_its_shape(size, box):
    face = FaceMesh(tuple(map(float, box)), 1, np.zeros((478, 3), np.float32))
    x, y, width, height = prepare.frame_of(size, face)
    assert 0 <= x <= x + width <= size[0] and 0 <= y <= y + height <= size[1]
    assert abs(width / height - size[0] / size[1]) < 0.02


def test_the_largest_of_two_faces_or_the_one_clicked_at(astronaut, grace_hopper, pool):
    picture = np.zeros((600, 1100, 3), np.uint8)
    picture[:512, :512], picture[:, 550:1062] = astronaut, grace_hopper
    faces = prepare.find_faces(picture, pool, SILENT)
    assert len(faces) == 2
    assert prepare.choose(faces).box[0] > 600
    assert prepare.choose(faces, (220, 120)).box[0] < 300


@pytest.mark.parametrize(
    "picture", [drawing(), np.zeros((1, 1, 3), np.uint8), np.full((400, 300, 3), 77, np.uint8)]
)
def test_without_a_face_there_is_a_sentence(picture, pool):
    with pytest.raises(prepare.NoFace, match="No face was found"):
        ready(picture, pool)


def test_a_face_too_small_is_refused_with_its_size(astronaut, pool):
    tiny = cv2.resize(astronaut, (100, 100), interpolation=cv2.INTER_AREA)
    faces = prepare.find_faces(tiny, pool, SILENT)
    with pytest.raises(prepare.NoFace, match=r"at least|No face"):
        prepare.choose(faces)


def test_a_face_of_thirty_pixels_turns(astronaut, pool):
    small = cv2.resize(astronaut, (150, 150), interpolation=cv2.INTER_AREA)
    portrait = ready(small, pool, size=128)
    (cell,) = pool("mesh-portrait", portrait.request([Pose(yaw=8)]), SILENT)
    assert cell.shape == (128, 128, 3) and (cell != portrait.image).any()


def test_a_grey_photo_and_a_turned_head(astronaut, pool):
    grey = cv2.cvtColor(cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    (cell,) = pool("mesh-portrait", ready(grey, pool).request([Pose(yaw=9, pitch=4, pupil_x=1)]), SILENT)
    assert np.ptp(cell.astype(int), axis=2).max() <= 2
    narrow = cv2.resize(astronaut[40:240, 120:320], (110, 200))  # half a profile is as narrow
    assert ready(narrow, pool).image.shape[0] == 192


def test_own_transparency_is_the_matte(grace_hopper, pool):
    own = np.zeros(grace_hopper.shape[:2], np.float32)
    own[60:, 100:420] = 1
    portrait = ready(grace_hopper, pool, own_alpha=own, whole=True)
    assert portrait.alpha is not None
    assert np.abs(portrait.alpha - cv2.resize(own, (164, 192), interpolation=cv2.INTER_AREA)).max() < 1e-6
    assert ready(grace_hopper, pool, own_alpha=np.ones_like(own)).alpha is not None
