"""Replicate: predictions through its SDK. Facts that shape this file, of replicate 1.0.7:

the SDK crashes on statuses it does not know (`aborted` is documented), so predictions are read as JSON; its `create`
sends no timeout, so the guard sets one; its file outputs send the token to any host, so results are fetched without
it. Replicate has no idempotency key, but lists predictions with their inputs, and the address of an uploaded file is
unique: a call whose answer was lost is found by it. Results are kept for one hour.
"""

import io
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from models.errors import (
    BadInput,
    ContentRefused,
    KeyRefused,
    ModelGone,
    ProviderError,
    QuotaExceeded,
    RateLimited,
    RemoteCancelled,
    RemoteFailed,
    Transient,
)
from models.providers.fetch import fetch
from models.providers.guard import calling, guarded
from models.providers.remote import Done, Failed, Json, Order, Status, Waiting, json_of, seconds_in
from models.redact import conceal

NAME = "replicate"
API = "https://api.replicate.com"
RESULTS = ("replicate.delivery", ".replicate.delivery")
SUBMIT, LOOK, UPLOAD = 60.0, 30.0, 180.0  # seconds
CANCEL_AFTER = "20m"  # the service's own deadline for a prediction that nobody collects
CLOCKS = 120.0  # seconds by which the service's clock may differ from ours
PAGES = 3  # of the list of predictions that are looked through
FLAGGED = re.compile(r"E005|sensitive|nsfw|safety", re.IGNORECASE)
RESETS = re.compile(r"resets in ~?(\d+)s")


class Replicate:
    """Fits `remote.Provider`. base_url: another server that speaks its API."""

    name = NAME

    def __init__(self, key: SecretStr, *, base_url: str = API) -> None:
        import httpx
        from replicate.client import Client

        host = httpx.URL(base_url).host
        self._results = RESULTS if base_url == API else (host,)
        self._client = Client(
            api_token=conceal(key.get_secret_value()),
            base_url=base_url,
            transport=guarded(httpx, (host,)),
            headers={"Cancel-After": CANCEL_AFTER},
        )

    def upload(self, order: Order) -> Json:
        """Every file becomes the address it was uploaded to."""
        wire = dict(order.inputs)
        for name, files in order.files.items():
            wire[name] = self._file(files) if isinstance(files, bytes) else [self._file(one) for one in files]
        return wire

    def submit(self, order: Order, wire: Json) -> tuple[Json, Status]:
        """Create the prediction. What Replicate does not run itself is called by its version: owner/name:version."""
        model, _, version = order.model.partition(":")
        path = "/v1/predictions" if version else f"/v1/models/{model}/predictions"
        body = {"version": version, "input": wire} if version else {"input": wire}
        with calling(NAME, SUBMIT, refusal, paid=True):
            made = self._client._request("POST", path, json=body)  # its `create` drops what it does not know
            return {"id": str(made.json()["id"])}, Waiting()

    def poll(self, handles: Json) -> Status:
        """The prediction as it is now."""
        try:
            prediction = self._get(f"/v1/predictions/{handles['id']}")
        except ModelGone as error:
            told = "Replicate no longer knows the prediction: it keeps results for an hour."
            return Failed(RemoteFailed(told, provider=NAME, status=error.status, request_id=handles["id"]))
        state = str(prediction.get("status", ""))
        if state == "succeeded":
            output = prediction.get("output")
            urls = (output,) if isinstance(output, str) else tuple(output or ())
            if not urls:
                return Failed(RemoteFailed("Replicate has no output.", provider=NAME, charged="yes"))
            return Done(urls=urls)
        if state in ("failed", "canceled", "aborted"):
            return Failed(_ended(state, str(prediction.get("error") or ""), handles["id"]))
        return Waiting(f"Replicate: {state or 'waiting'}")

    def find(self, asked: Json) -> Json | None:
        """The one prediction with these inputs that was made since. Files make inputs unique; text alone does not."""
        hits, path = [], "/v1/predictions"
        since = float(asked["at"]) - CLOCKS
        for _ in range(PAGES):
            page = self._get(path)
            recent = [each for each in page["results"] if _time(each["created_at"]) >= since]
            hits += [str(each["id"]) for each in recent if each.get("input") == asked["input"]]
            path = page.get("next") or ""
            if not path or len(recent) < len(page["results"]):
                break
        return {"id": hits[0]} if len(hits) == 1 else None

    def cancel(self, handles: Json) -> None:
        """Cancel the prediction; public models are charged for what they did until then."""
        with calling(NAME, LOOK, refusal):
            self._client._request("POST", f"/v1/predictions/{handles['id']}/cancel")

    def fetch(self, url: str) -> bytes:
        """One output."""
        return fetch(url, NAME, self._results)

    def _file(self, data: bytes) -> str:
        file = io.BytesIO(data)
        file.name = "picture.png"
        with calling(NAME, UPLOAD, refusal):
            try:
                return str(self._client.files.create(file).urls["get"])
            except (ValueError, KeyError, TypeError) as error:
                raise Transient("Replicate did not confirm an upload.", provider=NAME) from error

    def _get(self, path: str) -> Json:
        """A private method of the SDK, so that statuses it does not know can be read; a test holds it to its name."""
        with calling(NAME, LOOK, refusal):
            try:
                answer: Any = self._client._request("GET", path).json()
            except ValueError as error:
                raise Transient("Replicate sent an unreadable answer.", provider=NAME) from error
        if not isinstance(answer, dict):
            raise Transient("Replicate sent an unreadable answer.", provider=NAME)
        return answer


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """What an answer of 400 and above means."""
    answer = json_of(body)
    detail = (
        str(answer.get("detail") or answer.get("title") or "") if isinstance(answer, dict) else str(answer)
    )
    told = f"Replicate: {detail or f'HTTP {status}'}"
    resets = RESETS.search(detail)
    known: dict[str, Any] = {
        "provider": NAME,
        "status": status,
        "request_id": headers.get("x-request-id", ""),
        "retry_after": float(resets[1]) if resets else seconds_in(headers),
    }
    kinds = {
        401: KeyRefused,
        402: QuotaExceeded,
        403: KeyRefused,
        404: ModelGone,
        410: ModelGone,
        429: RateLimited,
    }
    if status in kinds:
        return kinds[status](told, **known)
    if status < 500:
        return (ContentRefused if FLAGGED.search(detail) else BadInput)(told, **known)
    return Transient(told, **known)


def _ended(state: str, reason: str, prediction: str) -> ProviderError:
    """Why there is no output. Replicate charges canceled predictions of public models, not aborted ones."""
    known: dict[str, Any] = {"provider": NAME, "request_id": prediction}
    if state == "aborted":
        return RemoteCancelled("Replicate did not start the prediction in time.", charged="no", **known)
    if state == "canceled":
        return RemoteCancelled("The prediction was cancelled.", **known)
    if FLAGGED.search(reason):
        return ContentRefused(f"Replicate: {reason}", charged="unknown", **known)
    return RemoteFailed(f"Replicate: {reason or 'the prediction failed'}.", **known)


def _time(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
