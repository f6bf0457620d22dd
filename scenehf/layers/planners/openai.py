"""OpenAI, or a server on this machine that speaks its protocol, reads the picture."""

from models.pool import Pool
from models.requests import Image, Run
from scenehf.layers.asking import ask
from scenehf.layers.plan import Plan


def propose(image: Image, pool: Pool, run: Run) -> Plan:
    """Raises `ModelError`: NoPlan, or what the service refused."""
    return ask("openai-planner", image, pool, run)
