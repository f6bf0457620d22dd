"""The screens come up where the machine is slow, a proxy is set, or a port is taken."""

import os
import socket
import time
from itertools import count
from types import SimpleNamespace

import httpx
import pytest

from scenehf.settings import load
from scenehf.ui import server
from scenehf.ui.build import Screens


@pytest.fixture
def screens(shelf, tmp_path):
    return Screens(shelf, tmp_path / "uploads")


def up(screens: Screens, port: int | None = None) -> bool:
    url = screens.serve(port).url
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    finally:
        screens.close()


def test_a_server_that_takes_longer_than_gradio_waits_is_waited_for(screens, monkeypatch):
    hurried = count(0, 10).__next__  # ten seconds from one look at the clock to the next
    monkeypatch.setattr("gradio.http_server.time", SimpleNamespace(time=hurried, sleep=time.sleep))
    assert up(screens)


def test_a_proxy_that_is_set_does_not_stand_between(screens, shelf, tmp_path, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "intranet")
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(httpx.ConnectError):
        screens.serve(None)
    load(data=tmp_path / "data")
    assert up(Screens(shelf, tmp_path / "uploads"))
    assert os.environ["NO_PROXY"].split(",")[0] == "intranet"


def test_a_port_that_is_taken_is_told_and_a_free_one_is_found(screens, monkeypatch):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(OSError, match=str(taken)):
            screens.serve(taken)
        monkeypatch.setattr(server, "PORTS", (taken, server.free_port()))
        for _ in range(9):
            assert server.free_port() != taken
