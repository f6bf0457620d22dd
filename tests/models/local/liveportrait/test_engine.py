"""The engine over networks with stand-in weights: they paint no portrait, but stillness, shapes and cancelling show."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.silence import SILENT, Silence
from benchmarks.standin import standin
from models.errors import InvalidRequest, WeightsMissing
from models.local import face_detector, face_mesh, liveportrait
from models.local.liveportrait.engine import Engine, edit_of
from models.local.liveportrait.expressions import Edit, controls, edited, turned
from models.requests import Calibration, FaceDetection, FaceLandmarks, PortraitRetarget, Pose
from models.spec import Host

TURNED = Pose(yaw=8, pitch=4, pupil_x=1, pupil_y=-0.5)


@pytest.fixture(scope="module")
def model():
    return liveportrait.LivePortrait(standin)


@pytest.fixture
def portrait(weights_dir, grace_hopper):
    host = Host(weights=weights_dir)
    faces = face_detector.load(host)(FaceDetection(grace_hopper), SILENT)
    (face,) = face_mesh.load(host)(FaceLandmarks(grace_hopper, faces), SILENT)
    return PortraitRetarget(grace_hopper, face.points, [Pose()], 256)


def psnr(a, b):
    return 10 * np.log10(255**2 / max(1e-9, np.mean((a.astype(np.float32) - b) ** 2)))


def test_poses_give_cells_and_an_unmoved_pose_the_source(model, portrait):
    alpha = np.zeros(portrait.image.shape[:2], np.float32)
    x, y = portrait.points[:, :2].mean(axis=0).astype(int)
    alpha[y - 120 : y + 120, x - 90 : x + 90] = 1
    asked = replace(portrait, poses=[Pose(), TURNED], alpha=alpha, cutout=True)
    still, turned = model(asked, SILENT)
    assert still.shape == turned.shape == (256, 218, 4)
    assert still.dtype == np.uint8
    source = Engine(portrait, model._chip)._image
    assert psnr(still[..., :3], source) > 60
    assert not np.array_equal(turned, still)
    # Far from the person nothing moves, to the last bit.
    assert np.array_equal(turned[:, :10, :3], source[:, :10])


def test_a_cancel_is_heard_before_the_next_batch(model, portrait):
    class Stop(BaseException):
        pass

    class Cancelled(Silence):
        asked = 0

        def check(self):
            self.asked += 1
            if self.asked > 1:
                raise Stop

    with pytest.raises(Stop):
        list(model(replace(portrait, poses=[TURNED] * 50), Cancelled()))


@pytest.mark.slow
def test_a_chip_that_overflows_goes_on_in_single_precision(portrait):
    import torch

    from models.local.liveportrait.networks.chip import placed

    def loud(name):
        state = dict(standin(name))
        if name == "warping_module":
            state["fourth.weight"] = state["fourth.weight"] * 1e6  # beyond half precision's 65504
        return state

    heard = []

    class Heard(Silence):
        def log(self, text):
            heard.append(text)

    model = liveportrait.LivePortrait(loud)
    model._chip = placed(loud, "cpu", dtype=torch.float16)
    (cell,) = model(portrait, Heard())
    assert heard == ["This device overflows in half precision: going on in single precision."]
    assert model._chip.dtype == torch.float32
    assert cell.dtype == np.uint8


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
