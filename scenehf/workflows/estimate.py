"""What a run will take, told before it is started: seconds, from what the steps took on a known machine, scaled by how
fast this one has been so far; and dollars, as an upper bound."""

from dataclasses import replace
from statistics import median

from jobs.job import Step
from jobs.ledger import DOLLAR
from jobs.store import Store
from models.errors import ModelGone
from models.providers.prices import known_price, reading_bound
from models.spec import Access, Where
from scenehf.layers.engines import ENGINES
from scenehf.layers.plan import ExtractStep, Plan, PlateStep
from scenehf.layers.planners import PLANNERS
from scenehf.workflows.extract import KIND, SCENE
from scenehf.workflows.making import FINISHED

# Seconds per step and per megapixel, measured on two x86-64 cores by benchmarks/layers.py.
COSTS = {"extract": (0.7, 0.9), "plate": (2.1, 0.5), "scene": (0.3, 0.35)}
LATELY = 4  # jobs of this store that tell how fast this machine is


def seconds_to_go(store: Store, plan: Plan, chosen: dict[str, Step], pixels: int) -> float:
    """Expected seconds of all steps that have no result yet, for a picture of so many pixels."""
    actions = {step.id: step.action for step in plan.steps} | {SCENE: "scene"}
    left = [
        action for key, action in actions.items() if key not in chosen or chosen[key].state not in FINISHED
    ]
    return pace(store) * sum(_usual(action, pixels) for action in left)


def usd_to_go(plan: Plan, chosen: dict[str, Step], engine: str) -> float:
    """The most that a run can cost, in US dollars: what a person confirms. Counted are steps without a result, those
    whose hints were changed since, and those that build on one of these. A step whose call is out is paid for already.
    """
    spec, total = ENGINES[engine], 0
    stale: set[str] = set()
    for step in plan.steps:
        built_on = {*step.depends_on, *(step.removes if isinstance(step, PlateStep) else ())}
        if built_on & stale or not _is_fresh(step, chosen.get(step.id), engine):
            stale.add(step.id)
            is_out = step.id in chosen and chosen[step.id].state == "unknown"
            total += 0 if is_out else _bound(spec.service, spec.prices.get(step.action, ""))
    return total / DOLLAR


def usd_to_redo(plan: Plan, chosen: dict[str, Step], engine: str, key: str) -> float:
    """The most that doing one step again can cost: the job then goes on with what builds on it, and with whatever else
    has no result yet."""
    return usd_to_go(plan, {other: step for other, step in chosen.items() if other != key}, engine)


def usd_if_accepted(plan: Plan, chosen: dict[str, Step], engine: str, key: str) -> float:
    """The most that going on costs once a person has accepted a step as it is."""
    accepted = {key: replace(chosen[key], state="accepted")} if key in chosen else {}
    return usd_to_go(plan, chosen | accepted, engine)


def _is_fresh(step: ExtractStep | PlateStep, attempt: Step | None, engine: str) -> bool:
    """Whether the attempt is what the plan asks for now."""
    if attempt is None or attempt.state not in FINISHED or attempt.params.get("engine") != engine:
        return False
    asked = step.model_dump(mode="json")
    reads = "prompt" in ENGINES[engine].retries_with
    hints = [name for name in ("box", "points", "prompt") if name in asked and (reads or name != "prompt")]
    return all(attempt.params.get(name) == asked[name] for name in hints)


def usd_of(engine: str, action: str) -> float:
    """The most that doing one step once can cost."""
    spec = ENGINES[engine]
    return _bound(spec.service, spec.prices.get(action, "")) / DOLLAR


def model_of_plan(planner: str, access: Access) -> str:
    """Which model a planner asks, "" for this computer."""
    spec = PLANNERS[planner]
    return spec.model if spec.fixed or spec.where == "local" else access.reader(spec.where, spec.model)


def usd_of_plan(planner: str, access: Access) -> float | None:
    """The most that a reading of a picture can cost, if it needs no second try. None where nobody knows: then it is
    refused."""
    spec = PLANNERS[planner]
    if spec.where == "local":
        return 0.0
    try:
        return reading_bound(spec.where, model_of_plan(planner, access), access) / DOLLAR
    except ModelGone:
        return None


def _bound(service: Where | None, model: str) -> int:
    """In millionths of a dollar; 0 for what is done on this machine."""
    row = known_price(service, model) if service and model else None
    return row.bound() if row else 0


def pace(store: Store) -> float:
    """How slow this machine is against the known one: 1 is as fast, 2 takes twice as long."""
    ratios = []
    for job in store.list_jobs(LATELY, state="succeeded", kind=KIND):
        steps = store.chosen_steps(job.id)
        scene = next((step for step in steps if step.key == SCENE and "pixels" in step.result), None)
        plan = Plan.model_validate(job.params["plan"]) if scene and job.params.get("plan") else Plan()
        actions = {step.id: step.action for step in plan.steps}
        for step in steps:
            if scene and step.key in actions and step.started and step.ended and step.state in FINISHED:
                usual = _usual(actions[step.key], int(scene.result["pixels"]))
                ratios.append((step.ended - step.started) / usual)
    return median(ratios) if ratios else 1.0


def _usual(action: str, pixels: int) -> float:
    once, per_megapixel = COSTS[action]
    return once + per_megapixel * pixels / 1e6
