"""The app over services that answer on this machine."""

import json

import pytest

from jobs.host import Host
from jobs.runner import Runner
from jobs.store import Store
from scenehf.worker import WORKFLOWS
from tests.models.providers.loopback import Loopback
from tests.models.providers.services import CANARY


@pytest.fixture(scope="session")
def cloud_host():
    """A worker process for the jobs that services take part in."""
    host = Host("scenehf.worker:units")
    yield host
    host.close()


@pytest.fixture
def cloud(furnished_home, cloud_host, monkeypatch, tmp_path):
    """A function that starts the app over some services; it answers with the store."""
    monkeypatch.setattr("models.providers.remote.POLL_FIRST", 0.02)
    monkeypatch.setattr("models.providers.remote.PAUSE", 0.02)
    running = []

    def start(**services):
        servers = {name: Loopback(service) for name, service in services.items()}
        addresses = {name: server.url for name, server in servers.items()}
        if "fal" in addresses:
            addresses["fal"] += "/queue/"
        if "openai" in addresses:
            addresses["openai"] += "/v1"
        monkeypatch.setenv("SCENEHF_ADDRESSES", json.dumps(addresses))
        for name in ("GOOGLE_API_KEY", "FAL_KEY", "OPENAI_API_KEY"):
            monkeypatch.setenv(name, CANARY)
        store = Store(furnished_home / "store")
        runner = Runner(store, WORKFLOWS, cloud_host)
        runner.start()
        running.extend([runner.stop, store.close, *(server.close for server in servers.values())])
        return store, servers

    yield start
    for stop in running:
        stop()
