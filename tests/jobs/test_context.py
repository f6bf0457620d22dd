"""What a workflow holds: progress with a rate and an ETA, previews, memory, parts."""

import io
import time
from collections.abc import Callable

import pytest
from PIL import Image

from jobs.context import LOOK_GAP, Context
from jobs.errors import Cancelled, Interrupted, LostLease
from jobs.job import Job
from jobs.store import Store
from models.requests import Run


@pytest.fixture
def context(store: Store, running: Callable[[], Job]) -> Context:
    """The context of a running job."""
    return Context(store, running())


def told(context: Context, type: str) -> list[dict[str, object]]:
    return [event.data for event in context.store.events(context.job.id) if event.type == type]


def test_it_fits_the_models_run(context: Context):
    run: Run = context
    run.check()


def test_progress_is_limited_and_the_last_is_always_written(context: Context):
    began = time.monotonic()
    for number in range(200):
        context.progress(number / 400, f"row {number}")
        time.sleep(0.002)
    took = time.monotonic() - began
    assert len(told(context, "progress")) <= took / 0.25 + 1
    context.flush()
    last = told(context, "progress")[-1]
    assert (last["fraction"], last["message"]) == (199 / 400, "row 199")
    context.flush()
    assert told(context, "progress")[-1] == last
    count = len(told(context, "progress"))
    context.progress(7.0)
    context.progress(-1.0, "clamped")
    context.flush()
    assert told(context, "progress")[-1]["fraction"] == 0.0
    assert len(told(context, "progress")) == count + 1


def test_eta_counts_from_where_a_resumed_job_starts(context: Context):
    context.progress(0.5)
    assert told(context, "progress")[0]["eta"] is None
    time.sleep(0.3)
    context.progress(0.75)
    event = told(context, "progress")[1]
    assert event["eta"] == pytest.approx(0.3, rel=0.3)
    assert event["elapsed"] == pytest.approx(0.3, rel=0.3)


def test_end_writes_the_progress_first(context: Context):
    step = context.begin("s1", 0, "cup", {}, "k")
    context.progress(0.1)
    context.progress(1.0, "finished")
    context.end("s1", step.attempt, "done", {})
    types = [event.type for event in context.store.events(context.job.id)]
    assert types[-2:] == ["progress", "step"]


def test_parts_scale_and_nest(context: Context):
    half = context.part(0.5, 1.0)
    half.part(0.0, 0.5).progress(0.5)
    context.flush()
    assert told(context, "progress")[0]["fraction"] == 0.625
    half.log("through")
    half.save("a", b"x", "text/plain")
    assert context.has("a") and half.read("a") == b"x" and half.path("a").is_file()


def test_previews_replace_each_other_and_are_rare(context: Context, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("jobs.context.PREVIEW_GAP", 30)  # s, longer than encoding one takes anywhere
    picture = Image.new("RGBA", (2000, 1000), (255, 0, 0, 128))
    for _ in range(5):
        context.preview(picture)
        context.part(0, 1).preview(picture)
    (event,) = told(context, "preview")
    assert event["mime"] == "image/webp"
    shown = Image.open(io.BytesIO(context.read("preview")))
    assert (shown.size, shown.mode) == ((768, 384), "RGBA")
    first = context.path("preview")
    monkeypatch.setattr("jobs.context.PREVIEW_GAP", 0)
    context.preview(b"\xff\xd8\xff jpeg, more or less")
    assert told(context, "preview")[-1]["mime"] == "image/jpeg"
    assert not first.exists()
    assert picture.size == (2000, 1000)


def test_params_can_be_replaced_by_the_run_that_owns_the_job(context: Context):
    context.set_params({"plan": 2})
    assert context.store.job(context.job.id).params == {"plan": 2}
    context.store.recover(everything=True)
    with pytest.raises(LostLease):
        context.set_params({"plan": 3})


def test_memory(context: Context):
    context.remember("remote", {"id": 7})
    assert context.recall("remote") == {"id": 7}
    assert context.recall("other") is None


def test_check_hears_all_reasons_to_stop(context: Context):
    context.check()
    context.store.request_cancel(context.job.id)
    time.sleep(0.06)
    with pytest.raises(Cancelled):
        context.check()
    context.signals.stopping.set()
    with pytest.raises(Interrupted):
        context.check()
    context.signals.lost.set()
    with pytest.raises(LostLease):
        context.check()


def test_check_hears_that_the_run_is_over(context: Context):
    context.store.recover(everything=True)
    with pytest.raises(LostLease):
        context.check()
    with pytest.raises(LostLease):
        context.progress(0.5)


def test_check_is_cheap(context: Context, monkeypatch: pytest.MonkeyPatch):
    asked = []
    look = context._now
    monkeypatch.setattr(context, "_now", lambda: asked.append(1) or look())
    began = time.monotonic()
    for _ in range(1000):
        context.check()
    assert len(asked) <= (time.monotonic() - began) / LOOK_GAP + 1
