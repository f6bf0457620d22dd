"""The geometric engine: poses turn the head the right way, and what should stand still does, to the last bit."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.silence import SILENT, Silence
from models.errors import InvalidRequest
from models.local import face_detector, face_mesh, mesh_portrait
from models.local.mesh_portrait.eyes import eyes_of
from models.local.mesh_portrait.field import MOST_PITCH, MOST_YAW, Motion
from models.local.mesh_portrait.head import head_of
from models.local.mesh_portrait.layers import split
from models.requests import Calibration, FaceDetection, FaceLandmarks, PortraitRetarget, Pose
from models.spec import Host

NOSE_TIP = 1
EXTREMES = [Pose(yaw=x * 10, pitch=y * 8, pupil_x=x, pupil_y=y) for y in (1, -1) for x in (-1, 1)]


@pytest.fixture(scope="module")
def landmarks(weights_dir: Path):
    host = Host(weights=weights_dir)
    detect, mesh = face_detector.load(host), face_mesh.load(host)
    return lambda image: mesh(FaceLandmarks(image, detect(FaceDetection(image), SILENT)), SILENT)


@pytest.fixture
def portrait(landmarks, grace_hopper):
    (face,) = landmarks(grace_hopper)
    return PortraitRetarget(grace_hopper, face.points, [Pose()], 300)


def soft_person(image, points):
    """A plain stand-in for a matte: an ellipse around the head, and shoulders."""
    alpha = np.zeros(image.shape[:2], np.uint8)
    x, y = points[:468, :2].mean(axis=0)
    width, height = np.ptp(points[:468, :2], axis=0)
    cv2.ellipse(
        alpha, ((float(x), float(y - 0.1 * height)), (1.5 * float(width), 1.7 * float(height)), 0), 255, -1
    )
    cv2.rectangle(alpha, (int(x - width), int(y + 0.8 * height)), (int(x + width), len(alpha)), 255, -1)
    return cv2.GaussianBlur(alpha, (0, 0), 2).astype(np.float32) / 255


def cells(request, poses):
    return list(mesh_portrait.load(Host(weights=Path()))(replace(request, poses=poses), SILENT))


# --- shape and stillness -------------------------------------------------------------------------------------


def test_cells_keep_the_shape_of_the_photo(portrait):
    (cell,) = cells(portrait, [Pose()])
    assert cell.shape == (300, 256, 3) and cell.dtype == np.uint8


def test_the_pose_that_asks_for_nothing_is_the_photo(portrait):
    source = cv2.resize(portrait.image, (256, 300), interpolation=cv2.INTER_AREA)
    (cell,) = cells(portrait, [Pose()])
    assert np.array_equal(cell, source)


def test_with_a_matte_it_is_the_photo_as_well_and_the_background_never_moves(portrait):
    alpha = soft_person(portrait.image, portrait.points)
    source = cv2.resize(portrait.image, (256, 300), interpolation=cv2.INTER_AREA)
    small = cv2.resize(alpha, (256, 300), interpolation=cv2.INTER_AREA)
    drawn = cells(replace(portrait, alpha=alpha), [Pose(), *EXTREMES])
    assert np.abs(drawn[0].astype(int) - source).max() <= 1
    far = cv2.dilate((small > 0.01).astype(np.uint8), np.ones((41, 41))) == 0
    assert far.mean() > 0.1
    for cell in drawn:
        assert np.array_equal(cell[far], source[far])


def test_a_cell_does_not_depend_on_those_before_it(portrait):
    alone = cells(portrait, [EXTREMES[2]])[0]
    after = cells(portrait, [*EXTREMES[:2], EXTREMES[2]])[2]
    assert np.array_equal(alone, after)


def test_threads_change_nothing(portrait):
    one, many = (
        list(
            mesh_portrait.load(Host(weights=Path(), threads=threads))(
                replace(portrait, poses=EXTREMES * 3), SILENT
            )
        )
        for threads in (1, 4)
    )
    assert all(np.array_equal(a, b) for a, b in zip(one, many, strict=True))


def test_the_request_is_left_as_it_was(portrait):
    image, points = portrait.image.copy(), portrait.points.copy()
    cells(portrait, EXTREMES)
    assert np.array_equal(portrait.image, image) and np.array_equal(portrait.points, points)


# --- motion --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pose", "axis", "sign"),
    [
        (Pose(yaw=8), 0, 1),
        (Pose(yaw=-8), 0, -1),
        (Pose(pitch=8), 1, -1),
        (Pose(pitch=-8), 1, 1),
    ],
)
def test_the_nose_goes_where_the_head_turns(portrait, landmarks, pose, axis, sign):
    still, turned = (landmarks(cell)[0] for cell in cells(replace(portrait, size=512), [Pose(), pose]))
    assert sign * (turned.points[NOSE_TIP] - still.points[NOSE_TIP])[axis] > 6


def test_roll_tilts_clockwise(portrait, landmarks):
    still, rolled = (
        landmarks(cell)[0] for cell in cells(replace(portrait, size=512), [Pose(), Pose(roll=10)])
    )
    angles = [np.degrees(np.arctan2(*(f.points[263, :2] - f.points[33, :2])[::-1])) for f in (still, rolled)]
    assert 6 < angles[1] - angles[0] < 13


def test_a_calibration_divides_the_angles(portrait):
    plain = cells(portrait, [Pose(yaw=4, pitch=3)])[0]
    divided = cells(replace(portrait, calibration=Calibration(2, 2)), [Pose(yaw=8, pitch=6)])[0]
    assert np.array_equal(plain, divided)


def test_angles_are_clamped_before_the_surface_folds(portrait):
    most, more = cells(portrait, [Pose(yaw=MOST_YAW, pitch=MOST_PITCH), Pose(yaw=60, pitch=50)])
    assert np.array_equal(most, more)


def test_nothing_folds_at_the_corners(portrait):
    engine = mesh_portrait.load(Host(weights=Path()))
    assert engine.least_area(replace(portrait, poses=EXTREMES)) > 0.3


def test_the_field_is_inverted_to_a_fraction_of_a_pixel(portrait):
    head = head_of(portrait.points, (512, 600))
    motion = Motion(head, None, ())
    forward, back = motion.forward(EXTREMES[0]), motion.backward(EXTREMES[0])
    there = cv2.remap(forward, motion.origin(back), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    error = np.abs(there - back).max(axis=2)
    assert np.percentile(error[np.abs(back).max(axis=2) > 1], 95) < 0.3


# --- eyes ----------------------------------------------------------------------------------------------------


def test_the_irises_follow_the_pupils(portrait, landmarks):
    poses = [Pose(pupil_x=-1), Pose(pupil_x=1), Pose(pupil_y=-1), Pose(pupil_y=1)]
    left, right, down, up = (landmarks(cell)[0] for cell in cells(replace(portrait, size=512), poses))
    for iris in (468, 473):
        assert right.points[iris, 0] - left.points[iris, 0] > 2
        assert up.points[iris, 1] < down.points[iris, 1]


def test_an_unmoved_eye_is_the_source(portrait, astronaut, landmarks):
    (face,) = landmarks(astronaut)
    eyes, lids = eyes_of(astronaut, face.points)
    assert len(eyes) == 2 and len(lids) == 4
    for eye in eyes:
        x0, y0, x1, y1 = eye.box
        assert np.array_equal(eye.looking(0, 0), astronaut[y0:y1, x0:x1])
        assert (eye.looking(1, 0) != eye.looking(-1, 0)).any()


def test_closed_blank_and_tiny_eyes_do_not_move(astronaut, landmarks):
    (face,) = landmarks(astronaut)
    closed = face.points.copy()
    for upper, lower in ((160, 144), (159, 145), (158, 153), (385, 380), (386, 374), (387, 373)):
        closed[upper, 1] = closed[lower, 1] - 0.5
    assert eyes_of(astronaut, closed) == ((), ())
    assert eyes_of(np.full_like(astronaut, 120), face.points) == ((), ())
    assert eyes_of(cv2.resize(astronaut, (128, 128)), face.points / 4) == ((), ())


# --- cut-outs ------------------------------------------------------------------------------------------------


def test_a_cut_out_moves_its_alpha_with_the_head(portrait):
    alpha = soft_person(portrait.image, portrait.points)
    still, right = cells(replace(portrait, alpha=alpha, cutout=True), [Pose(), Pose(yaw=10, roll=8)])
    assert still.shape == (300, 256, 4)
    small = cv2.resize(alpha, (256, 300), interpolation=cv2.INTER_AREA)
    assert np.abs(still[..., 3] / 255 - small).max() < 0.01
    assert np.abs(right[..., 3].astype(int) - still[..., 3]).max() > 100
    assert (still[..., :3][still[..., 3] == 0] == 0).all()


def test_the_sheets_give_the_image_whatever_the_matte(astronaut):
    random = np.random.default_rng(1)
    for alpha in (random.random((512, 512)), np.zeros((512, 512)), np.ones((512, 512))):
        sheets = split(astronaut, alpha.astype(np.float32), explain=True)
        clear = 1 - sheets.person[..., 3:] / 255
        assert np.abs(sheets.person[..., :3] + clear * sheets.background - astronaut).max() <= 1.5


# --- refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"points": np.zeros((468, 3), np.float32)},
        {"size": 8},
        {"size": 9000},
        {"cutout": True},
        {"alpha": np.ones((3, 3), np.float32)},
        {"calibration": Calibration(0, 1)},
    ],
)
def test_what_cannot_be_drawn_is_refused_before_the_first_cell(portrait, wrong):
    with pytest.raises(InvalidRequest):
        mesh_portrait.load(Host(weights=Path()))(replace(portrait, **wrong), SILENT)


def test_a_cancel_stops_between_cells(portrait):
    class Cancelled(BaseException):
        pass

    class Stopping(Silence):
        calls = 0

        def check(self):
            self.calls += 1
            if self.calls > 2:
                raise Cancelled

    stream = mesh_portrait.load(Host(weights=Path()))(replace(portrait, poses=EXTREMES), Stopping())
    assert next(stream).shape == next(stream).shape
    with pytest.raises(Cancelled):
        next(stream)


@pytest.mark.parametrize("size", [(40, 30), (300, 20)])
def test_landmarks_beyond_a_small_picture_do_no_harm(portrait, size):
    image = np.full((*size, 3), 90, np.uint8)
    drawn = cells(replace(portrait, image=image, size=64), EXTREMES)
    assert all(max(cell.shape) == 64 and (cell == 90).all() for cell in drawn)
