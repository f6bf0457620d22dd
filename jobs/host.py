"""The killable process that does heavy local work: it holds the loaded models and answers one unit at a time.

A crash of a native library ends the process, not the job's runner; a unit that does not listen to a cancel is
killed with it. The next call starts a new one.
"""

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import Pipe
from pathlib import Path
from typing import IO, Any, Protocol

from jobs.errors import HostCrashed, UnitFailed
from jobs.wire import Message, Wire

GRACE = 2.0  # seconds that a unit has to notice a cancel before its process is killed
LOG_BYTES = 2_000_000
LOOK = 0.05  # seconds between two looks at the caller's `check`
STDERR = 2
FINAL = frozenset({"result", "error", "stopped"})
BOOT = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from jobs.child import main
main(int(sys.argv[2]), sys.argv[3])
"""


class Run(Protocol):
    """What the caller of a unit offers it; `jobs.context.Context` does."""

    def progress(self, fraction: float, message: str = "") -> None: ...
    def preview(self, image: bytes) -> None: ...
    def log(self, text: str) -> None: ...
    def check(self) -> None: ...
    def remember(self, key: str, value: Any) -> None: ...
    def recall(self, key: str) -> Any: ...


class _Nobody:
    """A run that nobody follows."""

    def progress(self, fraction: float, message: str = "") -> None: ...
    def preview(self, image: bytes) -> None: ...
    def log(self, text: str) -> None: ...
    def check(self) -> None: ...
    def remember(self, key: str, value: Any) -> None: ...
    def recall(self, key: str) -> Any: ...


@dataclass(frozen=True)
class Reply:
    """What a unit answered."""

    data: dict[str, Any]
    blobs: Mapping[str, bytes]


class Host:
    """One child process, started at the first call. Calls from several threads take turns.

    entry: "module:function", imported in the child only; the function returns {unit name: callable(params,
    files, run) -> (data, blobs)}. log: file that takes the child's output; None: this process's stderr.
    """

    def __init__(self, entry: str, *, log: Path | None = None, grace: float = GRACE) -> None:
        self._entry = entry
        self._log = log
        self._grace = grace
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._wire: Wire | None = None
        self._begun = False  # whether the child answered the current call at all
        self._closing = False  # whether close() came during the current call

    @property
    def pid(self) -> int | None:
        """Of the child, or None while there is none."""
        return None if self._process is None else self._process.pid

    def call(self, unit: str, params: dict[str, Any], files: Mapping[str, Path], run: Run) -> Reply:
        """Have the child do `unit`. Its progress, previews and log go to `run`.

        Raises UnitFailed if the unit raised, HostCrashed if the process died, and whatever `run.check` raises:
        at most `grace` seconds after it first does.
        """
        while not self._turn.acquire(timeout=LOOK):
            run.check()
        try:
            run.check()
            self._closing = False
            paths = {name: str(path) for name, path in files.items()}
            call = {"unit": unit, "params": params, "files": paths}
            try:
                return self._try(call, run)
            except HostCrashed:
                if self._begun or self._closing:
                    raise
                # The child was dying when the call came, and did nothing of it.
                return self._try(call, run)
        finally:
            self._turn.release()

    def peek(self, unit: str) -> dict[str, Any] | None:
        """What a unit that takes no time answers; None while the child is busy, not there, or has no such unit."""
        if self._wire is None or not self._turn.acquire(blocking=False):
            return None
        try:
            call = {"unit": unit, "params": {}, "files": {}}
            return None if self._wire is None else self._try(call, _Nobody()).data
        except (HostCrashed, UnitFailed):
            return None
        finally:
            self._turn.release()

    def close(self) -> None:
        """End the child. A call that runs in another thread sees a crash."""
        if self._turn.acquire(blocking=False):
            try:
                if self._wire is not None:
                    self._wire.close()  # nobody calls: the child sees the end of its input and goes in peace
                self._forget(patience=1.0)
            finally:
                self._turn.release()
        else:
            self._closing = True  # for a child that is only just being started
            if (process := self._process) is not None:
                process.kill()

    def _try(self, call: dict[str, Any], run: Run) -> Reply:
        """Send the call to the child, or to a new one, and wait for the answer."""
        self._begun = False
        wire = self._wire or self._start()
        if self._closing and self._process is not None:
            self._process.kill()
        try:
            wire.send("call", call)
            message = self._answer(wire, run)
        except (EOFError, OSError) as error:
            raise self._crashed() from error
        return _result(message)

    def _answer(self, wire: Wire, run: Run) -> Message:
        """Relay messages until the final one. When `run` wants to stop, the child stops first."""
        try:
            while True:
                run.check()
                if wire.waiting(LOOK):
                    message = wire.receive()
                    if message.type in FINAL:
                        return message
                    self._begun = True
                    _relay(message, wire, run)
        except (EOFError, OSError):
            raise
        except BaseException:
            self._halt(wire)
            raise

    def _halt(self, wire: Wire) -> None:
        """Ask the child to leave its unit; kill it if it does not within the grace."""
        deadline = time.monotonic() + self._grace
        try:
            wire.send("cancel")
            while (rest := deadline - time.monotonic()) > 0:
                if wire.waiting(rest) and wire.receive().type in FINAL:
                    return
        except (EOFError, OSError):
            pass
        self._forget()

    def _start(self) -> Wire:
        """A fresh interpreter: unlike multiprocessing's spawn it does not import this program's main module."""
        ours, theirs = Pipe()
        with contextlib.ExitStack() as stack:
            output = None if self._log is None else stack.enter_context(_opened(self._log))
            self._process = subprocess.Popen(
                [sys.executable, "-c", BOOT, json.dumps(sys.path), str(theirs.fileno()), self._entry],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output or STDERR,
                stderr=output,
                start_new_session=True,  # Ctrl+C in the terminal is for this process alone
            )
        theirs.close()
        self._wire = Wire(ours)
        return self._wire

    def _crashed(self) -> HostCrashed:
        """Forget the child that died, and say how it did."""
        code = self._forget(patience=1.0)
        if code is None or code >= 0:
            return HostCrashed(f"The host process ended (exit code {code}).")
        name = signal.Signals(-code).name
        hint = "The computer may be out of memory; use a smaller picture." if name == "SIGKILL" else None
        return HostCrashed(f"The host process crashed ({name}).", signal=name, hint=hint)

    def _forget(self, patience: float = 0.0) -> int | None:
        """Make sure that the child is gone, after `patience` seconds by force; its exit code."""
        process, wire = self._process, self._wire
        self._process = self._wire = None
        if wire is not None:
            wire.close()
        if process is None:
            return None
        try:
            return process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def _opened(log: Path) -> IO[bytes]:
    """The log to append to; a long one is put aside first, in the place of the one before."""
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))
    return log.open("ab")


def _relay(message: Message, wire: Wire, run: Run) -> None:
    data = message.data
    if message.type == "progress":
        run.progress(data["fraction"], data["message"])
    elif message.type == "preview":
        run.preview(message.blobs["image"])
    elif message.type == "log":
        run.log(data["text"])
    elif message.type == "remember":
        run.remember(data["key"], data["value"])
    elif message.type == "recall":
        wire.send("recalled", {"value": run.recall(data["key"])})


def _result(message: Message) -> Reply:
    if message.type == "stopped":
        raise UnitFailed("Cancelled", "The unit stopped although nobody asked it to.", "Run it again.")
    if message.type == "error":
        raise UnitFailed(message.data["kind"], message.data["message"], message.data["hint"])
    return Reply(message.data, message.blobs)
