"""The named endpoints: what there is, what they refuse, and the whole journey as a program makes it."""

import json
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from jobs.host import Host
from jobs.runner import Runner
from jobs.store import Store
from scenehf.settings import load
from scenehf.worker import WORKFLOWS
from tests.scenehf.ui.conftest import QUICK, SLOW, eventually

NAMES = {
    "health", "jobs_create", "jobs_list", "job", "plan", "run", "step_run", "step_retry", "step_bg_remove",
    "step_plate_and_retry", "step_refine", "step_accept", "step_choose", "asset", "events", "export", "cancel",
    "pause", "delete", "cleanup", "gaze", "models", "edit",
}  # fmt: skip


@pytest.fixture
def client(url):
    return Client(url, verbose=False)


def created(client, file, name="photo"):
    """The id of a new job whose plan is there."""
    job = client.predict(handle_file(file), name, api_name="/jobs_create")["job"]
    assert list(client.submit(job, api_name="/events"))[-1]["state"] == "needs_review"
    return job


def fetched(address):
    with urllib.request.urlopen(address, timeout=10) as answer:
        return answer.status, answer.headers, answer.read()


def refused(address):
    with pytest.raises(urllib.error.HTTPError) as caught:
        fetched(address)
    return caught.value.code


def test_these_endpoints_and_no_others_can_be_called(client, url):
    info = json.loads(fetched(f"{url}/gradio_api/info")[2])
    assert {name.strip("/") for name in info["named_endpoints"]} == NAMES
    assert info["unnamed_endpoints"] == {}
    for endpoint in info["named_endpoints"].values():
        assert endpoint["description"]
    for private in ("/poll", "/act", "/create"):
        with pytest.raises(ValueError, match="Cannot find a function"):
            client.predict(api_name=private)


def test_tools_for_agents_are_the_same_and_tell_what_they_take(url):
    tools = {tool["name"]: tool for tool in json.loads(fetched(f"{url}/gradio_api/mcp/schema")[2])}
    assert set(tools) == NAMES
    for tool in tools.values():
        for argument in tool["inputSchema"]["properties"].values():
            assert argument.get("description"), tool["name"]


def test_a_run_can_be_heard_cancelled_and_gone_on_with(client, store, photos):
    job = created(client, photos[SLOW])
    running = client.submit(job, api_name="/run")
    eventually(lambda: store.job(job).state == "running")
    assert client.predict(job, api_name="/cancel")["job"] == job
    messages = list(running)
    assert messages[-1]["state"] == "cancelled"
    seen = [event["seq"] for message in messages for event in message["events"]]
    assert seen == sorted(set(seen))


def test_a_stream_says_each_second_that_it_lives(client, store, photos):
    job = created(client, photos[QUICK])
    client.submit(job, api_name="/run")
    eventually(lambda: store.job(job).state == "needs_review" and store.job(job).params["confirmed"])
    store.requeue(job)
    store.request_pause(job)
    quiet = store.create_job("kind.that.nobody.runs", {}, title="quiet")
    following = client.submit(quiet.id, api_name="/events")
    began = time.monotonic()
    messages = [next(following) for _ in range(3)]
    assert [len(message["events"]) for message in messages] == [1, 0, 0]
    assert 1.5 < time.monotonic() - began < 6
    client.predict(quiet.id, api_name="/cancel")
    assert [m["state"] for m in following][-1] == "cancelled"


def test_refusals_are_sentences(client, photos, tmp_path):
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.7 nothing")
    with pytest.raises(AppError, match="save it as PNG or JPEG"):
        client.predict(handle_file(tmp_path / "letter.pdf"), "x", api_name="/jobs_create")
    with pytest.raises(AppError, match="no job"):
        client.predict("nothing", api_name="/job")
    job = created(client, photos[QUICK])
    with pytest.raises(AppError, match="has not run"):
        client.predict(job, "s1", api_name="/step_accept")
    with pytest.raises(AppError, match="no step 's9'"):
        client.predict(job, "s9", api_name="/step_run")
    with pytest.raises(AppError, match="not a plan"):
        client.predict(job, {"version": 7}, api_name="/plan")
    with pytest.raises(AppError, match="no asset"):
        client.predict(job, "../store.db", api_name="/asset")


def test_steps_one_by_one(client, store, photos):
    job = created(client, photos[QUICK], "one by one")

    def settled(state):
        eventually(lambda: store.job(job).state == state)
        return {step.key: step for step in store.chosen_steps(job)}

    client.predict(job, "s1", api_name="/step_run")
    assert set(settled("needs_review")) == {"plan", "s1"}
    list(client.submit(job, api_name="/run"))
    assert settled("needs_review")["s2"].state == "needs_review"
    client.predict(job, "s2", [0.5, 0.2, 0.9, 0.6], api_name="/step_retry")
    assert settled("succeeded")["s2"].attempt == 2
    client.predict(job, "s2", 1, api_name="/step_choose")
    settled("needs_review")
    client.predict(job, "s2", api_name="/step_accept")
    assert settled("succeeded")["s2"].attempt == 1
    client.predict(job, "s1", api_name="/step_bg_remove")
    assert settled("succeeded")["s1"].params["redo"]["mode"] == "rematte"
    client.predict(job, "s2", ["s1"], api_name="/step_plate_and_retry")
    assert "under_s2" in settled("succeeded")
    assert [j["job"] for j in client.predict(search="ONE BY", api_name="/jobs_list")] == [job]
    assert client.predict(job, api_name="/delete")["freed"] > 0
    assert client.predict(api_name="/health")["ok"]


def test_strokes_refine_a_mask(client, store, photos, tmp_path):
    job = created(client, photos[QUICK])
    client.predict(job, "s1", api_name="/step_run")
    eventually(lambda: store.job(job).state == "needs_review")
    strokes = np.zeros((192, 256, 4), np.uint8)
    strokes[50:60, 50:60] = (0, 255, 0, 255)
    Image.fromarray(strokes).save(tmp_path / "strokes.png")
    client.predict(job, "s1", handle_file(tmp_path / "strokes.png"), api_name="/step_refine")
    eventually(lambda: store.job(job).state == "needs_review")
    assert next(s for s in store.chosen_steps(job) if s.key == "s1").params["redo"]["mode"] == "refine"


def test_files_of_a_job_and_nothing_else_are_served(client, url, store, photos):
    job = created(client, photos[QUICK])
    link = client.predict(job, "source.png", api_name="/asset")
    status, headers, data = fetched(url + link["url"])
    assert (status, headers["content-type"]) == (200, "image/png")
    assert headers["x-content-type-options"] == "nosniff"
    assert "immutable" in headers["cache-control"]
    assert data == store.read(job, "source.png")
    _, headers, data = fetched(f"{url}/scenehf/asset/{job}/source.png?side=480")
    assert (headers["content-type"], headers["cache-control"]) == ("image/webp", "no-cache")
    _, headers, data = fetched(f"{url}/scenehf/asset/{job}/original?download=..%2Fmine.png")
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"] == 'attachment; filename="mine.png"'
    assert data == photos[QUICK].read_bytes()
    store.put_assets(job, [("page.html", b"<script>alert(1)</script>", "text/html")])
    assert fetched(f"{url}/scenehf/asset/{job}/page.html")[1]["content-disposition"].startswith("attachment")
    sha256 = store.asset(job, "original").sha256
    for path in (
        f"{job}/nothing", f"{job}/../../store.db", f"{job}/..%2f..%2fstore.db", "nobody/source.png",
        f"{job}/assets/{sha256[:2]}/{sha256}",
    ):  # fmt: skip
        assert refused(f"{url}/scenehf/asset/{path}") == 404
    assert refused(f"{url}/scenehf/example/..%2f..%2f__init__") == 404
    assert refused(f"{url}/gradio_api/file={store.root / 'store.db'}") in (403, 404)


@pytest.mark.slow
def test_the_whole_journey_with_the_real_workflow(home, weights_dir, photo_path, tmp_path):
    """A small photo, the real units, and every export format."""
    from scenehf.ui.build import Screens

    (home / "weights").mkdir()
    (home / "weights" / "starter").symlink_to(weights_dir / "starter")
    with Image.open(photo_path("coffee")) as picture:
        picture.convert("RGB").resize((256, 171)).save(tmp_path / "cup.jpg")
    settings = load(data=home)
    store, host = Store(settings.store), Host("scenehf.worker:units")
    runner = Runner(store, WORKFLOWS, host)
    runner.start()
    screens = Screens(store, settings.uploads)
    try:
        client = Client(screens.serve(None).url, verbose=False)
        job = created(client, tmp_path / "cup.jpg", "cup")
        steps = [
            {"id": "s1", "action": "extract", "name": "cup", "z": 1, "box": [0.2, 0.05, 0.85, 0.95]},
            {"id": "p1", "action": "plate", "name": "table", "removes": ["s1"], "depends_on": ["s1"]},
        ]
        client.predict(job, {"version": 1, "scene": "a cup", "steps": steps}, api_name="/plan")
        for _ in range(3):
            if list(client.submit(job, api_name="/run"))[-1]["state"] == "succeeded":
                break
            for step in client.predict(job, api_name="/job")["steps"]:
                if step["chosen"] and step["state"] == "needs_review":
                    client.predict(job, step["key"], api_name="/step_accept")
                    eventually(lambda: store.job(job).state in ("needs_review", "succeeded"), 60)
        client.predict(job, ["png", "zip", "psd", "ora", "tiff", "html"], "clean", api_name="/export")
        eventually(lambda: store.job(job).state == "succeeded", 60)
        made = {asset["name"].partition("/")[2] for asset in client.predict(job, api_name="/job")["assets"]}
        wanted = {"scene.zip", "scene.psd", "scene.ora", "scene.tiff", "parallax.html", "layers/01-cup.png"}
        assert {f"1/{name}" for name in wanted} <= made
    finally:
        screens.close()
        runner.stop()
        host.close()
        store.close()
