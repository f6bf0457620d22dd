"""Every check passes on a good result and catches the fault it is there for."""

import cv2
import numpy as np
import pytest

from scenehf.layers.engines import Cut, Plate
from scenehf.layers.validate import Check, check_cut, check_plate, check_recomposition, worst

BOX = (60.0, 40.0, 140.0, 160.0)


@pytest.fixture
def image(coffee):
    return cv2.resize(coffee, (200, 200), interpolation=cv2.INTER_AREA)


@pytest.fixture
def picture(image):
    """A red ellipse in front of the photo: (picture, its alpha)."""
    alpha = np.zeros((200, 200), np.float32)
    cv2.ellipse(alpha, (100, 100), (40, 60), 0, 0, 360, 1.0, -1, cv2.LINE_AA)
    red = np.array([200, 30, 30], np.float32)
    mixed = image * (1 - alpha[..., None]) + red * alpha[..., None]
    return mixed.astype(np.uint8), np.clip(alpha, 0, 1)


def verdicts(checks: list[Check]) -> dict[str, str]:
    return {check.name: check.verdict for check in checks}


def test_a_good_cut_passes_every_check(picture):
    image, alpha = picture
    checks = check_cut(Cut(alpha, confidence=0.9), image, BOX, (0.05, 0.5), [np.zeros_like(alpha)])
    assert worst(checks) == "pass"
    assert len(checks) == 7
    assert all(not check.advice for check in checks)


def broken(name, alpha):
    empty, whole = np.zeros_like(alpha), np.ones_like(alpha)
    if name == "nothing found":
        return Cut(empty)
    if name == "everything taken":
        return Cut(whole)
    if name == "wrong size":
        return Cut(alpha[:100])
    if name == "somewhere else":
        return Cut(np.roll(alpha, (30, 55), (0, 1)))
    if name == "many pieces":
        dots = empty.copy()
        for x in range(65, 140, 15):
            for y in range(45, 160, 30):
                cv2.circle(dots, (x, y), 5, 1.0, -1)
        return Cut(dots)
    if name == "fog":
        return Cut(alpha * 0.5)
    if name == "nobody is sure":
        return Cut(alpha, confidence=0.1)
    raise AssertionError(name)


@pytest.mark.parametrize(
    ("fault", "check", "verdict"),
    [
        ("nothing found", "coverage", "fail"),
        ("everything taken", "coverage", "fail"),
        ("wrong size", "size", "fail"),
        ("somewhere else", "box fit", "fail"),
        ("many pieces", "pieces", "review"),
        ("fog", "soft share", "review"),
        ("nobody is sure", "confidence", "review"),
    ],
)
def test_each_fault_is_caught_and_explained(picture, fault, check, verdict):
    image, alpha = picture
    found = {c.name: c for c in check_cut(broken(fault, alpha), image, BOX)}
    assert found[check].verdict == verdict
    assert found[check].advice.endswith(".")


def test_an_outline_on_a_plain_wall_is_doubted():
    wall = np.full((200, 200, 3), 128, np.uint8)
    alpha = np.zeros((200, 200), np.float32)
    cv2.circle(alpha, (100, 100), 50, 1.0, -1)
    assert verdicts(check_cut(Cut(alpha), wall, None))["edge contrast"] == "review"


def test_the_same_object_twice_fails(picture):
    image, alpha = picture
    assert verdicts(check_cut(Cut(alpha), image, BOX, None, [alpha]))["overlap with other layers"] == "fail"


def test_a_planned_coverage_is_held(picture):
    image, alpha = picture
    assert verdicts(check_cut(Cut(alpha), image, BOX, (0.5, 0.9)))["coverage"] == "review"


def test_a_true_plate_passes_and_bad_ones_do_not(picture, image):
    mixed, alpha = picture
    hole = cv2.dilate(alpha, np.ones((9, 9))) > 0
    good = np.where(hole[..., None], image, mixed)
    assert worst(check_plate(Plate(good, hole), mixed, [alpha])) == "pass"
    textured = mixed.copy()
    textured[hole] = cv2.add(mixed, np.random.default_rng(0).integers(0, 40, mixed.shape, np.uint8))[hole]
    unchanged = check_plate(Plate(textured, np.zeros_like(hole)), textured, [alpha])
    assert verdicts(unchanged)["object gone"] == "fail"
    elsewhere = good.copy()
    elsewhere[~hole] = np.roll(good, 6, 1)[~hole]
    assert verdicts(check_plate(Plate(elsewhere, hole), mixed, [alpha]))["rest untouched"] == "fail"


def test_a_smeared_plate_is_doubted():
    rng = np.random.default_rng(1)
    gravel = rng.integers(0, 255, (200, 200, 3), np.uint8)
    alpha = np.zeros((200, 200), np.float32)
    alpha[60:140, 60:140] = 1
    hole = alpha > 0
    smear = np.where(hole[..., None], cv2.GaussianBlur(gravel, (0, 0), 8), gravel)
    assert verdicts(check_plate(Plate(smear, hole), gravel, [alpha]))["texture"] == "review"


@pytest.mark.parametrize(("greatest", "verdict"), [(0, "pass"), (2, "pass"), (3, "fail")])
def test_the_scene_must_add_up_to_the_photo(greatest, verdict):
    assert check_recomposition(greatest).verdict == verdict
