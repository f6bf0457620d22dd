"""The landmarks: where eyes, nose and chin are, upright or not, near or far, and none where there is no face."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.silence import SILENT
from models.local import face_detector, face_mesh
from models.requests import Face, FaceDetection, FaceLandmarks
from models.spec import Host

NOSE_TIP, CHIN, RIGHT_IRIS, LEFT_IRIS = 1, 152, 468, 473


@pytest.fixture
def meshes(weights_dir: Path):
    host = Host(weights=weights_dir)
    detect, landmarks = face_detector.load(host), face_mesh.load(host)
    return lambda image: landmarks(FaceLandmarks(image, detect(FaceDetection(image), SILENT)), SILENT)


def test_eyes_nose_and_chin_of_a_portrait(meshes, astronaut):
    (face,) = meshes(astronaut)
    assert face.points.shape == (478, 3) and face.points.dtype == np.float32
    assert face.score > 0.9
    assert np.allclose(face.points[RIGHT_IRIS, :2], (203.5, 101), atol=1.5)
    assert np.allclose(face.points[LEFT_IRIS, :2], (246, 103), atol=1.5)
    assert np.allclose(face.points[CHIN, :2], (223, 175), atol=4)
    assert np.allclose(face.box, [*face.points[:, :2].min(axis=0), *face.points[:, :2].max(axis=0)])


def test_the_nose_is_nearer_than_the_ears(meshes, grace_hopper):
    (face,) = meshes(grace_hopper)
    assert face.points[NOSE_TIP, 2] < face.points[[234, 454], 2].min() - 30


@pytest.mark.parametrize("degrees", [-40, -15, 15, 40])
def test_a_tilted_head_has_the_same_landmarks(meshes, grace_hopper, degrees):
    height, width = grace_hopper.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    (upright,) = meshes(grace_hopper)
    (tilted,) = meshes(cv2.warpAffine(grace_hopper, turn, (width, height)))
    expected = upright.points[:, :2] @ turn[:, :2].T + turn[:, 2]
    eye_to_eye = np.hypot(*(expected[RIGHT_IRIS] - expected[LEFT_IRIS]))
    error = np.hypot(*(tilted.points[:, :2] - expected).T)
    assert error.mean() < 0.05 * eye_to_eye


def test_mirrored_eyes_are_found_as_well(meshes, astronaut):
    (face,) = meshes(astronaut)
    (mirrored,) = meshes(np.ascontiguousarray(astronaut[:, ::-1]))
    back = 511 - mirrored.points[[LEFT_IRIS, RIGHT_IRIS], 0]
    assert np.allclose(back, face.points[[RIGHT_IRIS, LEFT_IRIS], 0], atol=1.2)


def test_two_faces_in_the_order_of_the_request(meshes, astronaut, grace_hopper):
    picture = np.zeros((600, 1100, 3), np.uint8)
    picture[:512, :512] = astronaut
    picture[:, 550:1062] = grace_hopper
    large, small = meshes(picture)
    assert large.box[0] > 650 and small.box[2] < 300


def test_a_small_face_in_a_large_picture(meshes, astronaut, coffee):
    picture = cv2.resize(coffee, (2000, 1333))
    picture[500:900, 1000:1400] = cv2.resize(astronaut, (400, 400), interpolation=cv2.INTER_AREA)
    (face,) = meshes(picture)
    expected = np.array([203.5, 101]) * 400 / 512 + (1000, 500)
    assert np.allclose(face.points[RIGHT_IRIS, :2], expected, atol=2)


def test_a_grey_photo(meshes, astronaut):
    grey = cv2.cvtColor(cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    (face,) = meshes(grey)
    assert np.allclose(face.points[RIGHT_IRIS, :2], (203.5, 101), atol=2)


def test_what_is_no_face_is_left_out(weights_dir, coffee):
    landmarks = face_mesh.load(Host(weights=weights_dir))
    points = ((160.0, 150.0), (240.0, 150.0), (200.0, 190.0), (200.0, 230.0), (130.0, 160.0), (270.0, 160.0))
    claimed = Face((100, 100, 300, 300), 0.9, points)
    assert landmarks(FaceLandmarks(coffee, (claimed,)), SILENT) == ()


@pytest.mark.parametrize("size", [(1, 1), (2, 300)])
def test_a_box_on_a_tiny_picture(weights_dir, size):
    landmarks = face_mesh.load(Host(weights=weights_dir))
    face = Face((0.0, 0.0, 1.0, 1.0), 0.9, ((0.0, 0.0),) * 6)
    assert landmarks(FaceLandmarks(np.full((*size, 3), 99, np.uint8), (face,)), SILENT) == ()


def test_no_faces_no_landmarks(meshes, flower):
    assert meshes(flower) == ()
