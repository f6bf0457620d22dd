"""Units for the tests of ZeroGPU: what one that needs the card may do."""

import os
import threading
from pathlib import Path
from typing import Any

from jobs.errors import JobsError


def units() -> dict[str, Any]:
    """Every unit by name."""
    return {"gaze.cells": cells, "plain": plain}


def plain(
    params: dict[str, Any], files: dict[str, Path], run: Any
) -> tuple[dict[str, Any], dict[str, bytes]]:
    return {"pid": os.getpid()}, {}


def cells(
    params: dict[str, Any], files: dict[str, Path], run: Any
) -> tuple[dict[str, Any], dict[str, bytes]]:
    if params.get("fail"):
        raise JobsError("It cannot be drawn.", hint="Draw another.")
    while params.get("endless"):
        run.check()
        threading.Event().wait(0.01)
    for cell in range(params["first"], params["last"]):
        run.check()
        run.progress((cell + 1) / params["last"], f"Cell {cell}")
    run.log("drawn")
    run.preview(b"\x89PNG")
    return {"pid": os.getpid()}, {"cells.bin": files["image"].read_bytes()}
