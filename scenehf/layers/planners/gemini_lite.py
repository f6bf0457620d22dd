"""Google's Gemini reads the picture: its lighter model, for less money."""

from models.pool import Pool
from models.requests import Image, Run
from scenehf.layers.asking import ask
from scenehf.layers.plan import Plan

MODEL = "gemini-3.5-flash-lite"


def propose(image: Image, pool: Pool, run: Run) -> Plan:
    """Raises `ModelError`: NoPlan, or what the service refused."""
    return ask("gemini-planner", image, pool, run, MODEL)
