"""A person's own endpoint on Vertex, through google-cloud-aiplatform, which is not installed unless they want it.

What its container has to speak, over `predict`: each instance is {"image": {"bytesBase64Encoded", "mimeType"}}, each
prediction {"bytesBase64Encoded"} or that text alone: a picture whose alpha, or else whose grey, is the answer.

Google bills such an endpoint by the hour that it is deployed, not by the call: a call is free and may be repeated. The
SDK speaks REST through requests, here over the guard, as the others do. Shared endpoints take requests of up to 1.5 MB.
"""

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.errors import (
    BadInput,
    KeyRefused,
    ModelError,
    ModelGone,
    ProviderError,
    RateLimited,
    RemoteFailed,
    Transient,
)
from models.providers.fetch import checked, mime
from models.providers.google import account, renew, vertex_address
from models.providers.guard import calling, guarded
from models.providers.remote import Done, Failed, Json, Order, Status, json_of, seconds_in
from models.redact import conceal

NAME = "vertex"
SECONDS = 240.0  # an endpoint that was scaled down wakes up first
NAMED = re.compile(
    r"(?:https://(?P<host>[\w.-]+)/(?:v1/)?)?(?P<name>projects/[\w:.-]+/locations/(?P<region>[\w-]+)/endpoints/[\w-]+)"
)
STATUSES = {401: KeyRefused, 403: KeyRefused, 429: RateLimited}


class Vertex:
    """Fits `remote.Provider`. Orders: files `image`. file: of a service account. endpoint: its name, projects/P/
    locations/L/endpoints/E, behind its address (https://HOST/) if it has one of its own. base_url: another server that
    speaks the protocol."""

    name = NAME

    def __init__(self, file: Path, endpoint: str, *, base_url: str | None = None) -> None:
        named = NAMED.fullmatch(endpoint.strip())
        if named is None:
            told = "VERTEX_ENDPOINT is not the name of an endpoint."
            raise BadInput(
                told, provider=NAME, hint="Write projects/PROJECT/locations/REGION/endpoints/NUMBER."
            )
        try:
            from google.api_core.client_options import ClientOptions
            from google.auth.credentials import AnonymousCredentials
            from google.cloud.aiplatform_v1 import PredictionServiceClient
        except ImportError as error:
            hint = (
                "Run .venv/bin/python -m pip install 'google-cloud-aiplatform>=2.7,<3' -c requirements.lock"
            )
            raise ModelError("The package google-cloud-aiplatform is not installed.", hint=hint) from error
        self._endpoint = named["name"]
        own = named["host"] and f"https://{named['host']}"
        address = base_url or own or vertex_address(named["region"])
        self._account = account(file)
        # Given the account itself, the SDK would ask yet another host about it, in a thread of its own.
        self._client = PredictionServiceClient(
            credentials=AnonymousCredentials(),
            transport="rest",
            client_options=ClientOptions(api_endpoint=address),
        )
        through = _adapter(address)
        for scheme in ("https://", "http://"):
            self._client.transport._session.mount(scheme, through)

    def upload(self, order: Order) -> Json:
        """Pictures travel inside the request."""
        renew(self._account, NAME)
        return {**order.inputs, **order.files}

    def submit(self, order: Order, wire: Json) -> tuple[Json, Status]:
        """Ask; the answer holds the result."""
        from google.protobuf.json_format import ParseError

        instance = {name: _sent(value) if isinstance(value, bytes) else value for name, value in wire.items()}
        with calling(NAME, SECONDS, refusal):
            try:
                answer: Any = self._client.predict(
                    endpoint=self._endpoint,
                    instances=[instance],
                    retry=None,
                    timeout=SECONDS,
                    metadata=[("authorization", f"Bearer {conceal(self._account.token)}")],
                )
                return {}, Done(blobs=(_received(answer.predictions[0]),), microusd=0, basis="hours")
            except (ParseError, ValueError, KeyError, TypeError, IndexError) as error:
                told = f"Vertex sent an answer that holds no picture ({type(error).__name__})."
                raise Transient(told, provider=NAME) from error

    def poll(self, handles: Json) -> Status:
        """Never asked: the answer to the submit is final."""
        return Failed(RemoteFailed("Vertex keeps no results.", provider=NAME, charged="no"))

    def find(self, asked: Json) -> Json | None:
        """None: there is no list of calls."""

    def cancel(self, handles: Json) -> None:
        """A call that was sent cannot be taken back."""

    def fetch(self, url: str) -> bytes:
        """Results come as data."""
        return base64.b64decode(url.partition(",")[2])


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """What an answer of 400 and above means."""
    answer = json_of(body)
    error = answer.get("error", {}) if isinstance(answer, dict) else {}
    error = error if isinstance(error, dict) else {"message": error}
    known: dict[str, Any] = {
        "provider": NAME, "status": status, "code": str(error.get("status", "")), "retry_after": seconds_in(headers),
        "request_id": headers.get("x-request-id", ""),
    }  # fmt: skip
    told = f"Vertex: {error.get('message') or f'HTTP {status}'}"
    if status == 404:
        return ModelGone(told, hint="Check VERTEX_ENDPOINT: there is no such endpoint.", **known)
    return STATUSES.get(status, BadInput if status < 500 else Transient)(told, **known)


def _sent(data: bytes) -> Json:
    return {"bytesBase64Encoded": base64.b64encode(data).decode(), "mimeType": mime(data)}


def _received(prediction: Any) -> bytes:
    """The picture in a prediction. Raises what parsers raise, or Transient."""
    text = prediction if isinstance(prediction, str) else prediction["bytesBase64Encoded"]
    return checked(base64.b64decode(text, validate=True), NAME)


def _adapter(address: str) -> Any:
    """What requests sends through, over the guard: one deadline, and the credentials for this host alone."""
    import httpx
    import requests

    class Through(requests.adapters.BaseAdapter):
        def __init__(self) -> None:
            super().__init__()
            self._http = httpx.Client(transport=guarded(httpx, (httpx.URL(address).host,)))

        def send(self, request: Any, *_: Any, **__: Any) -> Any:
            given = self._http.request(
                request.method, request.url, content=request.body, headers=dict(request.headers)
            )
            made = requests.Response()
            made.status_code, made._content, made.request = given.status_code, given.content, request
            made.headers.update(given.headers)
            return made

        def close(self) -> None:
            self._http.close()

    return Through()
