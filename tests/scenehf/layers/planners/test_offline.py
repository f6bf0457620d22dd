"""The offline planner on photos: what it finds, what it calls it, and in what order."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.silence import SILENT
from models.pool import Pool
from models.spec import Host
from scenehf.layers.plan import PlateStep
from scenehf.layers.planners.offline import propose


@pytest.fixture(scope="module")
def pool(weights_dir: Path) -> Pool:
    return Pool(Host(weights=weights_dir))


def test_one_person(pool, astronaut):
    plan = propose(astronaut, pool, SILENT)
    first = plan.extractions[0]
    assert first.name == "person"
    assert first.box is not None
    assert np.allclose(first.box, (0, 0, 1, 1), atol=0.12)
    assert isinstance(plan.steps[-1], PlateStep)
    assert plan.steps[-1].removes == tuple(step.id for step in plan.extractions)
    assert "1 person" in plan.scene


@pytest.mark.slow
def test_two_people_get_two_names_and_two_places(pool, astronaut, grace_hopper):
    picture = np.full((600, 1100, 3), 128, np.uint8)
    picture[88:, :512] = astronaut
    picture[:, 560:1072] = grace_hopper
    people = [step for step in propose(picture, pool, SILENT).extractions if step.name.startswith("person")]
    assert {step.name for step in people} == {"person", "person 2"}
    left, right = sorted(people, key=lambda step: step.box[0])
    assert left.box[2] < 0.55 and right.box[0] > 0.45


def test_an_object(pool, flower):
    plan = propose(flower, pool, SILENT)
    boxes = [np.array(step.box) * (640, 427, 640, 427) for step in plan.extractions]
    assert plan.extractions[0].name == "object"
    assert any(box[0] < 200 and box[1] < 100 and box[2] > 430 and box[3] > 340 for box in boxes)


def test_names_are_unique_and_few(pool, coffee, china):
    for photo in (coffee, china):
        names = [step.name for step in propose(photo, pool, SILENT).extractions]
        assert 1 <= len(names) <= 4
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("size", [(8, 8), (300, 400)])
def test_nothing_found_is_a_plan_without_steps(pool, size):
    plan = propose(np.full((*size, 3), 90, np.uint8), pool, SILENT)
    assert plan.steps == ()
    assert plan.scene
