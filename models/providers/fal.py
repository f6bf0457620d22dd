"""fal: its queue through fal-client. Facts that shape this file, of fal-client 1.0.3:

`submit` sends again up to ten times by itself, so it speaks through the guard, put in the place of its client (a
cached property of a frozen dataclass); on a failed connection it would try another domain with the key, which this
client does not. Pictures go inside the request: uploaded, they would lie under a public address. Everything that finds
a request again is stored as fal names it. There is no way to look a lost request up. fal keeps a result of 10 KB and
more for six minutes only.
"""

import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from models.errors import (
    BadInput,
    Charged,
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
from models.providers.guard import calling, guarded, is_among
from models.providers.remote import Done, Failed, Json, Order, Status, Waiting, json_of, seconds_in
from models.redact import conceal

NAME = "fal"
QUEUE = "https://queue.fal.run/"
HOSTS = ("queue.fal.run",)
RESULTS = ("fal.media", ".fal.media")
SUBMIT, LOOK = 180.0, 30.0  # seconds; a submit carries the pictures
HANDLES = ("request_id", "response_url", "status_url", "cancel_url")
MONEY = re.compile(r"balance|locked|credit|billing", re.IGNORECASE)
POLICY = re.compile(r"content_policy|nsfw|safety", re.IGNORECASE)


class Fal:
    """Fits `remote.Provider`. base_url: another server that speaks its queue. unit: price of a billable unit in
    millionths of a dollar by model, where it is known."""

    name = NAME

    def __init__(
        self, key: SecretStr, *, base_url: str = QUEUE, units: Mapping[str, int] | None = None
    ) -> None:
        import fal_client
        import httpx
        from fal_client import client as internals

        self._sdk: ModuleType = fal_client
        self._units = units or {}
        host = str(urlsplit(base_url).hostname)
        self._hosts = HOSTS if base_url == QUEUE else (host,)
        self._results = RESULTS if base_url == QUEUE else (host,)
        if base_url != internals.QUEUE_URL_FORMAT:
            internals.QUEUE_URL_FORMAT = base_url  # the only place that the SDK takes it from
        secret = conceal(key.get_secret_value())
        self._client = fal_client.SyncClient(key=secret, default_timeout=SUBMIT)
        self._http = httpx.Client(
            transport=guarded(httpx, self._hosts),
            headers={"Authorization": f"Key {secret}", "User-Agent": internals.USER_AGENT},
            timeout=SUBMIT,
        )
        self._client.__dict__["_client"] = self._http

    def upload(self, order: Order) -> Json:
        """Every file becomes a data URI."""
        encode = self._sdk.encode
        wire = dict(order.inputs)
        for name, files in order.files.items():
            one = isinstance(files, bytes)
            wire[name] = encode(files, "image/png") if one else [encode(each, "image/png") for each in files]
        return wire

    def submit(self, order: Order, wire: Json) -> tuple[Json, Status]:
        """Put it into the queue."""
        with calling(NAME, SUBMIT, refusal, paid=True):
            handle = self._client.submit(order.model, wire)
        handles = {name: str(getattr(handle, name)) for name in HANDLES}
        if not all(is_among(str(urlsplit(handles[name]).hostname), self._hosts) for name in HANDLES[1:]):
            raise ValueError("fal named an address that is not its own")
        return handles | {"model": order.model}, Waiting()

    def poll(self, handles: Json) -> Status:
        """How far the request is; its result once it is completed."""
        try:
            with calling(NAME, LOOK, refusal):
                status = self._handle(handles).status()
        except ModelGone as error:
            return Failed(_lost(handles, error))
        except (ValueError, KeyError, TypeError) as error:
            raise Transient("fal sent an unreadable answer.", provider=NAME) from error
        if isinstance(status, self._sdk.Queued):
            return Waiting(f"fal: {status.position + 1} in its queue")
        return (
            self._result(handles) if isinstance(status, self._sdk.Completed) else Waiting("fal works on it")
        )

    def find(self, asked: Json) -> Json | None:
        """None: fal tells nobody of a request without its id."""

    def cancel(self, handles: Json) -> None:
        """Cancel the request; sure to save its price only while it waits in the queue."""
        with calling(NAME, LOOK, refusal):
            try:
                self._handle(handles).cancel()
            except BadInput:  # it is completed already, and polling will say so
                pass

    def fetch(self, url: str) -> bytes:
        """One result."""
        return fetch(url, NAME, self._results)

    def _handle(self, handles: Json) -> Any:
        stored = {name: handles[name] for name in HANDLES}
        return self._sdk.SyncRequestHandle(**stored, client=self._http)

    def _result(self, handles: Json) -> Status:
        with calling(NAME, LOOK, _failure) as call:
            try:
                answer: Any = self._http.get(handles["response_url"]).json()
                found = [image["url"] for image in (answer.get("images") or [answer["image"]])]
            except (RateLimited, Transient):
                raise
            except ProviderError as error:
                return Failed(_lost(handles, error) if isinstance(error, ModelGone) else error)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise Transient("fal sent an unreadable result.", provider=NAME) from error
        unit, billed = self._units.get(handles["model"]), call.headers.get("x-fal-billable-units")
        if unit is None or billed is None:
            return Done(urls=tuple(found))
        return Done(urls=tuple(found), microusd=round(float(billed) * unit), basis="units")


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """What an answer of 400 and above means before the model has run: nothing is charged."""
    return _error(status, headers, body, charged="no")


def _failure(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """The same in the place of a result. fal does not bill 5xx; it may bill what the model itself refused."""
    return _error(status, headers, body, charged="unknown")


def _error(status: int, headers: Mapping[str, str], body: bytes, *, charged: Charged) -> ProviderError:
    answer = json_of(body)
    detail = answer.get("detail", "") if isinstance(answer, dict) else ""
    first = detail[0] if isinstance(detail, list) and detail and isinstance(detail[0], dict) else {}
    code = str(headers.get("x-fal-error-type") or first.get("type") or "")
    words = str(first.get("msg") or detail or f"HTTP {status}")
    known: dict[str, Any] = {
        "provider": NAME, "status": status, "code": code, "retry_after": seconds_in(headers),
        "request_id": headers.get("x-fal-request-id", ""),
    }  # fmt: skip
    told = f"fal: {words}"
    if POLICY.search(code):
        return ContentRefused(told, charged=charged, **known)
    if status in (401, 402, 403):
        return (QuotaExceeded if status == 402 or MONEY.search(words) else KeyRefused)(told, **known)
    if status == 404:
        return ModelGone(told, **known)
    if status == 429:
        return RateLimited(told, **known)
    if status == 499:
        return RemoteCancelled(told, **known)
    if status < 500:
        return BadInput(told, charged=charged, **known)
    # With an error of its own it has failed for good; without one a gateway did not get through.
    return RemoteFailed(told, charged="no", **known) if code else Transient(told, **known)


def _lost(handles: Json, error: ProviderError) -> ProviderError:
    told = "fal no longer has the result: it keeps large ones for six minutes."
    return RemoteFailed(told, provider=NAME, status=error.status, request_id=handles["request_id"])
