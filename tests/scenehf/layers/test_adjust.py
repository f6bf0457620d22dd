"""Growing, shrinking and feathering an outline, held against discs whose outlines are known."""

import numpy as np
import pytest

from scenehf.layers.adjust import adjusted

SIZE, RADIUS = 200, 50.0


def disc(radius: float = RADIUS, softness: float = 2.0) -> np.ndarray:
    y, x = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    return np.clip((radius - np.hypot(x, y)) / softness + 0.5, 0, 1).astype(np.float32)


@pytest.mark.parametrize("grow", [-20.0, -3.5, -1.0, 0.5, 4.0, 25.0])
def test_a_disc_moves_its_outline_by_so_many_pixels_and_keeps_its_softness(grow):
    found = adjusted(disc(), grow=grow)
    assert np.abs(found - disc(RADIUS + grow)).mean() < 0.004
    assert np.sqrt(found.sum() / np.pi) == pytest.approx(RADIUS + grow, abs=0.35)
    soft = ((found > 0.1) & (found < 0.9)).sum() / (2 * np.pi * (RADIUS + grow))
    assert 1.0 < soft < 2.6


def test_growing_takes_nothing_and_shrinking_adds_nothing():
    rng = np.random.default_rng(3)
    ragged = np.clip(disc() + 0.3 * rng.standard_normal((SIZE, SIZE)).astype(np.float32), 0, 1)
    assert (adjusted(ragged, grow=6) >= ragged - 1e-6).all()
    assert (adjusted(ragged, grow=-6) <= ragged + 1e-6).all()


def test_feather_softens_and_leaves_the_outline_where_it_was():
    found = adjusted(disc(), feather=12)
    assert np.sqrt((found > 0.5).sum() / np.pi) == pytest.approx(RADIUS, abs=0.6)
    assert ((found > 0.02) & (found < 0.98)).sum() / (2 * np.pi * RADIUS) == pytest.approx(24, rel=0.15)


def test_a_subject_cut_off_by_the_frame_does_not_shrink_away_from_it():
    alpha = np.zeros((80, 80), np.float32)
    alpha[30:, :40] = 1
    found = adjusted(alpha, grow=-5)
    assert found[-1, :30].min() == 1
    assert found[60, 0] == 1
    assert found[32].max() == 0


@pytest.mark.parametrize("alpha", [np.zeros((9, 9), np.float32), np.ones((9, 9), np.float32)])
def test_nothing_and_everything_stay_what_they_are(alpha):
    assert np.array_equal(adjusted(alpha, grow=3, feather=4), alpha)
    assert np.array_equal(adjusted(alpha, grow=-3), alpha)
