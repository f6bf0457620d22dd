"""Planners: every file is one way to read a picture and propose steps. Adding one is a line in `PLANNERS`."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from models.pool import Pool
from models.requests import Image, Run
from models.spec import Where
from scenehf.layers.plan import Plan

Propose = Callable[[Image, Pool, Run], Plan]


@dataclass(frozen=True)
class PlannerSpec:
    """A planner not yet loaded. where: "local" reads the picture in the worker process, a service's name means that it
    is asked, for money, from the runner's thread. model: what it asks, in the price list. fixed: no other model can be
    set in its place."""

    id: str
    title: str
    where: Where
    propose: Propose
    model: str = ""
    fixed: bool = False


def _planner(name: str) -> Propose:
    def propose(image: Image, pool: Pool, run: Run) -> Plan:
        plan: Plan = import_module(f"scenehf.layers.planners.{name}").propose(image, pool, run)
        return plan

    return propose


OFFLINE = "offline"  # what every other planner falls back to
PLANNERS: dict[str, PlannerSpec] = {
    spec.id: spec
    for spec in (
        PlannerSpec(OFFLINE, "This computer", "local", _planner("offline")),
        PlannerSpec("gemini", "Gemini 3.8 Flash", "google", _planner("gemini"), "gemini-3.8-flash"),
        PlannerSpec(
            "gemini-lite",
            "Gemini 3.5 Flash Lite",
            "google",
            _planner("gemini_lite"),
            "gemini-3.5-flash-lite",
            fixed=True,
        ),
        PlannerSpec("openai", "GPT-6 Luna", "openai", _planner("openai"), "gpt-6-luna"),
    )
}
