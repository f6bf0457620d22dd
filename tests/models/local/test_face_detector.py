"""The face detector: where the eyes are, small faces in large pictures, and no faces where there are none."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.silence import SILENT
from models.local import face_detector
from models.requests import FaceDetection
from models.spec import Host


@pytest.fixture
def detect(weights_dir: Path):
    answer = face_detector.load(Host(weights=weights_dir))
    return lambda image: answer(FaceDetection(image), SILENT)


def test_one_face_with_its_key_points(detect, astronaut):
    (face,) = detect(astronaut)
    assert np.allclose(face.box, (175, 77, 274, 175), atol=6)
    right_eye, left_eye, nose, mouth, right_ear, left_ear = face.keypoints
    assert np.allclose(right_eye, (204, 101), atol=5)
    assert np.allclose(left_eye, (247, 106), atol=5)
    assert right_ear[0] < right_eye[0] < nose[0] < left_eye[0] < left_ear[0]
    assert right_eye[1] < nose[1] < mouth[1]


def test_a_face_of_two_hundredths_of_the_picture(detect, astronaut, coffee):
    picture = cv2.resize(coffee, (4000, 2667))
    picture[1000:1400, 2000:2400] = cv2.resize(astronaut, (400, 400), interpolation=cv2.INTER_AREA)
    (face,) = detect(picture)
    assert np.allclose(face.box, (2137, 1060, 2214, 1137), atol=12)


def test_two_faces_side_by_side_largest_first(detect, astronaut, grace_hopper):
    picture = np.zeros((600, 1100, 3), np.uint8)
    picture[:512, :512] = astronaut
    picture[:, 550:1062] = grace_hopper
    large, small = detect(picture)
    assert 700 < large.box[0] < 730
    assert 165 < small.box[0] < 185


def test_no_face_in_a_flower_a_cup_or_a_temple(detect, flower, coffee, china, rocket):
    for photo in (flower, coffee, china, rocket):
        assert detect(photo) == ()


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (900, 3)])
def test_tiny_pictures_have_no_faces(detect, size):
    assert detect(np.full((*size, 3), 128, np.uint8)) == ()
