"""A model unloaded: what it is, what it takes, and how to load it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from models.errors import InvalidRequest
from models.requests import Loaded, Request

Where = Literal["local", "replicate", "fal", "google", "openai"]


@dataclass(frozen=True)
class Host:
    """What `load` needs to know of the machine. device: "mps", "cuda" or "cpu"; weights: the folder of pulled files."""

    weights: Path
    device: str = "cpu"
    threads: int = 2


@dataclass(frozen=True)
class ModelSpec:
    """One line of the catalog. `load(host)` is where heavy imports live; memory in MB, when loaded."""

    id: str
    title: str
    where: Where
    accepts: type[Request[Any]]
    load: Callable[[Host], Loaded[Any, Any]]
    licence: str
    url: str
    memory: int
    weights: tuple[str, ...] = ()

    def check(self, request: Request[Any]) -> None:
        """Refuse what cannot work before anything is loaded or spent."""
        if not isinstance(request, self.accepts):
            raise InvalidRequest(
                f"{self.title} answers {self.accepts.__name__}, not {type(request).__name__}."
            )
