"""What the guard is told about the app."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from starlette.types import Scope

from scenehf.ui.guard.hosts import Hosts
from scenehf.ui.visitors import Reception


@dataclass(frozen=True)
class Call:
    """A function that may be called. heavy: few of them run at a time, so that callers wait for each other."""

    number: int
    name: str
    heavy: bool = False


@dataclass(frozen=True)
class Rules:
    """reception: who is who, and whose jobs are whose. uploads: folder of uploaded files. parts: numbers of the parts
    of the page that have functions of their own. signed_in: the name under which a request (its scope) has logged in,
    if it has. tools: whether agents may connect."""

    reception: Reception
    uploads: Path
    hosts: Hosts
    calls: Collection[Call]
    parts: Collection[int]
    signed_in: Callable[[Scope], str | None]
    tools: bool
