"""Functions as machine code, kept between runs where Python keeps its own (PYTHONPYCACHEPREFIX), never beside files.

A kept function is compiled again when its own file changes, and only then: what calls one another stays in one file.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from numba import config, njit

Function = TypeVar("Function", bound=Callable[..., None])

if sys.pycache_prefix and not config.CACHE_DIR:
    config.CACHE_DIR = str(Path(sys.pycache_prefix) / "numba")


def compiled(function: Function) -> Function:
    """`function` over numpy arrays, float32, C-contiguous; it lets go of Python's lock. Compiled at its first call."""
    made: Function = njit(nogil=True, fastmath=True, error_model="numpy", cache=bool(config.CACHE_DIR))(
        function
    )
    return made
