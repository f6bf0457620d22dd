"""The engine over networks with stand-in weights: they paint no portrait, but stillness, shapes and cancelling show."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from benchmarks.silence import SILENT, Silence
from benchmarks.standin import standin
from models.errors import InvalidRequest, WeightsMissing
from models.local import face_detector, face_mesh, liveportrait
from models.local.liveportrait.engine import edit_of
from models.local.liveportrait.expressions import Edit, controls, edited, turned
from models.local.liveportrait.networks.chip import placed
from models.requests import Calibration, FaceDetection, FaceLandmarks, PortraitRetarget, Pose
from models.spec import Host
from scenehf.gaze import grid

TURNED = Pose(yaw=8, pitch=4, pupil_x=1, pupil_y=-0.5)


class PlainChip:
    """Networks' places taken by a plain shift: the square is carried along with the keypoints' mean."""

    batch = 2
    dtype = torch.float32
    REACH = 100  # px per unit of a keypoint

    def __init__(self):
        self.painted_so_far = 0

    def encoded(self, image):
        told = {name: np.zeros((1, 66), np.float32) for name in ("pitch", "yaw", "roll")}
        points = np.random.default_rng(0).normal(0, 0.3, (1, 63)).astype(np.float32)
        points[:, 2::3] -= 0.5  # all of it in front of the pivot, so that turning moves it
        still = {"t": np.zeros((1, 3), np.float32), "exp": np.zeros((1, 63), np.float32)}
        self.square = cv2.resize(image[0].permute(1, 2, 0).numpy(), (512, 512))
        return image, told | still | {"kp": points, "scale": np.ones((1, 1), np.float32)}

    def source(self, feature, keypoints):
        return keypoints

    def stitch(self, source, driving):
        return torch.zeros(len(driving), 65)

    def painted(self, source, driving):
        assert len(driving) <= self.batch
        self.painted_so_far += len(driving)
        ways = (driving - source).mean(dim=1).numpy() * self.REACH
        shifted = [
            cv2.warpAffine(self.square, np.float32([[1, 0, x], [0, 1, y]]), (512, 512)) for x, y, _ in ways
        ]
        return torch.from_numpy((np.stack(shifted) * 255).astype(np.uint8))


@pytest.fixture
def model():
    return liveportrait.LivePortrait(PlainChip(), PlainChip, 2)


@pytest.fixture
def portrait(weights_dir, grace_hopper):
    host = Host(weights=weights_dir)
    faces = face_detector.load(host)(FaceDetection(grace_hopper), SILENT)
    (face,) = face_mesh.load(host)(FaceLandmarks(grace_hopper, faces), SILENT)
    return PortraitRetarget(grace_hopper, face.points, [Pose()], 256)


@pytest.fixture
def source(portrait):
    return cv2.resize(portrait.image, (218, 256), interpolation=cv2.INTER_AREA)


@pytest.fixture
def person(portrait):
    alpha = np.zeros(portrait.image.shape[:2], np.float32)
    x, y = portrait.points[:, :2].mean(axis=0).astype(int)
    alpha[y - 120 : y + 120, x - 90 : x + 90] = 1
    return alpha


def psnr(a, b):
    return 10 * np.log10(255**2 / max(1e-9, np.mean((a.astype(np.float32) - b) ** 2)))


def nose(image, portrait):
    """Where the tip of the nose has gone, in px of a cell: where a patch of the source fits best."""
    x, y = (portrait.points[1, :2] * 256 / 600).astype(int)
    patch = cv2.resize(portrait.image, (218, 256), interpolation=cv2.INTER_AREA)[
        y - 12 : y + 12, x - 12 : x + 12
    ]
    _, _, _, best = cv2.minMaxLoc(cv2.matchTemplate(image[..., :3].copy(), patch, cv2.TM_CCOEFF_NORMED))
    return best[0] + 12 - x, best[1] + 12 - y


def test_an_unmoved_pose_is_the_source_and_others_turn_the_right_way(model, portrait, source):
    poses = [Pose(), Pose(yaw=10), Pose(yaw=-10), Pose(pitch=10), Pose(pitch=-10)]
    still, right, left, up, down = model(replace(portrait, poses=poses), SILENT)
    assert still.shape == (256, 218, 3)
    assert still.dtype == np.uint8
    assert np.array_equal(still, source)
    assert nose(right, portrait)[0] > 0 > nose(left, portrait)[0]
    assert nose(down, portrait)[1] > 0 > nose(up, portrait)[1]


def test_with_a_matte_the_background_stands_still_and_a_cut_out_has_its_own(model, portrait, source, person):
    asked = replace(portrait, poses=[Pose(), TURNED], alpha=person)
    still, turned = model(asked, SILENT)
    assert np.array_equal(still, source)
    assert np.array_equal(turned[:, :10], source[:, :10])  # to the last bit
    still, turned = model(replace(asked, cutout=True), SILENT)
    assert still.shape == turned.shape == (256, 218, 4)
    small = cv2.resize(person, (218, 256), interpolation=cv2.INTER_AREA)
    assert np.abs(still[..., 3] - 255 * small).max() <= 1
    assert not np.array_equal(turned[..., 3], still[..., 3])


def test_an_expression_changes_every_cell_but_not_what_is_compared_with_the_source(model, portrait, source):
    (plain,) = model(portrait, SILENT)
    (smiling,) = model(replace(portrait, expression={"smile": 1.3}), SILENT)
    assert np.array_equal(plain, source)
    assert not np.array_equal(smiling, source)


def test_a_cancel_is_heard_before_the_next_batch(model, portrait):
    class Stop(BaseException):
        pass

    class Cancelled(Silence):
        def check(self):
            if model._chip.painted_so_far > 4:
                raise Stop

    with pytest.raises(Stop):
        list(model(replace(portrait, poses=[TURNED] * 50), Cancelled()))
    assert model._chip.painted_so_far <= 4 + PlainChip.batch


def test_the_fast_way_paints_keyframes_alone(model, portrait):
    poses = list(grid.poses(12).values())
    cells = model(replace(portrait, poses=poses, fast=True), SILENT)
    assert next(cells).shape == (256, 218, 3)
    assert model._chip.painted_so_far == 2  # the source, and one corner
    assert len(list(cells)) == len(poses) - 1
    assert model._chip.painted_so_far == 1 + 64


@pytest.mark.slow
def test_with_real_networks_an_unmoved_pose_is_the_source(portrait, source):
    still, turned = liveportrait.LivePortrait(placed(standin, "cpu"), PlainChip)(
        replace(portrait, poses=[Pose(), TURNED]), SILENT
    )
    assert psnr(still, source) > 60
    assert not np.array_equal(turned, still)


def test_a_chip_that_overflows_goes_on_in_single_precision(portrait, source):
    class Loud(PlainChip):
        dtype = torch.float16

        def painted(self, source, driving):
            raise FloatingPointError

    heard = []

    class Heard(Silence):
        def log(self, text):
            heard.append(text)

    model = liveportrait.LivePortrait(Loud(), PlainChip)
    (cell,) = model(portrait, Heard())
    assert heard == ["This device overflows in half precision: going on in single precision."]
    assert np.array_equal(cell, source)


@pytest.mark.slow
def test_numbers_that_are_none_are_never_a_picture():
    chip = placed(standin, "cpu")
    source = chip.source(torch.zeros(1, 32, 16, 64, 64), torch.zeros(1, 21, 3))
    with pytest.raises(FloatingPointError):
        chip.painted(source, torch.full((1, 21, 3), torch.nan))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"points": np.zeros((468, 3), np.float32)}, "478 points"),
        ({"size": 8}, "between 16 and 4096"),
        ({"alpha": np.zeros((2, 2), np.float32)}, "differ in size"),
        ({"cutout": True}, "needs a matte"),
        ({"calibration": Calibration(yaw=0)}, "above zero"),
        ({"expression": {"grin": 1.0}}, "no control 'grin'"),
        ({"expression": {"smile": 9.0}}, r"smile goes from -0\.3 to 1\.3"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_drawn(model, portrait, wrong, told):
    with pytest.raises(InvalidRequest, match=told):
        model(replace(portrait, **wrong), SILENT)


def test_without_weights_there_is_one_sentence(tmp_path: Path):
    with pytest.raises(WeightsMissing, match=r"Run `\./launch\.sh models pull liveportrait`\."):
        liveportrait.load(Host(weights=tmp_path))


# --- the words of poses and expressions ----------------------------------------------------------------------


def test_directions_are_those_of_the_picture():
    edit = edit_of(
        Pose(yaw=5, pitch=3, roll=2, pupil_x=0.5, pupil_y=1), Calibration(yaw=2, pitch=1, gaze=0.5)
    )
    assert edit == Edit(pitch=-3, yaw=-2.5, roll=2, gaze_x=15, gaze_y=15, eyebrow=15)


def test_no_edit_changes_nothing_and_every_control_something():
    expression = np.zeros((21, 3), np.float32)
    assert not edited(expression, Edit()).any()
    assert turned(Edit()) == (0, 0, 0)
    for name, (low, high) in controls().items():
        assert low <= 0 < high
        assert edited(expression, replace(Edit(), **{name: high})).any(), name


def test_an_expression_goes_along_with_a_pose():
    edit = edit_of(Pose(yaw=5, pupil_y=0.2), Calibration(), {"smile": 1.0, "eyebrow": 2.0, "wink": 10.0})
    assert (edit.smile, edit.eyebrow, edit.yaw) == (1, 5, -5)
    assert turned(edit) == (0, -6, -1)
