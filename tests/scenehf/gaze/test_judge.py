"""The judge on real cells and on what he has to notice: a grid that is right, and grids that are not."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.silence import SILENT
from models.local.mesh_portrait import MeshPortrait
from models.pool import Pool
from models.requests import FaceMesh, Pose
from models.spec import Host
from scenehf.gaze import grid, judge, prepare

SIDE = 5


@pytest.fixture(scope="module")
def pool(weights_dir: Path) -> Pool:
    return Pool(Host(weights=weights_dir))


@pytest.fixture(scope="module")
def portrait(pool, photo_path):
    photo = cv2.cvtColor(cv2.imread(str(photo_path("astronaut"))), cv2.COLOR_BGR2RGB)
    return prepare.prepare(photo, prepare.choose(prepare.find_faces(photo, pool, SILENT)), 256, pool, SILENT)


@pytest.fixture(scope="module")
def cells(pool, portrait):
    poses = grid.poses(SIDE)
    return dict(
        zip(poses, pool("mesh-portrait", portrait.request(list(poses.values())), SILENT), strict=True)
    )


def verdict(cells, portrait, pool):
    area = MeshPortrait().least_area(portrait.request(list(grid.poses(SIDE).values())))
    neutral = next(pool("mesh-portrait", portrait.request([Pose()]), SILENT))
    return judge.measure(cells, grid.poses(SIDE), portrait.image, portrait.face, area, neutral, pool, SILENT)


def test_a_grid_of_the_mesh_engine_meets_every_bar(cells, portrait, pool):
    found = verdict(cells, portrait, pool)
    assert judge.missed(found) == (), found


def test_a_mirrored_grid_turns_the_wrong_way(cells, portrait, pool):
    mirrored = {(row, column): cells[row, SIDE - 1 - column] for row, column in cells}
    found = verdict(mirrored, portrait, pool)
    assert found.yaw_slope < -0.8
    assert {"yaw_slope", "yaw_order", "iris_x_order", "iris_x_swing"} <= set(judge.missed(found))


def test_a_grid_that_does_not_move_is_noticed(cells, portrait, pool):
    still = dict.fromkeys(cells, portrait.image)
    assert {"yaw_slope", "pitch_slope", "yaw_r2", "iris_x_swing"} <= set(
        judge.missed(verdict(still, portrait, pool))
    )


def test_one_cell_out_of_place_is_a_jump(cells, portrait, pool):
    wrong = dict(cells)
    wrong[0, 0], wrong[4, 4] = cells[4, 4], cells[0, 0]
    assert "landmark_step" in judge.missed(verdict(wrong, portrait, pool))


def test_a_lost_face_and_a_moved_background_are_noticed(cells, portrait, pool):
    wrong = dict(cells)
    wrong[2, 1] = np.full_like(cells[2, 1], 128)
    wrong[4, 4] = np.roll(cells[4, 4], 3, axis=1)
    missed = judge.missed(verdict(wrong, portrait, pool))
    assert "faces" in missed and "background_psnr" in missed


def test_blurred_cells_are_not_sharp(cells, portrait, pool):
    blurred = {cell: cv2.GaussianBlur(image, (0, 0), 2) for cell, image in cells.items()}
    assert "sharpness" in judge.missed(verdict(blurred, portrait, pool))


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(10, 0, 0), (0, -8, 0), (0, 0, 12), (7, 5, 0)])
def test_a_turn_of_points_is_measured_as_it_was_made(portrait, yaw, pitch, roll):
    y, p, r = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    points = (portrait.face.points @ (about_z @ about_x @ about_y).T).astype(np.float32)
    found = judge.turn(portrait.face, FaceMesh((0, 0, 1, 1), 1, points))
    assert np.allclose(found, (yaw, pitch, roll), atol=0.7)


def test_gaze_is_right_and_up(portrait):
    points = portrait.face.points.copy()
    points[[468, 473], 0] += 3
    points[[468, 473], 1] -= 2
    moved, still = (judge.gaze(replace(portrait.face, points=p)) for p in (points, portrait.face.points))
    assert moved[0] > still[0] + 0.05 and moved[1] > still[1] + 0.03


def test_psnr():
    black, grey = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    assert judge.psnr(black, black) == judge.PERFECT
    assert judge.psnr(black, grey) == 0
    assert judge.psnr(black, black + 1) == pytest.approx(48.13, abs=0.01)
