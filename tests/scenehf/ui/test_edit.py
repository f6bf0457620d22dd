"""The Edit / Generate tab in a real browser, with Replicate on this machine: words and pictures in, pictures out, and
every setting found again."""

import io
import json
import re
import zipfile

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image, ImageOps
from playwright.sync_api import expect
from pydantic import SecretStr

from models.spec import Access
from scenehf.settings import Settings
from scenehf.studio.metadata import read, write
from scenehf.studio.recipe import Recipe
from scenehf.ui.make_form import offered
from scenehf.ui.make_view import gallery
from scenehf.ui.pictures import _file
from scenehf.ui.visitors import Reception, Sharing, Visitor
from scenehf.workflows.make import Asked, create
from tests.models.providers.artist import Artist
from tests.models.providers.loopback import Loopback
from tests.models.providers.services import CANARY
from tests.scenehf.ui.conftest import DESKTOP, PHONE, QUICK, UNITS, serving
from tests.scenehf.ui.steps import finish, give, select, wait_for
from tests.scenehf.ui.test_access import narrow, serious

SLOW = 60_000  # ms: a picture on two busy cores


@pytest.fixture(scope="module")
def replicate():
    """Its editor makes negatives."""
    server = Loopback(Artist(lambda pictures: ImageOps.invert(pictures[0])))
    yield server
    server.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("edit"), UNITS) as address_and_store:
        yield address_and_store


@pytest.fixture
def keyed(replicate, monkeypatch):
    """Replicate can be reached, and answers at once."""
    monkeypatch.setenv("SCENEHF_ADDRESSES", json.dumps({"replicate": replicate.url}))
    monkeypatch.setenv("REPLICATE_API_TOKEN", CANARY)
    monkeypatch.setattr("models.providers.remote.POLL_FIRST", 0.02)
    replicate.service.asked.clear()
    return replicate.service


def opened(new_page, url, *given, **options):
    page = new_page(url, *given, **options)
    page.get_by_role("tab", name="Edit / Generate").click()
    expect(page.locator("#edit .shf-model-title")).not_to_be_empty()
    return page


def choose(page, model):
    page.locator("#edit .shf-models summary").click()
    page.locator(f"#edit .shf-model[data-model={model}]").click()


def button(page):
    return page.locator("#edit .shf-go button")


def prompt(page):
    return page.get_by_role("textbox", name="Prompt", exact=True)


def make(page):
    expect(button(page)).to_be_enabled()
    button(page).click()
    expect(page.locator("#edit .shf-title .shf-badge")).to_have_text("Done", timeout=SLOW)


def saved(page, kind):
    with page.expect_download() as download:
        page.locator(f"#edit .shf-saves a[data-kind={kind}]").click()
    return download.value


def shows(page, view):
    expect(page.locator("#edit canvas")).to_have_attribute("data-drawn", view)


def seed(page):
    return page.get_by_role("spinbutton", name="Seed", exact=True)


@pytest.mark.parametrize(("viewport", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desk", "phone"])
def test_without_a_key_what_is_painted_over_goes(new_page, url, tmp_path, viewport, scheme):
    page = opened(new_page, url, viewport, color_scheme=scheme, accept_downloads=True)
    page.locator("#edit .shf-models summary").click()
    lacking = page.locator("#edit .shf-model[data-model=seedream-4]")
    expect(lacking.locator("input")).to_be_disabled()
    expect(lacking).to_contain_text("Needs a key: enter it below, or set REPLICATE_API_TOKEN.")
    assert serious(page) == []
    page.locator("#edit .shf-models summary").click()
    page.locator("#edit .shf-example", has_text="Coffee").click()
    shows(page, "input")
    expect(page.locator("#edit .shf-problem")).to_contain_text("needs a mask")
    expect(button(page)).to_be_disabled()
    page.get_by_role("button", name="Paint a mask").click()
    page.keyboard.press("Space")
    for _ in range(4):
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("Space")
    assert serious(page) == []
    page.keyboard.press("Enter")
    expect(page.locator("#edit .shf-mask-row")).to_contain_text("only what is painted changes")
    expect(button(page)).to_have_text(re.compile(r"^Edit · free"))
    make(page)
    shows(page, "compare")
    assert serious(page) == []
    narrow(page, viewport)
    file = tmp_path / "mended.png"
    saved(page, "png").save_as(file)
    with Image.open(file) as picture:
        assert picture.size == (600, 400)
    recipe = read(file)
    assert (recipe.model, recipe.images[0].name) == ("patchmatch", "Coffee")
    assert recipe.mask
    page.get_by_role("button", name="New", exact=True).click()
    page.get_by_label("Pictures", exact=True).set_input_files(file)
    expect(page.locator("#edit .shf-notice")).to_contain_text("The settings of this picture are restored.")
    expect(page.locator("#edit .shf-input")).to_contain_text("Coffee")
    expect(page.locator("#edit .shf-mask-row")).to_contain_text("only what is painted changes")
    make(page)  # from what the first job kept


def test_words_become_pictures_and_every_setting_comes_back(new_page, url, store, keyed, tmp_path):
    page = opened(new_page, url, accept_downloads=True)
    choose(page, "qwen-image")
    expect(page.locator("#edit .shf-inputs")).to_be_hidden()
    prompt(page).fill("a lighthouse\non a cliff")
    page.get_by_label("Aspect ratio").select_option("2:3")
    page.get_by_role("spinbutton", name="Steps").fill("12")
    page.get_by_label("Negative prompt").fill("people")
    page.get_by_label("How many").fill("3")
    expect(button(page)).to_have_text(re.compile(r"^Make 3 pictures · up to \$0\.045"))
    expect(page.locator("#edit .shf-figures")).to_contain_text("60 megapixel-steps")
    make(page)
    expect(page.locator("#edit .shf-strip .shf-tile img")).to_have_count(3)
    seeds = [asked["seed"] for asked in keyed.asked]
    assert len(set(seeds)) == 3
    page.get_by_role("button", name=f"Picture 2: done, seed {seeds[1]}").click()
    files = {kind: tmp_path / f"made.{kind}" for kind in ("png", "jpeg", "webp")}
    for kind, file in files.items():
        saved(page, kind).save_as(file)
    page.get_by_role("button", name="New", exact=True).click()
    for file in files.values():
        choose(page, "hunyuan-image-3")
        page.get_by_label("Pictures", exact=True).set_input_files(file)
        expect(page.locator("#edit .shf-model-title")).to_have_text("Qwen Image")
        expect(seed(page)).to_have_value(str(seeds[1]))
        expect(prompt(page)).to_have_value("a lighthouse\non a cliff")
        expect(page.get_by_label("Aspect ratio")).to_have_value("2:3")
        expect(page.get_by_role("spinbutton", name="Steps")).to_have_value("12")
        expect(page.get_by_label("Negative prompt")).to_have_value("people")
    prompt(page).fill("")
    expect(page.locator("#edit .shf-problem")).to_contain_text("The prompt is empty.")
    page.get_by_text("Earlier prompts").click()
    page.get_by_role("button", name="a lighthouse on a cliff", exact=True).click()
    expect(prompt(page)).to_have_value("a lighthouse\non a cliff")
    page.get_by_text("Earlier prompts").click()
    page.get_by_role("button", name="Forget: a lighthouse").click()
    expect(page.get_by_text("Earlier prompts")).to_be_hidden()
    search = page.get_by_role("searchbox", name="Search prompts")
    search.fill("no such thing")
    expect(page.get_by_text("No picture was made with such words.")).to_be_visible()
    search.fill("LIGHTHOUSE")
    expect(page.locator("#edit .shf-gallery .shf-tile")).to_have_count(3)
    page.locator("#edit .shf-gallery .shf-tile").nth(2).click()
    expect(page.locator("#edit .shf-caption")).to_contain_text("seed")
    page.get_by_role("button", name="Use as input").click()
    expect(page.locator("#edit .shf-input")).to_contain_text("1024 \u00d7 1024 px")
    expect(page.locator("#edit .shf-model-title")).to_have_text("Remove and fill (PatchMatch)")
    for hurried in (False, True):  # the page finds the tab of the job by itself; somebody may be quicker
        page.reload()
        if hurried:
            page.get_by_role("tab", name="Edit / Generate").click()
        expect(page.get_by_role("tab", name="Edit / Generate")).to_have_attribute("aria-selected", "true")
        expect(page.locator("#edit .shf-strip .shf-tile img")).to_have_count(3)
    assert CANARY not in page.content()


def test_two_clicks_to_edit_a_layer_and_one_back(new_page, url, photos, keyed):
    page = new_page(url)
    give(page, photos[QUICK])
    finish(page)
    select(page, 0).get_by_role("button", name="Edit Left thing").click()
    expect(page.locator("#edit .shf-input")).to_contain_text("Left thing")
    choose(page, "qwen-image-edit")
    prompt(page).fill("as a negative")
    expect(button(page)).to_have_text(re.compile(r"^Edit · up to \$0\.01"))
    make(page)
    shows(page, "compare")
    page.get_by_role("button", name="Back to quick.png").click()
    expect(page.locator("#layers .shf-title .shf-badge")).to_have_text("Done")
    page.get_by_role("tab", name="Edit / Generate").click()
    page.get_by_role("button", name="Put into the scene").click()
    expect(select(page, 0).get_by_role("button", name="Attempt 2", exact=False)).to_be_visible()
    wait_for(page, "Done")


def test_what_a_jpeg_cannot_hold_comes_beside_it():
    long = Recipe(model="qwen-image", prompt="x" * 100_000, width=16, height=12)
    png = write(np.zeros((12, 16, 3), np.uint8), long, "png").data
    with zipfile.ZipFile(io.BytesIO(_file(png, "jpeg", "made-01.jpg").body)) as archive:
        assert sorted(archive.namelist()) == ["made-01.jpg", "made-01.json"]
        assert read(archive.read("made-01.json")) == long
        assert Image.open(io.BytesIO(archive.read("made-01.jpg"))).size == (16, 12)
    assert read(_file(png, "webp", "made-01.webp").body) == long


def test_a_program_edits_too(url, store, keyed, photo_path):
    client = Client(url, verbose=False)
    models = {model["id"]: model for model in client.predict(api_name="/models")}
    assert models["qwen-image"]["usd"] == 0.015
    steps = next(control for control in models["qwen-image"]["controls"] if control["name"] == "steps")
    assert (steps["least"], steps["most"], steps["default"]) == (1, 50, 30)
    asked = {
        "model": "qwen-image-edit",
        "prompt": "as a negative",
        "images": [handle_file(photo_path("chelsea"))],
    }
    with pytest.raises(AppError, match="pay = true"):
        client.predict(**asked, api_name="/edit")
    with pytest.raises(AppError, match="has no option 'steps'"):
        client.predict(**asked, options={"steps": 3}, pay=True, api_name="/edit")
    job = client.predict(**asked, options={"seed": 5}, pay=True, api_name="/edit")["job"]
    assert list(client.submit(job, api_name="/events"))[-1]["state"] == "succeeded"
    names = [asset["name"] for asset in client.predict(job, api_name="/job")["assets"]]
    recipe = read(store.read(job, next(name for name in names if name.startswith("made-01/"))))
    assert (recipe.options["seed"], recipe.width, recipe.height) == (5, 451, 300)
    assert recipe.images[0].name == "chelsea.png"


def test_strangers_see_only_what_they_made(at_public, new_page, shelf, monkeypatch):
    monkeypatch.setenv("SCENEHF_SHARE", "true")
    monkeypatch.setenv("REPLICATE_API_TOKEN", CANARY)
    create(shelf, Asked(model="qwen-image", prompt="a secret"), access=Access(replicate=SecretStr("x")))
    assert gallery(shelf, "", None, [])["items"] == []
    page = opened(new_page, at_public)
    expect(page.get_by_text("What you make is found here again.")).to_be_visible()
    page.locator("#edit .shf-models summary").click()
    expect(page.locator("#edit .shf-model")).to_have_count(
        1
    )  # the key is the owner's, and so is what can be pulled
    expect(page.locator("#edit .shf-key")).to_be_hidden()


def test_who_signed_in_is_offered_what_a_key_of_their_own_opens(shelf, home):
    visitor = Visitor(Reception(shelf, Sharing(public=True)), name="ann")
    told = offered(shelf, Settings(), Access(), visitor)
    models = {model["id"]: model for model in told["models"]}
    assert {model["local"] for model in models.values() if model["lacks"]} == {False}
    needs = models["seedream-4"]["needs"]
    assert (needs["service"], needs["variable"], told["spent"]) == ("replicate", None, None)
