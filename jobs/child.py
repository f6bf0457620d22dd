"""The inside of the host process: takes calls from its connection, does them, answers. See `jobs.host`."""

import faulthandler
import importlib
import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeAlias

from jobs.errors import Cancelled, describe
from jobs.preview import PREVIEW_GAP, Picture, encode_preview
from jobs.wire import Blob, Message, Wire

Answer: TypeAlias = tuple[dict[str, Any], Mapping[str, Blob]]
Unit: TypeAlias = Callable[[dict[str, Any], dict[str, Path], "ChildRun"], Answer]


class ChildRun:
    """The caller's run, as seen by a unit. Fits `models.requests.Run`."""

    def __init__(self, wire: Wire, cancelled: threading.Event, recalled: "queue.Queue[Any]") -> None:
        self._wire = wire
        self._cancelled = cancelled
        self._recalled = recalled
        self._previewed = 0.0

    def progress(self, fraction: float, message: str = "") -> None:
        """Work done, `fraction` in [0, 1]."""
        self._wire.send("progress", {"fraction": float(fraction), "message": message})

    def preview(self, image: Picture | bytes) -> None:
        """Show an intermediate picture; not even encoded if the last one is younger than half a second."""
        now = time.monotonic()
        if now - self._previewed >= PREVIEW_GAP:
            self._previewed = now
            self._wire.send("preview", blobs={"image": encode_preview(image)[0]})

    def log(self, text: str) -> None:
        """Add one line to the log."""
        self._wire.send("log", {"text": text})

    def check(self) -> None:
        """Raise Cancelled if the caller wants to stop."""
        if self._cancelled.is_set():
            raise Cancelled

    def remember(self, key: str, value: Any) -> None:
        """Keep a JSON value durably."""
        self._wire.send("remember", {"key": key, "value": value})

    def recall(self, key: str) -> Any:
        """The value kept under `key`, or None."""
        self._wire.send("recall", {"key": key})
        return self._recalled.get()


def main(fd: int, entry: str) -> None:
    """Serve calls that come over the socket `fd` until it ends. entry: "module:function", see `jobs.host.Host`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    wire = Wire(Connection(fd))
    calls: queue.Queue[Message] = queue.Queue()
    recalled: queue.Queue[Any] = queue.Queue()
    cancelled = threading.Event()

    def listen() -> None:
        try:
            while True:
                message = wire.receive()
                if message.type == "cancel":
                    cancelled.set()
                elif message.type == "recalled":
                    recalled.put(message.data["value"])
                else:
                    cancelled.clear()
                    calls.put(message)
        except (EOFError, OSError):
            os._exit(0)  # the parent is gone, or wants us gone; whatever runs is of no use to anybody

    threading.Thread(target=listen, name="host-listen", daemon=True).start()
    units: dict[str, Unit] = {}
    while True:
        message = calls.get()
        wire.send("begun")
        try:
            units = units or _load(entry)
            files = {name: Path(path) for name, path in message.data["files"].items()}
            run = ChildRun(wire, cancelled, recalled)
            data, blobs = units[message.data["unit"]](message.data["params"], files, run)
            wire.send("result", data, blobs)
        except Cancelled:
            wire.send("stopped")
        except Exception as error:  # noqa: BLE001 -- the boundary of the process: it reaches the caller typed
            traceback.print_exc()
            wire.send("error", describe(error))


def _load(entry: str) -> dict[str, Unit]:
    module, _, name = entry.partition(":")
    units: dict[str, Unit] = getattr(importlib.import_module(module), name)()
    return units
