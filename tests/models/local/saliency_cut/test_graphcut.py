"""The cut minimises the energy that it is given."""

import itertools

import numpy as np

from models.local.saliency_cut.graphcut import WEAKEST, cut, two_channels


def test_strong_odds_beat_little_smoothness():
    rng = np.random.default_rng(1)
    log_odds = rng.uniform(6, 8, (20, 30)) * rng.choice([-1, 1], (20, 30))
    picture = rng.integers(0, 255, (20, 30, 3)).astype(np.uint8)
    assert ((log_odds > 0) == cut(picture, log_odds.astype(np.float32), WEAKEST)).all()


def test_infinite_odds_always_decide():
    log_odds = np.zeros((20, 30), np.float32)
    log_odds[:, :10], log_odds[:, 20:] = np.inf, -np.inf
    mask = cut(np.full((20, 30, 3), 90, np.uint8), log_odds, 1000)
    assert mask[:, :10].all() and not mask[:, 20:].any()


def test_noise_is_smoothed_and_the_edge_of_the_picture_followed():
    rng = np.random.default_rng(2)
    truth = np.zeros((60, 80), bool)
    truth[15:45, 20:60] = True
    picture = np.where(truth[..., None], [200, 60, 40], [60, 90, 160]).astype(np.uint8)
    log_odds = np.where(truth, 1.0, -1.0) + rng.normal(0, 2, truth.shape)
    assert (cut(picture, log_odds.astype(np.float32), 8) == truth).all()


def test_least_energy_of_all_masks_of_a_row():
    log_odds = np.array([[2.0, -1.0, 1.5, -3.0, 0.5]], np.float32)
    picture = np.full((1, 5, 3), 120, np.uint8)  # no contrast: every edge costs the same
    smoothness = 1.2

    def energy(mask):
        labels = np.array(mask)
        return -(log_odds[0] * labels).sum() + smoothness * (labels[1:] != labels[:-1]).sum()

    least = min(itertools.product([0, 1], repeat=5), key=energy)
    assert tuple(cut(picture, log_odds, smoothness)[0].astype(int)) == least


def test_two_channels_keep_what_differs():
    picture = np.zeros((10, 10, 3), np.uint8)
    picture[:, 5:] = 255, 0, 0
    flat = two_channels(picture).astype(int)
    assert abs(flat[:, 5:].mean(axis=(0, 1)) - flat[:, :5].mean(axis=(0, 1))).max() > 40
