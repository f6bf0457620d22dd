"""The square for the networks, against reference matrices."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.local.liveportrait import crop

REFERENCE = np.load(Path(__file__).with_name("parity_crop.npz"))
NEAR = 1e-4  # px


@pytest.mark.parametrize("turn", [False, True])
@pytest.mark.parametrize("scheme", [203, 106, 68, 5])
def test_squares_of_every_scheme_of_landmarks(scheme, turn):
    name = f"crop_{scheme}_rot{int(turn)}_"
    found = crop.crop_along(REFERENCE[name + "pts"], tuple(REFERENCE[name + "pt2"]), turn=turn)
    assert np.abs(found.into - REFERENCE[name + "M_o2c"]).max() <= NEAR
    assert np.abs(found.back - REFERENCE[name + "M_c2o"]).max() <= NEAR


def test_the_square_of_the_landmark_net():
    points, upright = REFERENCE["crop_203_rot1_pts"], tuple(REFERENCE["crop_203_rot1_pt2"])
    found = crop.crop_along(points, upright, side=224, scale=1.5, lift=-0.1)
    assert np.abs(found.into - REFERENCE["lmkrunner_M_o2c"]).max() <= NEAR


def test_the_published_mask_of_paste_back():
    levels = np.rint(crop.template() * 255).astype(np.uint8)
    laid = cv2.warpAffine(levels, REFERENCE["crop_203_rot1_M_c2o"][:2], (640, 600))
    assert np.array_equal(laid[::4, ::4] / np.float32(255), REFERENCE["paste_mask_slice"])


def test_landmarks_of_the_mesh_give_an_upright_square():
    rng = np.random.default_rng(0)
    mesh = rng.uniform(250, 350, (478, 3))
    mesh[[468, 473]] = [[280, 280, 0], [320, 280, 0]]
    mesh[14] = [300, 330, 0]
    level = crop.crop_of(mesh)
    assert level.into[0, 1] == pytest.approx(0, abs=1e-6)
    turn = cv2.getRotationMatrix2D((300, 300), 25, 1)
    turned = mesh.copy()
    turned[:, :2] = mesh[:, :2] @ turn[:, :2].T + turn[:, 2]
    tilted = crop.crop_of(turned)
    for point, there in zip(mesh[list(crop.FRAME), :2], turned[list(crop.FRAME), :2], strict=True):
        a, b = (found.into @ [*place, 1] for found, place in ((level, point), (tilted, there)))
        assert np.abs(a - b).max() < 1e-3
