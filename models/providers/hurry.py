"""The deadline of a call on the socket itself: a timeout of one read does not help against an answer that comes byte by
byte, which may begin with its head.
"""

from collections.abc import Callable
from typing import Any


class HurriedBackend:
    """Wraps the network backend of an httpcore pool. hurry: raises when the deadline of the call has passed."""

    def __init__(self, inner: Any, hurry: Callable[[], None]) -> None:
        self._inner, self._hurry = inner, hurry

    def connect_tcp(self, *given: Any, **named: Any) -> "HurriedStream":
        """As the backend."""
        return HurriedStream(self._inner.connect_tcp(*given, **named), self._hurry)

    def connect_unix_socket(self, *given: Any, **named: Any) -> "HurriedStream":
        """As the backend."""
        return HurriedStream(self._inner.connect_unix_socket(*given, **named), self._hurry)

    def sleep(self, seconds: float) -> None:
        """As the backend."""
        self._inner.sleep(seconds)


class HurriedStream:
    """A connection that is asked before every read."""

    def __init__(self, inner: Any, hurry: Callable[[], None]) -> None:
        self._inner, self._hurry = inner, hurry

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """As the connection, while there is time."""
        self._hurry()
        data: bytes = self._inner.read(max_bytes, timeout)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """As the connection."""
        self._inner.write(buffer, timeout)

    def start_tls(self, *given: Any, **named: Any) -> "HurriedStream":
        """As the connection, which stays one of ours."""
        return HurriedStream(self._inner.start_tls(*given, **named), self._hurry)

    def get_extra_info(self, info: str) -> Any:
        """As the connection."""
        return self._inner.get_extra_info(info)

    def close(self) -> None:
        """As the connection."""
        self._inner.close()
