"""Google's models through google-genai, with an API key or with Vertex. Facts that shape this file, of 2.34.0:

there is no timeout by default, so the guard sets one; a refusal by policy is an answer of 200 without candidates or
without content; an empty body parses as an empty answer; a wrong key is 400. The one answer holds the result: what is
lost with it cannot be looked up. Every 200 may be charged, also one without a picture.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import SecretStr

from models.errors import (
    BadInput,
    Charged,
    ContentRefused,
    KeyRefused,
    ModelGone,
    ProviderError,
    RateLimited,
    RemoteFailed,
    Transient,
)
from models.providers.fetch import checked
from models.providers.guard import calling, guarded
from models.providers.prices import known_price, retired
from models.providers.remote import Done, Failed, Json, Order, Status, json_of, seconds_in
from models.redact import conceal

NAME = "google"
API = "https://generativelanguage.googleapis.com"
WIDE = ("us", "eu")  # regions of Vertex that span several
SECONDS = 240.0
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
STATUSES = {401: KeyRefused, 403: KeyRefused, 404: ModelGone, 410: ModelGone, 429: RateLimited}
POLICY = ("SAFETY", "PROHIBITED", "BLOCKLIST", "RECITATION", "SPII", "OTHER")  # parts of reasons to refuse


class Google:
    """Fits `remote.Provider`. Orders: inputs `prompt`, `config` (of GenerateContentConfig, JSON); files `images`.

    key: of the Gemini API; or else project, region and the file of a service account, for Vertex. base_url: another
    server that speaks the protocol.
    """

    name = NAME

    def __init__(
        self,
        key: SecretStr | None = None,
        *,
        credentials: Path | None = None,
        project: str | None = None,
        region: str | None = None,
        base_url: str | None = None,
    ) -> None:
        import httpx
        from google import genai
        from google.genai import types

        self._types: ModuleType = types
        # Everything is said explicitly: what is left out, the SDK would take from the environment.
        address = base_url or (API if key is not None else vertex_address(region or "global"))
        options = types.HttpOptions(
            base_url=address,
            httpx_client=httpx.Client(transport=guarded(httpx, (httpx.URL(address).host,))),
            api_version="v1beta1" if key is None else "v1beta",
        )
        self._account = None if key is not None else account(credentials)
        if key is not None:
            secret = conceal(key.get_secret_value())
            self._client = genai.Client(vertexai=False, api_key=secret, http_options=options)
        else:
            self._client = genai.Client(
                vertexai=True,
                credentials=self._account,
                project=project,
                location=region or "global",
                http_options=options,
            )

    def upload(self, order: Order) -> Json:
        """Pictures travel inside the request. A service account's token is fetched here, where nothing is paid yet."""
        if self._account is not None:
            renew(self._account, NAME)
        files = order.files.get("images", [])
        return {**order.inputs, "images": [files] if isinstance(files, bytes) else list(files)}

    def submit(self, order: Order, wire: Json) -> tuple[Json, Status]:
        """Generate; the answer holds the result."""
        types = self._types
        parts = [types.Part.from_bytes(data=data, mime_type="image/png") for data in wire["images"]]
        config = types.GenerateContentConfig(**wire["config"])
        with calling(NAME, SECONDS, refusal_of(order.model), paid=True):
            answer: Any = self._client.models.generate_content(
                model=order.model, contents=[*parts, wire["prompt"]], config=config
            )
        wanted_text = "response_json_schema" in wire["config"]
        return {"response_id": str(answer.response_id or "")}, _status(answer, order.model, wanted_text)

    def poll(self, handles: Json) -> Status:
        """Never asked: the answer to the submit is final."""
        return Failed(RemoteFailed("Google keeps no results.", provider=NAME))

    def find(self, asked: Json) -> Json | None:
        """None: Google keeps no list of calls."""

    def cancel(self, handles: Json) -> None:
        """A call that was sent cannot be taken back."""

    def fetch(self, url: str) -> bytes:
        """Results come as data."""
        return base64.b64decode(url.partition(",")[2])


def vertex_address(region: str) -> str:
    """Where Vertex answers for a region."""
    if region == "global":
        return "https://aiplatform.googleapis.com"
    if region in WIDE:
        return f"https://aiplatform.{region}.rep.googleapis.com"
    return f"https://{region}-aiplatform.googleapis.com"


def refusal_of(model: str) -> Any:
    """Makes errors of answers of 400 and above, for calls of this model."""

    def refusal(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        answer = json_of(body)
        error = answer.get("error", {}) if isinstance(answer, dict) else {}
        error = error if isinstance(error, dict) else {}
        details = [each for each in error.get("details", []) if isinstance(each, dict)]
        reasons = {str(each.get("reason", "")) for each in details}
        delays = [str(each["retryDelay"]).rstrip("s") for each in details if "retryDelay" in each]
        known: dict[str, Any] = {
            "provider": NAME,
            "status": status,
            "code": str(error.get("status", "")),
            "request_id": headers.get("x-request-id", ""),
            "retry_after": float(delays[0]) if delays else seconds_in(headers),
        }
        told = f"Google: {error.get('message') or f'HTTP {status}'}"
        if "API_KEY_INVALID" in reasons:
            return KeyRefused(told, **known)
        if status in (404, 410) and (row := known_price(NAME, model)) and row.replaced_by:
            return retired(row, status)
        return STATUSES.get(status, BadInput if status < 500 else Transient)(told, **known)

    return refusal


def _status(answer: Any, model: str, wanted_text: bool) -> Status:
    """What an answer of 200 comes to. One without anything in it cannot be read: nobody knows what became of it."""
    usage = answer.usage_metadata
    candidates = answer.candidates or []
    if not candidates and answer.prompt_feedback is None:
        raise ValueError("an empty answer")
    reason = _name(candidates[0].finish_reason if candidates else answer.prompt_feedback.block_reason)
    parts = (candidates[0].content.parts or []) if candidates and candidates[0].content else []
    cost = _cost(usage, model)
    if wanted_text:
        text = "".join(part.text for part in parts if part.text and not part.thought)
        if text:
            return Done(blobs=(text.encode(),), microusd=cost, basis="tokens")
    # A thinking model may show sketches before the result: the last picture is the answer.
    made = [part.inline_data.data for part in parts if part.inline_data and part.inline_data.data]
    if made and not wanted_text:
        try:
            return Done(blobs=(checked(made[-1], NAME),), microusd=cost, basis="tokens")
        except Transient as error:
            return Failed(RemoteFailed(str(error.args[0]), provider=NAME, charged="yes"))
    kind = ContentRefused if any(word in reason for word in POLICY) else RemoteFailed
    charged: Charged = "unknown" if candidates else "no"
    return Failed(kind(f"Google made nothing ({reason}).", provider=NAME, code=reason, charged=charged))


def _cost(usage: Any, model: str) -> int | None:
    """From the tokens that Google counted; None if it did not."""
    row = known_price(NAME, model)
    if usage is None or row is None or row.unit != "tokens":
        return None
    made = int(usage.candidates_token_count or 0) + int(usage.thoughts_token_count or 0)
    details = usage.candidates_tokens_details or []
    image = sum(int(each.token_count or 0) for each in details if _name(each.modality) == "IMAGE")
    return row.of_tokens(int(usage.prompt_token_count or 0), max(0, made - image), image) or None


def _name(value: Any) -> str:
    return str(getattr(value, "value", value) or "")


def account(file: Path | None) -> Any:
    """The credentials of a service account, read here and given to the SDK."""
    from google.oauth2 import service_account

    try:
        return service_account.Credentials.from_service_account_file(str(file), scopes=[SCOPE])
    except (OSError, ValueError) as error:
        told = f"The service account's file {file} cannot be used ({type(error).__name__})."
        raise KeyRefused(told, provider=NAME) from error


def renew(account: Any, provider: str) -> None:
    """See to it that a service account has a token that is still good. Raises KeyRefused, Transient."""
    from google.auth.exceptions import RefreshError, TransportError
    from google.auth.transport.requests import Request

    if account.valid:
        return
    try:
        account.refresh(Request())
    except (TransportError, TypeError, KeyError, ValueError) as error:  # the last three: an unreadable answer
        told = f"Google did not answer about the service account ({type(error).__name__})."
        raise Transient(told, provider=provider) from error
    except RefreshError as error:
        told = f"Google does not accept the service account ({error.args[0] if error.args else 'no reason'})."
        raise (Transient if error.retryable else KeyRefused)(told, provider=provider) from error
