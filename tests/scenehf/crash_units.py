"""Units for the crash tests of the workflows: those of the gaze grid as they are, quick stand-ins for the layers."""

from typing import Any

from scenehf import worker
from tests.scenehf.ui import units as standins


def units() -> dict[str, Any]:
    """Every unit by name."""
    return worker.units() | standins.units()
