"""A person's own endpoint on Vertex, with the real SDK over REST: what it sends, what it makes of answers, who sees the
key."""

import base64
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jobs.paying import Paying
from jobs.store import Store
from models.cloud import vertex_matting
from models.errors import BadInput, KeyMissing, KeyRefused, ModelError, ModelGone, ProviderError, Transient
from models.providers import vertex
from models.providers.connect import connect
from models.requests import Matting
from models.spec import Access, Host
from tests.models.providers.loopback import Answer, Fault, Loopback, Service
from tests.models.providers.services import CANARY, ENDPOINT, VertexService, matte, service_account

Serve = Callable[[Service], Loopback]
PHOTO = np.random.default_rng(0).integers(0, 256, (1200, 1600, 3), np.uint8)
pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def ask(served: Serve, tmp_path: Path) -> Callable[..., tuple[Any, Loopback]]:
    """(the model over an endpoint that answers so, its server)."""

    def make(reply: Any = None, endpoint: str = ENDPOINT) -> tuple[Any, Loopback]:
        server = served(VertexService(reply))
        file = service_account(tmp_path, f"{server.url}/token")
        access = Access(google_account=file, vertex_endpoint=endpoint, addresses={"vertex": server.url})
        return vertex_matting.load(Host(weights=tmp_path, access=access)), server

    return make


def test_an_endpoint_of_ones_own_cuts_out_and_a_call_costs_nothing(ask: Any, store: Store, payer: Paying):
    model, server = ask()
    alpha = model(Matting(PHOTO), payer)
    assert alpha.shape == (1200, 1600) and alpha[:, :780].min() > 0.99 and alpha[:, 820:].max() < 0.01
    (asked,) = [each for each in server.seen if each.path.endswith(":predict")]
    (instance,) = asked.json()["instances"]
    sent = Image.open(io.BytesIO(base64.b64decode(instance["image"]["bytesBase64Encoded"])))
    assert (sent.format, max(sent.size), instance["image"]["mimeType"]) == ("JPEG", 1024, "image/jpeg")
    assert len(asked.body) < 1_500_000, "even a picture of noise fits a shared endpoint"
    (bill,) = store.bills()
    assert (bill.provider, bill.state, bill.reserved, bill.settled) == ("vertex", "settled", 0, 0)
    assert CANARY not in str(bill)


def test_a_grey_picture_and_a_bare_text_are_answers_too(ask: Any, payer: Paying):
    model, _ = ask([base64.b64encode(matte("L")).decode()])
    assert model(Matting(PHOTO), payer)[:, :700].min() > 0.99


@pytest.mark.parametrize(
    "reply",
    [[{"score": 0.5}], [7], ["no base64!"], [base64.b64encode(b"no picture").decode()], [[]], Answer(200, b"{"),
     Answer(200, b""), Answer(200, {"predictions": []})],
)  # fmt: skip
def test_what_holds_no_picture_is_said_and_not_charged(ask: Any, store: Store, payer: Paying, reply: Any):
    model, _ = ask(reply)
    with pytest.raises(Transient, match=r"Vertex sent"):
        model(Matting(PHOTO[:40, :40]), payer)
    assert [bill.state for bill in store.bills()] == ["released"]


@pytest.mark.parametrize("kind", ["429", "500", "reset", "truncate", "html", "drip"])
def test_what_broke_is_asked_again_since_it_is_free(
    ask: Any, payer: Paying, kind: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(vertex, "SECONDS", 0.6)
    model, server = ask()
    server.faults.append(Fault("POST", ":predict$", kind, "after" if kind != "429" else "before"))
    assert model(Matting(PHOTO[:40, :40]), payer).shape == (40, 40)


@pytest.mark.parametrize(
    ("status", "kind"), [(403, KeyRefused), (404, ModelGone), (400, BadInput), (413, BadInput)]
)
def test_a_refusal_is_told_by_its_kind(ask: Any, payer: Paying, status: int, kind: type[ProviderError]):
    model, _ = ask(Answer(status, {"error": {"message": "why", "status": "S"}}))
    with pytest.raises(kind, match="Vertex: why") as caught:
        model(Matting(PHOTO[:40, :40]), payer)
    assert (caught.value.status, caught.value.code, caught.value.charged) == (status, "S", "no")


def test_an_endpoint_may_have_an_address_of_its_own(tmp_path: Path):
    named = vertex.NAMED.fullmatch(f"https://42.europe-west4-7.prediction.vertexai.goog/v1/{ENDPOINT}")
    assert named and (named["host"], named["name"]) == (
        "42.europe-west4-7.prediction.vertexai.goog",
        ENDPOINT,
    )
    for wrong in ("42", f"http://evil.org/{ENDPOINT}", f"{ENDPOINT}:predict", f"{ENDPOINT}/../.."):
        with pytest.raises(BadInput, match="not the name"):
            vertex.Vertex(tmp_path / "none.json", wrong)


def test_without_it_the_cure_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    with pytest.raises(KeyMissing) as missing:
        connect("vertex", Access(vertex_endpoint=ENDPOINT))
    assert "GOOGLE_APPLICATION_CREDENTIALS" in missing.value.hint and "enter it" not in missing.value.hint
    monkeypatch.setitem(sys.modules, "google.cloud.aiplatform_v1", None)
    with pytest.raises(ModelError, match="not installed") as caught:
        connect("vertex", Access(vertex_endpoint=ENDPOINT, google_account=tmp_path / "a.json"))
    assert "pip install" in caught.value.hint
