"""The app as a Space of Hugging Face starts it: `python app.py`, its environment variables, its sign-in."""

import base64
import http.server
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
import yaml
from gradio_client import Client, handle_file
from joserfc import jwt
from joserfc.jwk import RSAKey
from PIL import Image

ROOT = Path(__file__).parents[3]
HOST = "ann-scenehf.hf.space"
AUTHOR, STRANGER = "ann", "bob"


class Provider(http.server.ThreadingHTTPServer):
    """Who people are, as Hugging Face tells it (OpenID Connect). who: the one who signs in next."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.key = RSAKey.generate_key(2048)
        self.who = STRANGER
        self.nonce = ""

    def token(self, client: str) -> str:
        claims = {
            "iss": self.url, "aud": client, "sub": self.who, "exp": int(time.time()) + 3600, "iat": int(time.time()),
            "nonce": self.nonce, "preferred_username": self.who, "name": self.who, "profile": "x", "picture": "y",
        }  # fmt: skip
        return jwt.encode({"alg": "RS256", "kid": self.key.thumbprint()}, claims, self.key)


class Answer(http.server.BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if path == "/authorize":
            self.server.nonce = query["nonce"][0]
            back = query["redirect_uri"][0]
            answered = urlencode({"code": "c", "state": query["state"][0]})
            self.send_response(302)
            self.send_header("Location", f"{back}{'&' if '?' in back else '?'}{answered}")
            self.end_headers()
        elif path == "/keys":
            self._json({"keys": [self.server.key.as_dict(private=False, kid=self.server.key.thumbprint())]})
        else:
            ends = {f"{name}_endpoint": f"{self.server.url}/{name}" for name in ("authorize", "token")}
            ends["authorization_endpoint"] = ends.pop("authorize_endpoint")
            more = {"id_token_signing_alg_values_supported": ["RS256"], "jwks_uri": f"{self.server.url}/keys"}
            self._json({"issuer": self.server.url, **ends, **more})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._json(
            {
                "access_token": "t",
                "token_type": "Bearer",
                "expires_in": 3600,
                "id_token": self.server.token("me"),
            }
        )

    def _json(self, told: object) -> None:
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        threading.Thread(target=provider.serve_forever, daemon=True).start()
        yield provider
        provider.shutdown()


@pytest.fixture(scope="module")
def space(
    provider: Provider, tmp_path_factory: pytest.TempPathFactory, weights_dir: Path
) -> Iterator[tuple[str, Path]]:
    """(address, data directory) of the app in a Space."""
    home = tmp_path_factory.mktemp("space")
    (home / ".scenehf" / "weights").mkdir(parents=True)
    (home / ".scenehf" / "weights" / "starter").symlink_to(weights_dir / "starter")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("SCENEHF_")} | {
        "HOME": str(home), "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ['PYTHONPATH']}",
        "SCENEHF_TEST_GUARD": os.environ["SCENEHF_TEST_GUARD"], "SCENEHF_PORT": str(port),
        "SPACE_ID": "ann/scenehf", "SPACE_HOST": HOST, "SPACE_AUTHOR_NAME": AUTHOR, "SPACE_REPO_NAME": "scenehf",
        "SYSTEM": "spaces", "GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_NUM_PORTS": "1", "GRADIO_ALLOW_FLAGGING": "never",
        "OAUTH_CLIENT_ID": "me", "OAUTH_CLIENT_SECRET": "s", "OAUTH_SCOPES": "openid profile",
        "OPENID_PROVIDER_URL": provider.url, "GOOGLE_API_KEY": "sk-CANARY-of-the-owner",
        "SCENEHF_ARCHIVE": str(home / "bucket"), "SCENEHF_CAP_RUN": "1", "SCENEHF_CAP_DAY": "1",
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "app.py"], cwd=ROOT, env=surroundings, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert any(line.startswith("Ready:") for line in process.stdout)
    yield f"http://127.0.0.1:{port}", home
    process.terminate()
    assert process.wait(20) == 0
    process.stdout.close()


def signed_in(url: str, provider: Provider, who: str) -> dict[str, str]:
    """The cookies of somebody who has signed in. A browser would be at the Space's own https address."""
    provider.who = who
    with httpx.Client(base_url=url, headers={"host": HOST}) as browser:
        cookies: dict[str, str] = {}

        def go(path: str) -> httpx.Response:
            answer = browser.get(path, headers={"cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())})
            for line in answer.headers.get_list("set-cookie"):
                name, _, value = line.partition(";")[0].partition("=")
                cookies[name] = value
            return answer

        go("/")
        asked = go("/login/huggingface").headers["location"]
        assert asked.startswith(f"{provider.url}/authorize")
        back = httpx.get(asked).headers["location"]
        assert back.startswith(f"https://{HOST}/login/callback")
        assert go(back.removeprefix(f"https://{HOST}")).status_code == 307
    return cookies


def ask(url: str, path: str, cookies: dict[str, str], **more: object) -> httpx.Response:
    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return httpx.request(
        "POST" if more else "GET", url + path, headers={"host": HOST, "cookie": cookie}, **more
    )


def test_the_page_may_be_shown_by_hugging_face_and_by_nobody_else(space):
    answer = httpx.get(space[0], headers={"host": HOST, "x-forwarded-proto": "https"})
    assert "frame-ancestors 'self' https://huggingface.co" in answer.headers["content-security-policy"]
    assert "x-frame-options" not in answer.headers
    assert answer.headers["set-cookie"].endswith("HttpOnly; SameSite=None; Secure; Partitioned")
    assert httpx.get(space[0], headers={"host": "10.1.2.3:7860"}).status_code == 200, (
        "health probes have no name"
    )
    assert httpx.get(space[0], headers={"host": "evil.example"}).status_code == 421
    assert "data-oauth=" in answer.text


@pytest.mark.slow
def test_a_visitor_makes_a_job_and_it_is_archived(space, photo_path, tmp_path):
    """With the engines that need no card."""
    url, home = space
    with Image.open(photo_path("coffee")) as picture:
        picture.convert("RGB").resize((192, 128)).save(tmp_path / "cup.jpg")
    client = Client(url, verbose=False)
    assert client.predict(api_name="/jobs_list") == []
    told = client.predict(handle_file(tmp_path / "cup.jpg"), "cup", api_name="/jobs_create")
    assert [job["job"] for job in client.predict(api_name="/jobs_list")] == [told["job"]]
    list(client.submit(told["job"], api_name="/events"))
    step = {"id": "s1", "action": "extract", "name": "cup", "z": 1, "box": [0.2, 0.05, 0.85, 0.95]}
    plate = {"id": "p1", "action": "plate", "name": "table", "removes": ["s1"], "depends_on": ["s1"]}
    client.predict(told["job"], {"version": 1, "scene": "a cup", "steps": [step, plate]}, api_name="/plan")
    for _ in range(3):
        if list(client.submit(told["job"], api_name="/run"))[-1]["state"] == "succeeded":
            break
        for step in client.predict(told["job"], api_name="/job")["steps"]:
            if step["chosen"] and step["state"] == "needs_review":
                client.predict(told["job"], step["key"], api_name="/step_accept")
                list(client.submit(told["job"], api_name="/events"))
    until = time.monotonic() + 20
    while not list((home / "bucket").rglob("*.zip")):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_who_signs_in_may_pay_with_a_key_of_their_own_and_only_the_author_is_the_owner(space, provider):
    url, _ = space
    key = {"service": "google", "key": "their own key"}
    nobody = {"scenehf-session": "x" * 43}
    assert ask(url, "/scenehf/me", nobody).json() == {"name": None, "owner": False, "oauth": True}
    refused = ask(url, "/scenehf/key", nobody, json=key)
    assert (refused.status_code, refused.json()["error"][:13]) == (403, "Sign in first")
    stranger, author = (signed_in(url, provider, who) for who in (STRANGER, AUTHOR))
    assert ask(url, "/scenehf/me", stranger).json() == {"name": STRANGER, "owner": False, "oauth": True}
    assert ask(url, "/scenehf/key", stranger, json=key).json() == {"entered": ["google"]}
    assert ask(url, "/scenehf/me", author).json() == {"name": AUTHOR, "owner": True, "oauth": True}
    forged = base64.b64encode(
        json.dumps({"oauth_info": {"userinfo": {"preferred_username": AUTHOR}}}).encode()
    )
    assert ask(url, "/scenehf/me", nobody | {"session": forged.decode()}).json()["name"] is None


def test_the_front_matter_is_what_a_space_reads():
    found = re.match(r"---\n(.*?)\n---\n", (ROOT / "README.md").read_text(), re.DOTALL)
    assert found is not None
    told = yaml.safe_load(found[1])
    assert (told["sdk"], told["sdk_version"]) == ("gradio", metadata.version("gradio"))
    assert f"gradio[mcp,oauth]=={told['sdk_version']}" in (ROOT / "requirements.txt").read_text()
    assert (ROOT / told["app_file"]).is_file()
    assert told["python_version"] in ("3.12.12", "3.10.13"), "what ZeroGPU offers"
    assert told["hf_oauth"] is True
    assert len(told["short_description"]) <= 60
    assert told["title"] and told["emoji"] and told["license"] == "mit"
