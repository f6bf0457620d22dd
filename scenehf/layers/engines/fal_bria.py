"""Bria's background removal on fal as a layer engine."""

from models.pool import Pool
from scenehf.layers.matted import MattedEngine


def build(pool: Pool) -> MattedEngine:
    """The engine over these models."""
    return MattedEngine(pool, "fal-bria", "fal")
