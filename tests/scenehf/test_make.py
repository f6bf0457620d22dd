"""Jobs that make pictures: seeds, errors that stop nothing, masks, money, and what is told before the click."""

import io
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import SecretStr

from jobs.host import Host
from jobs.runner import Runner
from jobs.store import Store
from models.errors import InvalidRequest, UnknownModel
from models.pool import Pool
from models.requests import TextToImage
from models.spec import Access, ModelSpec, Seeded
from models.spec import Host as ModelHost
from scenehf.errors import BadPicture, NotPossible
from scenehf.pixels import encode_png
from scenehf.settings import Settings
from scenehf.studio.metadata import read
from scenehf.ui.make_view import describe
from scenehf.worker import WORKFLOWS
from scenehf.workflows import actions, make
from scenehf.workflows.make import Asked
from scenehf.workflows.making import THUMB, asset_name
from scenehf.workflows.quote import quote
from tests.models.providers.artist import Artist
from tests.models.providers.loopback import Fault, Loopback
from tests.models.providers.services import CANARY
from tests.scenehf.bundles import comes_back_whole

ACCESS = Access(replicate=SecretStr(CANARY))
WORDS = Asked(model="qwen-image", prompt="a cat", options={"steps": 8}, count=3)


@pytest.fixture(scope="module")
def host():
    host = Host("scenehf.worker:units")
    yield host
    host.close()


@pytest.fixture
def working(home, host, monkeypatch):
    """A function that starts the app over Replicate as this artist is it; it answers with the store and the server."""
    monkeypatch.setattr("models.providers.remote.POLL_FIRST", 0.02)
    monkeypatch.setattr("models.providers.remote.PAUSE", 0.02)
    running = []

    def start(artist: Artist | None = None) -> tuple[Store, Loopback]:
        server = Loopback(artist or Artist())
        monkeypatch.setenv("SCENEHF_ADDRESSES", json.dumps({"replicate": server.url}))
        monkeypatch.setenv("REPLICATE_API_TOKEN", CANARY)
        store = Store(home / "store")
        runner = Runner(store, WORKFLOWS, host)
        runner.start()
        running.extend([runner.stop, store.close, server.close])
        return store, server

    yield start
    for stop in running:
        stop()


def ended(store: Store, job_id: str, seconds: float = 60) -> str:
    until = time.monotonic() + seconds
    while (state := store.job(job_id).state) in ("queued", "running"):
        assert time.monotonic() < until, [event.data for event in store.events(job_id)]
        time.sleep(0.02)
    return state


def made(store: Store, job_id: str) -> list[tuple[np.ndarray, bytes]]:
    files = [
        store.read(job_id, asset_name(step.key, step.attempt, image["name"]))
        for step in store.chosen_steps(job_id)
        for image in step.result.get("images", [])
    ]
    return [(np.asarray(Image.open(io.BytesIO(file))), file) for file in files]


def test_every_picture_has_its_seed_and_its_recipe(working, tmp_path):
    store, server = working()
    job = make.create(store, WORDS, access=ACCESS)
    assert ended(store, job.id) == "succeeded"
    seeds = store.job(job.id).params["seeds"]
    assert len(set(seeds)) == 3
    assert [asked["seed"] for asked in server.service.asked] == seeds
    recipes = [read(file) for _, file in made(store, job.id)]
    assert [recipe.options["seed"] for recipe in recipes] == seeds
    assert {(recipe.prompt, recipe.options["steps"], recipe.width, recipe.job) for recipe in recipes} == {
        ("a cat", 8, 1024, job.id)
    }
    assert store.asset(job.id, THUMB)
    assert sum(bill.settled for bill in store.bills(job.id)) == 3 * 15_000
    assert CANARY not in json.dumps([event.data for event in store.events(job.id)])
    comes_back_whole(store, job.id, tmp_path)
    assert len(server.service.asked) == 3, "a copy buys nothing again"


def test_a_locked_seed_counts_up(working):
    store, _ = working()
    asked = WORDS.model_copy(update={"options": {"seed": 2**31 - 1}, "count": 2})
    assert store.job(make.create(store, asked, access=ACCESS, hold=True).id).params["seeds"] == [2**31 - 1, 0]


def test_one_that_fails_stops_no_other_and_is_made_again_alone(working):
    store, server = working()
    server.faults += [Fault("POST", "/predictions$", "429")] * 3  # as often as one is tried
    job = make.create(store, WORDS, access=ACCESS)
    assert ended(store, job.id) == "succeeded"
    assert [step.state for step in store.chosen_steps(job.id)] == ["failed", "done", "done"]
    assert server.service.jobs == 2
    make.again(store, job.id)
    assert ended(store, job.id) == "succeeded"
    assert [step.state for step in store.chosen_steps(job.id)] == ["done"] * 3
    assert server.service.jobs == 3


def test_a_payment_nobody_knows_of_waits_for_the_person(working):
    store, server = working()
    server.faults.append(Fault("POST", "/predictions$", "reset"))
    job = make.create(store, WORDS.model_copy(update={"count": 2}), access=ACCESS)
    assert ended(store, job.id) == "needs_review"
    assert [step.state for step in store.chosen_steps(job.id)] == ["unknown", "done"]
    assert describe(store, store.job(job.id))["steps"][0]["payment"] == {"usd": 0.015, "lost": True}
    actions.tell_payment(store, job.id, "made-01", made=False)
    make.again(store, job.id)
    assert ended(store, job.id) == "succeeded"
    assert server.service.jobs == 2
    assert store.spent().day == 2 * 15_000


def test_nothing_made_says_why(working):
    store, _ = working(Artist(end="failed", error="E1001: out of memory"))
    job = make.create(store, WORDS, access=ACCESS)
    assert ended(store, job.id) == "failed"
    error = store.job(job.id).error
    assert "out of memory" in error["message"]
    assert error["hint"]


def test_a_hole_is_filled_without_a_key_and_the_rest_stays(working, coffee):
    store, _ = working()
    mask = np.zeros(coffee.shape[:2], np.uint8)
    mask[40:90, 60:120] = 255
    asked = Asked(model="patchmatch")
    job = make.create(store, asked, [(encode_png(coffee), "coffee.png")], encode_png(mask), access=Access())
    assert ended(store, job.id) == "succeeded"
    ((picture, file),) = made(store, job.id)
    assert picture.shape == coffee.shape
    assert np.array_equal(picture[mask == 0], coffee[mask == 0])
    assert not np.array_equal(picture[mask > 0], coffee[mask > 0])
    recipe = read(file)
    assert recipe.source == "algorithmicallyEnhanced"
    assert recipe.images[0].name == "coffee.png"
    rate = quote(store, asked, [(600, 400)], masked=True, settings=Settings(), access=Access())
    assert rate.seconds > 0
    assert (rate.usd, rate.problem) == (0, "")


def test_a_layer_keeps_its_shape(working, coffee):
    store, _ = working(Artist(lambda pictures: pictures[0].point(lambda value: 255 - value)))
    alpha = np.zeros(coffee.shape[:2], np.uint8)
    alpha[100:300, 200:400] = 255
    layer = encode_png(np.dstack([coffee, alpha]))
    job = make.create(store, Asked(model="qwen-image-edit", prompt="x"), [(layer, "cup")], access=ACCESS)
    assert ended(store, job.id) == "succeeded"
    ((picture, _),) = made(store, job.id)
    assert np.array_equal(picture[..., 3], alpha)
    assert np.abs(255 - picture[150:250, 250:350, :3].astype(int) - coffee[150:250, 250:350]).mean() < 4


@pytest.mark.parametrize(
    ("asked", "images", "error", "words"),
    [
        (Asked(model="nothing"), 0, UnknownModel, "no model 'nothing'"),
        (Asked(model="person-matte"), 0, UnknownModel, "that makes pictures"),
        (Asked(model="qwen-image", prompt=" "), 0, InvalidRequest, "The prompt is empty."),
        (Asked(model="qwen-image", prompt="x" * 100_000), 0, InvalidRequest, "100,000 characters"),
        (Asked(model="qwen-image", prompt="x"), 1, InvalidRequest, "takes no pictures, not 1"),
        (Asked(model="qwen-image-edit", prompt="x"), 2, InvalidRequest, "takes 1 picture, not 2"),
        (Asked(model="qwen-image-edit", prompt="x"), 0, InvalidRequest, "needs a picture"),
        (Asked(model="qwen-image-edit", prompt="x", options={"aspect_ratio": "1:1"}), 1, InvalidRequest, "no option"),
        (Asked(model="patchmatch"), 1, InvalidRequest, "needs a mask"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_before_there_is_a_job(home, asked, images, error, words):
    with Store(home / "store") as store:
        with pytest.raises(error, match=words):
            make.create(store, asked, [(b"x", "x")] * images, access=ACCESS)
        assert store.list_jobs() == []


def test_bad_pictures_and_masks_are_refused(home, coffee):
    picture, asked = encode_png(coffee), Asked(model="patchmatch")
    with Store(home / "store") as store:
        for image, mask, words in (
            (b"no picture", picture, "not a picture"),
            (picture, encode_png(coffee[:10]), "The mask has 600 x 10 px and its picture 600 x 400"),
            (picture, encode_png(np.zeros((400, 600), np.uint8)), "The mask is empty"),
        ):
            with pytest.raises((BadPicture, NotPossible), match=words):
                make.create(store, asked, [(image, "x.png")], mask, access=Access())
        assert store.list_jobs() == []


def test_without_its_key_a_model_says_what_to_do(home):
    with Store(home / "store") as store, pytest.raises(NotPossible, match="REPLICATE_API_TOKEN"):
        make.create(store, WORDS, access=Access())


def never(_: ModelHost):
    raise AssertionError("it is only described")


def test_terms_are_agreed_to_and_local_work_has_a_limit(home, monkeypatch):
    class Many(Seeded):
        """Of a model that is only described."""

        steps: int = 50

        def pixels(self, images=()) -> int:
            return 10_000_000

    heavy = ModelSpec(
        id="heavy", title="Heavy", where="local", accepts=TextToImage, load=never, licence="research only", url="",
        memory=0, options=Many, size="choose", terms="not for commercial use",
    )  # fmt: skip
    monkeypatch.setitem(make.MAKERS, "heavy", heavy)
    asked = Asked(model="heavy", prompt="x", count=5)
    with Store(home / "store") as store:
        with pytest.raises(NotPossible, match="terms to agree to first: not for commercial use"):
            make.create(store, asked, access=Access())
        agreed = asked.model_copy(update={"agreed": True})
        with pytest.raises(NotPossible, match="This takes 2,500 megapixel-steps, and the limit is 2,000"):
            make.create(store, agreed, access=Access())
        monkeypatch.setenv("SCENEHF_CAP_COMPUTE", "3000")
        assert make.create(store, agreed, access=Access(), hold=True)
        told = quote(store, agreed, [], masked=False, settings=Settings(), access=Access())
        assert (told.compute, told.seconds, told.usd, told.problem) == (2500, None, 0, "")


def test_what_it_will_cost_is_told_before(home):
    with Store(home / "store") as store:
        told = quote(store, WORDS, [], masked=False, settings=Settings(), access=ACCESS)
        assert told.usd == pytest.approx(0.045)
        assert told.compute == pytest.approx(3 * 1664 * 928 * 8 / 1e6)
        series = Asked(
            model="seedream-4", prompt="x", options={"sequential_image_generation": "auto", "max_images": 5}
        )
        assert quote(
            store, series, [], masked=False, settings=Settings(), access=ACCESS
        ).usd == pytest.approx(0.15)
        assert "key" in quote(store, WORDS, [], masked=False, settings=Settings(), access=Access()).problem
        assert store.list_jobs() == []


def test_a_model_that_ran_out_of_memory_gets_a_second_try_alone():
    tries, loads = [], []

    def load(_: ModelHost):
        loads.append(1)

        def answer(request: TextToImage, run: object):
            tries.append(request)
            if len(tries) % 2:
                raise MemoryError
            return (np.zeros((2, 2, 3), np.uint8),)

        return answer

    spec = replace(make.MAKERS["qwen-image"], id="greedy", where="local", load=load)
    pool = Pool(ModelHost(weights=Path()), (spec,))
    (picture,) = pool("greedy", TextToImage("x"), Watcher())
    assert picture.shape == (2, 2, 3)
    assert (len(tries), len(loads)) == (2, 2)


class Watcher:
    """A run that nobody watches."""

    def progress(self, fraction, message=""): ...
    def preview(self, image): ...
    def log(self, text): ...
    def check(self): ...
    def remember(self, key, value): ...
    def recall(self, key): ...
