"""No key ever leaves: keys in every place where a person may put one, services that send them back in every refusal,
and a look at every file, reply and line of output that there is."""

import base64
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image

from jobs.store import Store
from scenehf.layers.plan import ExtractStep, arrange
from scenehf.workflows import actions
from scenehf.workflows.extract import Params

ROOT = Path(__file__).parents[2]
KEYS = {
    name: f"{name.lower().replace('_', '-')}-CANARY-{number}{'x' * 20}"
    for number, name in enumerate(
        ("REPLICATE_API_TOKEN", "FAL_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY", "HF_TOKEN")
    )
}
ENTERED = "entered-on-the-page-CANARY-9xxxxxxxx"
PASSWORD = "correct-CANARY-horse"


class Parrot(http.server.ThreadingHTTPServer):
    """Refuses everything, with all that it was sent in the refusal: 401, 500, or a line that is cut in the middle."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.heard = ""


class Answer(http.server.BaseHTTPRequestHandler):
    server: Parrot

    def do_POST(self) -> None:
        sent = f"{self.path} {dict(self.headers)}"
        self.server.heard += sent
        body = json.dumps({"error": {"message": sent, "status": sent, "code": 401}, "detail": sent}).encode()
        self.send_response(500 if "openai" in self.path else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) + (100 if "queue" in self.path else 0)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def parrot() -> Iterator[Parrot]:
    with Parrot() as parrot:
        threading.Thread(target=parrot.serve_forever, daemon=True).start()
        yield parrot
        parrot.shutdown()


def spellings(key: str) -> set[bytes]:
    """As it may be written down."""
    return {key.encode(), quote(key).encode(), base64.b64encode(key.encode())[:-4], key[:-4].encode()}


@pytest.mark.slow
def test_no_key_is_in_anything(
    parrot: Parrot, furnished_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    addresses = {
        "google": f"{parrot.url}/google", "fal": f"{parrot.url}/queue/", "openai": f"{parrot.url}/openai/v1",
        "replicate": f"{parrot.url}/replicate",
    }  # fmt: skip
    lines = [f"{name}={key}" for name, key in KEYS.items()]
    lines += [
        f"SCENEHF_ADDRESSES={json.dumps(addresses)}",
        f"SCENEHF_AUTH=owner:{PASSWORD}",
        "SCENEHF_CAP_RUN=5",
    ]
    (furnished_home / ".env").write_text("\n".join(lines))
    said = tmp_path / "said.txt"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    words = [sys.executable, "app.py", "--no-browser", "--port", str(port)]
    with said.open("w") as output:
        app = subprocess.Popen(words, cwd=ROOT, stdout=output, stderr=output, env=os.environ)
    until = time.monotonic() + 60
    while "Ready:" not in said.read_text():
        assert time.monotonic() < until and app.poll() is None, said.read_text()
        time.sleep(0.05)
    replies: list[bytes] = []
    with Store(furnished_home / "store") as store:
        client = Client(url, auth=("owner", PASSWORD), verbose=False)
        browser = httpx.Client(base_url=url, cookies=client.cookies, timeout=20)
        replies.append(browser.post("/scenehf/key", json={"service": "google", "key": ENTERED}).content)
        photo = tmp_path / "photo.png"
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)).save(photo)
        box = ExtractStep(id="s1", name="Thing", z=1, box=(0.2, 0.2, 0.8, 0.8))
        asked = ({"planner": "gemini"}, {"planner": "openai"}, {"engine": "fal", "plan": arrange("", [box])})
        jobs = [actions.create(store, photo, "p", params=Params(headless=True, **more)).id for more in asked]
        for job in jobs:
            until = time.monotonic() + 60
            while store.job(job).state in ("queued", "running"):
                assert time.monotonic() < until
                time.sleep(0.05)
        pages = ("", "config", "gradio_api/info", "gradio_api/mcp/schema", "scenehf/health", "scenehf/me")
        replies += [browser.get(f"/{page}").content for page in pages]
        for job in jobs:
            replies.append(json.dumps(client.predict(job, api_name="/job")).encode())
            replies.append(json.dumps(list(client.submit(job, api_name="/events"))).encode())
            assets = [f"/scenehf/asset/{job}/{asset.name}" for asset in store.assets(job)]
            replies += [browser.get(address).content for address in assets]
        for bad in ({"photo": 1}, "x"):
            with pytest.raises((AppError, ValueError)):
                client.predict(bad, api_name="/job")
        export = ["jobs", "export", jobs[0], "--out", str(tmp_path / "a.zip")]
        for verb in (["jobs", "list"], ["jobs", "show", jobs[0]], ["doctor"], export):
            command = [sys.executable, "-m", "scenehf", *verb]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
            replies += [done.stdout, done.stderr]
    app.send_signal(signal.SIGINT)
    app.wait(20)
    with zipfile.ZipFile(tmp_path / "a.zip") as bundle:
        replies += [bundle.read(name) for name in bundle.namelist()]
    files = {
        file: file.read_bytes()
        for file in furnished_home.rglob("*")
        if file.is_file() and file.name != ".env"
    }
    files[said] = said.read_bytes()

    assert {"GOOGLE_API_KEY", "FAL_KEY", "OPENAI_API_KEY"} <= {
        n for n, key in KEYS.items() if key in parrot.heard
    }
    for key in (*KEYS.values(), ENTERED, PASSWORD):
        for spelling in spellings(key):
            assert [str(file) for file, data in files.items() if spelling in data] == []
            assert [reply[:300] for reply in replies if spelling in reply] == []
    assert any(b"[hidden]" in data for data in (*files.values(), *replies)), (
        "they did come back, and were hidden"
    )
    assert (furnished_home / ".env").stat().st_mode & 0o777 == 0o600
    assert furnished_home.stat().st_mode & 0o777 == 0o700
