"""The metrics: perfect predictions, known values, and which way is better."""

import math

import numpy as np
import pytest

from benchmarks import metrics


@pytest.fixture
def disc():
    y, x = np.mgrid[:80, :80]
    return np.clip(25.5 - np.hypot(y - 40, x - 40), 0, 1)


def test_a_perfect_alpha_scores_perfectly(disc):
    assert metrics.soft_iou(disc, disc) == 1
    for error in (metrics.sad, metrics.mse, metrics.gradient_error, metrics.connectivity_error):
        assert error(disc, disc) == 0


def test_known_values():
    p, g = np.zeros((10, 10)), np.zeros((10, 10))
    p[:, :5], g[:, 2:7] = 1, 1
    assert metrics.soft_iou(p, g) == pytest.approx(30 / 70)
    assert metrics.sad(p, g) == pytest.approx(40 / 1000)
    assert metrics.mse(p, g) == pytest.approx(0.4)
    assert metrics.psnr(np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)) == 0
    assert metrics.soft_iou(np.zeros((3, 3)), np.zeros((3, 3))) == 1


def test_a_loose_island_costs_connectivity(disc):
    island = disc.copy()
    island[:8, :8] = 1
    assert metrics.connectivity_error(island, disc) > 0.03


def test_smearing_shows_in_texture_not_in_decibels():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 255, (120, 120, 3)).astype(np.uint8)
    other = rng.integers(0, 255, (120, 120, 3)).astype(np.uint8)
    flat = np.full_like(truth, 127)
    hole = np.ones((120, 120), bool)
    assert metrics.psnr(flat, truth) > metrics.psnr(other, truth)
    assert metrics.patch_swd(other, truth, hole) < 0.3 * metrics.patch_swd(flat, truth, hole)
    assert metrics.gradient_ratio(other, truth, hole) == pytest.approx(1, abs=0.05)
    assert metrics.gradient_ratio(flat, truth, hole) == pytest.approx(0, abs=0.01)
    assert math.isinf(metrics.psnr(truth, truth))


def test_stack_cost_is_zero_only_for_the_same_stack(disc):
    plate = np.dstack([np.full((80, 80, 3), 0.2), np.ones((80, 80))])
    front = np.dstack([np.full((80, 80, 3), 0.8), disc])
    assert metrics.stack_cost([plate, front], [plate, front]) == 0
    assert metrics.stack_cost([plate], [plate, front]) > 0.2
    assert metrics.stack_cost([plate, front, front], [plate, front]) == 0  # warping merges the repeat
