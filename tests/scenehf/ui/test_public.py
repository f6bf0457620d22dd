"""An app that strangers share: nobody sees, hears, changes or cancels what another one made, by whatever way."""

import io
import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from jobs.store import Store
from scenehf.keys import KEYRING
from scenehf.settings import Settings
from scenehf.ui.guard.body import NOBODYS_JOB
from scenehf.ui.visitors import COOKIE, MOST_ACTIVE, Reception, Visitor, sharing, warning
from tests.scenehf.ui.conftest import QUICK, UNITS, eventually, serving

API = "/gradio_api"
KEY = "sk-CANARY-of-the-owner"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Store]]:
    """(address, store) of an app behind a share link, whose owner has a key."""
    data = tmp_path_factory.mktemp("shared")
    (data / ".env").write_text(f"OPENAI_API_KEY={KEY}\nGOOGLE_API_KEY={KEY}\nFAL_KEY={KEY}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scenehf.ui.guard.layer.CALLS", _plenty())
        patch.setattr("scenehf.ui.guard.layer.HEAVY", _plenty())
        with serving(data, UNITS, share=True) as address_and_store:
            yield address_and_store


def _plenty() -> Any:
    from scenehf.ui.guard.quotas import Rate

    return Rate(100_000, 60)


class Person:
    """A visitor with a program and a browser, which have one cookie."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = Client(url, verbose=False)
        self.browser = httpx.Client(base_url=url, cookies=self.client.cookies, timeout=15)

    def create(self, file: Path, name: str = "private") -> str:
        return str(self.client.predict(handle_file(file), name, api_name="/jobs_create")["job"])

    def serve(self, part: int, function: str, *message: object) -> Any:
        """What a function of the page answers."""
        asked = {
            "data": list(message),
            "fn_name": function,
            "component_id": part,
            "session_hash": f"{id(self)}",
        }
        return self.browser.post(f"{API}/component_server/", json=asked)


@pytest.fixture(scope="module")
def people(shared: tuple[str, Store]) -> tuple[Person, Person]:
    return Person(shared[0]), Person(shared[0])


@pytest.fixture(scope="module")
def planned(people: tuple[Person, Person], shared: tuple[str, Store], tmp_path_factory: Any) -> str:
    """A job of the first person, whose plan is there."""
    from tests.scenehf.ui.conftest import photo

    file = tmp_path_factory.mktemp("photo") / "quick.png"
    file.write_bytes(photo(QUICK))
    job = people[0].create(file)
    eventually(lambda: shared[1].job(job).state == "needs_review")
    return job


def functions(url: str) -> list[tuple[int, str]]:
    """(part, name) of every function of the page."""
    config = httpx.get(f"{url}/config").json()
    return [
        (part["id"], name) for part in config["components"] for name in part["props"].get("server_fns") or []
    ]


def fitting(parameter: dict[str, Any], job: str) -> object:
    """Something that this parameter takes."""
    if parameter["parameter_name"] == "job":
        return job
    kind = parameter["type"].get("type")
    return {"string": "s1", "number": 1.0, "integer": 1, "array": [], "boolean": False, "object": None}.get(
        kind
    )


def test_nobody_can_call_anything_on_somebody_elses_job(people, planned, shared):
    mine, other = people
    store = shared[1]
    before = (store.job(planned), store.last_seq())
    endpoints = httpx.get(f"{mine.url}{API}/info").json()["named_endpoints"]
    on_jobs = [
        (name, told["parameters"]) for name, told in endpoints.items()
        if any(parameter["parameter_name"] == "job" for parameter in told["parameters"])
    ]  # fmt: skip
    assert len(on_jobs) >= 16
    for name, parameters in on_jobs:
        with pytest.raises(AppError, match=r"(?i)job 0{28}"):
            other.client.submit(*(fitting(each, planned) for each in parameters), api_name=name).result()
    assert (store.job(planned), store.last_seq()) == before
    assert mine.client.predict(planned, api_name="/job")["job"] == planned


def test_no_function_of_the_page_tells_or_does_anything_about_it(people, planned, shared):
    _, other = people
    store = shared[1]
    before = (store.job(planned), store.last_seq(), sum(store.counts().values()))
    known = functions(other.url)
    assert {name for _, name in known} >= {"poll", "act", "jobs", "fresh", "rename", "duplicate", "remove"}
    verbs = ("run", "cancel", "rename", "export", "again", "accept", "pause")
    messages = [
        [planned], [planned, 0], [[planned]], [planned, "new name"], [planned, {}], [{"job": planned}], [{}, None, 50],
        [{}, planned, 50], [{}, [[None, ""], [planned, planned]]], [1], [0],
        *([verb, planned, {"title": "x", "key": "s1", "formats": ["zip"]}] for verb in verbs),
    ]  # fmt: skip
    for (part, name), message in product(known, messages):
        answer = other.serve(part, name, *message).text
        assert planned not in answer and "private" not in answer, (name, message)
    assert (store.job(planned), store.last_seq(), sum(store.counts().values())) == before


def test_no_file_of_it_is_served(people, planned, shared):
    mine, other = people
    assets = shared[1].assets(planned)
    assert assets
    for asset, query in product(assets, ("", "?side=480", f"?v={assets[0].sha256[:16]}", "?download=x")):
        address = f"/scenehf/asset/{planned}/{asset.name}{query}"
        assert mine.browser.get(address).status_code == 200
        assert other.browser.get(address).status_code == 404
        assert httpx.get(f"{mine.url}{address}").status_code == 404
        if asset.mime == "image/png":
            address = f"/scenehf/picture/{planned}/{asset.name}?as=webp"
            assert mine.browser.get(address).status_code == 200
            assert other.browser.get(address).status_code == 404
    assert other.browser.get(f"/scenehf/site/{'0' * 32}/{planned}/site/1/index.html").status_code == 404


def test_a_picture_of_it_goes_into_nothing(people, planned, shared):
    """Also not by the way back: what is made of one's own picture goes into no scene of another one."""
    mine, other = people
    store = shared[1]
    picture = next(asset.name for asset in store.assets(planned) if asset.mime == "image/png")
    theirs = {"job": planned, "asset": picture, "name": "x"}
    page = {name: part for part, name in functions(other.url) if name in ("look", "made")}
    edit = page["look"]
    asked = {"model": "patchmatch", "origin": {"job": planned, "key": "s1"}}
    assert "picture" in mine.serve(edit, "look", theirs, "x").json()
    for answer in (
        other.serve(edit, "look", theirs, "x"),
        other.serve(edit, "create", asked, [theirs], theirs),
    ):
        assert f"Job {NOBODYS_JOB} has no asset" in answer.json()["error"]
    owned = []
    for grey in (90, 255):
        file = io.BytesIO()
        Image.new("L", (48, 32), grey).save(file, "PNG")
        sent = other.browser.post(f"{API}/upload", files={"files": ("a.png", file.getvalue())})
        owned.append({"upload": sent.json()[0]})
    assert "error" in mine.serve(edit, "create", asked, [owned[0]], owned[1]).json(), "nor anybody's upload"
    job = other.serve(edit, "create", asked, [owned[0] | {"name": "x"}], owned[1]).json()["job"]
    assert store.job(job).params["origin"]["job"] == NOBODYS_JOB
    told = other.serve(edit, "act", "put_back", job, {"asset": "input-1.png"}).json()
    assert "There is no job 0" in told["error"]
    eventually(lambda: store.job(job).state not in ("queued", "running"))
    assert job not in mine.serve(edit, "made", "", None).text
    other.client.predict(job, api_name="/delete")


def test_lists_hold_ones_own(people, planned, shared):
    mine, other = people
    owners = shared[1].create_job("kind.that.nobody.runs", {}, title="the owner's").id
    assert [job["job"] for job in mine.client.predict(api_name="/jobs_list")] == [planned]
    assert other.client.predict(api_name="/jobs_list") == []
    for job in (owners, planned):
        with pytest.raises(AppError, match="There is no job"):
            other.client.predict(job, api_name="/job")
    with pytest.raises(AppError, match="only the owner"):
        other.client.predict(0.0, api_name="/cleanup")
    assert shared[1].job(owners)


def test_sessions_and_calls_are_ones_own(people, planned):
    mine, other = people
    session = mine.client.session_hash
    mine.client.predict(planned, api_name="/job")
    assert other.browser.get(f"{API}/queue/data", params={"session_hash": session}).status_code == 403
    asked = {"fn_index": 5, "data": [planned], "session_hash": session}
    assert other.browser.post(f"{API}/queue/join", json=asked).status_code == 403
    event = mine.browser.post(f"{API}/call/job", json={"data": [planned]}).json()["event_id"]
    assert other.browser.get(f"{API}/call/job/{event}").status_code == 404
    asked = {"event_id": event, "session_hash": "mine", "fn_index": 5}
    assert other.browser.post(f"{API}/cancel", json=asked).status_code == 404
    assert planned in mine.browser.get(f"{API}/call/job/{event}").text


def test_somebody_elses_upload_makes_no_job(people, photos):
    mine, other = people
    sent = mine.browser.post(f"{API}/upload", files={"files": ("a.png", photos[QUICK].read_bytes())})
    (path,) = sent.json()
    for part, name in functions(mine.url):
        if name == "create":
            photo = {"upload": path, "name": "stolen"}
            messages = [(path, "stolen"), (path, "stolen", {}), ({"model": "patchmatch"}, [photo], photo)]
            answers = [other.serve(part, name, *message).text for message in messages]
            assert any("did not arrive" in answer for answer in answers)
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    asked = {"data": [file, "stolen", "offline"]}
    assert other.browser.post(f"{API}/call/jobs_create", json=asked).status_code == 403
    assert other.client.predict(api_name="/jobs_list") == []


def test_without_a_cookie_nothing_can_be_done(shared):
    stranger = httpx.Client(base_url=shared[0])
    for path, asked in (
        ("call/jobs_list", {"data": []}),
        ("queue/join", {"fn_index": 4, "data": [], "session_hash": "x"}),
        ("component_server", {"data": [], "component_id": 1, "fn_name": "jobs", "session_hash": "x"}),
    ):
        assert stranger.post(f"{API}/{path}", json=asked).status_code == 403
    assert stranger.post(f"{API}/upload", files={"files": ("a.png", b"x")}).status_code == 403


def test_a_visitor_has_few_jobs_at_a_time(people, photos, shared):
    _, other = people
    name = Visitor(Reception(shared[1]), other.client.cookies[COOKIE]).names[0]
    jobs = [shared[1].create_job("kind.that.nobody.runs", {}).id for _ in range(MOST_ACTIVE)]
    for job in jobs:
        shared[1].claim_for(job, name)
    with pytest.raises(AppError, match=f"You have {MOST_ACTIVE} jobs waiting or running"):
        other.create(photos[QUICK])
    for job in jobs:
        assert other.client.predict(job, api_name="/cancel")["state"] == "cancelled"
        other.client.predict(job, api_name="/delete")
    assert other.client.predict(api_name="/jobs_list") == []


def test_the_owners_keys_are_for_nobody(people, planned, shared):
    mine, _ = people
    settings = Settings()
    assert settings.public and settings.keys_found()
    reached = KEYRING.access(planned, settings)
    assert (reached.google, reached.fal, reached.openai, reached.replicate) == (None, None, None, None)
    assert settings.caps().run == settings.caps().day == settings.caps().month == 0
    answer = mine.browser.post("/scenehf/key", json={"service": "google", "key": "their own"})
    assert (answer.status_code, answer.json()) == (
        403,
        {"error": "Paid models are closed to visitors of this app."},
    )
    layers = next(part for part, name in functions(mine.url) if name == "choices")
    offered = mine.serve(layers, "choices").json()
    assert [each["id"] for each in offered["engines"]] == ["local"], "nothing that they cannot use"
    assert offered["spent"] is None
    assert "spent" not in mine.serve(layers, "poll", planned, 0).json()["view"]
    assert KEY not in json.dumps(offered)


def test_the_page_says_where_a_photo_goes(shared, new_page, photos):
    page = new_page(shared[0])
    page.get_by_text("It goes to the machine that runs this app.").first.wait_for()
    page.get_by_label("Photo", exact=True).set_input_files(photos[QUICK])
    page.locator(".shf-title .shf-badge", has_text=re.compile("Plan ready")).wait_for()
    (cookie,) = page.context.cookies()
    assert cookie["httpOnly"] and cookie["sameSite"] == "Lax"
    assert page.evaluate("document.cookie") == ""


def test_the_owner_is_told_what_strangers_can_do(home):
    for flags in ({"share": True}, {"host": "0.0.0.0"}):
        said = warning(sharing(Settings(**flags)))
        assert "without any password" in said and f"{MOST_ACTIVE} at a time" in said and "--auth" in said
        assert warning(sharing(Settings(**flags, auth="owner:a long password"))) == ""
    assert warning(sharing(Settings(share=False))) == ""
