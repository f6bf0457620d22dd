"""Units of work for the tests of the host: `units` is the entry that the child imports."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from jobs.child import Answer, ChildRun, Unit

Params = dict[str, Any]
Files = dict[str, Path]


def echo(params: Params, files: Files, run: ChildRun) -> Answer:
    """Everything that a unit may do, and its inputs back."""
    run.progress(0.5, "half")
    run.log("a line")
    run.preview(b"\x89PNG, more or less")
    run.remember("key", [1, {"two": 2}])
    blobs = {name: path.read_bytes() for name, path in files.items()}
    return {"params": params, "recalled": run.recall("key"), "pid": os.getpid()}, {
        **blobs,
        "view": memoryview(b"abc"),
    }


def big(params: Params, files: Files, run: ChildRun) -> Answer:
    """Many megabytes."""
    return {}, {"zeros": bytes(params["size"]), "empty": b""}


def spin(params: Params, files: Files, run: ChildRun) -> Answer:
    """Work that listens."""
    while True:
        run.check()
        time.sleep(0.005)


def nap(params: Params, files: Files, run: ChildRun) -> Answer:
    """Work that does not listen. `started` is created when it begins."""
    run.progress(0.1, "napping")
    time.sleep(params.get("seconds", 60))
    return {}, {}


def die(params: Params, files: Files, run: ChildRun) -> Answer:
    """What a crash in a native library looks like."""
    os.kill(os.getpid(), getattr(signal, params["signal"]))
    time.sleep(60)
    return {}, {}


def leave(params: Params, files: Files, run: ChildRun) -> Answer:
    """Ends the process from inside."""
    os._exit(7)


class Unwilling(Exception):
    """An error with a cure."""

    hint = "Try another picture."


def refuse(params: Params, files: Files, run: ChildRun) -> Answer:
    """Raises."""
    raise Unwilling("The picture is empty.")


def unspeakable(params: Params, files: Files, run: ChildRun) -> Answer:
    """Answers with what is not JSON."""
    return {"x": {1, 2}}, {}


def units() -> dict[str, Unit]:
    """The entry."""
    return {unit.__name__: unit for unit in (echo, big, spin, nap, die, leave, refuse, unspeakable)}
