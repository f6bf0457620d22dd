"""OpenAI's chat models, and every server that speaks its protocol (Ollama, LM Studio), through openai's SDK.

The SDK sends again twice by itself and wraps every exception of a transport: it is told not to, and speaks through the
guard. The answer holds the result; what is lost with it cannot be looked up.
"""

import base64
import re
from collections.abc import Mapping
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
    RemoteFailed,
    Transient,
)
from models.providers.guard import calling, guarded
from models.providers.prices import known_price
from models.providers.remote import Done, Failed, Json, Order, Status, json_of, seconds_in
from models.redact import conceal

NAME = "openai"
API = "https://api.openai.com/v1"
SECONDS = 240.0  # a local server may load its model first
POLICY = re.compile(r"moderation|content_policy|safety", re.IGNORECASE)
STATUSES = {401: KeyRefused, 403: KeyRefused, 404: ModelGone, 410: ModelGone, 429: RateLimited}
NO_KEY = "none"  # local servers want none, the SDK wants one


class OpenAI:
    """Fits `remote.Provider`. Orders: inputs `prompt`, `system`, `schema` (JSON schema of the answer); files `images`.
    base_url: another server; without a key it is sent none that means anything."""

    name = NAME

    def __init__(self, key: SecretStr | None, *, base_url: str | None = None) -> None:
        import httpx2
        import openai

        address = base_url or API
        self._client = openai.OpenAI(
            api_key=conceal(key.get_secret_value()) if key else NO_KEY,
            base_url=address,
            max_retries=0,
            http_client=httpx2.Client(transport=guarded(httpx2, (httpx2.URL(address).host,))),
        )

    def upload(self, order: Order) -> Json:
        """Pictures travel inside the request."""
        files = order.files.get("images", [])
        return {**order.inputs, "images": [files] if isinstance(files, bytes) else list(files)}

    def submit(self, order: Order, wire: Json) -> tuple[Json, Status]:
        """Ask; the answer holds the result."""
        seen: list[Json] = [
            {
                "type": "image_url",
                "image_url": {"url": f"data:image/png;base64,{base64.b64encode(data).decode()}"},
            }
            for data in wire["images"]
        ]
        messages = [
            {"role": "system", "content": wire["system"]},
            {"role": "user", "content": [*seen, {"type": "text", "text": wire["prompt"]}]},
        ]
        shape = {"name": "answer", "schema": wire["schema"], "strict": False}
        with calling(NAME, SECONDS, refusal, paid=True):
            answer: Any = self._client.chat.completions.create(
                model=order.model,
                messages=messages,
                response_format={"type": "json_schema", "json_schema": shape},
            )
        return {"id": str(answer.id or "")}, _status(answer, order.model)

    def poll(self, handles: Json) -> Status:
        """Never asked: the answer to the submit is final."""
        return Failed(RemoteFailed("OpenAI keeps no results.", provider=NAME))

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
    code = str(error.get("code") or error.get("type") or "")
    known: dict[str, Any] = {
        "provider": NAME, "status": status, "code": code, "retry_after": seconds_in(headers),
        "request_id": headers.get("x-request-id", ""),
    }  # fmt: skip
    told = f"OpenAI: {error.get('message') or f'HTTP {status}'}"
    if status == 429 and code == "insufficient_quota":
        return QuotaExceeded(told, **known)
    if status == 400 and POLICY.search(code):
        return ContentRefused(told, **known)
    return STATUSES.get(status, BadInput if status < 500 else Transient)(told, **known)


def _status(answer: Any, model: str) -> Status:
    """What an answer of 200 comes to."""
    message = answer.choices[0].message
    usage, row = answer.usage, known_price(NAME, model)
    cost = None
    if usage is not None and row is not None:
        cost = row.of_tokens(int(usage.prompt_tokens or 0), int(usage.completion_tokens or 0), 0)
    if message.content:
        return Done(blobs=(str(message.content).encode(),), microusd=cost, basis="tokens")
    why = getattr(message, "refusal", None) or answer.choices[0].finish_reason
    return Failed(ContentRefused(f"OpenAI: {why}", provider=NAME, charged="yes"))
