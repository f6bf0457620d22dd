"""The journey of a layer with a service that answers on this machine: planned, confirmed, cut, reviewed, cut out of a
plate, accepted, exported; paid for once, in the photo's own pixels where the photo has any; and no key anywhere."""

import io
import json
import zipfile

import cv2
import numpy as np
import pytest

from jobs.bundle import export_bundle
from scenehf.pixels import decode_png
from scenehf.settings import Settings
from scenehf.workflows import actions
from scenehf.workflows.estimate import usd_if_accepted, usd_to_go, usd_to_redo
from scenehf.workflows.extract import ExportOrder, Params
from tests.models.providers.services import CANARY
from tests.scenehf.painter import (
    PLAN,
    POLE_BOX,
    TRUE_MATTE,
    TRUE_POLE,
    Painter,
    everything_written,
    made,
    made_file,
    photograph,
    png,
    settled,
    states,
)


def off_by(alpha: np.ndarray, wanted: np.ndarray) -> float:
    """By how many px one matte lies beside the other."""
    shift, _ = cv2.phaseCorrelate(alpha.astype(np.float64), wanted.astype(np.float64))
    return float(np.abs(shift).max())


def test_the_whole_journey_with_google(cloud, home, tmp_path):
    store, servers = cloud(google=Painter(lambda _: json.dumps(PLAN)))
    service, photo = servers["google"].service, photograph(pole=True)
    job = actions.create(store, png(photo), "ball.png", params=Params(engine="google", planner="gemini"))
    assert settled(store, job.id).state == "needs_review"
    plan = actions.plan_of(store, job.id)
    assert [step.name for step in plan.steps] == ["Ball", "Background"]
    assert service.jobs == 1, "nothing but the plan was paid for before the person confirmed"
    assert usd_to_go(plan, {}, "google") == pytest.approx(0.10)

    service.invents = 1
    actions.run(store, job.id)
    settled(store, job.id)
    assert states(store, job) == {"plan": "done", "s1": "needs_review"}, store.events(job.id)[-8:]
    now = {step.key: step for step in store.chosen_steps(job.id)}
    assert usd_if_accepted(plan, now, "google", "s1") == pytest.approx(0.05), "Accept goes on with the plate"

    actions.remove_background(store, job.id, "s1")
    assert settled(store, job.id).state == "succeeded", store.events(job.id)[-8:]
    assert service.jobs == 4
    seen = np.maximum(TRUE_MATTE - TRUE_POLE, 0)
    alpha = made(store, job, "s1", "alpha.png") / 255
    assert off_by(alpha, seen) < 0.5 and np.abs(alpha - seen).mean() < 0.01
    assert "painted" not in actions.chosen(store, job.id, "s1").result

    now = {step.key: step for step in store.chosen_steps(job.id)}
    assert usd_to_go(plan, now, "google") == 0
    assert [usd_to_redo(plan, now, "google", step.id) for step in plan.steps] == pytest.approx(
        [0.10, 0.05]
    ), "a layer is paid for with the plate that is built on it"
    moved = actions.edit_step(store, job.id, "s1", prompt="the round red ball")
    assert usd_to_go(moved, now, "google") == pytest.approx(0.10), "a changed step, and what is built on it"
    actions.set_plan(store, job.id, plan)

    actions.add_extraction(store, job.id, name="Pole", box=POLE_BOX)
    pole = actions.plan_of(store, job.id).extractions[0].id
    actions.edit_step(store, job.id, pole, prompt="the green pole")
    actions.plate_and_retry(store, job.id, "s1", [pole])
    settled(store, job.id)
    assert states(store, job)[pole] == "needs_review", store.events(job.id)[-8:]
    actions.accept(store, job.id, pole)
    assert settled(store, job.id).state == "succeeded", (states(store, job), store.events(job.id)[-8:])
    assert service.jobs == 8, "the pole, the plate without it, the ball on that plate, the background"

    ball = actions.chosen(store, job.id, "s1").result
    alpha = made(store, job, "s1", "alpha.png") / 255
    assert off_by(alpha, TRUE_MATTE) < 0.5 and np.abs(alpha - TRUE_MATTE).mean() < 0.01, "it is whole"
    painted = made(store, job, "s1", "painted.png") > 0
    hidden = TRUE_MATTE * TRUE_POLE
    assert ball["painted"] == pytest.approx(hidden.sum() / TRUE_MATTE.sum(), abs=0.05)
    assert painted[hidden == 1].mean() > 0.98
    assert not painted[cv2.dilate(TRUE_POLE, np.ones((25, 25))) == 0].any()
    cut, x, y = made(store, job, "s1", "cut.png"), ball["x"], ball["y"]
    place = slice(y, y + cut.shape[0]), slice(x, x + cut.shape[1])
    of_photo = (cut[..., 3] == 255) & ~painted[place]
    assert of_photo.sum() > 3000
    assert np.abs(cut[..., :3].astype(int) - photo[place])[of_photo].max() <= 1, (
        "the layer is not in the photo's pixels"
    )

    actions.export(store, job.id, ExportOrder(formats=("zip",)))
    assert settled(store, job.id).state == "succeeded"
    with zipfile.ZipFile(io.BytesIO(made_file(store, job, "scene.zip"))) as files:
        assert (decode_png(files.read("painted/02-ball.png")) > 0).sum() == painted.sum()
        report = json.loads(files.read("report.json"))
    assert {step["name"]: "painted" in step for step in report["steps"]}["Ball"]

    bills = store.bills(job.id)
    assert {bill.state for bill in bills} == {"settled"} and len(bills) == service.jobs
    assert store.spent().day == sum(bill.settled for bill in bills) <= Settings().caps().day
    bundle = export_bundle(store, job.id, tmp_path / "job.zip")
    written = everything_written(home) + bundle.read_bytes()
    assert CANARY.encode() not in written and len(written) > 100_000
