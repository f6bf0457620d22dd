"""A model hub of one repository on this machine, for the hub's own client."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

REVISION = "5" * 40


class Hub(ThreadingHTTPServer):
    """files: path in the repository -> bytes. told: what it says the hash of a file is, where that is not so."""

    daemon_threads = True

    def __init__(self, repository: str, files: Mapping[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.repository, self.files = repository, dict(files)
        self.told: dict[str, str] = {}
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def sha256(self, name: str) -> str:
        return self.told.get(name) or hashlib.sha256(self.files[name]).hexdigest()

    def about(self) -> dict[str, object]:
        """What the API says of the repository."""
        siblings = [
            {
                "rfilename": name,
                "size": len(data),
                "blobId": "b" * 40,
                "lfs": {"sha256": self.sha256(name), "size": len(data), "pointerSize": 134},
            }
            for name, data in self.files.items()
        ]
        return {
            "_id": "1",
            "id": self.repository,
            "sha": REVISION,
            "siblings": siblings,
            "cardData": {"license": "mit"},
        }


class Answer(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        hub, path = self.server, unquote(urlsplit(self.path).path)
        hub.asked.append(f"{self.command} {path}")
        files = f"/{hub.repository}/resolve/{REVISION}/"
        if path == f"/api/models/{hub.repository}":
            self._send(json.dumps(hub.about()).encode(), "application/json", body)
        elif path.startswith(files) and (name := path.removeprefix(files)) in hub.files:
            extra = {"X-Repo-Commit": REVISION, "ETag": f'"{hub.sha256(name)}"'}
            self._send(hub.files[name], "application/octet-stream", body, extra)
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _send(self, data: bytes, kind: str, body: bool, extra: Mapping[str, str] | None = None) -> None:
        self.send_response(200)
        headers = {"Content-Type": kind, "Content-Length": str(len(data))} | dict(extra or {})
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(repository: str, files: Mapping[str, bytes]) -> Iterator[Hub]:
    with Hub(repository, files) as hub:
        thread = threading.Thread(target=hub.serve_forever, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
