"""What was handed to a visitor, and is nobody else's: uploaded files, sessions of pages, calls."""

import threading
from collections import OrderedDict

MOST = 20_000  # things remembered; of the oldest nobody is the owner any more
MOST_OWNERS = 50  # of one thing: files with the same bytes and name are one file


class Belongings:
    """Things by name -> the visitors who have them. Safe for many threads."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._owners: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    def give(self, thing: str, visitor: str) -> None:
        """From now on it is theirs too."""
        with self._turn:
            others = [owner for owner in self._owners.pop(thing, ()) if owner != visitor]
            self._owners[thing] = (*others, visitor)[-MOST_OWNERS:]
            while len(self._owners) > MOST:
                self._owners.popitem(last=False)

    def has(self, thing: str, visitor: str) -> bool:
        """Whether it is theirs."""
        with self._turn:
            return visitor in self._owners.get(thing, ())

    def take(self, thing: str, visitor: str) -> bool:
        """Whether it is theirs, or was nobody's and is theirs now: what a visitor names by a number of their own."""
        with self._turn:
            return visitor in self._owners.setdefault(thing, (visitor,))
