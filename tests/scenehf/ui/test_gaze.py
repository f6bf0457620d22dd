"""The Gaze tab in a real browser, with the real units at a small grid: from a portrait to one that looks around."""

import io
import json
import zipfile

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image
from playwright.sync_api import expect

from scenehf.workflows import gaze
from tests.scenehf.ui.conftest import DESKTOP, PHONE, eventually, serving
from tests.scenehf.ui.steps import job_of
from tests.scenehf.ui.test_access import narrow, serious

SMALL = {"grid": 7, "mobile": 5, "cell": 128}
LONG = {"grid": 24, "mobile": 12, "cell": 256}  # lasts long enough to be stopped in the middle
SLOW = 60_000  # ms: a grid on two busy cores


@pytest.fixture(scope="module")
def served(tmp_path_factory, weights_dir):
    """(address, store) of a server whose worker process has the real units."""
    data = tmp_path_factory.mktemp("gaze")
    (data / "weights").mkdir()
    (data / "weights" / "starter").symlink_to(weights_dir / "starter")
    with serving(data, "scenehf.worker:units") as address_and_store:
        yield address_and_store


@pytest.fixture
def portrait(photo_path):
    return photo_path("astronaut")


@pytest.fixture
def wall(tmp_path):
    """A picture of nobody."""
    Image.new("RGB", (320, 240), (90, 120, 90)).save(tmp_path / "wall.png")
    return tmp_path / "wall.png"


@pytest.fixture
def pair(photo_path, tmp_path):
    """Two people beside each other."""
    both = Image.new("RGB", (1024, 512))
    both.paste(Image.open(photo_path("astronaut")).convert("RGB"))
    both.paste(Image.open(photo_path("grace_hopper")).convert("RGB").resize((432, 512)), (560, 0))
    both.save(tmp_path / "pair.png")
    return tmp_path / "pair.png"


def opened(new_page, url, *given, **options):
    page = new_page(url, *given, **options)
    page.get_by_role("tab", name="Gaze").click()
    page.get_by_text("Drop a portrait here").wait_for()
    return page


def choose(place, **options):
    """Open the options there and set them."""
    place.locator("summary").first.click()
    for name, value in options.items():
        field = place.locator(f"input[name={name}]")
        field.set_checked(value) if isinstance(value, bool) else field.fill(str(value))


def give(page, file, **options):
    choose(page.locator("#gaze .shf-start"), **options)
    page.get_by_label("Portrait", exact=True).set_input_files(file)


def wait_for(page, state):
    expect(page.locator("#gaze .shf-title .shf-badge")).to_have_text(state, timeout=SLOW)


def selected(page):
    return page.locator("#tabs [role=tab][aria-selected=true]")


def gaze_of(page):
    """Where the portrait in the frame looks: x and y in -1..1."""
    return page.frames[-1].evaluate("(({ x, y }) => [x, y])(document.querySelector('gaze-portrait').gaze)")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_from_portrait_to_a_page_that_looks_around(new_page, url, store, portrait, viewport):
    page = opened(new_page, url, viewport, permissions=["clipboard-read", "clipboard-write"])
    give(page, portrait, **SMALL)
    expect(page.locator(".shf-turn img[alt='The cells made so far']")).to_be_visible(timeout=SLOW)
    wait_for(page, "Done")
    assert store.read(job_of(page), "original") == portrait.read_bytes()

    # The frame shows the exported page itself, in an origin of its own, and it looks at the pointer.
    inside = page.frame_locator("#gaze iframe")
    expect(inside.locator("canvas")).to_be_visible()
    assert page.frames[-1].evaluate("origin") == "null"
    box = page.locator("#gaze iframe").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    page.mouse.move(box["x"] + 8, box["y"] + 8)
    eventually(lambda: max(gaze_of(page)) < -0.2)
    before = picture_in(page)
    page.mouse.move(box["x"] + box["width"] - 8, box["y"] + box["height"] - 8)
    eventually(lambda: min(gaze_of(page)) > 0.2)
    eventually(lambda: picture_in(page) != before)

    with page.expect_download() as started:
        page.get_by_role("link", name="Download the page").click()
    assert started.value.suggested_filename == "astronaut-site.zip"
    names = zipfile.ZipFile(io.BytesIO(started.value.path().read_bytes())).namelist()
    assert {"index.html", "gaze-portrait.js", "q0.webp", "q3_20.webp", "metadata.json"} <= set(names)
    for link, name in (("Film, a loop", "astronaut-loop.mp4"), ("Contact sheet", "astronaut-contact.jpg")):
        with page.expect_download() as started:
            page.get_by_role("link", name=link).click()
        assert started.value.suggested_filename == name
    page.get_by_text("Single files: ").click()
    assert page.locator(".shf-home details a").count() == len(names)

    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert '<gaze-portrait src="portrait"' in page.evaluate("navigator.clipboard.readText()")
    expect(page.locator(".shf-figures")).to_contain_text(cells(7, 128))
    expect(page.locator(".shf-figures")).to_contain_text("10° to each side, 8° up and down")
    narrow(page, viewport)

    choose(page.locator("#gaze .shf-again"), grid=5, cutout=True)
    page.get_by_role("button", name="Make again").click()
    expect(page.locator(".shf-figures")).to_contain_text(cells(5, 128), timeout=SLOW)
    expect(page.locator(".shf-figures")).to_contain_text("cut away")
    wait_for(page, "Done")


def cells(side, size):
    """How the page tells the grid."""
    return f"{side} x {side} cells of {size} x {size} px".replace(" x ", " \N{MULTIPLICATION SIGN} ")


def picture_in(page):
    """The portrait as it is drawn in the frame."""
    return page.frame_locator("#gaze iframe").locator("canvas").screenshot()


def test_reload_cancel_and_go_on_where_it_stopped(new_page, url, store, portrait):
    page = opened(new_page, url)
    give(page, portrait, **LONG)
    expect(page.get_by_role("progressbar")).to_be_visible()
    job = job_of(page)
    eventually(lambda: "cells-00" in finished(store, job), 60)
    page.reload()
    expect(selected(page)).to_have_text("Gaze")
    wait_for(page, "Running")
    expect(page.locator(".shf-turn img[alt='The cells made so far']")).to_be_visible()
    page.keyboard.press("Escape")
    wait_for(page, "Cancelled")
    kept = finished(store, job)
    assert "cells-00" in kept
    assert gaze.SITE not in kept
    expect(page.locator("#gaze .shf-reason")).to_contain_text(" of 576 cells are drawn. Run again goes on")
    page.keyboard.press("Enter")
    wait_for(page, "Done")
    again = [step.key for step in store.steps(job) if step.attempt > 1]
    assert not set(again) & set(kept)
    expect(page.frame_locator("#gaze iframe").locator("canvas")).to_be_visible()


def finished(store, job):
    return [step.key for step in store.steps(job) if step.state == "done"]


def test_a_picture_of_nobody_says_what_to_do(new_page, url, wall):
    page = opened(new_page, url)
    give(page, wall, **SMALL)
    wait_for(page, "Needs review")
    expect(page.locator("#gaze .shf-reason")).to_have_text(
        "No face was found in this picture. Use a photo that shows a face from the front."
    )
    expect(page.locator("#gaze .shf-run")).to_be_hidden()
    page.get_by_role("button", name="New portrait").click()
    expect(page.get_by_text("Drop a portrait here")).to_be_visible()


def test_what_cannot_be_made_is_refused_in_a_sentence(new_page, url, portrait, tmp_path):
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.7 nothing")
    page = opened(new_page, url)
    give(page, portrait, grid=2)
    alert = page.locator("#gaze").get_by_role("alert")
    expect(alert).to_contain_text("The grid cannot be 2: it has at least 3 and at most 60 cells a side.")
    page.locator("#gaze .shf-start input[name=grid]").fill("7")
    page.get_by_label("Portrait", exact=True).set_input_files(tmp_path / "letter.pdf")
    expect(alert).to_contain_text("save it as PNG or JPEG")


def test_an_engine_without_its_weights_or_key_is_greyed_with_the_cure(new_page, url):
    page = opened(new_page, url)
    page.locator("#gaze .shf-start summary").first.click()
    for engine in ("liveportrait", "replicate"):
        expect(page.locator(f"#gaze .shf-start option[value={engine}]")).to_be_disabled()
    lacks = page.locator("#gaze .shf-start .shf-lacks")
    expect(lacks).to_contain_text("needs its weights. Run `./launch.sh models pull liveportrait`.")
    expect(lacks).to_contain_text("LivePortrait on Replicate needs a key: set REPLICATE_API_TOKEN")


def test_an_engine_that_costs_says_so_and_who_sees_the_portrait(new_page, url, monkeypatch):
    monkeypatch.setenv("REPLICATE_API_TOKEN", "r8_not_used_at_all")
    page = opened(new_page, url)
    page.locator("#gaze .shf-start summary").first.click()
    where, engine = page.locator("#gaze .shf-where"), page.locator("#gaze .shf-start select[name=engine]")
    expect(where).to_have_text("It stays on this machine.")
    engine.select_option("replicate")
    expect(page.locator("#gaze .shf-start .shf-lacks")).to_contain_text("Each cell costs up to $0.01")
    expect(where).to_have_text("It is sent to Replicate.")
    engine.select_option("mesh")
    expect(where).to_have_text("It stays on this machine.")


def test_of_two_faces_the_other_one_can_be_turned(new_page, url, store, pair):
    page = opened(new_page, url)
    give(page, pair, **SMALL)
    wait_for(page, "Done")
    faces = page.get_by_role("button", name="Face ")
    expect(faces).to_have_count(2)
    turned = page.locator(".shf-crowd [aria-pressed=true]")
    expect(turned).to_have_count(1)
    first = turned.get_attribute("aria-label")
    page.locator(".shf-crowd [aria-pressed=false]").click()
    eventually(lambda: store.job(job_of(page)).params["face"])
    expect(turned).not_to_have_attribute("aria-label", first, timeout=SLOW)
    wait_for(page, "Done")
    told = {step.key: step.attempt for step in store.chosen_steps(job_of(page))}
    assert told[gaze.PORTRAIT] == told[gaze.SITE] == 2


@pytest.mark.slow
def test_every_job_opens_in_the_tab_of_its_kind(new_page, url, store, portrait, wall):
    job = gaze.create(store, portrait, "someone.png", params=gaze.Params(**SMALL))
    page = new_page(f"{url}/?job={job.id}")
    expect(selected(page)).to_have_text("Gaze")
    wait_for(page, "Done")
    again = page.context.new_page()
    again.goto(url)  # no id in the address: the browser remembers the job
    expect(selected(again)).to_have_text("Gaze")
    wait_for(again, "Done")
    again.close()

    page.get_by_role("tab", name="Layers").click()
    expect(page.get_by_text("Drop a photo here")).to_be_visible()
    page.get_by_label("Photo", exact=True).set_input_files(wall)
    expect(page.locator("#layers .shf-badge").first).to_have_text("Plan ready", timeout=SLOW)
    layers = job_of(page)
    assert layers != job.id
    page.get_by_role("tab", name="Gaze").click()
    expect(page.locator("#gaze .shf-badge")).to_have_text("Done")
    eventually(lambda: job_of(page) == job.id)  # a reload comes back to what is in view

    page.get_by_role("tab", name="History").click()
    rows = page.locator("#history .shf-row")
    rows.filter(has_text="wall.png").first.locator(".shf-job-open").click()
    expect(selected(page)).to_have_text("Layers")
    assert job_of(page) == layers

    fresh = new_page(url)  # its Gaze tab has never been opened
    fresh.get_by_role("tab", name="History").click()
    fresh.locator("#history .shf-row").filter(has_text="someone.png").locator(".shf-job-open").click()
    expect(selected(fresh)).to_have_text("Gaze")
    wait_for(fresh, "Done")
    assert job_of(fresh) == job.id
    expect(fresh.locator("#layers .shf-start")).not_to_have_attribute("hidden", "")


@pytest.mark.parametrize(
    ("viewport", "scheme"),
    [
        pytest.param(DESKTOP, "light", id="desk"),
        pytest.param(PHONE, "dark", id="phone", marks=pytest.mark.slow),
    ],
)
def test_no_serious_violation_on_any_screen(new_page, url, store, pair, viewport, scheme):
    page = opened(new_page, url, viewport, color_scheme=scheme)
    page.locator("#gaze .shf-start summary").click()
    assert serious(page) == []
    narrow(page, viewport)
    page.locator("#gaze .shf-start summary").click()
    give(page, pair, **SMALL)
    wait_for(page, "Running")
    assert serious(page) == []
    narrow(page, viewport)
    wait_for(page, "Done")
    page.get_by_text("Other options").click()
    page.get_by_text("Single files: ").click()
    assert serious(page) == []
    narrow(page, viewport)


def test_a_program_makes_one(url, store, portrait, wall):
    client = Client(url, verbose=False)
    job = client.predict(handle_file(portrait), "by program", 5, 20, 96, api_name="/gaze")["job"]
    assert list(client.submit(job, api_name="/events"))[-1]["state"] == "succeeded"
    told = client.predict(job, api_name="/job")
    about = next(asset["name"] for asset in told["assets"] if asset["name"].endswith("metadata.json"))
    assert json.loads(store.read(job, about))["mobileGridSize"] == 5
    assert list(client.submit(job, api_name="/run"))[-1]["state"] == "succeeded"
    with pytest.raises(AppError, match="at least 3 and at most 60"):
        client.predict(handle_file(wall), "", 1, api_name="/gaze")
