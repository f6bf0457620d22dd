"""A short form of the layer benchmark: quality may not fall below what was reached (no clocks here)."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.composites import singles, stacks
from benchmarks.layers_masks import local_engine, stacked, with_boxes, without_hint

# The first run on a machine compiles the matting library that makes the truth.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def engine(weights_dir: Path):
    return local_engine(weights_dir)


@pytest.fixture(scope="module")
def few():
    """A flower, a cup, and a person before a motorcycle."""
    return singles()[1:4]


def test_with_boxes(engine, few):
    row = with_boxes(engine[0], few)
    assert np.mean(row.iou) > 0.98
    assert np.mean(row.sad) < 1.0
    assert np.mean(row.peer_sad) > 2 * np.mean(row.sad)


@pytest.mark.slow
def test_with_sloppy_boxes(engine, few):
    assert np.mean(with_boxes(engine[0], few, (1,)).iou) > 0.94


@pytest.mark.slow
def test_without_hint(engine, few):
    row = without_hint(*engine, few[:2])
    assert np.mean(row.iou) > 0.97


@pytest.mark.slow
def test_two_stacked_subjects(engine):
    row, ours, theirs = stacked(engine[0], stacks()[:1])
    assert np.mean(row.iou) > 0.95
    assert ours[0] < 0.07 < theirs[0]
