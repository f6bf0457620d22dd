"""The names that the app answers to, and whose pages may send it something.

A page of an attacker can have the browser reach this machine under a name of the attacker's (DNS rebinding): so a name
that is not ours gets nothing. A bare address is no name and cannot be rebound. And only a page that we served may send:
the browser tells where a request comes from.
"""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from scenehf.ui.guard.refusal import Refused

OWN_PAGE = ("same-origin", "none")  # none: typed, or from a bookmark
USUAL_PORTS = (80, 443)  # which browsers leave out


class Hosts:
    """names: under which the app is known besides this machine's own ones."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = {name.lower() for name in names}

    def add(self, address: str) -> None:
        """Also answer to the name in this address: a link that was made for the app."""
        self._names.add((urlsplit(address).hostname or "").lower())

    def check(self, headers: Headers) -> None:
        """Refuse a request that asks for somebody else. A proxy's word for the name counts as much."""
        for asked in _asked(headers):
            if not self._knows(_split(asked)[0]):
                raise Refused(421, "This app is not known under that name.")

    def check_sender(self, headers: Headers) -> None:
        """Refuse what the page of another site sends."""
        origin = headers.get("origin")
        if origin is not None and _split(origin.partition("://")[2]) not in map(_split, _asked(headers)):
            raise Refused(403, "Only this app's own page can send that.")
        if headers.get("sec-fetch-site", "none") not in OWN_PAGE:
            raise Refused(403, "Only this app's own page can send that.")

    def _knows(self, name: str) -> bool:
        if name == "localhost" or name.endswith(".localhost") or name in self._names:
            return True
        try:
            ip_address(name)
        except ValueError:
            return False
        return True


def _asked(headers: Headers) -> Iterator[str]:
    """For whom a request asks: its Host, and what a proxy says that it was."""
    yield from headers.getlist("host") or [""]
    for listed in headers.getlist("x-forwarded-host"):
        yield from listed.split(",")


def _split(address: str) -> tuple[str, int | None]:
    """(name, port) of "name:port"; the name is "" where it is none, which nobody has."""
    try:
        parts = urlsplit(f"//{address.strip()}")
        port = None if parts.port in USUAL_PORTS else parts.port
        return (parts.hostname or "").rstrip("."), port
    except ValueError:
        return "", None
