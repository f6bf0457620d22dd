"""The embedded engine on a real photo: it finds what the box means, refines, re-mattes, and its progress only grows."""

import cv2
import numpy as np
import pytest

from benchmarks.silence import Silence
from models.pool import Pool
from models.spec import Host
from scenehf.layers.engines import ENGINES, ExtractTask, PlateTask


class Recorder(Silence):
    """Keeps the progress."""

    def __init__(self):
        self.fractions = []

    def progress(self, fraction, message=""):
        self.fractions.append(fraction)


@pytest.fixture(scope="module")
def engine(weights_dir):
    return ENGINES["local"].build(Pool(Host(weights=weights_dir)))


@pytest.fixture
def image(astronaut):
    return cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA)


BOX = (5.0, 3.0, 253.0, 254.0)


def test_progress_only_grows_and_the_person_is_found(engine, image):
    run = Recorder()
    cut = engine.extract(ExtractTask(image, box=BOX), run)
    assert run.fractions == sorted(run.fractions)
    assert cut.confidence > cut.review_below
    assert cut.alpha[60, 110] > 0.95
    assert cut.alpha[20, 20] < 0.05
    plate_run = Recorder()
    plate = engine.plate(PlateTask(image, (cut.alpha,)), plate_run)
    assert plate_run.fractions == sorted(plate_run.fractions)
    assert np.array_equal(plate.image[~plate.hole], image[~plate.hole])
    assert plate.hole[cut.alpha > 0.05].all()


def test_strokes_decide(engine, image):
    keep, drop = np.zeros((256, 256), bool), np.zeros((256, 256), bool)
    keep[10:20, 10:40] = True
    drop[200:220, 100:140] = True
    base = engine.extract(ExtractTask(image, box=BOX), Recorder()).alpha
    cut = engine.extract(ExtractTask(image, box=BOX, keep=keep, drop=drop, base=base), Recorder())
    assert cut.alpha[keep].min() == 1
    assert cut.alpha[drop].max() == 0


def test_a_box_drawn_too_large_is_rematted_inside_what_was_kept(engine, image):
    base = np.zeros((256, 256), np.float32)
    base[:, 5:253] = 1
    cut = engine.remove_background(ExtractTask(image, base=base), Recorder())
    assert cut.alpha[60, 110] > 0.95
    assert cut.alpha.mean() < 0.8
