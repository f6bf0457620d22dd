"""The gaze grid's job without a screen: stretches are drawn once, whatever stops it, and every file is as it says."""

import json
import os
import signal
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs.host import Host
from jobs.runner import Runner
from jobs.store import Store
from scenehf.errors import NotPossible
from scenehf.ui.gaze_view import describe
from scenehf.worker import WORKFLOWS
from scenehf.workflows import gaze
from scenehf.workflows.making import asset_name
from tests.models.providers.loopback import Loopback
from tests.models.providers.services import CANARY, ReplicateService

ROOT = Path(__file__).parent.parent.parent
QUICK = gaze.Params(grid=7, mobile=5, cell=128)
LONG = gaze.Params(grid=24, mobile=12, cell=192)  # lasts long enough to be stopped in the middle
SHEETS = {f"q{number}{suffix}.webp" for number in range(4) for suffix in ("", "_20")}
FILES = SHEETS | {
    "index.html", "gaze-portrait.js", "metadata.json", "metadata.js", "still.webp", "site.zip", "loop.mp4",
    "contact.jpg",
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory, weights_dir):
    """A data directory with the starter weights, also for the worker process."""
    folder = tmp_path_factory.mktemp("gaze")
    (folder / "weights").mkdir()
    (folder / "weights" / "starter").symlink_to(weights_dir / "starter")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SCENEHF_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def host(data):
    host = Host("scenehf.worker:units")
    yield host
    host.close()


@pytest.fixture(scope="module")
def store(data, host):
    with Store(data / "store") as store:
        runner = Runner(store, WORKFLOWS, host)
        runner.start()
        yield store
        runner.stop()


@pytest.fixture
def portrait(photo_path):
    return photo_path("astronaut")


def waited(holds, seconds=90.0):
    until = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)
    return found


def ended(store, job):
    waited(lambda: store.job(job.id).state not in ("queued", "running"))
    return store.job(job.id)


def made(store, job, params=QUICK):
    """The finished grid: name -> bytes of every file."""
    assert ended(store, job).state == "succeeded", store.job(job.id)
    step = next(step for step in store.chosen_steps(job.id) if step.key == gaze.SITE)
    return {
        name: store.read(job.id, asset_name(gaze.SITE, step.attempt, name)) for name in step.result["files"]
    }


def done(store, job):
    """(key, attempt) of every step that is done."""
    return {(step.key, step.attempt) for step in store.steps(job.id) if step.state == "done"}


def picture(data):
    return Image.open(BytesIO(data))


def halfway(store, job):
    """Wait until one of the long stretches is done and the next is being drawn."""
    return waited(lambda: ("cells-01", 1) in done(store, job))


def test_what_is_drawn_is_kept_when_it_is_cancelled(store, portrait):
    job = gaze.create(store, portrait, "astronaut.png", params=LONG)
    halfway(store, job)
    store.request_cancel(job.id)
    assert ended(store, job).state == "cancelled"
    kept = done(store, job)
    assert {("portrait", 1), ("cells-00", 1), ("cells-01", 1)} <= kept
    assert (gaze.SITE, 1) not in kept
    gaze.again(store, job.id)
    files = made(store, job)
    assert kept <= done(store, job)
    assert [step.attempt for step in store.chosen_steps(job.id) if (step.key, 1) in kept] == [1] * len(kept)
    assert picture(files["q0.webp"]).size == (12 * 192, 12 * 192)
    # With nothing changed, nothing is done.
    before = len(store.steps(job.id))
    gaze.again(store, job.id)
    made(store, job)
    assert len(store.steps(job.id)) == before


@pytest.mark.slow
def test_a_killed_worker_costs_only_what_it_was_doing(store, host, portrait):
    job = gaze.create(store, portrait, "astronaut.png", params=LONG)
    halfway(store, job)
    os.kill(
        host.pid, signal.SIGKILL
    )  # the cells before are now known to no process: they come out of their packs
    waited(lambda: encoding(store, job) or store.job(job.id).state == "needs_review")
    if store.job(job.id).state == "needs_review":  # it was in the middle of a stretch, not between two
        gaze.again(store, job.id)
        waited(lambda: encoding(store, job))
    kept = done(store, job)
    assert len(kept) == 1 + len(gaze.stretches_of(24))
    os.kill(host.pid, signal.SIGKILL)
    assert ended(store, job).state == "needs_review"
    [failed] = [step for step in store.chosen_steps(job.id) if step.error]
    assert (failed.key, failed.error["kind"]) == (gaze.SITE, "HostCrashed")
    gaze.again(store, job.id)
    files = made(store, job)
    assert kept <= done(store, job)
    assert len(done(store, job) - kept) == 1
    for name in ("q0.webp", "q3.webp"):  # no cell is missing
        cells = np.asarray(picture(files[name])).reshape(12, 192, 12, 192, 3).std(axis=(1, 3, 4))
        assert cells.min() > 20


def encoding(store, job):
    """Whether the page is being made."""
    told = [event.data["fraction"] for event in store.events(job.id, limit=5000) if event.type == "progress"]
    return bool(told) and told[-1] > gaze.DRAWN + 0.01


def test_an_odd_grid_keeps_its_middle_and_phones_get_no_finer_one(store, portrait):
    job = gaze.create(store, portrait, "a.png", params=gaze.checked({"grid": 9, "mobile": 20, "cell": 96}))
    files = made(store, job)
    assert set(files) == FILES
    about = json.loads(files["metadata.json"])
    assert (about["gridSize"], about["mobileGridSize"], about["totalImages"]) == (9, 9, 81)
    sizes = [tuple(side // 96 for side in picture(files[f"q{number}.webp"]).size) for number in range(4)]
    assert sizes == [(4, 4), (5, 4), (4, 5), (5, 5)]
    assert picture(files["contact.jpg"]).format == "JPEG"


def test_a_cut_out_has_alpha_and_goes_back_to_the_grid_before(store, portrait):
    job = gaze.create(store, portrait, "a.png", params=QUICK)
    plain = made(store, job)
    assert json.loads(plain["metadata.json"])["hasAlpha"] is False
    gaze.again(store, job.id, cutout=True)
    cut = made(store, job)
    assert json.loads(cut["metadata.json"])["hasAlpha"] is True
    still = np.asarray(picture(cut["still.webp"]))
    assert still.shape == (128, 128, 4)
    assert still[2, 64, 3] == 0
    assert still[70, 64, 3] == 255
    attempts = len(store.steps(job.id))
    gaze.again(store, job.id, cutout=False)
    assert made(store, job) == plain
    assert len(store.steps(job.id)) == attempts


def test_another_face_is_one_click(store, photo_path, tmp_path):
    pair = Image.new("RGB", (1024, 512))
    pair.paste(Image.open(photo_path("astronaut")).convert("RGB"))
    pair.paste(Image.open(photo_path("grace_hopper")).convert("RGB").resize((432, 512)), (560, 0))
    pair.save(tmp_path / "pair.png")
    job = gaze.create(store, tmp_path / "pair.png", "pair.png", params=QUICK)
    made(store, job)
    first = next(step for step in store.chosen_steps(job.id) if step.key == gaze.PORTRAIT).result
    assert len(first["faces"]) == 2
    other = first["faces"][1 - first["chosen"]]
    gaze.again(store, job.id, face=((other[0] + other[2]) / 2, (other[1] + other[3]) / 2))
    made(store, job)
    second = next(step for step in store.chosen_steps(job.id) if step.key == gaze.PORTRAIT).result
    assert second["chosen"] == 1 - first["chosen"]
    assert second["portrait"]["frame"] != first["portrait"]["frame"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"grid": 2}, "The grid cannot be 2: it has at least 3 and at most 60 cells a side."),
        ({"mobile": 61}, "The mobile grid cannot be 61: it has at least 3 and at most 60 cells a side."),
        ({"cell": 10}, "A cell cannot be 10: it has at least 64 and at most 1024 px."),
        ({"grid": None}, "The grid cannot be None"),
        ({"grid": 60, "cell": 600}, "Cells of a grid of 60 are at most 546 px long."),
        ({"engine": "puppet"}, "There is no engine 'puppet'. Choose from: mesh, liveportrait, replicate."),
        ({"face": "left"}, "face cannot be 'left'"),
    ],
)
def test_what_cannot_be_made_is_refused_in_a_sentence(given, sentence):
    with pytest.raises(NotPossible) as caught:
        gaze.checked(given)
    assert sentence in str(caught.value)


def test_cells_that_a_service_draws_are_paid_for_when_their_price_was_seen(
    store, portrait, data, monkeypatch
):
    asked = {"engine": "replicate", "grid": 3, "mobile": 3, "cell": 64}
    with pytest.raises(NotPossible, match=r"needs a key: set REPLICATE_API_TOKEN, from https"):
        gaze.usable(asked, data / "weights")
    server = Loopback(ReplicateService(polls=1))
    monkeypatch.setenv("REPLICATE_API_TOKEN", CANARY)
    monkeypatch.setenv("SCENEHF_ADDRESSES", json.dumps({"replicate": server.url}))
    monkeypatch.setattr("models.providers.remote.POLL_FIRST", 0.01)
    with pytest.raises(NotPossible, match=r"may cost \$1\.21, and a job \$1\.00: choose at most 10"):
        gaze.usable(asked | {"grid": 11}, data / "weights")
    job = gaze.create(store, portrait, "a.png", params=gaze.usable(asked, data / "weights"))
    assert ended(store, job).state == "needs_review"
    told = [event.data.get("reason", "") for event in store.events(job.id) if event.type == "job"]
    assert "9 cells cost up to $0.09" in told[-1]
    assert describe(store, store.job(job.id))["usd"] == pytest.approx(0.09)
    assert server.service.jobs == 0
    gaze.again(store, job.id)
    assert set(made(store, job)) == FILES
    assert server.service.jobs == 9 and describe(store, store.job(job.id))["usd"] == 0
    assert [bill.settled for bill in store.bills(job.id)] == [10_000] * 9
    gaze.again(store, job.id, cell=72)
    assert ended(store, job).state == "needs_review" and server.service.jobs == 9, (
        "another size, another price"
    )
    server.close()


def test_a_running_grid_and_other_kinds_are_left_alone(store, portrait):
    job = gaze.create(store, portrait, "a.png", params=LONG)
    with pytest.raises(NotPossible, match="cancel it first"):
        gaze.again(store, job.id, grid=5)
    store.request_cancel(job.id)
    assert ended(store, job).state == "cancelled"
    with pytest.raises(NotPossible, match="not a gaze grid"):
        gaze.again(store, store.create_job("other.kind", {}, title="other").id)


def typed(*arguments):
    command = [sys.executable, "-m", "scenehf", "gaze", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)


def test_the_command_writes_every_file(furnished_home, portrait, tmp_path):
    out = tmp_path / "out"
    done = typed(portrait, "--out", out, "--grid", 5, "--cell", 64, "--data", furnished_home)
    assert done.returncode == 0, done.stderr
    assert {file.name for file in out.iterdir()} == FILES
    assert json.loads((out / "metadata.json").read_text())["gridSize"] == 5
    assert "100%" in done.stdout


def test_a_picture_without_a_face_ends_with_2_and_a_sentence(furnished_home, tmp_path):
    Image.new("RGB", (200, 150), (90, 120, 90)).save(tmp_path / "wall.png")
    done = typed(tmp_path / "wall.png", "--out", tmp_path / "out", "--data", furnished_home)
    assert done.returncode == 2
    assert "No face was found in this picture. Use a photo that shows a face from the front." in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


# --- the engine that needs weights of its own ----------------------------------------------------------------


def test_an_engine_without_its_weights_is_one_sentence_and_the_command(data, tmp_path, photo_path):
    command = [
        sys.executable,
        "-m",
        "scenehf",
        "gaze",
        str(photo_path("astronaut")),
        "--engine",
        "liveportrait",
    ]
    env = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ['PYTHONPATH']}"}
    told = subprocess.run(
        [*command, "--out", str(tmp_path / "out")], env=env, capture_output=True, text=True, check=False
    )
    sentence = "The LivePortrait engine needs its weights. Run `./launch.sh models pull liveportrait`.\n"
    assert (told.returncode, told.stderr) == (2, sentence)
    assert not (tmp_path / "out").exists()


def test_expressions_are_for_the_engine_that_has_them():
    assert gaze.checked({"engine": "liveportrait", "expression": {"smile": 0.5}}).expression == {"smile": 0.5}
    for wrong, told in (
        ({"expression": {"smile": 0.5}}, "Only the LivePortrait engine"),
        ({"engine": "liveportrait", "expression": {"grin": 1}}, "no control 'grin'"),
        ({"engine": "liveportrait", "expression": {"blink": 50}}, "blink goes from -20 to 5"),
    ):
        with pytest.raises(NotPossible, match=told):
            gaze.checked(wrong)
