"""The whole journey by hand, on a desk and on a phone: photo, plan, run, watch, judge, export, look, history."""

import io
import zipfile

import pytest
from playwright.sync_api import expect

from tests.scenehf.ui.conftest import DESKTOP, PHONE, QUICK
from tests.scenehf.ui.steps import give, job_of, log_lines, run, wait_for


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_from_photo_to_files(new_page, url, store, photos, viewport):
    page = new_page(url, viewport)
    give(page, photos[QUICK])
    job = job_of(page)
    assert store.read(job, "original") == photos[QUICK].read_bytes()
    expect(page.locator(".shf-box")).to_have_count(2)
    expect(page.locator(".shf-card")).to_have_count(4)

    run(page)
    expect(page.get_by_role("progressbar")).to_be_visible()
    wait_for(page, "Needs review")
    bad = page.locator(".shf-card").nth(1)
    expect(bad).to_contain_text("confidence 0.4, wanted at least 0.5")
    expect(bad).to_contain_text("Look at the outline.")
    expect(page.locator(".shf-run")).to_be_hidden()
    bad.locator(".shf-retry").click()
    wait_for(page, "Done")
    expect(bad).to_contain_text("attempt 2 of 2")
    assert page.locator(".shf-card .shf-thumb img:visible").count() == 4

    page.get_by_text("Inside: 2 layers").click()
    expect(page.locator(".shf-contents li").first).to_contain_text("Left thing")
    page.get_by_role("checkbox", name="OpenRaster").check()
    page.get_by_role("radio", name="Clean").check()
    page.get_by_role("button", name="Export", exact=True).click()
    expect(page.locator(".shf-files li")).to_have_count(3)
    with page.expect_download() as started:
        page.get_by_role("link", name="scene.zip").click()
    assert started.value.suggested_filename == "quick-scene.zip"
    names = zipfile.ZipFile(io.BytesIO(started.value.path().read_bytes())).namelist()
    assert "layers/01-left-thing.png" in names
    assert "plate.png" in names

    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert page.evaluate("window.pwned") is None


def test_an_example_is_one_click_away(new_page, url):
    page = new_page(url)
    page.get_by_role("button", name="Coffee").click()
    expect(page.get_by_label("Name of the job")).to_have_value("Coffee (example)")
    wait_for(page, "Plan ready")
    page.get_by_role("button", name="New photo").click()
    expect(page.get_by_text("Drop a photo here")).to_be_visible()
    assert job_of(page) is None


def test_a_photo_can_be_dropped_or_pasted(new_page, url, photos):
    page = new_page(url)
    make = """bytes => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(bytes)], 'given.png', { type: 'image/png' }));
        return transfer;
    }"""
    given = page.evaluate_handle(make, list(photos[QUICK].read_bytes()))
    page.dispatch_event(".shf-drop", "drop", {"dataTransfer": given})
    wait_for(page, "Plan ready")
    page.get_by_role("button", name="New photo").click()
    page.evaluate(
        "t => document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: t, bubbles: true }))", given
    )
    wait_for(page, "Plan ready")
    expect(page.get_by_label("Name of the job")).to_have_value("given.png")


def test_what_is_no_photo_is_refused_in_a_sentence(new_page, url, tmp_path):
    (tmp_path / "letter.pdf").write_bytes(b"%PDF-1.7 nothing")
    page = new_page(url)
    page.get_by_label("Photo", exact=True).set_input_files(tmp_path / "letter.pdf")
    expect(page.get_by_role("alert").filter(has_text="PDF")).to_contain_text("save it as PNG or JPEG")
    expect(page.get_by_text("Drop a photo here")).to_be_visible()


def test_the_log_reads_as_the_store_has_it(new_page, url, store, photos):
    page = new_page(url)
    give(page, photos[QUICK])
    run(page)
    wait_for(page, "Needs review")
    expect(page.locator(".shf-lines div").last).to_contain_text("Waiting for you.")
    said = [event.data["text"] for event in store.events(job_of(page), limit=5000) if event.type == "log"]
    shown = log_lines(page)
    assert [line for line in shown if line in said] == said
