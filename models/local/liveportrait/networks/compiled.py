"""Functions as machine code, kept between runs where Python keeps its own (PYTHONPYCACHEPREFIX), never beside files.

A kept function is compiled again when its own file changes, and only then: what calls one another stays in one file.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from numba import config, njit

Function = TypeVar("Function", bound=Callable[..., None])


def _folder() -> str:
    """Where functions are kept; "" if nowhere."""
    if not sys.pycache_prefix:
        return ""
    folder = Path(sys.pycache_prefix) / "numba"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return ""
    return str(folder) if os.access(folder, os.W_OK) else ""


config.CACHE_DIR = config.CACHE_DIR or _folder()


def compiled(function: Function) -> Function:
    """`function` over numpy arrays, float32, C-contiguous; it lets go of Python's lock. Compiled at its first call."""
    made: Function = njit(nogil=True, fastmath=True, error_model="numpy", cache=bool(config.CACHE_DIR))(
        function
    )
    return made
