"""A model unloaded: what it is, what it takes, and how to load it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr

from models.errors import InvalidRequest
from models.requests import Loaded, Request

Where = Literal["local", "replicate", "fal", "google", "openai", "vertex"]
TITLES = {"replicate": "Replicate", "fal": "fal", "google": "Google", "openai": "OpenAI", "vertex": "Vertex"}


def title_of(service: str) -> str:
    """A service's name as people write it."""
    return TITLES.get(service, service)


@dataclass(frozen=True)
class Access:
    """How remote services are reached. Google: a key, or a service account's file with project and region (Vertex).
    vertex_endpoint: a person's own, reached with that account, see `providers.vertex`.

    openai_base_url: a server that speaks OpenAI's protocol. planner: another model that reads pictures, see `reader`.
    addresses: other servers in the place of a service's own, by its name.
    """

    replicate: SecretStr | None = None
    fal: SecretStr | None = None
    google: SecretStr | None = None
    google_account: Path | None = None
    google_project: str | None = None
    google_region: str | None = None
    vertex_endpoint: str | None = None
    openai: SecretStr | None = None
    openai_base_url: str | None = None
    planner: str | None = None
    addresses: Mapping[str, str] = field(default_factory=dict)

    def reader(self, service: Where, usual: str) -> str:
        """The model of a service that reads pictures: `planner`, where it can be one of the service's, or `usual`."""
        wanted = self.planner or usual
        if service == "openai" and self.openai_base_url:
            return wanted
        return wanted if wanted.startswith("gemini") == (service == "google") else usual


@dataclass(frozen=True)
class Host:
    """What `load` needs to know of the machine. device: "mps", "cuda" or "cpu"; weights: the folder of pulled files;
    access: keys, where remote models may be called."""

    weights: Path
    device: str = "cpu"
    threads: int = 2
    access: Access = Access()


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
