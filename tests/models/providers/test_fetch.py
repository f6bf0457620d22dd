"""Results come from known hosts, without keys, whole, and only if they are pictures."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from models.errors import RemoteFailed, Transient
from models.providers import fetch as module
from models.providers.fetch import checked, fetch, mime
from tests.models.providers.loopback import Answer, Asked, Fault, Loopback, Service
from tests.models.providers.services import png

Serve = Callable[[Service], Loopback]
HERE = ("127.0.0.1",)


class Shelf:
    """Answers with one thing."""

    def __init__(self, answer: Answer) -> None:
        self.base, self.jobs, self._answer = "", 0, answer

    def answer(self, asked: Asked) -> Answer:
        assert asked.headers.get("authorization") is None
        return self._answer


def test_a_picture_comes_as_it_is(served: Serve):
    server = served(Shelf(Answer(200, png())))
    assert fetch(server.url, "it", HERE) == png()
    assert mime(png()) == "image/png"


@pytest.mark.parametrize("kind", ["truncate", "reset", "html", "empty", "malformed", "500", "drip", "stall"])
def test_a_broken_download_is_worth_another_try(served: Serve, kind: Any):
    server = served(Shelf(Answer(200, png())))
    server.faults.append(Fault("GET", "/", kind))
    with pytest.raises(Transient):
        fetch(server.url, "it", HERE, seconds=0.4)
    assert fetch(server.url, "it", HERE) == png()


@pytest.mark.parametrize(
    "url",
    ["http://192.0.2.1/x.png", "https://evil.org/x.png", "file:///etc/passwd", "http://localhost.evil.org/x"],
)
def test_untrusted_addresses_are_not_asked(url: str):
    with pytest.raises(RemoteFailed, match="not trusted"):
        fetch(url, "it", ("127.0.0.1", "192.0.2.1"))


def test_a_redirect_is_held_to_the_same_rules(served: Serve):
    good = served(Shelf(Answer(200, png())))
    assert fetch(served(Shelf(Answer(302, "", {"location": good.url}))).url, "it", HERE) == png()
    for place in ("http://192.0.2.1/x.png", "file:///etc/passwd", "https://example.org/"):
        with pytest.raises(RemoteFailed, match="not trusted"):
            fetch(served(Shelf(Answer(302, "", {"location": place}))).url, "it", HERE)
    circle = served(Shelf(Answer(302, "", {"location": "/"})))
    with pytest.raises(RemoteFailed, match="circles"):
        fetch(circle.url, "it", HERE)


def test_what_is_gone_or_too_large_is_said(served: Serve, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(RemoteFailed, match="no longer") as caught:
        fetch(served(Shelf(Answer(404))).url, "it", HERE)
    assert (caught.value.charged, caught.value.status) == ("yes", 404)
    monkeypatch.setattr(module, "MOST_BYTES", 50)
    with pytest.raises(RemoteFailed, match="more than"):
        fetch(served(Shelf(Answer(200, png()))).url, "it", HERE)


def bomb() -> bytes:
    """A PNG that says it is 30000 x 30000."""
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    return png()[:12] + chunk + struct.pack(">I", zlib.crc32(chunk)) + png()[33:]


@pytest.mark.parametrize(
    ("data", "error"),
    [(b"<html>", Transient), (b"", Transient), (png()[:45], Transient), (bomb(), RemoteFailed)],
)
def test_only_sane_pictures_pass(data: bytes, error: type[Exception]):
    with pytest.raises(error):
        checked(data, "it")


def test_other_formats_do_not_pass():
    out = io.BytesIO()
    Image.new("RGB", (4, 4)).save(out, "TIFF")
    with pytest.raises(Transient):
        checked(out.getvalue(), "it")
