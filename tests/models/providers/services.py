"""The four services, as their documentation and the real SDKs make them out. Every key and every picture is checked."""

import base64
import hashlib
import io
import json
import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from PIL import Image

from tests.models.providers.loopback import Answer, Asked

CANARY = "sk-CANARY7f3a9"  # the key of all of them
ENDPOINT = "projects/p/locations/europe-west4/endpoints/42"
UNAUTHORISED = {"detail": f"Incorrect API key provided: {CANARY[:6]}..."}


def png(width: int = 16, height: int = 12, colour: tuple[int, ...] = (250, 10, 10)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, "PNG")
    return out.getvalue()


RESULT = png()


@cache
def _private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def service_account(folder: Path, token_uri: str) -> Path:
    """The file of a service account whose tokens come from there."""
    file = folder / "account.json"
    told = {"type": "service_account", "project_id": "p", "private_key_id": "k", "private_key": _private_key(),
            "client_email": "a@b.c", "client_id": "1", "token_uri": token_uri}  # fmt: skip
    file.write_text(json.dumps(told))
    return file


def is_picture(data: bytes) -> bool:
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
    return True


class ReplicateService:
    """polls: looks that a prediction takes. end: what becomes of it."""

    def __init__(self, polls: int = 2, end: str = "succeeded", error: str = "", outputs: int = 1) -> None:
        self.base, self.jobs, self.polls, self.end, self.error = "", 0, polls, end, error
        self.outputs = outputs
        self.predictions: dict[str, dict[str, Any]] = {}
        self.cancelled: list[str] = []

    def answer(self, asked: Asked) -> Answer:
        if asked.path.startswith("/delivery/"):
            assert asked.headers.get("authorization") is None, "a download carried the key"
            return Answer(200, RESULT, {"content-type": "image/png"})
        if asked.headers.get("authorization") != f"Bearer {CANARY}":
            return Answer(401, UNAUTHORISED)
        if (asked.method, asked.path) == ("POST", "/v1/files"):
            assert b"\x89PNG" in asked.body
            now = _now()
            name = secrets.token_hex(8)
            return Answer(201, {
                "id": name, "name": "picture.png", "content_type": "image/png", "size": 1, "etag": "", "metadata": {},
                "checksums": {"sha256": hashlib.sha256(asked.body).hexdigest()}, "created_at": now,
                "expires_at": now, "urls": {"get": f"{self.base}/v1/files/{name}"},
            })  # fmt: skip
        if asked.method == "POST" and re.fullmatch(r"/v1/models/[\w-]+/[\w.-]+/predictions", asked.path):
            return self._create(asked)
        if (asked.method, asked.path) == ("POST", "/v1/predictions"):
            assert re.fullmatch(r"[0-9a-f]{64}", asked.json()["version"])
            return self._create(asked)
        if asked.path == "/v1/predictions":
            return Answer(200, {"next": None, "results": list(reversed(self.predictions.values()))})
        found = self.predictions.get(asked.path.split("/")[3])
        if found is None:
            return Answer(404, {"detail": "The requested resource could not be found."})
        if asked.path.endswith("/cancel"):
            self.cancelled.append(found["id"])
            found["status"] = "canceled"
        elif found["status"] in ("starting", "processing"):
            found["looks"] = found.get("looks", 0) + 1
            found["status"] = "processing"
            if found["looks"] >= self.polls:
                found.update(status=self.end, error=self.error or None)
                found["output"] = [f"{self.base}/delivery/{n}.png" for n in range(self.outputs)]
        return Answer(200, found)

    def _create(self, asked: Asked) -> Answer:
        given = asked.json()["input"]
        if not {"prompt", "rotate_yaw"} & set(given):
            return Answer(422, {"detail": "- input: prompt is required", "title": "Input validation failed"})
        self.jobs += 1
        name = secrets.token_hex(13)
        self.predictions[name] = {
            "id": name, "input": given, "status": "starting", "output": None, "error": None, "created_at": _now(),
        }  # fmt: skip
        return Answer(201, self.predictions[name])


class FalService:
    """result: a replacement for what a finished request answers."""

    def __init__(self, polls: int = 2, result: Answer | None = None) -> None:
        self.base, self.jobs, self.polls, self.result = "", 0, polls, result
        self.requests: dict[str, dict[str, Any]] = {}
        self.cancelled: list[str] = []

    def answer(self, asked: Asked) -> Answer:
        if asked.path.startswith("/cdn/"):
            assert asked.headers.get("authorization") is None, "a download carried the key"
            return Answer(200, RESULT, {"content-type": "image/png"})
        if asked.headers.get("authorization") != f"Key {CANARY}":
            return Answer(401, UNAUTHORISED)
        found = re.fullmatch(r"/[\w/-]+/requests/([\w-]+)(/status|/cancel)?", asked.path)
        if asked.method == "POST" and not found:
            self.jobs += 1
            name = secrets.token_hex(8)
            assert is_picture(base64.b64decode(asked.json()["image_url"].partition(",")[2]))
            self.requests[name] = {"looks": 0, "status": "IN_QUEUE"}
            return Answer(200, self._status(name))
        if not found or found[1] not in self.requests:
            return Answer(404, {"detail": "Request not found"})
        request = self.requests[found[1]]
        if found[2] == "/cancel":
            self.cancelled.append(found[1])
            if request["status"] == "COMPLETED":
                return Answer(400, {"status": "ALREADY_COMPLETED"})
            request.update(status="COMPLETED", cancelled=True)
            return Answer(202, {"status": "CANCELLATION_REQUESTED"})
        if found[2] == "/status":
            request["looks"] += 1
            if request["looks"] >= self.polls:
                request["status"] = "COMPLETED"
            return Answer(200, self._status(found[1]))
        if request.get("cancelled"):
            kind = {"x-fal-error-type": "client_cancelled"}
            return Answer(499, {"detail": "Request was cancelled"}, kind)
        image = {"url": f"{self.base}/cdn/out.png", "content_type": "image/png"}
        return self.result or Answer(200, {"image": image}, {"x-fal-billable-units": "0.5"})

    def _status(self, name: str) -> dict[str, Any]:
        url = f"{self.base}/queue/fal-ai/birefnet/requests/{name}"
        return {
            "status": self.requests[name]["status"], "request_id": name, "response_url": url, "logs": None,
            "status_url": f"{url}/status", "cancel_url": f"{url}/cancel", "queue_position": 0, "metrics": {},
        }  # fmt: skip


class GoogleService:
    """said: makes the JSON text of a planner's answer; reply: a replacement for the whole answer."""

    def __init__(self, said: Callable[[Any], str] | None = None, reply: Answer | None = None) -> None:
        self.base, self.jobs, self.said, self.reply = "", 0, said or (lambda _: "{}"), reply

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/token":  # of a service account
            assert b"jwt-bearer" in asked.body
            return Answer(200, {"access_token": CANARY, "expires_in": 3600, "token_type": "Bearer"})
        key = asked.headers.get("x-goog-api-key")
        if key != CANARY and asked.headers.get("authorization") != f"Bearer {CANARY}":
            reason = {"reason": "API_KEY_INVALID", "@type": "type.googleapis.com/google.rpc.ErrorInfo"}
            return Answer(400, {"error": {"message": "API key not valid.", "details": [reason]}})
        found = re.search(r"/models/([\w.-]+):generateContent$", asked.path)
        if not found:
            return Answer(404, {"error": {"code": 404, "status": "NOT_FOUND", "message": "not found"}})
        self.jobs += 1
        if self.reply is not None:
            return self.reply
        wanted, body = asked.json().get("generationConfig", {}), asked.json()
        if "IMAGE" in wanted.get("responseModalities", []):
            data = base64.b64encode(RESULT).decode()
            parts, kind = (
                [{"text": "Here."}, {"inlineData": {"mimeType": "image/png", "data": data}}],
                "IMAGE",
            )
        else:
            parts, kind = [{"text": self.said(body)}], "TEXT"
        made = [{"modality": kind, "tokenCount": 1120}]
        return Answer(200, {
            "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}],
            "responseId": secrets.token_hex(4), "modelVersion": found[1],
            "usageMetadata": {"promptTokenCount": 300, "candidatesTokenCount": 1120, "totalTokenCount": 1420,
                              "candidatesTokensDetails": made},
        })  # fmt: skip


class OpenAIService:
    """said: makes the text of an answer; with it a server wants no key, as local ones do, if `open`."""

    def __init__(self, said: Callable[[Any], str] | None = None, *, open: bool = False) -> None:
        self.base, self.jobs, self.said, self.open = "", 0, said or (lambda _: "{}"), open

    def answer(self, asked: Asked) -> Answer:
        if not self.open and asked.headers.get("authorization") != f"Bearer {CANARY}":
            told = {"message": f"Incorrect API key provided: {CANARY}.", "code": "invalid_api_key"}
            return Answer(401, {"error": told})
        if asked.path != "/v1/chat/completions":
            return Answer(404, {"error": {"message": "not found"}})
        self.jobs += 1
        body = asked.json()
        return Answer(200, {
            "id": f"chatcmpl-{self.jobs}", "object": "chat.completion", "created": 1, "model": body["model"],
            "choices": [{"index": 0, "finish_reason": "stop",
                         "message": {"role": "assistant", "content": self.said(body), "refusal": None}}],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200},
        }, {"x-request-id": "req_1"})  # fmt: skip


def matte(mode: str = "RGBA") -> bytes:
    """The left half of a picture, as a cut-out or as a grey picture."""
    alpha = Image.new("L", (64, 48))
    alpha.paste(255, (0, 0, 32, 48))
    picture = Image.new("RGB", (64, 48), (9, 9, 9))
    if mode == "RGBA":
        picture.putalpha(alpha)
    out = io.BytesIO()
    (alpha if mode == "L" else picture).save(out, "PNG")
    return out.getvalue()


class VertexService:
    """reply: the list of predictions, or a whole answer."""

    def __init__(self, reply: Any = None) -> None:
        self.base, self.jobs, self.reply = "", 0, reply

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/token":
            assert b"jwt-bearer" in asked.body
            return Answer(200, {"access_token": CANARY, "expires_in": 3600, "token_type": "Bearer"})
        if asked.headers.get("authorization") != f"Bearer {CANARY}":
            return Answer(401, {"error": {"message": "no", "status": "UNAUTHENTICATED"}})
        if asked.path != f"/v1/{ENDPOINT}:predict":
            return Answer(404, {"error": {"message": f"{asked.path} not found", "status": "NOT_FOUND"}})
        self.jobs += 1
        if isinstance(self.reply, Answer):
            return self.reply
        told = {"bytesBase64Encoded": base64.b64encode(matte()).decode(), "mimeType": "image/png"}
        return Answer(200, {"predictions": self.reply or [told], "deployedModelId": "1", "later": "unknown"})


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def text_of(body: Any) -> str:
    """Everything that a planner was told in words."""
    return json.dumps(body)
