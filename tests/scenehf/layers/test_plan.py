"""A plan is strict data, and every edit of it ends in a valid plan."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from scenehf.layers.plan import (
    ExtractStep,
    Plan,
    PlateStep,
    arrange,
    reordered,
    separated,
    with_extraction,
    with_plate_before,
    without,
)

DESIGN_EXAMPLE = """{"version": 1, "scene": "a cup on a table before a temple", "steps": [
  {"id": "s1", "action": "extract", "name": "cup", "z": 2, "box": [0.41, 0.52, 0.67, 0.93],
   "points": [[0.5, 0.7, 1]], "prompt": "the red coffee cup with its saucer", "depends_on": [],
   "checks": {"coverage": [0.02, 0.4]}},
  {"id": "s2", "action": "plate", "name": "without the cup", "removes": ["s1"],
   "prompt": "table top and temple continue", "depends_on": ["s1"]}]}"""

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["s1", "s2", "extract"]),
    lambda parts: st.lists(parts, max_size=5) | st.dictionaries(st.text(max_size=8), parts, max_size=3),
    max_leaves=8,
)


def cup(**changes: object) -> dict[str, object]:
    return {"id": "s1", "action": "extract", "name": "cup", "z": 1, "box": [0.1, 0.1, 0.5, 0.5], **changes}


def plate(**changes: object) -> dict[str, object]:
    return {"id": "p", "action": "plate", "name": "Background", "removes": ["s1"], **changes}


def three() -> Plan:
    return arrange("", [ExtractStep(id=i, name=i.upper(), z=1, box=(0.1, 0.1, 0.6, 0.6)) for i in "abc"])


def test_the_written_example_is_a_plan() -> None:
    plan = Plan.model_validate_json(DESIGN_EXAMPLE)
    assert [step.action for step in plan.steps] == ["extract", "plate"]
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


@pytest.mark.parametrize(
    "steps",
    [
        [cup(path="/etc/passwd"), plate()],
        [cup(id="../s1"), plate(removes=["../s1"])],
        [cup(box=[0.5, 0.1, 0.1, 0.5]), plate()],
        [cup(box=[0.1, 0.1, 1.2, 0.5]), plate()],
        [cup(box=[0.1, 0.1, 0.101, 0.101]), plate()],
        [cup(name="\u0000\u200b "), plate()],
        [cup(points=[[0.5, 0.5, 2]]), plate()],
        [cup(), cup(), plate()],
        [cup(), plate(removes=["ghost"])],
        [cup(depends_on=["p"]), plate()],
        [cup()],
        [cup(action="run_shell"), plate()],
        [cup(z=1), cup(id="s2", z=2), plate(removes=["s1", "s2"])],
        [cup(z=2), cup(id="s2", z=1), plate(removes=["s1"])],
    ],
)
def test_what_is_not_a_plan_is_refused(steps: list[dict[str, object]]) -> None:
    with pytest.raises(ValidationError):
        Plan.model_validate_json(json.dumps({"version": 1, "steps": steps}))


@given(st.data())
def test_a_plan_with_wrong_parts_is_refused_or_still_a_plan(data: st.DataObject) -> None:
    """Whatever a model writes, or a bundle holds: one kind of error, and no plan that is not one."""
    plan = json.loads(DESIGN_EXAMPLE)
    for _ in range(data.draw(st.integers(1, 3))):
        part = data.draw(st.sampled_from([plan, *plan["steps"]]))
        part[data.draw(st.sampled_from([*part, "path", "__class__"]))] = data.draw(ANYTHING)
        if not isinstance(plan.get("steps"), list) or not all(isinstance(s, dict) for s in plan["steps"]):
            break
    try:
        found = Plan.model_validate_json(json.dumps(plan))
    except ValidationError:
        return
    assert Plan.model_validate_json(found.model_dump_json()) == found


def test_nine_extractions_are_too_many() -> None:
    steps = [ExtractStep(id=f"s{i}", name=str(i), z=1) for i in range(9)]
    with pytest.raises(ValidationError, match="at most 8"):
        arrange("", steps)


def test_a_plan_may_be_empty() -> None:
    assert Plan().steps == ()


def test_arranging_numbers_the_depths_and_ends_in_the_clean_plate() -> None:
    plan = three()
    assert [step.z for step in plan.extractions] == [3, 2, 1]
    assert plan.steps[-1] == PlateStep(
        id="plate", name="Background", removes=("a", "b", "c"), depends_on=("a", "b", "c")
    )


def test_a_step_can_be_added_at_any_depth() -> None:
    new = ExtractStep(id="new", name="new", z=1)
    assert [s.id for s in with_extraction(three(), new, 1).extractions] == ["a", "new", "b", "c"]
    assert [s.id for s in with_extraction(three(), new, 9).extractions] == ["a", "b", "c", "new"]
    assert [s.id for s in with_extraction(Plan(), new).steps] == ["new", "plate"]


def test_deleting_the_last_extraction_leaves_an_empty_plan() -> None:
    plan = three()
    for step_id in "abc":
        plan = without(plan, step_id)
    assert plan.steps == ()


def test_reordering_keeps_every_step() -> None:
    plan = reordered(three(), ["c", "a", "b"])
    assert [(s.id, s.z) for s in plan.extractions] == [("c", 3), ("a", 2), ("b", 1)]
    with pytest.raises(ValueError, match="once"):
        reordered(plan, ["a", "b"])


def test_an_occluder_is_painted_out_before_the_step_behind_it_runs() -> None:
    plan = with_plate_before(three(), "c", ["a"])
    under = plan.steps[2]
    assert isinstance(under, PlateStep)
    assert under.removes == ("a",)
    assert under.id in plan.step("c").depends_on
    assert plan.steps[-1].id == "plate"
    again = with_plate_before(plan, "c", ["a", "b"])
    assert [p.removes for p in again.plates] == [("a", "b"), ("a", "b", "c")]
    moved = reordered(plan, ["c", "a", "b"])
    assert [s.id for s in moved.steps] == ["c", "a", "b", "plate"]


def test_what_stands_before_an_object_is_painted_out_first() -> None:
    front = ExtractStep(id="cup", name="Cup", z=1, box=(0.0, 0.4, 0.5, 0.9))
    behind = ExtractStep(id="man", name="Man", z=1, box=(0.3, 0.0, 0.9, 1.0))
    aside = ExtractStep(id="dog", name="Dog", z=1, box=(0.91, 0.5, 1.0, 1.0))
    plan = separated(arrange("", [front, behind, aside]))
    assert [step.id for step in plan.steps] == ["cup", "under_man", "man", "dog", "plate"]
    assert plan.plates[0].removes == ("cup",)
    assert separated(plan) == plan


def test_the_fullest_plan_still_fits() -> None:
    steps = [ExtractStep(id=f"s{i}", name=str(i), z=1, box=(0.1, 0.1, 0.9, 0.9)) for i in range(8)]
    assert len(separated(arrange("", list(steps))).steps) == 16
