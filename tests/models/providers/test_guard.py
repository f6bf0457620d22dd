"""The transport: one paid POST, one deadline, no key where it does not belong, for both HTTP libraries."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import httpx2
import pytest

from models.errors import BadInput, ProviderError, Transient, Uncertain
from models.providers.guard import Guard, calling, is_among, is_loopback
from tests.models.providers.loopback import Answer, Asked, Fault, Loopback, Service

Serve = Callable[[Service], Loopback]
HERE = ("127.0.0.1",)


class Echo:
    """Counts POSTs; redirects when it is told to."""

    def __init__(self, to: str = "") -> None:
        self.base, self.jobs, self.to = "", 0, to

    def answer(self, asked: Asked) -> Answer:
        self.jobs += asked.method == "POST"
        if self.to:
            return Answer(307, "", {"location": self.to})
        return Answer(200, {"seen": dict(asked.headers)}, {"x-fal-billable-units": "0.25"})


def refusal(status: int, headers: Any, body: bytes) -> ProviderError:
    kind = BadInput if status < 500 else Transient
    return kind(f"{status} {body[:20]!r}", status=status)


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> Any:
    return request.param


def client(library: Any, hosts: tuple[str, ...] = HERE, **more: Any) -> Any:
    return library.Client(transport=Guard(library, hosts), headers={"authorization": "Bearer x"}, **more)


def test_an_sdk_that_sends_again_is_stopped(served: Serve, library: Any):
    server = served(Echo())
    with client(library) as http, calling("it", 5, refusal, paid=True) as call:
        assert http.post(server.url).status_code == 200
        assert call.headers["x-fal-billable-units"] == "0.25"
        with pytest.raises(Uncertain, match="again"):
            http.post(server.url)
    assert server.service.jobs == 1


@pytest.mark.parametrize("kind", ["reset", "close", "truncate", "drip", "stall", "500", "html"])
def test_a_lost_answer_to_a_paid_call_is_uncertain_and_to_a_free_one_transient(
    served: Serve, library: Any, kind: Any
):
    server = served(Echo())
    for paid, error in ((True, Uncertain), (False, Transient)):
        server.faults.append(Fault("POST", "/", kind, "after"))
        began = time.monotonic()
        with client(library) as http, calling("it", 0.25, refusal, paid=paid), pytest.raises(error):
            http.post(server.url)
        assert time.monotonic() - began < 0.75


def test_an_answer_whose_head_drips_is_given_up_in_time(library: Any):
    """An endless head, a byte at a time, each well within the timeout of one read."""
    door = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        connection, _ = door.accept()
        with connection, contextlib.suppress(OSError):
            for byte in b"HTTP/1.1 200 OK\r\n" + b"x-slow: 1\r\n" * 1000:
                connection.send(bytes([byte]))
                time.sleep(0.02)

    threading.Thread(target=drip, daemon=True).start()
    began = time.monotonic()
    with (
        client(library) as http,
        calling("it", 0.4, refusal, paid=True),
        pytest.raises(Uncertain, match="slowly"),
    ):
        http.post(f"http://127.0.0.1:{door.getsockname()[1]}/")
    assert time.monotonic() - began < 1
    door.close()


def test_what_was_never_sent_is_not_paid_and_may_be_sent_again(served: Serve, library: Any):
    server = served(Echo())
    with client(library) as http, calling("it", 5, refusal, paid=True):
        with pytest.raises(Transient) as caught:
            http.post("http://127.0.0.1:1/")
        assert caught.value.charged == "no"
        assert http.post(server.url).status_code == 200


def test_a_redirect_of_a_paid_call_is_not_followed(served: Serve, library: Any):
    target = served(Echo())
    server = served(Echo(target.url))
    http = client(library, follow_redirects=True)
    with http, calling("it", 5, refusal, paid=True), pytest.raises(Uncertain):
        http.post(server.url)
    assert target.service.jobs == 0


def test_a_key_stays_with_its_hosts(served: Serve, library: Any):
    server = served(Echo())
    keys = {"x-goog-api-key": "k", "cookie": "c", "accept": "a"}
    with client(library, ("api.example.org",)) as http:
        with calling("it", 5, refusal):
            seen = http.get(server.url, headers=keys).json()["seen"]
        with calling("it", 5, refusal, paid=True), pytest.raises(Transient, match="stopped"):
            http.post(server.url)
    assert {name.lower() for name in seen} & {"authorization", "x-goog-api-key", "cookie"} == set()
    assert server.service.jobs == 0


def test_nothing_is_sent_outside_of_a_call(served: Serve, library: Any):
    with client(library) as http, pytest.raises(RuntimeError, match="outside"):
        http.get(served(Echo()).url)


def test_refusals_tell_what_the_service_said(served: Serve, library: Any):
    server = served(Echo())
    server.faults.append(Fault("POST", "/", "429"))
    http = client(library)
    with http, calling("it", 5, refusal, paid=True), pytest.raises(BadInput, match=r"429 .*inject"):
        http.post(server.url)
    assert server.service.jobs == 0


@pytest.mark.parametrize(
    ("host", "allowed"),
    [("fal.media", True), ("v3.fal.media", True), ("evilfal.media", False), ("fal.media.evil.org", False)],
)
def test_hosts_are_compared_by_whole_labels(host: str, allowed: bool):
    assert is_among(host, ("fal.media", ".fal.media")) is allowed


def test_loopback_is_told_from_names_that_look_like_it():
    assert is_loopback("127.0.0.1") and is_loopback("::1") and is_loopback("localhost")
    assert not is_loopback("127.0.0.1.evil.org") and not is_loopback("192.0.2.1")
