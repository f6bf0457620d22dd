"""Servers on this machine that speak as the services do."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobs.context import Context
from jobs.ledger import Caps
from jobs.paying import Paying
from jobs.store import Store
from tests.models.providers import paid
from tests.models.providers.loopback import Loopback, Service

Serve = Callable[[Service], Loopback]


@pytest.fixture
def served() -> Iterator[Serve]:
    """Puts a service on a port."""
    servers: list[Loopback] = []

    def serve(service: Service) -> Loopback:
        servers.append(Loopback(service))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorter waits."""
    monkeypatch.setattr("models.providers.remote.PAUSE", 0.01)
    monkeypatch.setattr("models.providers.remote.POLL_FIRST", 0.01)
    monkeypatch.setattr("models.providers.remote.POLL_SLOWEST", 0.02)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store", free_min=0, ballast=0) as fresh:
        yield fresh


@pytest.fixture
def payer(store: Store) -> Paying:
    """One running step that may spend what the crash tests' cap allows."""
    store.create_job("edit", {})
    job = store.claim("me")
    assert job is not None
    step = store.begin_step(job.id, job.attempt, "s1", 1, "cup", {}, "input")
    return Paying(Context(store, job), step, Caps(day=paid.CAP))
