"""How much one visitor, and all of them together, may ask for in a while."""

import threading
import time
from collections import deque
from dataclasses import dataclass

ALL = 20  # visitors' worth that all of them together may ask for
MOST_KNOWN = 10_000  # visitors that are remembered at a time


@dataclass(frozen=True)
class Rate:
    """So much in so many seconds."""

    most: int
    seconds: float


CALLS = Rate(120, 60)  # functions that answer at once
HEAVY = Rate(12, 60)  # those for which callers wait in a line
STREAMS = Rate(120, 60)  # of answers
ACTS = Rate(1500, 60)  # what the page asks: four looks a second in several tabs
UPLOADS = Rate(30, 60)
UPLOADED = Rate(150_000_000, 60)  # bytes
LOGINS = Rate(5, 60)  # that failed


class Meter:
    """Counts what each visitor took within the time of the rate. Safe for many threads."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._turn = threading.Lock()
        self._each: dict[str, _Window] = {}
        self._all = _Window(rate.seconds)

    def take(self, visitor: str, amount: int = 1) -> bool:
        """Whether they may have it; then it is counted."""
        now = time.monotonic()
        with self._turn:
            if len(self._each) >= MOST_KNOWN:
                self._each = {who: window for who, window in self._each.items() if window.total(now)}
            own = self._each.setdefault(visitor, _Window(self._rate.seconds))
            if (
                own.total(now) + amount > self._rate.most
                or self._all.total(now) + amount > self._rate.most * ALL
            ):
                return False
            own.add(now, amount)
            self._all.add(now, amount)
            return True

    def give_back(self, visitor: str) -> None:
        """What they took last does not count after all."""
        with self._turn:
            if visitor in self._each:
                self._each[visitor].drop()
            self._all.drop()


class _Window:
    """What was taken in the last `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._taken: deque[tuple[float, int]] = deque()
        self._total = 0

    def total(self, now: float) -> int:
        while self._taken and self._taken[0][0] < now - self._seconds:
            self._total -= self._taken.popleft()[1]
        return self._total

    def add(self, now: float, amount: int) -> None:
        self._taken.append((now, amount))
        self._total += amount

    def drop(self) -> None:
        if self._taken:
            self._total -= self._taken.pop()[1]
