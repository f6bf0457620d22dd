"""One app per port. Says who holds a taken port; ends an older instance of this app when asked, and nothing else.

An instance leaves a record `app-PORT.json` in its data directory while it runs. A process is that instance if the
system still knows a process of this id that began at the recorded time and listens on that port: ids are reused,
an id together with its beginning is not.
"""

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

PROC = Path("/proc")
LISTEN = "0A"  # state column of /proc/net/tcp
STOP_SECONDS = 8.0  # an app promises to end within 5
LOOPBACK = "127.0.0.1"
PASSWORD = re.compile(r"(--auth[= ])\S+")  # in a command line, which is told to whoever asks for the port


class PortTaken(Exception):
    """Another process listens on the port; the message is one sentence that names it."""


@dataclass(frozen=True)
class Holder:
    """The process that listens on a port. pid: None if the system does not tell (another person's process)."""

    pid: int | None
    command: str

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command})" if self.pid else "a process of another person"


@dataclass(frozen=True)
class Record:
    """What an instance writes down about itself. began: the system's own word for when the process started."""

    pid: int
    began: str


@contextmanager
def only_one(data: Path, port: int, *, takeover: bool = False) -> Iterator[None]:
    """Hold `port` by name while the app runs. Raises PortTaken; nothing was ended then.

    takeover: end an older instance of this app on the same data directory first.
    """
    if takeover:
        _end(data, port)
    if _is_taken(port):
        raise PortTaken(_refusal(data, port))
    record = _record(data, port)
    ours = Record(os.getpid(), _began(os.getpid()))
    record.write_text(json.dumps(asdict(ours)))
    try:
        yield
    finally:
        if _read(record) == ours:
            record.unlink(missing_ok=True)


def holder(port: int) -> Holder | None:
    """Who listens on `port` of this machine; None if nobody does."""
    pid = _listener_linux(port) if PROC.joinpath("net", "tcp").exists() else _listener_lsof(port)
    if pid is not None:
        return Holder(pid, _command(pid))
    return Holder(None, "") if _is_taken(port) else None


def older(data: Path, port: int) -> Holder | None:
    """The instance of this app, on this data directory, that listens on `port`; None if it is anything else."""
    known, found = _read(_record(data, port)), holder(port)
    if known is None or found is None or found.pid != known.pid:
        return None
    return found if _began(known.pid) == known.began != "" else None


def _refusal(data: Path, port: int) -> str:
    if mine := older(data, port):
        return (
            f"Port {port} is held by {mine}, an older instance of this app. Open http://{LOOPBACK}:{port}, "
            "or start with --takeover to end it, or with --port N beside it."
        )
    return f"Port {port} is held by {holder(port) or 'another process'}. Start on another one: --port {port + 1}."


def _end(data: Path, port: int) -> None:
    for ending in (signal.SIGTERM, signal.SIGKILL):
        found = older(data, port)
        if found is None or found.pid is None:
            return
        os.kill(found.pid, ending)
        until = time.monotonic() + STOP_SECONDS
        while _is_taken(port) and time.monotonic() < until:
            time.sleep(0.05)


def _record(data: Path, port: int) -> Path:
    return data / f"app-{port}.json"


def _read(record: Path) -> Record | None:
    try:
        return Record(**json.loads(record.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _is_taken(port: int) -> bool:
    """Whether somebody answers, or we may not listen ourselves (a half-closed port does not count)."""
    with socket.socket() as caller:
        caller.settimeout(1)
        if caller.connect_ex((LOOPBACK, port)) == 0:
            return True
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def _listener_linux(port: int) -> int | None:
    inodes = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            if columns[3] == LISTEN and int(columns[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{columns[9]}]")
    if not inodes:
        return None
    for descriptor in PROC.glob("[0-9]*/fd/*"):
        try:
            if str(descriptor.readlink()) in inodes:
                return int(descriptor.parts[2])
        except OSError:  # ended meanwhile, or not ours to see
            continue
    return None


def _listener_lsof(port: int) -> int | None:
    told = _ask(["/usr/sbin/lsof", "-nP", "-t", f"-iTCP:{port}", "-sTCP:LISTEN"]).split()
    return int(told[0]) if told else None


def _command(pid: int) -> str:
    """The command line on one line, cut where it gets long."""
    if PROC.joinpath("self").exists():
        try:
            line = (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            line = ""
    else:
        line = _ask(["/bin/ps", "-o", "command=", "-p", str(pid)])
    return PASSWORD.sub(r"\1...", " ".join(line.split()))[:200] or "unknown"


def _began(pid: int) -> str:
    """When the process started, in the system's own terms; empty if there is no such process (or only its remains)."""
    if not PROC.joinpath("self").exists():
        return _ask(["/bin/ps", "-o", "lstart=", "-p", str(pid)]).strip()
    try:
        stat = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return ""
    columns = stat.rpartition(")")[2].split()  # the name before may hold blanks
    return "" if columns[0] == "Z" else columns[19]


def _ask(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout
    except OSError:  # the tool is not on this machine: then nobody knows
        return ""
