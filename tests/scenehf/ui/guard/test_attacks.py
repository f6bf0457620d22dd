"""The attacks measured on Gradio 6.31. Where plain Gradio is open, each must succeed on it and fail on ours."""

import http.server
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file
from PIL import Image

from tests.scenehf.ui.guard.open_app import ACCOUNT, HIDDEN, KEPT, PRIVATE, SHOWN, SLOW, serving

API = "/gradio_api"
META = {"_type": "gradio.FileData"}
SVG = "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"


@dataclass
class Target:
    """One server under attack. outside: a folder that no visitor has any business in."""

    url: str
    folder: Path
    victim: httpx.Client = field(init=False)
    attacker: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.victim, self.attacker = self.browser(), self.browser()

    def browser(self) -> httpx.Client:
        """A visitor of its own who has loaded the page."""
        browser = httpx.Client(base_url=self.url, timeout=15)
        browser.get("/")
        return browser

    @property
    def outside(self) -> Path:
        return self.folder / "outside"


def call(browser: httpx.Client, number: int, *data: object, session: str = "") -> str:
    """What the function answers, as text, or the refusal."""
    session = session or uuid.uuid4().hex
    asked = {"fn_index": number, "data": list(data), "session_hash": session}
    joined = browser.post(f"{API}/queue/join", json=asked)
    if joined.status_code != 200:
        return f"refused {joined.status_code}"
    with browser.stream("GET", f"{API}/queue/data", params={"session_hash": session}) as stream:
        return next(line for line in stream.iter_lines() if "process_completed" in line)


def upload(browser: httpx.Client, name: str = "a.png", data: bytes = b"x", **more: object) -> httpx.Response:
    return browser.post(f"{API}/upload", files={"files": (name, data, "image/png")}, **more)


def got(browser: httpx.Client, path: str, **more: object) -> int:
    """The status alone: some of these never end."""
    with browser.stream("GET", path, timeout=3, **more) as answer:
        return answer.status_code


# --- open on plain Gradio: True where the attack succeeds ---------------------------------------------------


def any_picture_on_the_disk(target: Target) -> bool:
    return '"success":true' in call(target.attacker, SHOWN, {"path": str(target.outside / "private.png")})


def a_page_in_a_served_folder_runs(target: Target) -> bool:
    answer = target.attacker.get(f"{API}/file={target.folder / 'served' / 'page.html'}")
    return answer.is_success and "attachment" not in answer.headers.get("content-disposition", "")


def a_drawing_in_a_served_folder_runs(target: Target) -> bool:
    answer = target.attacker.get(f"{API}/file={target.folder / 'served' / 'drawing.svg'}")
    return answer.is_success and "attachment" not in answer.headers.get("content-disposition", "")


def a_hidden_function_by_its_number(target: Target) -> bool:
    return "it ran" in call(target.attacker, HIDDEN)


def a_private_function_by_its_number(target: Target) -> bool:
    return "it ran" in call(target.attacker, PRIVATE)


def a_hidden_function_by_the_name_false(target: Target) -> bool:
    return target.attacker.post(f"{API}/api/false", json={"data": []}).is_success


def rebinding_of_the_name(target: Target) -> bool:
    evil = {"host": "evil.example:7860", "origin": "http://evil.example:7860"}
    return target.attacker.get("/config", headers=evil).is_success


def rebinding_through_a_proxys_word(target: Target) -> bool:
    return target.attacker.get("/config", headers={"x-forwarded-host": "evil.example"}).is_success


def an_upload_by_the_page_of_another_site(target: Target) -> bool:
    return upload(target.victim, headers={"origin": "https://evil.example"}).is_success


def an_upload_by_a_page_without_an_origin(target: Target) -> bool:
    return upload(target.victim, headers={"origin": "null"}).is_success


def a_call_by_the_page_of_another_site(target: Target) -> bool:
    asked = {"fn_index": SHOWN, "data": [None], "session_hash": uuid.uuid4().hex}
    headers = {"origin": "https://evil.example"}
    return target.victim.post(f"{API}/queue/join", json=asked, headers=headers).is_success


def a_page_without_protecting_headers(target: Target) -> bool:
    wanted = ("content-security-policy", "x-frame-options", "x-content-type-options", "referrer-policy")
    return not all(name in target.attacker.get("/").headers for name in wanted)


def the_tools_of_developers(target: Target) -> bool:
    paths = ("/openapi.json", f"{API}/openapi.json", "/monitoring", f"{API}/vibe-code")
    return any(target.attacker.get(path).status_code not in (404, 405) for path in paths)


def a_picture_that_somebody_else_uploaded(target: Target) -> bool:
    """Whoever knows the bytes can name the path."""
    (path,) = upload(target.victim, data=(target.outside / "private.png").read_bytes()).json()
    return '"success":true' in call(target.attacker, SHOWN, {"path": path, "meta": META})


def fetching_what_somebody_else_uploaded(target: Target) -> bool:
    (path,) = upload(target.victim).json()
    assert target.victim.get(f"{API}/file={path}").is_success
    return target.attacker.get(f"{API}/file={path}").is_success


def hearing_somebody_elses_answers(target: Target) -> bool:
    session = uuid.uuid4().hex
    asked = {"fn_index": SLOW, "data": ["a secret"], "session_hash": session}
    target.victim.post(f"{API}/queue/join", json=asked)
    try:
        return got(target.attacker, f"{API}/queue/data?session_hash={session}") == 200
    finally:
        call(target.victim, SHOWN, None, session=session)  # let it end


def cancelling_somebody_elses_call(target: Target) -> bool:
    session = uuid.uuid4().hex
    asked = {"fn_index": SLOW, "data": ["a secret"], "session_hash": session}
    event = target.victim.post(f"{API}/queue/join", json=asked).json()["event_id"]
    asked = {"fn_index": SLOW, "session_hash": session, "event_id": event}
    return target.attacker.post(f"{API}/cancel", json=asked).is_success


def uploading_without_end(target: Target) -> bool:
    return all(upload(target.attacker, f"{n}.png").is_success for n in range(35))


def filling_the_line_alone(target: Target) -> bool:
    """Whether one visitor can keep another one out."""
    for _ in range(24):
        asked = {"fn_index": SLOW, "data": ["x"], "session_hash": uuid.uuid4().hex}
        target.attacker.post(f"{API}/queue/join", json=asked)
    asked = {"fn_index": SLOW, "data": ["x"], "session_hash": uuid.uuid4().hex}
    return not target.victim.post(f"{API}/queue/join", json=asked).is_success


OPEN = (
    any_picture_on_the_disk, a_page_in_a_served_folder_runs, a_drawing_in_a_served_folder_runs,
    a_hidden_function_by_its_number, a_private_function_by_its_number, a_hidden_function_by_the_name_false,
    rebinding_of_the_name, rebinding_through_a_proxys_word, an_upload_by_the_page_of_another_site,
    an_upload_by_a_page_without_an_origin, a_call_by_the_page_of_another_site,
    a_page_without_protecting_headers, the_tools_of_developers, a_picture_that_somebody_else_uploaded,
    fetching_what_somebody_else_uploaded, hearing_somebody_elses_answers, cancelling_somebody_elses_call,
    filling_the_line_alone, uploading_without_end,
)  # fmt: skip


# --- open where a login is asked for ------------------------------------------------------------------------


def guessing_passwords(target: Target) -> bool:
    right = dict(zip(("username", "password"), ACCOUNT, strict=True))
    assert {target.browser().post("/login", data=right).status_code for _ in range(8)} == {200}
    wrong = [
        target.attacker.post("/login", data={"username": "owner", "password": f"{n}"}) for n in range(30)
    ]
    assert {answer.status_code for answer in wrong[:5]} == {400}
    return all(answer.status_code == 400 for answer in wrong)


def being_told_of_the_functions(target: Target) -> bool:
    return target.attacker.get("/openapi.json").is_success


def cancelling_without_a_login(target: Target) -> bool:
    asked = {"fn_index": SLOW, "session_hash": "x", "event_id": "y"}
    return target.attacker.post(f"{API}/cancel", json=asked).is_success


def resetting_without_a_login(target: Target) -> bool:
    return target.attacker.post(f"{API}/reset", json={"event_id": "y"}).is_success


OPEN_IN_SPITE_OF_A_LOGIN = (
    being_told_of_the_functions, cancelling_without_a_login, resetting_without_a_login, guessing_passwords,
)  # fmt: skip


# --- the servers --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("attacked")
    for name in ("uploads", "served", "outside"):
        (folder / name).mkdir()
    Image.new("RGB", (8, 8), "red").save(folder / "outside" / "private.png")
    (folder / "served" / "page.html").write_text("<script>alert(1)</script>")
    (folder / "served" / "drawing.svg").write_text(SVG)
    (folder / "served" / "link.png").symlink_to("/etc/passwd")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        patch.setenv("GRADIO_RUN_HISTORY", "False")
        yield folder


def target(folder: Path, **options: bool) -> Iterator[Target]:
    with serving(folder, **options) as url:
        yield Target(url, folder)


@pytest.fixture(scope="module")
def plain(folder: Path) -> Iterator[Target]:
    yield from target(folder, guarded=False)


@pytest.fixture(scope="module")
def ours(folder: Path) -> Iterator[Target]:
    yield from target(folder, guarded=True)


@pytest.fixture(scope="module")
def plain_with_login(folder: Path) -> Iterator[Target]:
    yield from target(folder, guarded=False, login_asked=True)


@pytest.fixture(scope="module")
def ours_with_login(folder: Path) -> Iterator[Target]:
    yield from target(folder, guarded=True, login_asked=True)


@pytest.mark.parametrize("attack", OPEN, ids=lambda attack: attack.__name__)
def test_open_on_plain_gradio_and_closed_on_ours(
    attack: Callable[[Target], bool], plain: Target, ours: Target
):
    assert attack(plain)
    assert not attack(ours)


@pytest.mark.parametrize("attack", OPEN_IN_SPITE_OF_A_LOGIN, ids=lambda attack: attack.__name__)
def test_a_login_keeps_out(
    attack: Callable[[Target], bool], plain_with_login: Target, ours_with_login: Target
):
    assert attack(plain_with_login)
    assert not attack(ours_with_login)


# --- closed on both, and to stay so -------------------------------------------------------------------------

TRICKS = (
    "/etc/passwd", "{folder}/outside/private.png", "{folder}/store-True-False/store.db", "{folder}/served/link.png",
    "{folder}/served/../outside/private.png", "{folder}/served/..%2foutside/private.png",
    "%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/proc/self/environ", ".env", "app.py",
)  # fmt: skip


@pytest.mark.parametrize("path", TRICKS)
def test_no_file_of_the_machine_is_served(path: str, plain: Target, ours: Target):
    for each in (plain, ours):
        assert each.attacker.get(f"{API}/file={path.format(folder=each.folder)}").status_code in (403, 404)


@pytest.fixture(scope="module")
def inside() -> Iterator[tuple[int, list[str]]]:
    """(port, what was asked) of a server that only this machine should reach."""
    asked: list[str] = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, asked
        server.shutdown()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]"])
def test_the_server_fetches_nothing_for_anybody(host: str, inside: tuple[int, list[str]], ours: Target):
    port, asked = inside
    address = f"http://{host}:{port}/secret"
    for name in (SHOWN, KEPT):
        assert call(ours.victim, name, {"path": address, "meta": META}) == "refused 403"
        assert call(ours.victim, name, {"path": "x", "url": address, "meta": META}) == "refused 403"
    assert ours.attacker.get(f"{API}/proxy={address}").status_code == 404
    assert ours.attacker.get(f"{API}/file={address}").status_code == 404
    assert asked == []


def test_files_named_as_gradio_names_them_are_not_read(ours: Target):
    browser = ours.browser()
    for path in ("/etc/passwd", str(ours.outside / "private.png"), "file:///etc/passwd", ".env"):
        for more in ({"meta": META}, {}, {"meta": {"_type": "other"}}, {"meta": META, "url": None}):
            for name in (SHOWN, KEPT):
                assert call(browser, name, {"path": path} | more) == "refused 403"
    assert call(browser, SHOWN, [{"deep": [{"path": "/etc/passwd"}]}]) == "refused 403"


def test_a_call_that_needs_no_preflight_is_none(plain: Target, ours: Target):
    asked = json.dumps({"fn_index": SHOWN, "data": [None], "session_hash": uuid.uuid4().hex})
    for each in (plain, ours):
        for kind in ("text/plain", "application/x-www-form-urlencoded"):
            answer = each.victim.post(f"{API}/queue/join", content=asked, headers={"content-type": kind})
            assert not answer.is_success


@pytest.mark.parametrize(
    "name",
    [
        "../../../PWN",
        "..\\..\\PWN",
        "/etc/PWN",
        "a\x00b.png",
        "x" * 300,
        "<img src=x onerror=alert(1)>",
        "CON",
    ],
)
def test_names_of_uploads_stay_names(name: str, ours: Target):
    answer = upload(ours.browser(), name)
    if answer.is_success:
        (path,) = answer.json()
        assert Path(path).resolve().is_relative_to(ours.folder / "uploads")
    assert list(ours.folder.parent.rglob("*PWN*")) == [
        p for p in ours.folder.rglob("*PWN*") if p.is_relative_to(ours.folder / "uploads")
    ]


@pytest.mark.parametrize("name", ["evil.html", "evil.svg"])
def test_what_was_uploaded_is_no_page(name: str, ours: Target):
    browser = ours.browser()
    (path,) = upload(browser, name, SVG.encode()).json()
    answer = browser.get(f"{API}/file={path}")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"


# --- what has to go on working ------------------------------------------------------------------------------


def test_gradios_own_client_works_as_before(ours: Target):
    client = Client(ours.url, verbose=False)
    shown = client.predict(handle_file(ours.outside / "private.png"), api_name="/shown")
    with Image.open(shown) as picture:
        assert picture.size == (8, 8)


def test_a_client_that_logs_in_works(ours_with_login: Target):
    client = Client(ours_with_login.url, auth=ACCOUNT, verbose=False)
    assert client.predict(handle_file(ours_with_login.outside / "private.png"), api_name="/shown")
