"""The killable child: relays, cancels, crashes, and dies with its parent."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import Cancelled, HostCrashed, UnitFailed
from jobs.host import Host

ROOT = Path(__file__).parents[2]
ENTRY = "tests.jobs.units:units"


class Caller:
    """A run that writes down what it is told, and stops when `stop` is set."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.notes: dict[str, Any] = {}
        self.stop = threading.Event()

    def progress(self, fraction: float, message: str = "") -> None:
        self.told.append((fraction, message))

    def preview(self, image: bytes) -> None:
        self.told.append(image)

    def log(self, text: str) -> None:
        self.told.append(text)

    def check(self) -> None:
        if self.stop.is_set():
            raise Cancelled

    def remember(self, key: str, value: Any) -> None:
        self.notes[key] = value

    def recall(self, key: str) -> Any:
        return self.notes.get(key)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    child = Host(ENTRY, log=tmp_path / "host.log")
    yield child
    child.close()


def gone(pid: int, within: float) -> bool:
    """Whether the process ends in time. A zombie has ended."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def stop_after(caller: Caller, seconds: float) -> None:
    threading.Timer(seconds, caller.stop.set).start()


def test_a_unit_gets_its_inputs_and_speaks_to_its_caller(host: Host, tmp_path: Path):
    (tmp_path / "photo").write_bytes(b"\0pixels")
    caller = Caller()
    reply = host.call("echo", {"n": [1.5, "ü", None]}, {"photo": tmp_path / "photo"}, caller)
    assert reply.data["params"] == {"n": [1.5, "ü", None]}
    assert reply.data["recalled"] == [1, {"two": 2}]
    assert reply.blobs == {"photo": b"\0pixels", "view": b"abc"}
    assert caller.told == [(0.5, "half"), "a line", b"\x89PNG, more or less"]
    assert reply.data["pid"] == host.pid != os.getpid()
    assert host.call("echo", {}, {}, caller).data["pid"] == reply.data["pid"]  # one child, many calls


def test_large_blobs(host: Host):
    reply = host.call("big", {"size": 50_000_000}, {}, Caller())
    assert len(reply.blobs["zeros"]) == 50_000_000
    assert reply.blobs["empty"] == b""


def test_a_listening_unit_is_cancelled_and_its_process_lives(host: Host):
    host.call("echo", {}, {}, Caller())
    pid, caller = host.pid, Caller()
    stop_after(caller, 0.2)
    with pytest.raises(Cancelled):
        host.call("spin", {}, {}, caller)
    assert host.call("echo", {}, {}, Caller()).data["pid"] == pid


def test_a_deaf_unit_is_killed_after_the_grace(host: Host, tmp_path: Path):
    host.call("echo", {}, {}, Caller())
    pid, caller = host.pid, Caller()
    assert pid is not None
    stop_after(caller, 0.2)
    began = time.monotonic()
    with pytest.raises(Cancelled):
        host.call("nap", {}, {}, caller)
    assert time.monotonic() - began > 2.0
    assert gone(pid, 1)
    assert host.call("echo", {}, {}, Caller()).data["pid"] != pid


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL", "SIGABRT"])
def test_a_crash_is_typed_and_the_next_call_works(host: Host, name: str):
    with pytest.raises(HostCrashed, match=name) as raised:
        host.call("die", {"signal": name}, {}, Caller())
    assert raised.value.signal == name
    assert ("memory" in raised.value.hint) == (name == "SIGKILL")
    assert host.call("echo", {}, {}, Caller()).blobs


def test_an_exit_is_a_crash(host: Host):
    with pytest.raises(HostCrashed, match="exit code 7"):
        host.call("leave", {}, {}, Caller())


def test_death_between_calls_is_noticed(host: Host):
    pid = host.call("echo", {}, {}, Caller()).data["pid"]
    os.kill(pid, signal.SIGKILL)
    assert gone(pid, 2)
    assert host.call("echo", {}, {}, Caller()).data["pid"] != pid


def test_errors_of_units_keep_kind_message_and_hint(host: Host, tmp_path: Path):
    with pytest.raises(UnitFailed) as raised:
        host.call("refuse", {}, {}, Caller())
    error = raised.value
    assert (error.kind, error.message, error.hint) == (
        "Unwilling",
        "The picture is empty.",
        "Try another picture.",
    )
    assert "Traceback" in (tmp_path / "host.log").read_text()
    for unit, kind in (("unspeakable", "TypeError"), ("no such unit", "KeyError")):
        with pytest.raises(UnitFailed) as raised:
            host.call(unit, {}, {}, Caller())
        assert raised.value.kind == kind
    assert host.call("echo", {}, {}, Caller()).blobs


def test_an_entry_that_cannot_be_imported(tmp_path: Path):
    host = Host("no.such.module:units", log=tmp_path / "log")
    with pytest.raises(UnitFailed, match="no"):
        host.call("echo", {}, {}, Caller())
    host.close()


def test_callers_take_turns_and_can_be_cancelled_while_they_wait(host: Host):
    first, second = Caller(), Caller()
    thread = threading.Thread(target=lambda: host.call("nap", {"seconds": 1.5}, {}, first))
    thread.start()
    time.sleep(0.2)
    stop_after(second, 0.1)
    with pytest.raises(Cancelled):
        host.call("echo", {}, {}, second)
    assert thread.is_alive()
    assert host.call("echo", {}, {}, Caller()).blobs
    thread.join()


def test_close_ends_the_child_also_in_the_middle_of_a_call(host: Host):
    pid = host.call("echo", {}, {}, Caller()).data["pid"]
    host.close()
    assert gone(pid, 2)
    crashed: list[BaseException] = []

    def call() -> None:
        try:
            host.call("nap", {}, {}, Caller())
        except HostCrashed as error:
            crashed.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    time.sleep(0.3)
    host.close()
    thread.join(5)
    assert crashed


def test_the_child_ignores_ctrl_c(host: Host):
    pid = host.call("echo", {}, {}, Caller()).data["pid"]
    os.kill(pid, signal.SIGINT)
    time.sleep(0.1)
    assert host.call("echo", {}, {}, Caller()).data["pid"] == pid
    assert os.getpgid(pid) != os.getpgid(0)  # the terminal's Ctrl+C does not even reach it


@pytest.mark.parametrize("unit", ["echo", "nap"])
def test_the_child_dies_with_its_parent(unit: str):
    code = f"""
import sys, threading, time
from jobs.host import Host
from tests.jobs.test_host import Caller
host = Host({ENTRY!r})
host.call("echo", {{}}, {{}}, Caller())
print(host.pid, flush=True)
host.call({unit!r}, {{}}, {{}}, Caller())
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    time.sleep(0.2)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(pid, 2)


def test_the_main_module_is_not_imported_again(tmp_path: Path):
    script = tmp_path / "program.py"
    script.write_text(
        "print('imported', flush=True)\n"
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from jobs.host import Host\nfrom tests.jobs.test_host import Caller, ENTRY\n"
        "host = Host(ENTRY)\nhost.call('echo', {}, {}, Caller())\nhost.close()\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert done.stdout == "imported\n", done.stderr
