"""No test reaches the network: whatever Python process a test starts, only this machine answers it.

Python imports a module of this name at start-up from `PYTHONPATH`, where `tests/conftest.py` puts this folder,
so the guard also stands in the processes that tests start. Every attempt is refused and written to the file that
`SCENEHF_TEST_GUARD` names, so that code which swallows the refusal still fails its test.
"""

import ipaddress
import os
import socket
import sys
from pathlib import Path
from typing import Any

LOCAL_NAMES = {"", "localhost", "localhost.localdomain", socket.gethostname()}


class NetworkReached(RuntimeError):
    """A test tried to leave this machine."""


def is_local(host: object) -> bool:
    """Whether `host` (a name, an address, or None for "any of mine") can only mean this machine."""
    if host is None:
        return True
    name = host.decode() if isinstance(host, bytes) else str(host)
    if name.lower() in LOCAL_NAMES:
        return True
    try:
        address = ipaddress.ip_address(name.split("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback or address.is_unspecified


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event == "socket.connect" or event == "socket.sendto":
        address = args[1]
        if not isinstance(address, tuple) or is_local(address[0]):  # AF_UNIX: a path, not a tuple
            return
        _refuse(f"{event} {address}")
    elif event == "socket.getaddrinfo" and not is_local(args[0]):
        _refuse(f"{event} {args[0]!r}")


def _refuse(what: str) -> None:
    record = os.environ.get("SCENEHF_TEST_GUARD")
    if record:
        with Path(record).open("a", encoding="utf-8") as lines:
            lines.write(f"{os.getpid()} {' '.join(sys.argv)[:200]}: {what}\n")
    raise NetworkReached(f"A test tried to reach the network: {what}")


sys.addaudithook(_hook)
