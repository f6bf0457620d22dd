"""How long a run will take, told before it is started: what the steps cost on a known machine, scaled by how fast this
one has been so far."""

from statistics import median

from jobs.job import Step
from jobs.store import Store
from scenehf.layers.plan import Plan
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
