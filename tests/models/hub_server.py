"""A model hub on this machine, for the hub's own client."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

REVISION = "5" * 40


class Hub(ThreadingHTTPServer):
    """files: path in the repository -> bytes. told: what it says the hash of a file is, where that is not so; large:
    the same of sizes. small: endings of files that are kept in git itself, of which it tells no sha256. broken: after
    so many bytes of a file the connection ends, once for each number. more: other repositories. ranges: what was asked
    of each file.
    """

    daemon_threads = True

    def __init__(
        self,
        repository: str,
        files: Mapping[str, bytes],
        more: Mapping[str, Mapping[str, bytes]] | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.repository, self.files = repository, dict(files)
        self.more = dict(more or {})
        self.told: dict[str, str] = {}
        self.large: dict[str, int] = {}
        self.small: tuple[str, ...] = (".json", ".txt")
        self.broken: dict[str, list[int]] = {}
        self.ranges: list[str] = []
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def repositories(self) -> dict[str, Mapping[str, bytes]]:
        """Every repository and its files."""
        return {self.repository: self.files, **self.more}

    def sha256(self, name: str, data: bytes) -> str:
        return self.told.get(name) or hashlib.sha256(data).hexdigest()

    def about(self, repository: str) -> dict[str, object]:
        """What the API says of a repository."""
        siblings = []
        for name, data in self.repositories()[repository].items():
            size = self.large.get(name, len(data))
            blob = hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()
            told = {"rfilename": name, "size": size, "blobId": self.told.get(name, blob)}
            if not name.endswith(self.small):
                told["lfs"] = {"sha256": self.sha256(name, data), "size": size, "pointerSize": 134}
            siblings.append(told)
        return {
            "_id": "1",
            "id": repository,
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
        for repository, known in hub.repositories().items():
            files = f"/{repository}/resolve/{REVISION}/"
            if path == f"/api/models/{repository}":
                return self._send(json.dumps(hub.about(repository)).encode(), "application/json", body)
            if path.startswith(files) and (name := path.removeprefix(files)) in known:
                return self._file(name, known[name], body)
        self.send_response(404)
        self.send_header("X-Error-Code", "RepoNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None

    def _file(self, name: str, data: bytes, body: bool) -> None:
        extra = {"X-Repo-Commit": REVISION, "ETag": f'"{self.server.sha256(name, data)}"'}
        asked = self.headers.get("Range", "")
        self.server.ranges.append(f"{name} {asked}".strip())
        begin = int(asked.removeprefix("bytes=").rstrip("-") or 0)
        if begin:
            extra["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        ends = self.server.broken.get(name, [])
        end = ends.pop(0) if ends else len(data)
        self._send(
            data[begin:],
            "application/octet-stream",
            body,
            extra,
            status=206 if begin else 200,
            end=end - begin,
        )

    def _send(
        self, data: bytes, kind: str, body: bool, extra: Mapping[str, str] | None = None, status: int = 200,
        end: int | None = None,
    ) -> None:  # fmt: skip
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": str(len(data))} | dict(extra or {})
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data[:end])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(
    repository: str, files: Mapping[str, bytes], more: Mapping[str, Mapping[str, bytes]] | None = None
) -> Iterator[Hub]:
    with Hub(repository, files, more) as hub:
        thread = threading.Thread(target=hub.serve_forever, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
