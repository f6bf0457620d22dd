"""Work inside a network made visible: every block asks whether to go on, and says how far it has come."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from models.requests import Run

SYNCHRONISED = 4  # blocks: on MPS calls return before they are done, so that a cancel would come late


class Ticks:
    """Progress of a stage from `low` to `high` of the whole, in `count` ticks, with a message that may change."""

    def __init__(self, run: Run, low: float, high: float, count: int, message: str) -> None:
        self.message = message
        self._run, self._low, self._high, self._count = run, low, high, max(1, count)
        self._done = 0

    def __call__(self) -> None:
        """One more piece is about to begin. Raises what `run.check` raises."""
        if torch.backends.mps.is_available() and self._done % SYNCHRONISED == 0:
            torch.mps.synchronize()
        self._run.check()
        share = min(1.0, self._done / self._count)
        self._run.progress(self._low + (self._high - self._low) * share, self.message)
        self._done += 1


@contextmanager
def watched(blocks: Iterable[nn.Module], tick: Callable[[], None]) -> Iterator[None]:
    """Within it, `tick` is called before each run of each block."""
    handles = [block.register_forward_pre_hook(lambda *_: tick()) for block in blocks]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
