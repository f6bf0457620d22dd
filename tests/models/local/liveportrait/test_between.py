"""Keyframes with flow between them, and detail carried along, judged on the mesh engine's cells."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from benchmarks.silence import SILENT
from models.local import face_detector, face_mesh, mesh_portrait
from models.local.liveportrait import between
from models.local.liveportrait.detail import Detail
from models.requests import FaceDetection, FaceLandmarks, PortraitRetarget, Pose
from models.spec import Host
from scenehf.gaze import grid
from scenehf.gaze.judge import psnr

SIDE = 30


@pytest.fixture(scope="module")
def draw(weights_dir, photo_path):
    """A function from poses to cells, and the source at their size."""
    image = cv2.cvtColor(cv2.imread(str(photo_path("astronaut")))[:320, 60:380], cv2.COLOR_BGR2RGB)
    host = Host(weights=weights_dir)
    faces = face_detector.load(host)(FaceDetection(image), SILENT)
    (face,) = face_mesh.load(host)(FaceLandmarks(image, faces), SILENT)
    asked = PortraitRetarget(image, face.points, [], 320)
    model = mesh_portrait.load(Host(weights=weights_dir, threads=2))
    return lambda poses: list(model(replace(asked, poses=poses), SILENT)), image


def test_cells_between_keyframes(draw):
    cells, _ = draw
    poses = grid.poses(SIDE)
    places = between.keys(SIDE)
    drawn = {poses[row, column] for row in places for column in places}
    looked = [
        list(poses.values())[place] for place in np.random.default_rng(0).choice(SIDE**2, 40, replace=False)
    ]
    needed = [*drawn, *looked]
    truth = dict(zip(needed, cells(needed), strict=True))
    asked = []

    def one(pose):
        asked.append(pose)
        return truth[pose]

    made = between.Grid(list(poses.values()), one)
    errors = [psnr(made.cell(pose), truth[pose]) for pose in looked if pose not in drawn]
    assert set(asked) <= drawn
    assert len(asked) == len(set(asked)) <= between.KEYS**2
    assert np.median(errors) >= 34


def test_keyframes_are_the_cells_themselves(draw):
    cells, _ = draw
    poses = list(grid.poses(9).values())
    corner = next(between.cells(poses, lambda pose: cells([pose])[0], SILENT))
    assert np.array_equal(corner, cells(poses[:1])[0])


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 30, 60])
def test_keyframes_reach_from_end_to_end(count):
    places = between.keys(count)
    assert places[0] == 0 and places[-1] == count - 1
    assert len(places) == min(count, between.KEYS)
    for place in range(count):
        low, high, t = between.around(places, place)
        assert low <= place <= high and low in places and high in places
        assert place == pytest.approx(low + t * (high - low))


def test_a_few_cells_or_tilted_ones_are_no_grid():
    poses = list(grid.poses(9).values())
    assert between.is_grid(poses)
    assert not between.is_grid(poses[:64])
    assert not between.is_grid([*poses, Pose(roll=1)])


def test_detail_is_carried_to_where_it_belongs(draw):
    cells, source = draw

    def soft(image):
        return cv2.GaussianBlur(image, (0, 0), 1.6)

    def sharpness(image):
        return cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_32F)[60:220, 90:230].var()

    transfer = Detail(source, soft(source))
    for truth in cells([Pose(yaw=8, pitch=5), Pose(yaw=-5, pupil_x=-1)]):
        blurred = soft(truth)
        found = np.clip(transfer.added(blurred, transfer.origins(blurred)), 0, 255).astype(np.uint8)
        assert sharpness(found) >= 2 * sharpness(blurred)
        assert psnr(found, truth) > psnr(blurred, truth)


def test_an_unmoved_cell_is_the_source(draw):
    _, source = draw
    base = cv2.GaussianBlur(source, (0, 0), 3)
    transfer = Detail(source, base)
    assert np.array_equal(transfer.added(base, transfer.origins(base)), source)
