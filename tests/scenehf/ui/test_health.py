"""What whoever watches the app is told."""

import httpx
import pytest

from jobs.host import Host
from jobs.store import Store
from scenehf import VERSION
from scenehf.ui.build import Screens
from tests.jobs.test_host import Caller


@pytest.fixture(scope="module")
def host():
    host = Host("scenehf.worker:units")
    yield host
    host.close()


def test_it_tells_the_owner_everything_and_strangers_how_long_the_line_is(at, at_public, shelf):
    shelf.create_job("edit", {})
    told = httpx.get(f"{at}/scenehf/health").json()
    assert (told["ok"], told["version"], told["jobs"]) == (True, VERSION, {"queued": 1})
    assert told["device"] in ("cpu", "cuda", "mps")
    assert told["free"] > 0 and told["up"] >= 0 and "models" in told
    told = httpx.get(f"{at_public}/scenehf/health").json()
    assert told == {"ok": True, "version": VERSION, "jobs": {"queued": 1, "running": 0}}


def test_a_store_that_cannot_be_read_is_no_health(tmp_path):
    with Store(tmp_path / "store", free_min=0, ballast=0) as store:
        screens = Screens(store, tmp_path / "uploads")
        url = screens.serve(None).url
        (tmp_path / "store" / "store.db").write_bytes(b"nonsense" * 10_000)
        for name in ("store.db-wal", "store.db-shm"):
            (tmp_path / "store" / name).unlink()
        answer = httpx.get(f"{url}scenehf/health")
        screens.close()
    assert (answer.status_code, answer.json()["ok"]) == (503, False)


def test_the_worker_tells_which_models_are_loaded_unless_it_is_busy(host):
    assert host.peek("about") is None, "there is no worker yet"
    host.call("about", {}, {}, Caller())
    assert host.peek("about") == {"models": []}
    assert host.peek("nothing of this name") is None
