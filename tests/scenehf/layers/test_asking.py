"""What a planner's answer may be, and what it may not."""

import json

import pytest

from scenehf.layers import asking

GOOD = {"scene": "s", "objects": [{"name": "Cup", "description": "red", "box": [100, 200, 500, 900]}]}


def test_boxes_come_in_thousandths_and_order_is_depth():
    second = {"name": "Table", "description": "", "box": [0, 500, 1000, 1000]}
    plan = asking._plan(json.dumps({"scene": "s", "objects": [GOOD["objects"][0], second]}))
    cup, table = plan.extractions
    assert cup.box == (0.1, 0.2, 0.5, 0.9) and cup.z > table.z
    assert plan.steps[-1].action == "plate" and set(plan.steps[-1].removes) == {"s1", "s2"}


def test_nothing_found_is_a_plan():
    assert asking._plan('```json\n{"scene": "fog", "objects": []}\n```').steps == ()


@pytest.mark.parametrize(
    "change",
    [
        {"engine": "google"}, {"steps": []}, {"objects": None}, {"objects": [GOOD["objects"][0]] * 9},
        {"objects": [GOOD["objects"][0] | {"box": [0, 0, 5000, 10]}]},
        {"objects": [GOOD["objects"][0] | {"box": [1, 2, 3]}]},
        {"objects": [GOOD["objects"][0] | {"box": [500, 1, 400, 9]}]},
        {"objects": [GOOD["objects"][0] | {"path": "/etc"}]}, {"objects": [GOOD["objects"][0] | {"name": "\u0000"}]},
        {"objects": [GOOD["objects"][0] | {"description": "x" * 3000}]}, {"scene": 7},
    ],
)  # fmt: skip
def test_anything_else_is_refused_in_words_without_the_answer(change):
    with pytest.raises(ValueError) as caught:
        asking._plan(json.dumps(GOOD | change))
    why = asking._why(caught.value)
    assert why and "/etc" not in why and "google" not in why and len(why) < 200
