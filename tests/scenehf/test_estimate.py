"""The time on the Run button: what is left to do, at this machine's own pace."""

import pytest

from jobs.job import Step
from jobs.store import Store
from scenehf.layers.plan import ExtractStep, arrange
from scenehf.workflows.estimate import COSTS, pace, seconds_to_go
from scenehf.workflows.extract import KIND, Params

PLAN = arrange("", [ExtractStep(id="cup", name="Cup", z=1, box=(0.1, 0.1, 0.5, 0.5))])
PIXELS = 4_000_000


def cost(action: str) -> float:
    once, per_megapixel = COSTS[action]
    return once + per_megapixel * PIXELS / 1e6


def finished(store: Store, slower: float) -> None:
    """A job of this store that took so many times as long as the known machine."""
    job = store.create_job(KIND, Params(plan=PLAN).model_dump(mode="json"))
    fence = store.claim("test").attempt
    for position, (key, action) in enumerate((("cup", "extract"), ("plate", "plate"), ("scene", "scene"))):
        store.begin_step(job.id, fence, key, position, key, {}, key)
        store.end_step(job.id, fence, key, 1, "done", {"pixels": PIXELS})
        with store.tx() as db:
            seconds = slower * cost(action)
            db.execute("UPDATE step SET started = 1000, ended = 1000 + ? WHERE key = ?", (seconds, key))
    store.finish_job(job.id, fence, "succeeded")


def test_without_history_the_measured_costs_count(home):
    with Store(home / "store") as store:
        assert seconds_to_go(store, PLAN, {}, PIXELS) == pytest.approx(
            cost("extract") + cost("plate") + cost("scene")
        )


def test_the_machines_own_pace_scales_them_and_finished_steps_cost_nothing(home):
    with Store(home / "store") as store:
        finished(store, slower=3.0)
        assert pace(store) == pytest.approx(3.0)
        chosen: dict[str, Step] = {step.key: step for step in store.chosen_steps(store.list_jobs(1)[0].id)}
        assert seconds_to_go(store, PLAN, chosen, PIXELS) == 0
        del chosen["plate"]
        assert seconds_to_go(store, PLAN, chosen, PIXELS) == pytest.approx(3 * cost("plate"))
