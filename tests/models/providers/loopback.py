"""Loopback servers that speak as the services do, and break where they are told to.

A fault hits one request: `before` the service saw it, or `after` it has committed what was asked. That difference is
what makes "was it paid twice?" a question with an answer.
"""

import json
import re
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Protocol
from urllib.parse import parse_qs, urlsplit

Kind = Literal["429", "500", "reset", "close", "stall", "drip", "truncate", "malformed", "html", "empty"]
KINDS: tuple[Kind, ...] = (
    "429", "500", "reset", "close", "stall", "drip", "truncate", "malformed", "html", "empty",
)  # fmt: skip
SLOW = 1.0  # seconds of a stall, and of a drip at least
HTML = "<html><title>502 Bad Gateway</title><center>nginx</center></html>"


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: Message
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body or b"null")


@dataclass
class Answer:
    """What a service says."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)

    def data(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


@dataclass
class Fault:
    """Hits the next request of this method and path."""

    method: str
    path: str
    kind: Kind
    when: Literal["before", "after"] = "before"


class Service(Protocol):
    """base: the server's address, set by it. jobs: how many paid jobs it committed."""

    base: str
    jobs: int

    def answer(self, asked: Asked) -> Answer: ...


class Loopback:
    """A server for one service; every request is in `seen`."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.seen: list[Asked] = []
        self.faults: list[Fault] = []
        self._turn = threading.Lock()
        outer = self

        class Speaker(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def handle_one(self) -> None:
                outer._handle(self)

            do_GET = do_POST = do_PUT = do_DELETE = handle_one  # noqa: N815 -- the names it looks for

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_: object) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Speaker)
        service.base = self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handle(self, speaker: BaseHTTPRequestHandler) -> None:
        split = urlsplit(speaker.path)
        query = {name: values[-1] for name, values in parse_qs(split.query).items()}
        body = speaker.rfile.read(int(speaker.headers.get("content-length") or 0))
        asked = Asked(speaker.command, split.path, query, speaker.headers, body)
        with self._turn:
            self.seen.append(asked)
            fault = next(
                (f for f in self.faults if f.method == asked.method and re.search(f.path, asked.path)), None
            )
            if fault:
                self.faults.remove(fault)
        answer = Answer(599) if fault and fault.when == "before" else self.service.answer(asked)
        try:
            if fault:
                speaker.close_connection = True
                _break(speaker, fault, answer)
            else:
                _say(speaker, answer)
        except OSError:
            speaker.close_connection = True


def _say(speaker: BaseHTTPRequestHandler, answer: Answer, length: int | None = None) -> bytes:
    data = answer.data()
    speaker.send_response(answer.status)
    json_like = not isinstance(answer.body, bytes | str)
    kind = {"content-type": "application/json"} if json_like else {}
    for name, value in (kind | answer.headers | {"content-length": str(length or len(data))}).items():
        speaker.send_header(name, value)
    if speaker.close_connection:
        speaker.send_header("connection", "close")
    speaker.end_headers()
    if length is None:
        speaker.wfile.write(data)
    return data


def _break(speaker: BaseHTTPRequestHandler, fault: Fault, answer: Answer) -> None:
    def end() -> None:
        speaker.connection.shutdown(socket.SHUT_RDWR)

    if fault.kind == "reset":
        speaker.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        speaker.connection.close()
    elif fault.kind == "close":
        end()
    elif fault.kind in ("429", "500"):
        _say(speaker, Answer(int(fault.kind), {"detail": "injected"}, {"retry-after": "0"}))
    elif fault.kind == "html":
        _say(speaker, Answer(502, HTML, {"content-type": "text/html"}))
    elif fault.kind == "empty":
        _say(speaker, Answer(200, b"", {"content-type": "application/json"}))
    elif fault.kind == "malformed":
        _say(speaker, Answer(200, b'{"id": "abc", "status": "succ', {"content-type": "application/json"}))
    elif fault.kind == "stall":
        time.sleep(SLOW)
        _say(speaker, answer)
    else:
        data = answer.data() or b"x" * 64
        _say(speaker, answer, len(data))
        if fault.kind == "truncate":
            speaker.wfile.write(data[: len(data) // 2])
        else:
            for at in range(0, len(data), max(1, len(data) // 20)):
                speaker.wfile.write(data[at : at + max(1, len(data) // 20)])
                speaker.wfile.flush()
                time.sleep(SLOW / 10)
        end()
