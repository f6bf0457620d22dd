"""What a planner proposes and a person edits: a strict, small description of the steps that take a picture apart.

Boxes are (x0, y0, x1, y1) and points (x, y, label) in 0..1 of the upright source; label 1 keeps, 0 drops.
Extractions run front to back; the last step of a plan that extracts anything is the plate that removes all of it.
A plan without steps is legal: nothing was found, the plate is the source. Ids and names are data, never paths.
"""

import unicodedata
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

MAX_EXTRACTIONS = 8
MAX_STEPS = 16
MAX_POINTS = 64
# Smaller than this share of the picture, a box is a slip of the mouse, not an object.
MIN_BOX_AREA = 0.0001
# Of its own box, how much another object may cover before it is painted out first.
MAX_COVERED = 0.02

StepId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Unit = Annotated[float, Field(ge=0, le=1)]
Box = tuple[Unit, Unit, Unit, Unit]
Point = tuple[Unit, Unit, Literal[0, 1]]
Name = Annotated[str, Field(min_length=1, max_length=80)]
Prompt = Annotated[str, Field(max_length=2000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Checks(_Strict):
    """Limits that a planner may set for one step. coverage: lowest and highest mean alpha."""

    coverage: tuple[Unit, Unit] | None = None


class _Step(_Strict):
    id: StepId
    name: Name
    prompt: Prompt = ""
    depends_on: tuple[StepId, ...] = ()

    @field_validator("name")
    @classmethod
    def _printable(cls, name: str) -> str:
        clean = "".join(c for c in name if unicodedata.category(c)[0] != "C").strip()
        if not clean:
            raise ValueError("a name needs at least one visible character")
        return clean


class ExtractStep(_Step):
    """Lift one object off the picture. z: larger is nearer to the viewer."""

    action: Literal["extract"] = "extract"
    z: Annotated[int, Field(ge=1, le=99)]
    box: Box | None = None
    points: Annotated[tuple[Point, ...], Field(max_length=MAX_POINTS)] = ()
    checks: Checks = Checks()

    @field_validator("box")
    @classmethod
    def _has_area(cls, box: Box | None) -> Box | None:
        if box and (box[0] >= box[2] or box[1] >= box[3]):
            raise ValueError("a box is (x0, y0, x1, y1) with x0 < x1 and y0 < y1")
        if box and (box[2] - box[0]) * (box[3] - box[1]) < MIN_BOX_AREA:
            raise ValueError("the box is too small to hold an object")
        return box


class PlateStep(_Step):
    """Paint the picture as if the layers named in `removes` had never been there."""

    action: Literal["plate"] = "plate"
    removes: Annotated[tuple[StepId, ...], Field(min_length=1)]


Step = Annotated[ExtractStep | PlateStep, Field(discriminator="action")]


class Plan(_Strict):
    """The whole proposal. scene: one sentence about the picture."""

    version: Literal[1] = 1
    scene: Annotated[str, Field(max_length=500)] = ""
    steps: Annotated[tuple[Step, ...], Field(max_length=MAX_STEPS)] = ()

    @property
    def extractions(self) -> tuple[ExtractStep, ...]:
        """The extraction steps, front to back."""
        return tuple(step for step in self.steps if isinstance(step, ExtractStep))

    @property
    def plates(self) -> tuple[PlateStep, ...]:
        """The plate steps in order; the last one is the clean background."""
        return tuple(step for step in self.steps if isinstance(step, PlateStep))

    def step(self, step_id: str) -> ExtractStep | PlateStep:
        """The step with this id; raises KeyError."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        seen: dict[str, ExtractStep | PlateStep] = {}
        for step in self.steps:
            if step.id in seen:
                raise ValueError(f"two steps are called {step.id!r}")
            for needed in step.depends_on:
                if needed not in seen:
                    raise ValueError(f"step {step.id!r} depends on {needed!r}, which does not come before it")
            if isinstance(step, PlateStep):
                for gone in step.removes:
                    if not isinstance(seen.get(gone), ExtractStep):
                        raise ValueError(
                            f"plate {step.id!r} removes {gone!r}, which is no earlier extraction"
                        )
            seen[step.id] = step
        self._check_stack()
        return self

    def _check_stack(self) -> None:
        depths = [step.z for step in self.extractions]
        if len(depths) > MAX_EXTRACTIONS:
            raise ValueError(f"a plan holds at most {MAX_EXTRACTIONS} extractions")
        if any(front <= back for front, back in pairwise(depths)):
            raise ValueError("extractions run front to back: z must fall from step to step")
        if depths:
            last = self.steps[-1]
            wanted = {step.id for step in self.extractions}
            if not isinstance(last, PlateStep) or set(last.removes) != wanted:
                raise ValueError("the last step must be the plate that removes every extracted layer")


def arrange(scene: str, steps: list[ExtractStep | PlateStep]) -> Plan:
    """A valid plan from steps in running order: z renumbered, references to missing steps dropped, and the
    clean plate put last. Every edit of a plan ends here."""
    depth = sum(isinstance(step, ExtractStep) for step in steps)
    kept: list[ExtractStep | PlateStep] = []
    known: set[str] = set()
    clean_plate: PlateStep | None = None
    everything = [step.id for step in steps if isinstance(step, ExtractStep)]
    for step in steps:
        depends_on = tuple(needed for needed in step.depends_on if needed in known)
        if isinstance(step, ExtractStep):
            kept.append(step.model_copy(update={"z": depth, "depends_on": depends_on}))
            depth -= 1
        else:
            removes = tuple(gone for gone in step.removes if gone in known)
            is_wanted = any(step.id in other.depends_on for other in steps)
            if not is_wanted:
                clean_plate = step
                continue
            if not removes:
                continue
            kept.append(step.model_copy(update={"removes": removes, "depends_on": depends_on}))
        known.add(step.id)
    if everything:
        plate = clean_plate or PlateStep(
            id=fresh_id("plate", known), name="Background", removes=tuple(everything)
        )
        kept.append(plate.model_copy(update={"removes": tuple(everything), "depends_on": tuple(everything)}))
    return Plan(scene=scene, steps=tuple(kept))


def fresh_id(stem: str, taken: set[str]) -> str:
    """`stem`, or `stem2`, `stem3` ... whichever is not taken."""
    number, candidate = 1, stem
    while candidate in taken:
        number += 1
        candidate = f"{stem}{number}"
    return candidate


def with_extraction(plan: Plan, step: ExtractStep, position: int = 0) -> Plan:
    """The plan with one more extraction, at `position` among the extractions (0 is the front)."""
    steps = list(plan.steps)
    places = [i for i, other in enumerate(steps) if isinstance(other, ExtractStep)]
    steps.insert(places[position] if position < len(places) else (places[-1] + 1 if places else 0), step)
    return arrange(plan.scene, steps)


def without(plan: Plan, step_id: str) -> Plan:
    """The plan less one step."""
    return arrange(plan.scene, [step for step in plan.steps if step.id != step_id])


def reordered(plan: Plan, ids: list[str]) -> Plan:
    """The plan with its extractions in the order of `ids`, front to back; plates keep their dependants."""
    if sorted(ids) != sorted(step.id for step in plan.extractions):
        raise ValueError("a new order must name every extraction once")
    steps: list[ExtractStep | PlateStep] = []
    for step_id in ids:
        step = plan.step(step_id)
        steps += [plate for plate in plan.plates if plate.id in step.depends_on and plate not in steps]
        steps.append(step)
    return arrange(plan.scene, steps + [plate for plate in plan.plates if plate not in steps])


def with_plate_before(plan: Plan, step_id: str, removes: list[str]) -> Plan:
    """The plan in which `removes` are painted out before `step_id` runs, and it runs on that plate."""
    step = plan.step(step_id)
    if not isinstance(step, ExtractStep):
        raise ValueError("only an extraction can be run on a plate")
    steps: list[ExtractStep | PlateStep] = []
    for other in plan.steps:
        if other.id == step_id:
            plate = PlateStep(
                id=fresh_id(f"under_{step_id}"[:28], {known.id for known in plan.steps}),
                name=f"Without {', '.join(plan.step(gone).name for gone in removes)}"[:80],
                removes=tuple(removes),
                depends_on=tuple(removes),
            )
            depends_on = (*(d for d in step.depends_on if d not in {p.id for p in plan.plates}), plate.id)
            steps += [plate, step.model_copy(update={"depends_on": depends_on})]
        else:
            steps.append(other)
    return arrange(plan.scene, steps)


def separated(plan: Plan) -> Plan:
    """The plan in which everything that stands before an object is painted out before that object is extracted.

    It then comes out whole, continued behind its occluder, and the occluder's colours are no part of the question.
    """
    for step in plan.extractions:
        front = plan.extractions[: plan.extractions.index(step)]
        covering = [other.id for other in front if step.box and _covered(step.box, other.box) > MAX_COVERED]
        if covering and not any(plate.id in step.depends_on for plate in plan.plates):
            plan = with_plate_before(plan, step.id, covering)
    return plan


def _covered(box: Box, other: Box | None) -> float:
    """Share of `box` that `other` covers."""
    if other is None:
        return 0.0
    width = max(0.0, min(box[2], other[2]) - max(box[0], other[0]))
    height = max(0.0, min(box[3], other[3]) - max(box[1], other[1]))
    return width * height / ((box[2] - box[0]) * (box[3] - box[1]))
