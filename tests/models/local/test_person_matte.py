"""The person segmenter on real photos."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.silence import SILENT
from models.errors import InvalidRequest
from models.local import person_matte
from models.requests import Matting
from models.spec import Host


def test_finds_the_person_and_little_else(weights_dir: Path, astronaut, grace_hopper):
    answer = person_matte.load(Host(weights=weights_dir))
    for photo, inside, outside in (
        (astronaut, (slice(100, 160), slice(190, 250)), (slice(0, 60), slice(400, 500))),
        (grace_hopper, (slice(200, 300), slice(220, 310)), (slice(0, 100), slice(430, 500))),
    ):
        alpha = answer(Matting(photo), SILENT)
        assert alpha.shape == photo.shape[:2]
        assert alpha.dtype == np.float32
        assert alpha.min() >= 0 and alpha.max() <= 1
        assert alpha[inside].mean() > 0.95
        assert alpha[outside].mean() < 0.05


def test_refuses_a_trimap(weights_dir: Path, astronaut):
    answer = person_matte.load(Host(weights=weights_dir))
    with pytest.raises(InvalidRequest):
        answer(Matting(astronaut, trimap=np.zeros(astronaut.shape[:2], np.float32)), SILENT)
