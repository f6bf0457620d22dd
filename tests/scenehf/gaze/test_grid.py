"""Which poses, in which order, on which sheet: for every grid that can be asked for."""

import pytest

from models.requests import Pose
from scenehf.gaze import grid

SIDES = range(grid.SMALLEST, grid.LARGEST + 1)


@pytest.mark.parametrize("side", SIDES)
def test_every_cell_once_corners_and_centre_first(side):
    cells = grid.order(side)
    last, middle = side - 1, side // 2
    assert cells[:5] == ((0, 0), (0, last), (last, 0), (last, last), (middle, middle))
    assert len(cells) == side * side == len(set(cells))
    assert {(row, column) for row in range(side) for column in range(side)} == set(cells)


@pytest.mark.parametrize("side", [3, 6, 17, 30])
def test_the_first_quarter_already_spans_the_grid(side):
    seen = set(grid.order(side)[: max(9, side * side // 4)])
    widest = max(
        min(max(abs(row - r), abs(column - c)) for r, c in seen)
        for row in range(side)
        for column in range(side)
    )
    assert widest <= max(1, side // 3)


@pytest.mark.parametrize("side", SIDES)
def test_the_quadrants_share_every_cell_out_and_the_middle_goes_right_and_down(side):
    quadrants = grid.quadrants(side)
    cells = [cell for quadrant in quadrants for cell in quadrant.cells]
    assert len(cells) == side * side == len(set(cells))
    assert (0, 0) in quadrants[0].cells and (0, side - 1) in quadrants[1].cells
    assert (side - 1, 0) in quadrants[2].cells
    assert (side // 2, side // 2) in quadrants[3].cells
    assert quadrants[3].cells[0] == (side // 2, side // 2)


def test_poses_span_their_ranges_up_and_to_the_right():
    poses = grid.poses(5)
    assert poses[0, 0] == Pose(yaw=-10, pitch=8, pupil_x=-1, pupil_y=1)
    assert poses[4, 4] == Pose(yaw=10, pitch=-8, pupil_x=1, pupil_y=-1)
    assert poses[2, 2] == Pose()
    assert poses[2, 3] == Pose(yaw=5, pupil_x=0.5)
    assert grid.pose((0, 4), 5, yaw=4, pitch=2) == Pose(yaw=4, pitch=2, pupil_x=1, pupil_y=1)


@pytest.mark.parametrize("side", SIDES)
def test_steps_are_even_and_symmetric(side):
    steps = grid.steps(side)
    assert steps[0] == -1 and steps[-1] == 1
    assert steps == tuple(-step for step in reversed(steps))


def test_a_phone_gets_every_so_manyth_row():
    assert grid.sample(30, 20) == tuple(round(index * 29 / 19) for index in range(20))
    assert grid.sample(5, 5) == (0, 1, 2, 3, 4)
    assert grid.sample(60, 3) == (0, 30, 59)


@pytest.mark.parametrize("side", SIDES)
def test_samples_keep_both_edges_and_repeat_nothing(side):
    for smaller in range(2, side + 1):
        kept = grid.sample(side, smaller)
        assert kept[0] == 0 and kept[-1] == side - 1
        assert len(set(kept)) == smaller == len(kept)


def test_the_mobile_grid_is_never_larger_than_the_grid():
    assert grid.mobile_side(30) == 20
    assert grid.mobile_side(7) == 7
    assert grid.mobile_side(30, 9) == 9


@pytest.mark.parametrize("side", [-1, 0, 2, 61, 1000])
def test_other_grids_are_refused_with_a_sentence(side):
    with pytest.raises(ValueError, match="3 to 60"):
        grid.check(side)
    with pytest.raises(ValueError, match="sample"):
        grid.sample(5, 6)
