"""Messages between the app and its host process: a JSON header, then its blobs, each as one length-prefixed frame.

No pickle: what comes back from a process that ran native code on a stranger's picture is data, never code.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

Blob: TypeAlias = bytes | bytearray | memoryview


@dataclass(frozen=True)
class Message:
    """`type` says what it is, `data` is JSON, `blobs` are bytes by name."""

    type: str
    data: dict[str, Any] = field(default_factory=dict)
    blobs: Mapping[str, bytes] = field(default_factory=dict)


class Wire:
    """One end of the connection. Any thread may send; one thread receives."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._turn = threading.Lock()

    def send(
        self, type: str, data: dict[str, Any] | None = None, blobs: Mapping[str, Blob] | None = None
    ) -> None:
        """Send one message. OSError if the other end is gone; TypeError, ValueError if `data` is not JSON."""
        blobs = blobs or {}
        header = {"type": type, "data": data or {}, "blobs": list(blobs)}
        # All that may fail comes first: a message is never sent in part.
        frames: list[Blob] = [json.dumps(header, ensure_ascii=False, allow_nan=False).encode()]
        frames += [memoryview(blob).cast("B") for blob in blobs.values()]
        with self._turn:
            for frame in frames:
                self._connection.send_bytes(frame)

    def receive(self) -> Message:
        """Wait for one message. EOFError, OSError if the other end is gone."""
        header = json.loads(self._connection.recv_bytes())
        blobs = {name: self._connection.recv_bytes() for name in header["blobs"]}
        return Message(header["type"], header["data"], blobs)

    def waiting(self, timeout: float) -> bool:
        """Whether a message, or the end of the connection, comes within `timeout` seconds."""
        return self._connection.poll(timeout)

    def close(self) -> None:
        """Close this end, which tells the other one."""
        self._connection.close()
