"""The extraction job: in order, checked, paused when in doubt, never done twice; and all that a person can do to it."""

import io
import json
import time

import cv2
import numpy as np
import pytest
from PIL import Image

from jobs.host import Host
from jobs.runner import Runner
from jobs.store import Store
from scenehf.errors import NotPossible
from scenehf.layers.engines import ENGINES
from scenehf.layers.plan import ExtractStep, arrange
from scenehf.pixels import decode_png
from scenehf.worker import WORKFLOWS
from scenehf.workflows import actions
from scenehf.workflows.extract import ExportOrder, Params
from tests.scenehf.bundles import comes_back_whole
from tests.scenehf.plain_engine import SPEC

LEFT, RIGHT = (0.05, 0.2, 0.4, 0.8), (0.55, 0.2, 0.95, 0.8)


@pytest.fixture
def photo() -> bytes:
    """A red and a blue ellipse, right where the plan's boxes are, on grey gravel: 240 x 160."""
    picture = np.random.default_rng(0).integers(70, 190, (160, 240, 1), np.uint8).repeat(3, axis=2)
    for box, colour in ((LEFT, (200, 20, 20)), (RIGHT, (20, 20, 200))):
        x0, y0, x1, y1 = np.multiply(box, (240, 160, 240, 160))
        centre = round((x0 + x1) / 2), round((y0 + y1) / 2)
        cv2.ellipse(picture, centre, (int((x1 - x0) / 2), int((y1 - y0) / 2)), 0, 0, 360, colour, -1)
    return png(picture)


def png(pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def host():
    host = Host("scenehf.worker:units")
    yield host
    host.close()


@pytest.fixture
def store(home, host, monkeypatch):
    monkeypatch.setitem(ENGINES, "plain", SPEC)
    with Store(home / "store") as store:
        runner = Runner(store, WORKFLOWS, host)
        runner.start()
        yield store
        runner.stop()


def two(first: str = "", second: str = "", **changes):
    steps = [
        ExtractStep(id="cup", name="Cup", z=1, box=LEFT, prompt=first),
        ExtractStep(id="spoon", name="Spoon", z=1, box=RIGHT, prompt=second),
    ]
    given = {"engine": "plain", "plan": arrange("", steps), "confirmed": True} | changes
    return Params(**given)


def settled(store, job, *states):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = store.job(job.id)
        if found.state in (states or ("succeeded", "failed", "cancelled", "needs_review")):
            return found
        time.sleep(0.02)
    raise AssertionError(store.job(job.id), store.events(job.id)[-5:])


def states(store, job):
    return {step.key: step.state for step in store.chosen_steps(job.id)}


def attempts(store, job):
    return [(step.key, step.attempt) for step in store.steps(job.id)]


def scene_of(store, job):
    """(source, composite of the stored 8-bit layers over the plate in float64)."""
    scene = actions.chosen(store, job.id, "scene")

    def picture(name):
        return decode_png(store.read(job.id, name))

    canvas = picture(f"scene/{scene.attempt}/plate.png").astype(np.float64)
    for row in reversed(scene.result["layers"]):
        rgba = picture(f"scene/{scene.attempt}/{row['id']}.png").astype(np.float64)
        h, w = rgba.shape[:2]
        spot = canvas[row["y"] : row["y"] + h, row["x"] : row["x"] + w]
        spot += (rgba[..., :3] - spot) * (rgba[..., 3:] / 255)
    return picture("source.png"), canvas


def test_the_whole_run_adds_up_to_the_photo(store, photo):
    job = actions.create(store, photo, "coffee.png", params=two())
    assert settled(store, job).state == "succeeded"
    assert states(store, job) == {"cup": "done", "spoon": "done", "plate": "done", "scene": "done"}
    source, recomposed = scene_of(store, job)
    assert np.abs(recomposed - source).max() <= 2
    kinds = [event.type for event in store.events(job.id)]
    assert {"progress", "preview", "step", "job"} <= set(kinds)


def test_a_bundle_of_it_comes_back_whole(store, photo, tmp_path):
    job = actions.create(store, photo, "coffee.png", params=two())
    settled(store, job, "succeeded")
    actions.export(store, job.id, ExportOrder(formats=("png", "zip")))
    settled(store, job, "succeeded")
    copy = comes_back_whole(store, job.id, tmp_path)
    assert np.array_equal(*(scene_of(store, each)[1] for each in (job, copy)))


def test_the_bytes_that_came_in_are_kept(store, photo):
    job = actions.create(store, photo, "coffee.png", params=two())
    assert store.read(job.id, "original") == photo
    settled(store, job)


def test_a_doubtful_step_pauses_the_job_and_says_why(store, photo):
    job = actions.create(store, photo, "coffee.png", params=two(first="unsure"))
    assert settled(store, job).state == "needs_review"
    assert states(store, job) == {"cup": "needs_review"}
    last = [event.data for event in store.events(job.id) if event.type == "job"][-1]
    assert "confidence is 0.2" in last["reason"]
    actions.accept(store, job.id, "cup")
    assert settled(store, job, "succeeded")
    assert attempts(store, job).count(("cup", 1)) == 1
    assert states(store, job)["cup"] == "accepted"


def test_a_failed_step_waits_for_a_person(store, photo):
    job = actions.create(store, photo, "coffee.png", params=two(first="refuse"))
    assert settled(store, job).state == "needs_review"
    step = actions.chosen(store, job.id, "cup")
    assert step.state == "failed"
    assert step.error["message"] == "The service refused this picture."
    actions.retry(store, job.id, "cup", prompt="please")
    assert settled(store, job).state == "succeeded"
    assert attempts(store, job)[:2] == [("cup", 1), ("cup", 2)]


def test_nobody_watching_the_run_goes_past_doubt_and_failure(store, photo):
    params = two(first="unsure", second="refuse", headless=True, export=ExportOrder(formats=("png",)))
    job = actions.create(store, photo, "coffee.png", params=params)
    assert settled(store, job).state == "succeeded"
    export = actions.chosen(store, job.id, "export")
    report = json.loads(store.read(job.id, f"export/{export.attempt}/report.json"))
    assert report["needs_review"] == ["cup", "spoon"]
    assert report["scene"]["max_error"] <= 2
    assert [layer["id"] for layer in report["scene"]["layers"]] == ["cup"]


def test_a_plan_without_steps_leaves_the_photo_as_the_plate(store, photo):
    params = two().model_copy(update={"plan": arrange("", []), "headless": True})
    job = actions.create(store, photo, "coffee.png", params=params)
    assert settled(store, job).state == "succeeded"
    source, recomposed = scene_of(store, job)
    assert np.array_equal(source, recomposed)


def test_finished_steps_are_not_done_again(store, photo):
    job = actions.create(store, photo, "coffee.png", params=two())
    settled(store, job)
    before = attempts(store, job)
    actions.run(store, job.id)
    assert settled(store, job, "succeeded")
    time.sleep(0.1)
    assert settled(store, job, "succeeded")
    assert attempts(store, job) == before


def test_a_new_box_redoes_its_step_and_what_depends_on_it(store, photo):
    job = actions.create(store, photo, "coffee.png", params=two())
    settled(store, job)
    actions.retry(store, job.id, "spoon", box=(0.54, 0.19, 0.96, 0.81))
    settled(store, job, "succeeded")
    counts = dict(attempts(store, job))
    assert counts == {"cup": 1, "spoon": 2, "plate": 2, "scene": 2}


def test_an_older_attempt_comes_back_without_being_done_again(store, photo):
    job = actions.create(store, photo, "coffee.png", params=two())
    settled(store, job)
    actions.retry(store, job.id, "cup", box=(0.04, 0.18, 0.41, 0.82))
    settled(store, job, "succeeded")
    actions.choose(store, job.id, "cup", 1)
    settled(store, job, "succeeded")
    assert [n for key, n in attempts(store, job) if key == "cup"] == [1, 2]
    assert actions.chosen(store, job.id, "cup").attempt == 1
    assert actions.plan_of(store, job.id).step("cup").box == LEFT


def test_a_plate_can_be_retried_and_its_older_attempt_chosen(store, photo):
    job = actions.create(store, photo, "coffee.png", params=two())
    settled(store, job)
    actions.retry(store, job.id, "plate")
    settled(store, job, "succeeded")
    assert [n for key, n in attempts(store, job) if key == "plate"] == [1, 2]
    actions.choose(store, job.id, "plate", 1)
    settled(store, job, "succeeded")
    assert actions.chosen(store, job.id, "plate").attempt == 1
    assert [n for key, n in attempts(store, job) if key == "plate"] == [1, 2]


def test_strokes_refine_a_step(store, photo):
    job = actions.create(store, photo, "coffee.png", params=two())
    settled(store, job)
    strokes = np.zeros((160, 240, 4), np.uint8)
    strokes[10:20, 5:40] = (0, 255, 0, 255)
    strokes[75:85, 40:60] = (255, 0, 0, 255)
    actions.refine(store, job.id, "cup", png(strokes))
    settled(store, job, "succeeded")
    alpha = decode_png(store.read(job.id, "cup/2/alpha.png"))
    assert alpha[10:20, 5:40].min() == 255
    assert alpha[75:85, 40:60].max() == 0
    with pytest.raises(NotPossible, match="10x10"):
        actions.refine(store, job.id, "cup", png(np.zeros((10, 10, 3), np.uint8)))


def test_the_background_is_removed_from_an_attempt(store, photo):
    job = actions.create(store, photo, "coffee.png", params=two())
    settled(store, job)
    actions.remove_background(store, job.id, "cup")
    settled(store, job, "succeeded")
    alpha = decode_png(store.read(job.id, "cup/2/alpha.png"))
    assert set(np.unique(alpha)) == {0, 255}


def test_an_occluder_is_painted_out_and_the_step_runs_on_that_plate(store, photo):
    job = actions.create(store, photo, "coffee.png", params=two())
    settled(store, job)
    actions.plate_and_retry(store, job.id, "spoon", ["cup"])
    settled(store, job, "succeeded")
    assert [step.id for step in actions.plan_of(store, job.id).steps] == [
        "cup",
        "under_spoon",
        "spoon",
        "plate",
    ]
    assert actions.chosen(store, job.id, "spoon").attempt == 2
    source, recomposed = scene_of(store, job)
    assert np.abs(recomposed - source).max() <= 2


def test_one_step_alone(store, photo):
    params = two().model_copy(update={"confirmed": False})
    job = actions.create(store, photo, "coffee.png", params=params)
    assert settled(store, job).state == "needs_review"
    assert states(store, job) == {}
    actions.run(store, job.id, only="cup")
    settled(store, job, "needs_review")
    deadline = time.monotonic() + 20
    while states(store, job).get("cup") != "done" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert settled(store, job).state == "needs_review"
    assert states(store, job) == {"cup": "done"}


def test_cancel_stops_a_running_step_and_the_job_can_run_again(store, photo):
    job = actions.create(store, photo, "coffee.png", params=two(first="slow"))
    settled(store, job, "running")
    while not any(e.type == "progress" and e.data["message"] == "Waiting" for e in store.events(job.id)):
        time.sleep(0.02)
    with pytest.raises(NotPossible, match="pause or cancel"):
        actions.retry(store, job.id, "cup")
    began = time.monotonic()
    store.request_cancel(job.id)
    assert settled(store, job).state == "cancelled"
    assert time.monotonic() - began < 2
    actions.retry(store, job.id, "cup", prompt="")
    assert settled(store, job, "succeeded")


def test_exports_are_assets_in_both_kinds_of_edges(store, photo):
    job = actions.create(store, photo, "coffee.png", params=two())
    settled(store, job)
    sizes = {}
    for edges in ("faithful", "clean"):
        actions.export(store, job.id, ExportOrder(formats=("png", "psd"), edges=edges))
        settled(store, job, "succeeded")
        time.sleep(0.05)
        settled(store, job, "succeeded")
        step = actions.chosen(store, job.id, "export")
        names = {a.name for a in store.assets(job.id) if a.name.startswith(f"export/{step.attempt}/")}
        sizes[edges] = store.read(job.id, f"export/{step.attempt}/layers/01-cup.png")
        assert f"export/{step.attempt}/scene.psd" in names
    assert sizes["faithful"] != sizes["clean"]


@pytest.mark.parametrize(
    "act",
    [
        lambda store, job: actions.retry(store, job, "ghost"),
        lambda store, job: actions.retry(store, job, "cup", box=(0.5, 0.5, 0.4, 0.6)),
        lambda store, job: actions.accept(store, job, "ghost"),
        lambda store, job: actions.choose(store, job, "cup", 9),
        lambda store, job: actions.choose(store, job, "scene", 1),
        lambda store, job: actions.remove_background(store, job, "plate"),
        lambda store, job: actions.refine(store, job, "plate", b""),
        lambda store, job: actions.plate_and_retry(store, job, "cup", ["cup"]),
        lambda store, job: actions.plate_and_retry(store, job, "plate", ["cup"]),
        lambda store, job: actions.add_extraction(store, job),
        lambda store, job: actions.set_plan(store, job, {"version": 1, "steps": [{"id": "x"}]}),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(store, photo, act):
    job = actions.create(store, photo, "coffee.png", params=two())
    before = settled(store, job)
    with pytest.raises(NotPossible) as refusal:
        act(store, job.id)
    assert str(refusal.value).endswith(".")
    assert store.job(job.id).params == before.params


def test_edits_of_a_finished_plan_redo_only_what_they_change(store, photo):
    job = actions.create(store, photo, "coffee.png", params=two())
    settled(store, job)
    before = actions.plan_of(store, job.id)
    actions.edit_step(store, job.id, "cup", name="Red cup")
    actions.reorder(store, job.id, ["spoon", "cup"])
    assert store.job(job.id).state == "succeeded"
    actions.run(store, job.id)
    settled(store, job, "succeeded")
    assert dict(attempts(store, job)) == {"cup": 1, "spoon": 1, "plate": 1, "scene": 2}
    layers = actions.chosen(store, job.id, "scene").result["layers"]
    assert [layer["name"] for layer in layers] == ["Spoon", "Red cup"]

    actions.remove_step(store, job.id, "spoon")
    actions.run(store, job.id)
    settled(store, job, "succeeded")
    assert [layer["id"] for layer in actions.chosen(store, job.id, "scene").result["layers"]] == ["cup"]

    made = len(attempts(store, job))
    actions.set_plan(store, job.id, before)  # undone: everything there was is found again
    actions.run(store, job.id)
    settled(store, job, "succeeded")
    assert len(attempts(store, job)) == made
    assert {step.key: step.attempt for step in store.chosen_steps(job.id)} == dict.fromkeys(
        ("cup", "spoon", "plate", "scene"), 1
    )


def test_an_outline_is_moved_and_softened_without_asking_the_engine(store, photo):
    job = actions.create(store, photo, "coffee.png", params=two())
    settled(store, job)
    actions.refine(store, job.id, "cup", None, grow=6)
    settled(store, job, "succeeded")
    first, grown = (decode_png(store.read(job.id, f"cup/{n}/alpha.png")) > 127 for n in (1, 2))
    assert (grown | first == grown).all()
    radius = [np.sqrt(mask.sum() / np.pi) for mask in (first, grown)]
    assert radius[1] - radius[0] == pytest.approx(6, abs=1)
    actions.refine(store, job.id, "cup", None, feather=8)
    settled(store, job, "succeeded")
    soft = decode_png(store.read(job.id, "cup/3/alpha.png"))
    assert ((soft > 10) & (soft < 245)).sum() > 3 * ((first != grown).sum() / 6)
    for nothing in ({}, {"grow": 51}, {"feather": -1}):
        with pytest.raises(NotPossible):
            actions.refine(store, job.id, "cup", None, **nothing)


def test_a_copy_has_the_photo_and_the_plan_and_waits(store, photo):
    job = actions.create(store, photo, "coffee.png", params=two())
    settled(store, job)
    copy = actions.duplicate(store, job.id)
    assert copy.state == "needs_review"
    assert copy.title == "coffee.png copy"
    assert actions.plan_of(store, copy.id) == actions.plan_of(store, job.id)
    assert store.read(copy.id, "original") == photo
    actions.run(store, copy.id)
    settled(store, copy, "succeeded")


def test_a_retry_after_going_back_is_a_new_attempt(store, photo):
    job = actions.create(store, photo, "coffee.png", params=two())
    settled(store, job)
    actions.retry(store, job.id, "cup")
    settled(store, job, "succeeded")
    actions.choose(store, job.id, "cup", 1)
    settled(store, job, "succeeded")
    actions.retry(store, job.id, "cup")
    settled(store, job, "succeeded")
    assert [n for key, n in attempts(store, job) if key == "cup"] == [1, 2, 3]
