"""Work on ZeroGPU, with its own package, which off ZeroGPU calls what it decorates as it is."""

import contextvars
import os
import pickle
import threading
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from jobs.context import Context
from jobs.errors import Cancelled, UnitFailed
from jobs.job import Job
from scenehf import zerogpu

ENTRY = "tests.scenehf.zero_units:units"
PARAMS = {"engine": "liveportrait", "first": 0, "last": 3}
account: contextvars.ContextVar[str] = contextvars.ContextVar("account", default="the app's own")


@pytest.fixture
def store(tmp_path: Path):
    store = zerogpu.TicketStore(tmp_path / "store")
    store.free_min = 0
    yield store
    store.close()


@pytest.fixture
def host(store):
    host = zerogpu.ZeroHost(ENTRY, store)
    yield host
    host.close()


@pytest.fixture
def running(store) -> Job:
    store.create_job("edit", {}, assets=[("image", b"pixels", "image/png")])
    return store.claim("me")


def call(store, host, job: Job, unit: str = "gaze.cells", **params: Any):
    context = Context(store, job, host)
    return context.call(unit, PARAMS | params, {"image": store.path(job.id, "image")})


def test_a_unit_on_the_card_reports_and_answers(store, host, running):
    reply = call(store, host, running)
    assert (reply.data["pid"], reply.blobs) == (os.getpid(), {"cells.bin": b"pixels"})
    events = {event.type: event.data for event in store.events(running.id)}
    assert events["log"] == {"text": "drawn"}
    assert events["progress"]["message"].startswith("Cell")


def test_what_needs_no_card_goes_to_our_own_process(store, host, running):
    assert call(store, host, running, "plain").data["pid"] not in (os.getpid(), None)
    assert call(store, host, running, engine="mesh").data["pid"] != os.getpid()


def test_errors_are_typed(store, host, running):
    with pytest.raises(UnitFailed, match="It cannot be drawn") as failed:
        call(store, host, running, fail=True)
    assert (failed.value.kind, failed.value.hint) == ("JobsError", "Draw another.")


def test_a_cancel_reaches_the_card(store, host, running):
    threading.Timer(0.3, store.request_cancel, [running.id]).start()
    with pytest.raises(Cancelled):
        call(store, host, running, endless=True)
    assert not [thread for thread in threading.enumerate() if "(work)" in thread.name]


def test_a_refusal_of_the_lender_is_a_sentence(store, host, running, monkeypatch):
    def refuse(*_: object):
        raise RuntimeError("You have exceeded your GPU quota")
        yield

    monkeypatch.setattr(zerogpu, "on_gpu", refuse)
    with pytest.raises(UnitFailed, match=r"exceeded your GPU quota.*daily share"):
        call(store, host, running)


def test_the_card_is_lent_on_the_account_of_who_asked(store, host, monkeypatch):
    seen: list[str] = []

    def lent(*_: object):
        seen.append(account.get())
        yield "result", ({}, {})

    monkeypatch.setattr(zerogpu, "on_gpu", lent)

    def ask(name: str, act: Any) -> None:
        account.set(name)
        act()

    job = contextvars.copy_context().run(
        lambda: (account.set("ann"), store.create_job("edit", {}, assets=[("image", b"x", "x/y")]))[1]
    )
    claimed = store.claim("me")
    call(store, host, claimed)
    store.finish_job(job.id, claimed.attempt, "failed", error={})
    contextvars.copy_context().run(ask, "bob", lambda: store.requeue(job.id))
    claimed = store.claim("me")
    call(store, host, claimed)
    store._tickets.clear()  # as after a restart
    call(store, host, claimed)
    assert seen == ["ann", "bob", "the app's own"]


def test_what_goes_in_and_out_can_be_sent_to_another_process(store, running):
    given = (ENTRY, "gaze.cells", PARAMS, {"image": str(store.path(running.id, "image"))}, 30)
    assert pickle.loads(pickle.dumps(given)) == given
    said = list(zerogpu.on_gpu(*given))
    assert pickle.loads(pickle.dumps(said)) == said


def test_at_first_the_card_is_asked_for_by_what_there_is_to_draw_and_only_where_one_is_needed():
    def guess(model: str, side: int, **options: Any) -> float:
        images = [{"name": "x", "width": side, "height": side, "sha256": ""}]
        return zerogpu.GUESSES["image.make"]({"model": model, "options": options, "images": images})

    assert guess("patchmatch", 1024) == 0
    smaller = guess("qwen-edit-2511-gguf", 512, steps=4)
    assert zerogpu.LOAD < smaller < guess("qwen-edit-2511-gguf", 1024, steps=8) <= 120, (
        "a visitor's daily share"
    )
    assert zerogpu.GUESSES["gaze.cells"](PARAMS | {"engine": "mesh"}) == 0


def test_later_it_is_asked_for_by_what_the_model_took(store, host, running, monkeypatch):
    asked: list[int] = []
    says: list[list[tuple[str, Any]]] = []

    def lent(*given: Any):
        asked.append(given[-1])
        yield from says.pop(0)

    monkeypatch.setattr(zerogpu, "on_gpu", lent)
    guess = zerogpu.GUESSES["gaze.cells"](PARAMS)
    done = ("result", ({}, {}))
    says += [[("took", guess / 2), done], [("took", guess / 10), done], [], [done]]
    for _ in range(2):
        call(store, host, running)
    with pytest.raises(UnitFailed, match="taken back"):
        call(store, host, running)
    call(store, host, running)
    expected = [guess, guess / 2 * zerogpu.MARGIN, guess / 2 * zerogpu.MARGIN, guess * zerogpu.MARGIN]
    assert asked == [ceil(seconds) for seconds in expected]
