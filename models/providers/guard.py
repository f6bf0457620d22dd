"""The transport that every SDK speaks through: a paid call leaves this machine at most once.

SDKs send again by themselves: fal-client up to ten times, openai twice, google-genai with aiohttp once. Here a paid
POST goes out once; every outcome that leaves open whether the service took it on becomes `Uncertain`, which no SDK
knows and therefore none retries. The same class serves httpx and httpx2, whose exceptions are not each other's.
"""

import ipaddress
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType, TracebackType
from typing import Any, Self, TypeAlias

from models.errors import ProviderError, Transient, Uncertain
from models.providers.hurry import HurriedBackend
from models.spec import title_of

Refusal: TypeAlias = Callable[[int, Mapping[str, str], bytes], ProviderError]

CONNECT = 10.0  # seconds to reach a service
SLOWEST = 0.05  # seconds that a read is given even when the deadline is now
MOST_ERROR = 1 << 16  # bytes of an error's body that are read
CREDENTIALS = ("authorization", "x-goog-api-key", "api-key", "x-api-key", "cookie")
# Beside 5xx, the answers after which the service may still work on the call: timeout, conflict, too early.
OPEN_ENDED = (408, 409, 425)


@dataclass
class Call:
    """One exchange with a service. deadline: on the monotonic clock, for all of it. headers: of the last answer."""

    provider: str
    deadline: float
    paid: bool
    refusal: Refusal
    sent: bool = False
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The service's name as people write it."""
        return title_of(self.provider)

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return max(SLOWEST, self.deadline - time.monotonic())


_call: ContextVar[Call | None] = ContextVar("call", default=None)


@contextmanager
def calling(provider: str, seconds: float, refusal: Refusal, *, paid: bool = False) -> Iterator[Call]:
    """Everything that this thread sends inside is one call, over within `seconds`. refusal: makes an error of an
    answer of 400 and above, from status, headers (lower case) and body."""
    call = Call(provider, time.monotonic() + seconds, paid, refusal)
    token = _call.set(call)
    try:
        yield call
    finally:
        _call.reset(token)


class Guard:
    """A transport for a client of `library` (httpx or httpx2). hosts: who may see credentials and paid calls; a name
    that begins with a dot stands for every host that ends with it."""

    def __init__(self, library: ModuleType, hosts: tuple[str, ...], inner: Any = None) -> None:
        self._library = library
        self._hosts = hosts
        self._inner = inner or _transport(library)
        # The client accepts only a stream of its own library.
        self._stream = type("GuardedStream", (_Stream, library.SyncByteStream), {})

    def handle_request(self, request: Any) -> Any:
        """Send it, if it may be sent; an answer of 400 and above, or a lost one, is raised as ours."""
        call = _call.get()
        if call is None:
            raise RuntimeError("an SDK sent a request outside of `calling`")
        if not is_among(request.url.host, self._hosts):
            for name in CREDENTIALS:
                request.headers.pop(name, None)
            if call.paid:
                raise Transient(f"A paid call to {request.url.host} was stopped.", provider=call.provider)
        request.extensions["timeout"] = {
            "connect": min(CONNECT, call.left), "read": call.left, "write": call.left, "pool": CONNECT,
        }  # fmt: skip
        response = self._send(request, call, paid=call.paid and request.method == "POST")
        call.headers = {name.lower(): value for name, value in response.headers.items()}
        response.stream = self._stream(response.stream, call, self._library)
        self._raise_refusal(response, call)
        return response

    def _send(self, request: Any, call: Call, *, paid: bool) -> Any:
        if paid and call.sent:
            raise Uncertain(
                "The SDK tried to send a paid call again; it was stopped.", provider=call.provider
            )
        call.sent = call.sent or paid
        library = self._library
        try:
            return self._inner.handle_request(request)
        except (library.ConnectError, library.ConnectTimeout, library.PoolTimeout) as error:
            call.sent = call.sent and not paid  # it never left
            told = f"{call.title} could not be reached ({type(error).__name__})."
            raise Transient(told, provider=call.provider) from error
        except library.TransportError as error:
            raise _lost(call, type(error).__name__) from error

    def _raise_refusal(self, response: Any, call: Call) -> None:
        status = int(response.status_code)
        if status < 300 or (status < 400 and not call.paid):
            return
        body = b""
        try:
            for chunk in response.stream:
                body += chunk
                if len(body) > MOST_ERROR:
                    break
        except ProviderError:
            pass  # the status alone says enough
        finally:
            response.close()
        error = call.refusal(status, call.headers, body)
        if call.paid and (status < 400 or status >= 500 or status in OPEN_ENDED):
            told = f"{call.title} answered {status}: {error.args[0]}"
            raise Uncertain(told, provider=call.provider, status=status, request_id=error.request_id)
        raise error

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def guarded(library: ModuleType, hosts: tuple[str, ...]) -> Any:
    """A `Guard`, as a transport of whichever library: their types are not each other's."""
    return Guard(library, hosts)


def _transport(library: ModuleType) -> Any:
    """The library's own, on sockets that keep the deadline. A test holds it to the private names this takes."""
    transport = library.HTTPTransport(retries=0, verify=_trusted(library))
    pool = transport._pool
    pool._network_backend = HurriedBackend(pool._network_backend, _hurry)
    return transport


@cache
def _trusted(library: ModuleType) -> Any:
    """The certificates of the world, read once: it takes longer than many an answer."""
    return library.create_ssl_context()


def _hurry() -> None:
    call = _call.get()
    if call is not None and time.monotonic() > call.deadline:
        raise _lost(call, "the answer came too slowly")


class _Stream:
    """The body of an answer, under the call's deadline also when it comes byte by byte."""

    def __init__(self, inner: Any, call: Call, library: ModuleType) -> None:
        self._inner, self._call, self._library = inner, call, library

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._inner:
                if time.monotonic() > self._call.deadline:
                    raise _lost(self._call, "the answer came too slowly")
                yield chunk
        except self._library.TransportError as error:
            raise _lost(self._call, type(error).__name__) from error

    def close(self) -> None:
        self._inner.close()


def is_among(host: str, hosts: tuple[str, ...]) -> bool:
    """Whether `host` is one of these; `.example.org` stands for everything that ends so."""
    return any(host == one or (one.startswith(".") and host.endswith(one)) for one in hosts)


def is_loopback(host: str) -> bool:
    """Whether `host` means this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _lost(call: Call, reason: str) -> ProviderError:
    kind = Uncertain if call.paid else Transient
    return kind(f"The connection to {call.title} was lost ({reason}).", provider=call.provider)
