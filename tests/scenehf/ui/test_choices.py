"""Choosing who does it: prices before the click, the key field, and a key that nobody finds again."""

import json
import urllib.request
from urllib.error import HTTPError

import pytest
from playwright.sync_api import expect

from jobs.ledger import DOLLAR, Caps
from scenehf.keys import KEYRING
from scenehf.workflows import actions
from tests.scenehf.ui.conftest import QUICK
from tests.scenehf.ui.steps import give, job_of, wait_for

CANARY = "AIza-CANARY-0123456789"


def test_a_key_is_asked_for_taken_and_never_shown_again(new_page, url, store, photos):
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

    page.get_by_label("Key for Google").fill(CANARY)
    page.get_by_role("button", name="Use it").click()
    expect(page.locator(".shf-key")).to_be_hidden()
    give(page, photos[QUICK])
    wait_for(page, "Plan ready")
    expect(page.locator(".shf-run")).to_contain_text("up to $0.15")
    expect(page.locator(".shf-spent")).to_contain_text("of $5.00")

    job = store.job(job_of(page))
    assert job.params["engine"] == "google"
    (cookie,) = [one for one in page.context.cookies() if one["name"] == "scenehf-session"]
    assert cookie["httpOnly"] and KEYRING.entered(cookie["value"]) == ("google",)
    kept = page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])") + page.content()
    assert CANARY not in kept
    assert CANARY not in json.dumps([event.data for event in store.events(job.id)]) + json.dumps(job.params)
    found = [file for file in store.root.glob("store.db*") if CANARY.encode() in file.read_bytes()]
    assert found == []


def test_an_open_payment_is_told_by_two_buttons(new_page, url, store, photos):
    page = new_page(url)
    give(page, photos[QUICK])
    wait_for(page, "Plan ready")
    job_id = job_of(page)
    actions.run(store, job_id)
    wait_for(page, "Needs review")
    step = actions.plan_of(store, job_id).steps[0]
    with store.tx() as db:
        db.execute(
            "UPDATE job SET state = 'running', owner = 'me', lease_until = 9e9, attempt = attempt + 1 WHERE id = ?",
            (job_id,),
        )
    fence = store.job(job_id).attempt
    attempt = store.begin_step(job_id, fence, step.id, 1, step.name, {}, "x").attempt
    bill = store.reserve(job_id, fence, step.id, attempt, "x:1", "google", DOLLAR // 20, Caps())
    store.move_bill(bill.id, "submitting", fence=fence)
    store.move_bill(bill.id, "uncertain")
    store.end_step(
        job_id,
        fence,
        step.id,
        attempt,
        "unknown",
        {},
        error={"kind": "Uncertain", "message": "Lost.", "hint": ""},
    )
    store.finish_job(job_id, fence, "needs_review")
    card = page.locator(".shf-card.is-selected")
    expect(card.locator(".shf-badge")).to_have_text("Payment open")
    expect(page.locator(".shf-reason")).to_contain_text(f"Nobody knows whether Google made {step.name}.")
    expect(page.locator(".shf-run")).to_contain_text("Look again")
    expect(page.locator(".shf-spent")).to_have_text("Today $0.05 of $5.00, 1 payment open")
    expect(card.get_by_role("button", name="It was made · $0.05")).to_be_visible()
    card.get_by_role("button", name="It was not made").click()
    expect(card.locator(".shf-badge")).to_have_text("Failed")
    assert store.bill(bill.id).state == "released"


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
