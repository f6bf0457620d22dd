"""Real processes on real ports."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scenehf import instance
from scenehf.instance import Holder, PortTaken, holder, older, only_one

SERVER = """
import pathlib, signal, socket, sys, time
from scenehf.instance import only_one
data, port, deaf, quiet = pathlib.Path(sys.argv[1]), int(sys.argv[2]), "deaf" in sys.argv, "quiet" in sys.argv
if deaf:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
def serve():
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    print("ready", flush=True)
    while True:
        time.sleep(1)
if quiet:
    serve()
with only_one(data, port):
    serve()
"""

Start = Callable[..., "subprocess.Popen[str]"]


def test_a_password_in_a_command_line_is_not_told():
    told = instance._command(os.getpid())
    assert "python" in told
    code = "import time; time.sleep(30)"
    with subprocess.Popen([sys.executable, "-c", code, "--auth", "me:secret", "--auth=me:secret"]) as process:
        while "--auth" not in (told := instance._command(process.pid)):
            time.sleep(0.01)
        process.kill()
    assert "secret" not in told


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a process that listens: as an instance of the app, deaf to a polite kill, or as a stranger (quiet)."""
    started = []

    def _start(port: int, *how: str, data: Path = tmp_path) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(data), str(port), *how], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield _start
    for process in started:
        process.kill()
        process.communicate()


def test_a_free_port_is_held_by_nobody_and_the_record_goes_with_the_app(tmp_path: Path, port: int):
    assert holder(port) is None
    with only_one(tmp_path, port):
        assert json.loads((tmp_path / f"app-{port}.json").read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_stranger_is_named_and_lives(tmp_path: Path, port: int, start: Start):
    stranger = start(port, "quiet")
    assert holder(port) == Holder(stranger.pid, holder(port).command)
    assert older(tmp_path, port) is None
    for takeover in (False, True):
        named = rf"process {stranger.pid} \(.*python.*--port {port + 1}\.$"
        with pytest.raises(PortTaken, match=named), only_one(tmp_path, port, takeover=takeover):
            pass
    assert stranger.poll() is None


def test_an_older_instance_is_ended_only_when_asked(tmp_path: Path, port: int, start: Start):
    old = start(port)
    assert older(tmp_path, port) is not None
    named = rf"process {old.pid} .*older instance.*--takeover"
    with pytest.raises(PortTaken, match=named), only_one(tmp_path, port):
        pass
    assert old.poll() is None
    with only_one(tmp_path, port, takeover=True):
        assert old.wait(1) == 0
        assert json.loads((tmp_path / f"app-{port}.json").read_text())["pid"] == os.getpid()
    assert not (tmp_path / f"app-{port}.json").exists()


def test_an_instance_that_does_not_listen_to_reason_is_killed(
    tmp_path: Path, port: int, start: Start, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(instance, "STOP_SECONDS", 0.3)
    old = start(port, "deaf")
    with only_one(tmp_path, port, takeover=True):
        assert old.wait(1) == -signal.SIGKILL


def test_an_instance_on_other_data_is_a_stranger(tmp_path: Path, port: int, start: Start):
    (tmp_path / "theirs").mkdir()
    theirs = start(port, data=tmp_path / "theirs")
    with pytest.raises(PortTaken, match=rf"process {theirs.pid}"), only_one(tmp_path, port, takeover=True):
        pass
    assert theirs.poll() is None


@pytest.mark.parametrize("change", ["began", "pid", "torn"])
def test_a_stale_record_ends_nobody(tmp_path: Path, port: int, start: Start, change: str):
    """The id in the record was given to another process, or the record is of no use."""
    stranger = start(port, "quiet")
    record = {"pid": stranger.pid, "began": instance._began(stranger.pid)}
    record |= {"began": {"began": "1"}, "pid": {"pid": os.getpid()}, "torn": {}}[change]
    text = json.dumps(record)
    (tmp_path / f"app-{port}.json").write_text(text[:-5] if change == "torn" else text)
    with pytest.raises(PortTaken), only_one(tmp_path, port, takeover=True):
        pass
    assert stranger.poll() is None


def test_a_killed_instance_leaves_a_record_that_stops_nobody(tmp_path: Path, port: int, start: Start):
    old = start(port)
    old.kill()
    old.wait()
    assert (tmp_path / f"app-{port}.json").exists()
    with only_one(tmp_path, port):
        pass


def test_a_port_just_left_is_free(tmp_path: Path, port: int):
    """Connections in TIME_WAIT do not count as taken."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as web servers do
        listener.bind(("127.0.0.1", port))
        listener.listen()
        caller = socket.create_connection(("127.0.0.1", port))
        served, _ = listener.accept()
        served.close()  # the server closes first: its side waits
        time.sleep(0.05)
        caller.close()
    with only_one(tmp_path, port):
        pass
