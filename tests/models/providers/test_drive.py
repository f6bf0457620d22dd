"""One paid call, step by step: what it costs, how it ends, and that a cancel reaches the service."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import fal_client.client as fal_internals
import pytest
import replicate.client as replicate_client

from jobs.context import Signals
from jobs.errors import Cancelled, Interrupted, LostLease
from jobs.paying import Paying
from jobs.store import Store
from models.errors import (
    ContentRefused,
    KeyRefused,
    RateLimited,
    RemoteCancelled,
    RemoteFailed,
    Transient,
    Uncertain,
)
from models.providers import fal, google, replicate
from models.providers.remote import brief, drive
from tests.models.providers.loopback import Answer, Fault, Loopback, Service
from tests.models.providers.paid import KEY, KINDS_OF
from tests.models.providers.services import (
    RESULT,
    FalService,
    GoogleService,
    ReplicateService,
    service_account,
)

Serve = Callable[[Service], Loopback]
REPLICATE, FAL, GOOGLE = (KINDS_OF[name] for name in ("replicate", "fal", "google"))
pytestmark = pytest.mark.usefixtures("quick")


def once_sent(service: Service, act: Callable[[], object]) -> None:
    """Do it from another thread when the service has the call, however long the SDK takes to load."""

    def wait() -> None:
        while not service.jobs:
            time.sleep(0.01)
        act()

    threading.Thread(target=wait, daemon=True).start()


def test_results_are_paid_by_the_piece(served: Serve, store: Store, payer: Paying):
    server = served(ReplicateService(outputs=3))
    order = replace(REPLICATE.order, microusd=150_000 // 2)
    assert drive(REPLICATE.make(server.url), order, payer) == [RESULT] * 3
    (bill,) = store.bills()
    assert (bill.state, bill.reserved, bill.settled) == ("settled", 75_000, 30_000)
    assert drive(REPLICATE.make("http://127.0.0.1:1"), order, payer) == [RESULT] * 3, "it is on the disk"
    assert server.service.jobs == 1
    assert bill.remote["asked"]["input"]["image"].startswith(server.url)


def test_units_of_fal_and_tokens_of_google_settle_exactly(served: Serve, store: Store, payer: Paying):
    drive(FAL.make(served(FalService()).url), FAL.order, payer)
    drive(GOOGLE.make(served(GoogleService()).url), replace(GOOGLE.order, call="2"), payer)
    assert [bill.settled for bill in store.bills()] == [10_000, 34_050]
    assert "data:" not in str([bill.remote for bill in store.bills()])


@pytest.mark.parametrize(
    ("service", "error", "settled"),
    [
        (ReplicateService(end="failed", error="CUDA out of memory"), RemoteFailed, 30_000),
        (ReplicateService(end="failed", error="flagged as sensitive (E005)"), ContentRefused, 30_000),
        (ReplicateService(end="aborted"), RemoteCancelled, 0),
        (ReplicateService(end="succeeded", outputs=0), RemoteFailed, 30_000),
        (FalService(result=Answer(500, {"detail": "x"}, {"x-fal-error-type": "runner_disconnected"})), RemoteFailed, 0),
        (GoogleService(reply=Answer(200, {"candidates": [{"finishReason": "IMAGE_SAFETY"}]})), ContentRefused, 50_000),
        (GoogleService(reply=Answer(200, {"promptFeedback": {"blockReason": "BLOCKLIST"}})), ContentRefused, 0),
    ],
)  # fmt: skip
def test_a_call_that_fails_remotely_says_what_it_cost(
    served: Serve, store: Store, payer: Paying, service: Service, error: type[Exception], settled: int
):
    name = {ReplicateService: "replicate", FalService: "fal", GoogleService: "google"}[type(service)]
    kind = KINDS_OF[name]
    with pytest.raises(error):
        drive(kind.make(served(service).url), kind.order, payer)
    (bill,) = store.bills()
    assert (bill.state, bill.settled, service.jobs) == ("settled", settled, 1)


@pytest.mark.parametrize("name", ["replicate", "fal"])
def test_a_cancel_reaches_the_service(served: Serve, store: Store, payer: Paying, name: str):
    kind = KINDS_OF[name]
    service = kind.service()
    service.polls = 10_000  # type: ignore[attr-defined]
    once_sent(service, lambda: store.request_cancel(payer.job.id))
    with pytest.raises((Cancelled, RemoteCancelled)):
        drive(kind.make(served(service).url), kind.order, payer)
    assert len(service.cancelled) == 1  # type: ignore[attr-defined]
    assert store.bills()[0].state == "settled"


def test_an_interruption_leaves_the_call_to_the_next_run(served: Serve, store: Store, payer: Paying):
    service = ReplicateService(polls=10_000)
    server = served(service)
    signals: Signals = payer.signals
    once_sent(service, signals.stopping.set)
    with pytest.raises(Interrupted):
        drive(REPLICATE.make(server.url), REPLICATE.order, payer)
    assert store.bills()[0].state == "submitted"
    assert server.service.cancelled == []  # type: ignore[attr-defined]
    signals.stopping.clear()
    service.polls = 0
    assert drive(REPLICATE.make(server.url), REPLICATE.order, payer) == [RESULT]
    assert server.service.jobs == 1


def test_turned_away_at_the_door_it_tries_again_and_then_gives_the_money_back(
    served: Serve, store: Store, payer: Paying
):
    server = served(ReplicateService())
    server.faults += [Fault("POST", REPLICATE.submit, "429")] * 2
    assert drive(REPLICATE.make(server.url), REPLICATE.order, payer) == [RESULT]
    server.faults += [Fault("POST", REPLICATE.submit, "429")] * 3
    with pytest.raises(RateLimited):
        drive(REPLICATE.make(server.url), replace(REPLICATE.order, call="2"), payer)
    assert [bill.state for bill in store.bills()] == ["settled", "released"]
    assert server.service.jobs == 1


def test_a_wrong_key_costs_nothing(served: Serve, store: Store, payer: Paying):
    provider = replicate.Replicate(type(KEY)("r8_wrongwrong"), base_url=served(ReplicateService()).url)
    with pytest.raises(KeyRefused) as caught:
        drive(provider, REPLICATE.order, payer)
    assert store.bills()[0].state == "released"
    assert (caught.value.status, caught.value.charged) == (401, "no")


def test_what_is_cheap_is_written_off_and_not_asked_about(served: Serve, store: Store, payer: Paying):
    server = served(GoogleService())
    server.faults.append(Fault("POST", GOOGLE.submit, "reset", "after"))
    with pytest.raises(Uncertain):
        drive(GOOGLE.make(server.url), replace(GOOGLE.order, cheap=True), payer)
    assert [(bill.state, bill.settled) for bill in store.bills()] == [("settled", 50_000)]


def test_vertex_is_reached_with_a_service_account(served: Serve, store: Store, payer: Paying, tmp_path: Path):
    server = served(GoogleService())
    file = service_account(tmp_path, f"{server.url}/token")
    provider = google.Google(credentials=file, project="p", region="europe-west4", base_url=server.url)
    assert drive(provider, GOOGLE.order, payer) == [RESULT]
    path = server.seen[-1].path
    assert "/projects/p/locations/europe-west4/publishers/google/models/gemini-nano-banana-2.1:" in path
    assert "PRIVATE KEY" not in str(store.bills())
    again = google.Google(credentials=file, project="p", base_url=server.url)
    server.faults.append(Fault("POST", "/token", "malformed"))
    assert drive(again, replace(GOOGLE.order, call="2"), payer) == [RESULT], (
        "a token is free to ask for again"
    )
    file = service_account(tmp_path, f"{server.url}/nowhere")
    with pytest.raises(KeyRefused, match="does not accept the service account"):
        drive(
            google.Google(credentials=file, project="p", base_url=server.url),
            replace(GOOGLE.order, call="3", microusd=9),
            payer,
        )
    assert [bill.state for bill in store.bills()] == ["settled", "settled", "released"]
    assert server.service.jobs == 2
    with pytest.raises(KeyRefused, match="cannot be used"):
        google.Google(credentials=tmp_path / "none.json", project="p", base_url=server.url)


@pytest.mark.parametrize("region", ["global", "eu", "us-central1"])
def test_vertex_is_looked_for_where_its_sdk_looks(region: str):
    from google import genai
    from google.oauth2.credentials import Credentials

    client = genai.Client(vertexai=True, credentials=Credentials(token="x"), project="p", location=region)
    assert client._api_client._http_options.base_url.rstrip("/") == google.vertex_address(region)
    keyed = genai.Client(vertexai=False, api_key="x")
    assert keyed._api_client._http_options.base_url.rstrip("/") == google.API


def test_a_runner_that_lost_its_job_sends_nothing(served: Serve, store: Store, payer: Paying):
    server = served(ReplicateService())
    store.recover(everything=True)
    with pytest.raises(LostLease):
        drive(REPLICATE.make(server.url), REPLICATE.order, payer)
    assert server.service.jobs == 0


def test_what_a_service_no_longer_has_is_paid_and_said(served: Serve, store: Store, payer: Paying):
    service = ReplicateService(polls=1)
    server = served(service)
    service.predictions.clear()
    provider = REPLICATE.make(server.url)
    bill = payer.reserve("1", "replicate", 30_000)
    payer.move(bill.id, "submitting", remote={"asked": {"input": {}, "at": 0}})
    payer.move(bill.id, "submitted", remote={"handles": {"id": "forgotten"}})
    with pytest.raises(RemoteFailed, match="an hour"):
        drive(provider, REPLICATE.order, payer)
    assert store.bill(bill.id).settled == 30_000


def test_two_calls_that_look_the_same_are_not_mistaken_for_each_other(served: Serve):
    service = ReplicateService()
    server = served(service)
    provider = REPLICATE.make(server.url)
    wire = {"prompt": "x"}
    for _ in range(2):
        provider.submit(REPLICATE.order, wire)
    assert provider.find({"input": wire, "at": 0}) is None
    found, _ = provider.submit(REPLICATE.order, {"prompt": "y"})
    assert provider.find({"input": {"prompt": "y"}, "at": 0}) == found
    assert provider.find({"input": {"prompt": "y"}, "at": 9e9}) is None


def test_a_service_that_cannot_be_reached_costs_nothing(store: Store, payer: Paying):
    for name in ("fal", "google", "openai"):
        kind = KINDS_OF[name]
        with pytest.raises(Transient):
            drive(kind.make("http://127.0.0.1:1"), replace(kind.order, call=name), payer)
    assert {bill.state for bill in store.bills()} == {"released"}


def test_a_run_without_a_ledger_cannot_pay(served: Serve):
    class Silent:
        def check(self) -> None: ...

    with pytest.raises(TypeError, match="ledger"):
        drive(REPLICATE.make("http://127.0.0.1:1"), REPLICATE.order, Silent())  # type: ignore[arg-type]


def test_the_sdks_still_have_the_names_that_we_hold_on_to():
    assert callable(replicate_client.Client._request)
    assert fal_internals.QUEUE_URL_FORMAT and fal_internals.USER_AGENT
    assert "_client" in vars(fal_internals.SyncClient)
    assert fal.QUEUE == "https://queue.fal.run/" and google.API and replicate.API


def test_the_ledger_remembers_pictures_by_their_hash():
    told = brief({"a": b"x", "b": ["data:image/png;base64,AAAA", 3], "c": "word"})
    assert told["c"] == "word" and told["b"][1] == 3
    assert told["a"].startswith("sha256:") and told["b"][0].startswith("sha256:")
