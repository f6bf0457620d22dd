"""One piece of work on all cores: the caller's thread and helpers that take its parts one after another."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

APART = (
    144  # numbers between planes: at distances of a power of two they would push one another out of the cache
)
_OWN = threading.local()


def shared(parts: Iterable[int], work: Callable[[int], None]) -> None:
    """Do work(part) for every part, on as many threads as torch uses. It pays where `work` lets go of Python's lock."""
    left = iter(parts)

    def some() -> None:
        for part in left:
            work(part)

    helpers = [_helpers().submit(some) for _ in range(torch.get_num_threads() - 1)]
    some()
    for helper in helpers:
        helper.result()


@cache
def _helpers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, torch.get_num_threads() - 1), thread_name_prefix="liveportrait")


def planes(name: str, number: int, count: int) -> NDArray[np.float32]:
    """(number, count or more) of this thread, not set; the same memory for the same name, since fresh memory costs as
    much as to fill it."""
    size = number * (count + APART)
    kept = getattr(_OWN, name, None)
    if kept is None or len(kept) < size:
        kept = np.empty(size, np.float32)
        setattr(_OWN, name, kept)
    return kept[:size].reshape(number, -1)
