"""Planners: every file is one way to read a picture and propose steps. Adding one is a line in `PLANNERS`."""

from collections.abc import Callable
from importlib import import_module

from models.pool import Pool
from models.requests import Image, Run
from scenehf.layers.plan import Plan

Propose = Callable[[Image, Pool, Run], Plan]


def _planner(name: str) -> Propose:
    def propose(image: Image, pool: Pool, run: Run) -> Plan:
        plan: Plan = import_module(f"scenehf.layers.planners.{name}").propose(image, pool, run)
        return plan

    return propose


PLANNERS: dict[str, Propose] = {"offline": _planner("offline")}
