"""Choosing who does it: prices before the click, the key field, and a key that nobody finds again."""

import json
import re
import urllib.request
from urllib.error import HTTPError

import numpy as np
import pytest
from playwright.sync_api import expect

from jobs.ledger import DOLLAR, Caps
from scenehf.keys import KEYRING
from scenehf.layers.plan import ExtractStep, arrange
from scenehf.pixels import encode_png
from scenehf.workflows import actions
from scenehf.workflows.extract import Params
from tests.models.providers.loopback import Answer, Loopback
from tests.scenehf.ui.conftest import QUICK
from tests.scenehf.ui.steps import give, job_of, wait_for

CANARY = "AIza-CANARY-0123456789"
PLAN = arrange("", [ExtractStep(id="s1", name="Cup", z=1, box=(0.1, 0.1, 0.5, 0.5))])


def test_a_key_is_asked_for_taken_and_never_shown_again(new_page, url, store, photos, monkeypatch):
    page = new_page(url)
    page.get_by_text("Who does it").click()
    page.get_by_label("Cut by").select_option("google")
    expect(page.locator(".shf-where")).to_have_text("It is sent to Google.")
    expect(page.locator(".shf-cost")).to_contain_text("Each layer costs up to $0.05")
    expect(page.get_by_role("link", name="Get a key (or set GOOGLE_API_KEY)")).to_have_attribute(
        "href", "https://aistudio.google.com/apikey"
    )
    page.locator("#layers input[type=file]").set_input_files(photos[QUICK])
    expect(page.get_by_role("alert")).to_contain_text("Google needs a key")

    heard = []
    page.on("requestfinished", lambda request: heard.append(request))
    page.get_by_label("Key for Google").fill(CANARY)
    page.get_by_role("button", name="Use it").click()
    expect(page.locator(".shf-key")).to_be_hidden()
    expect(page.locator(".shf-entered")).to_contain_text("Your key for Google is in use")
    give(page, photos[QUICK])
    wait_for(page, "Plan ready")
    expect(page.locator(".shf-run")).to_contain_text("up to $0.15")
    expect(page.locator(".shf-spent")).to_contain_text("of $5.00")

    job = store.job(job_of(page))
    assert job.params["engine"] == "google"
    (cookie,) = [one for one in page.context.cookies() if one["name"] == "scenehf-session"]
    assert cookie["httpOnly"] and KEYRING.entered(cookie["value"]) == ("google",)

    echo = Loopback(Echo())
    monkeypatch.setenv("SCENEHF_ADDRESSES", json.dumps({"google": echo.url}))
    page.locator(".shf-run").click()
    findings = page.locator(".shf-card.is-selected .shf-findings")
    expect(findings).to_contain_text("Google: no room for the key [hidden]")
    expect(findings).to_contain_text("Nothing was charged.")
    echo.close()
    assert f"x-goog-api-key: {CANARY}" in str(echo.seen[-1].headers).lower().replace(
        "aiza-canary", "AIza-CANARY"
    )

    kept = page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])") + page.content()
    answers = [asked.response().text() for asked in heard if asked.resource_type == "fetch"]
    assert CANARY not in kept + str(answers) and any("[hidden]" in answer for answer in answers)
    assert CANARY not in json.dumps([event.data for event in store.events(job.id)]) + json.dumps(job.params)
    found = [file for file in store.root.glob("store.db*") if CANARY.encode() in file.read_bytes()]
    assert found == []

    page.get_by_role("button", name="New photo").click()
    page.get_by_role("button", name="Forget the key for Google").click()
    expect(page.locator(".shf-key")).to_be_visible()
    expect(page.locator(".shf-entered")).to_be_hidden()
    assert KEYRING.entered(cookie["value"]) == ()


class Echo:
    """Refuses everything, and quotes the key."""

    base, jobs = "", 0

    def answer(self, asked):
        told = f"no room for the key {asked.headers['x-goog-api-key']}"
        return Answer(400, {"error": {"message": told, "status": "INVALID_ARGUMENT"}})


def a_job(store, photos, state, error=None, bill_state=""):
    """The id of a job whose first layer is in this state, cut out by Google; and its bill, if it has one."""
    params = Params(engine="google", plan=PLAN, confirmed=True)
    job_id = actions.create(store, photos[QUICK], "quick.png", params=params, hold=True).id
    with store.tx() as db:
        db.execute(
            "UPDATE job SET state = 'running', owner = 'me', lease_until = 9e9, attempt = attempt + 1 WHERE id = ?",
            (job_id,),
        )
    fence = store.job(job_id).attempt
    shown = {"engine": "google", "redo": {}, "box": [0.1, 0.1, 0.5, 0.5], "points": [], "prompt": ""}
    attempt = store.begin_step(job_id, fence, "s1", 1, "Cup", shown, "x").attempt
    bill = store.reserve(job_id, fence, "s1", attempt, "x:1", "google", DOLLAR // 20, Caps())
    store.move_bill(bill.id, "submitting", fence=fence)
    store.move_bill(bill.id, bill_state or "uncertain")
    place = {"x": 0, "y": 0, "width": 8, "height": 8}
    cut = encode_png(np.full((8, 8, 4), 200, np.uint8))
    blobs = (
        []
        if error
        else [(f"s1/{attempt}/{name}.png", cut, "image/png") for name in ("cut", "alpha", "painted")]
    )
    data = {} if error else place | {"painted": 0.28, "checks": []}
    store.end_step(job_id, fence, "s1", attempt, state, data, blobs, error=error)
    store.finish_job(job_id, fence, "needs_review")
    return job_id, bill.id


def test_an_open_payment_is_told_by_two_buttons(new_page, url, store, photos):
    error = {"kind": "Uncertain", "message": "Lost.", "hint": "", "charged": "unknown", "request_id": "r-17"}
    job_id, bill_id = a_job(store, photos, "unknown", error)
    page = new_page(f"{url}/?job={job_id}")
    card = page.locator(".shf-card.is-selected")
    expect(card.locator(".shf-badge")).to_have_text("Payment open")
    expect(card.locator(".shf-findings")).to_contain_text("It may have been charged, and counts as spent.")
    expect(card.locator(".shf-findings")).to_contain_text("r-17")
    expect(page.locator(".shf-reason")).to_contain_text("Nobody knows whether Google made Cup.")
    expect(page.locator(".shf-run")).to_have_text(re.compile(r"^Look again · up to \$0\.05"))
    expect(page.locator(".shf-spent")).to_contain_text("1 payment open")
    expect(card.get_by_role("button", name="It was made · $0.05")).to_be_visible()
    card.get_by_role("button", name="It was not made").click()
    expect(card.locator(".shf-badge")).to_have_text("Failed")
    assert store.bill(bill_id).state == "released"


def test_accept_and_undo_say_what_they_start(new_page, url, store, photos):
    job_id, _ = a_job(store, photos, "needs_review", bill_state="released")
    page = new_page(f"{url}/?job={job_id}")
    card = page.locator(".shf-card.is-selected")
    expect(card.locator(".shf-painted")).to_contain_text(
        "28 % of it lies behind other layers and was painted by Google"
    )
    expect(card.get_by_role("link", name="Mask of that part")).to_have_attribute("download", "")
    expect(card.locator(".shf-accept")).to_have_text("Accept · up to $0.05")
    expect(card.locator(".shf-retry")).to_have_text("Retry · up to $0.10")
    card.locator(".shf-retry").click()
    expect(card.locator(".shf-findings")).to_contain_text("Google needs a key")
    expect(card.locator(".shf-findings")).to_contain_text("Nothing was charged.")
    expect(page.locator(".shf-revert")).to_have_text("Undo · up to $0.05")


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"service": "google", "key": "k"}', "text/plain", 415),
        (b"x" * 9000, "application/json", 400),
        (b'{"service": "local", "key": "k"}', "application/json", 400),
        (b'["google", "k"]', "application/json", 400),
    ],
)
def test_what_is_no_key_is_refused(url, body, kind, status):
    request = urllib.request.Request(f"{url}/scenehf/key", body, {"content-type": kind})
    with pytest.raises(HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == status
