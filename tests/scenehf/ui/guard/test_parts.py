"""The guard's parts by themselves: names of hosts, doors, bodies, quotas, belongings."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers

from scenehf.ui.guard import quotas
from scenehf.ui.guard.belongings import MOST, MOST_OWNERS, Belongings
from scenehf.ui.guard.body import DEEPEST, NOBODYS_JOB, Judge, parsed, without
from scenehf.ui.guard.doors import API, Door, door
from scenehf.ui.guard.hosts import Hosts
from scenehf.ui.guard.layer import _address
from scenehf.ui.guard.quotas import Meter, Rate
from scenehf.ui.guard.refusal import Refused

META = {"_type": "gradio.FileData"}
MINE, THEIRS = "0" * 12 + "a" * 16, "0" * 12 + "b" * 16


def headers(**given: str) -> Headers:
    return Headers({name.replace("_", "-"): value for name, value in given.items()})


# --- hosts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:7860",
        "localhost",
        "a.localhost:1",
        "[::1]:7860",
        "10.0.0.7:80",
        "Me.HF.Space",
        "me.hf.space.",
    ],
)
def test_names_of_ours(host: str):
    Hosts(["me.hf.space"]).check(headers(host=host))


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "", "a b", "[", "x:y"]
)
def test_names_that_are_not_ours(host: str):
    with pytest.raises(Refused) as refused:
        Hosts(["me.hf.space"]).check(headers(host=host))
    assert refused.value.status == 421
    with pytest.raises(Refused):
        Hosts().check(headers(host="localhost", x_forwarded_host=f"localhost, {host}"))


def test_a_link_made_later_is_a_name_too():
    hosts = Hosts()
    hosts.add("https://abc.gradio.live/")
    hosts.check(headers(host="abc.gradio.live"))


@pytest.mark.parametrize(
    ("given", "is_ours"),
    [
        ({}, True),
        ({"origin": "http://localhost:7860"}, True),
        ({"origin": "https://localhost:7860"}, True),  # a proxy speaks http to us
        ({"origin": "http://localhost:7860", "sec_fetch_site": "same-origin"}, True),
        ({"sec_fetch_site": "none"}, True),
        ({"origin": "http://localhost:8000"}, False),
        ({"origin": "http://127.0.0.1:7860"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"sec_fetch_site": "cross-site"}, False),
        ({"sec_fetch_site": "same-site"}, False),
        ({"origin": "http://localhost:7860", "sec_fetch_site": "cross-site"}, False),
    ],
)
def test_who_may_send(given: dict[str, str], is_ours: bool):
    hosts, sent = Hosts(), headers(host="localhost:7860", **given)
    if is_ours:
        hosts.check_sender(sent)
    else:
        with pytest.raises(Refused):
            hosts.check_sender(sent)


def test_a_page_behind_a_proxy_may_send():
    hosts = Hosts(["me.hf.space"])
    hosts.check_sender(
        headers(host="10.1.2.3:7860", x_forwarded_host="me.hf.space", origin="https://me.hf.space")
    )
    hosts.check_sender(headers(host="me.hf.space:443", origin="https://me.hf.space"))


@pytest.mark.parametrize(
    ("client", "claimed", "space", "found"),
    [
        ("8.8.8.8", "", False, "8.8.8.8"),
        ("8.8.8.8", "1.1.1.1", False, "8.8.8.8"),
        ("127.0.0.1", "", False, ""),
        ("10.0.0.1", "9.9.9.9, 1.1.1.1, 10.2.3.4", True, "1.1.1.1"),
        ("10.0.0.1", "nonsense, 10.0.0.9", True, ""),
        ("10.0.0.1", "", True, ""),
    ],
)
def test_where_somebody_is(client: str, claimed: str, space: bool, found: str):
    assert _address({"client": (client, 1)}, headers(x_forwarded_for=claimed), space=space) == found


# --- doors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/", Door.PAGE),
        ("GET", f"{API}/file=/a/b\nc", Door.FILE),
        ("POST", f"{API}/run/predict", Door.CALL),
        ("POST", f"{API}/call/v2/job", Door.CALL),
        ("GET", f"/scenehf/asset/{MINE}/a/b.png", Door.ASSET),
        ("GET", f"/scenehf/anything/{MINE}", Door.ASSET),
        ("POST", "/scenehf/key", Door.OURS),
    ],
)
def test_what_there_is(method: str, path: str, kind: Door):
    assert door(method, path)[0] is kind


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/monitoring/summary"), ("GET", f"{API}/dev/reload"),
        ("GET", f"{API}/proxy=http://x"), ("GET", f"{API}/file/x"), ("POST", f"{API}/stream/x"), ("PUT", "/"),
        ("POST", "/"), ("POST", f"{API}/vibe-edit"), ("GET", "//"), ("GET", f"{API}/custom_component/x"),
        ("OPTIONS", "/"), ("POST", f"{API}/run/a/b"), ("GET", f"{API}/token"), ("GET", "/gradio_api/deep_link"),
        ("DELETE", "/scenehf/asset/j/a"), ("POST", f"{API}/process_recording"), ("GET", f"{API}/runs"),
    ],
)  # fmt: skip
def test_what_there_is_not(method: str, path: str):
    with pytest.raises(Refused):
        door(method, path)


# --- bodies -------------------------------------------------------------------------------------------------


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    (tmp_path / "uploads" / "a").mkdir(parents=True)
    (tmp_path / "uploads" / "a" / "mine.png").touch()
    (tmp_path / "uploads" / "a" / "theirs.png").touch()
    (tmp_path / "uploads" / "link").symlink_to(tmp_path)
    return tmp_path / "uploads"


def test_uploads_are_ones_own(uploads: Path, monkeypatch: pytest.MonkeyPatch):
    mine, theirs = str(uploads / "a" / "mine.png"), str(uploads / "a" / "theirs.png")
    judge = Judge(uploads, lambda path: path == mine)
    assert judge.files({"data": [mine, theirs]}) == {"data": [mine, ""]}
    monkeypatch.chdir(uploads.parent)
    assert judge.files(["uploads/a/theirs.png", "./uploads/../uploads/a/theirs.png"]) == ["", ""]
    file = {"path": mine, "meta": META, "orig_name": "x", "url": "http://127.0.0.1/file=x"}
    assert judge.files(file) == file | {"url": None}
    for bad in (
        {"path": theirs},
        {"meta": {}},
        {"meta": None},
        {"path": None},
        {"path": f"{uploads}/link/x"},
        {"path": 7},
    ):
        with pytest.raises(Refused):
            judge.files([[file | bad]])
    with pytest.raises(Refused):
        judge.files({"url": "data:image/png;base64,AAAA"})


def test_alone_every_upload_is_ones_own_but_nothing_else(uploads: Path):
    judge = Judge(uploads, None)
    theirs = {"path": str(uploads / "a" / "theirs.png"), "meta": META}
    assert judge.files(theirs)["path"] == theirs["path"]
    with pytest.raises(Refused):
        judge.files({"path": "/etc/passwd", "meta": META})


def test_functions_of_the_page_are_told_of_their_own_uploads_alone(uploads: Path):
    """Gradio opens nothing for these; they take paths by any name and look at them themselves."""
    mine, theirs = str(uploads / "a" / "mine.png"), str(uploads / "a" / "theirs.png")
    judge = Judge(uploads, lambda path: path == mine, opened=False)
    asked = [{"path": mine, "name": "x"}, {"path": theirs}, {"url": "x"}]
    assert judge.files(asked) == [{"path": mine, "name": "x"}, {"path": ""}, {"url": "x"}]


def test_jobs_of_others_are_nobodys(uploads: Path):
    judge = Judge(uploads, None)
    asked = {"data": [MINE, [THEIRS, {"job": THEIRS, THEIRS: 1}], f"x{THEIRS}"]}
    assert judge.files(asked) == asked
    assert judge.jobs == {MINE, THEIRS}
    hidden = without(asked, {THEIRS})
    assert hidden == {"data": [MINE, [NOBODYS_JOB, {"job": NOBODYS_JOB, NOBODYS_JOB: 1}], f"x{THEIRS}"]}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"a": NaN}', b'{"a": Infinity}', b"\xff", b'{"a":' * 100_000, b"1" * 5000]
)
def test_what_is_no_object_of_json(body: bytes):
    with pytest.raises(Refused):
        parsed(body)


def test_what_is_nested_too_deep(uploads: Path):
    deep: object = 1
    for _ in range(DEEPEST + 1):
        deep = [deep]
    with pytest.raises(Refused):
        Judge(uploads, None).files(deep)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.just(MINE),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(max_examples=40)
@given(json_values)
def test_whatever_is_sent_is_passed_on_as_it_was_or_refused(value: object):
    judge = Judge(Path("/nowhere/at/all"), lambda _: False)
    try:
        kept = judge.files({"data": value})
    except Refused:
        return
    assert json.loads(json.dumps(kept)) == {"data": value}


# --- quotas and belongings ----------------------------------------------------------------------------------


def test_a_meter_counts_within_its_time(monkeypatch: pytest.MonkeyPatch):
    now = [100.0]
    monkeypatch.setattr(quotas.time, "monotonic", lambda: now[0])
    meter = Meter(Rate(10, 60))
    assert [meter.take("a", 4) for _ in range(3)] == [True, True, False]
    assert meter.take("b", 10)
    meter.give_back("a")
    assert meter.take("a", 6)
    now[0] += 61
    assert meter.take("a", 10)


def test_all_together_have_a_limit(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(quotas, "MOST_KNOWN", 50)
    meter = Meter(Rate(1, 60))
    assert [meter.take(str(n)) for n in range(quotas.ALL + 5)] == [True] * quotas.ALL + [False] * 5


def test_what_belongs_to_whom():
    things = Belongings()
    assert not things.has("x", "me")
    things.give("x", "me")
    things.give("x", "you")
    assert things.has("x", "me") and things.has("x", "you") and not things.has("x", "them")
    assert things.take("y", "me") and things.take("y", "me") and not things.take("y", "you")
    for n in range(MOST_OWNERS):
        things.give("x", str(n))
    assert not things.has("x", "me")
    for n in range(MOST):
        things.give(f"other {n}", "me")
    assert not things.has("y", "me")
