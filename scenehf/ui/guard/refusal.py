"""How a request is turned away."""

import json

from starlette.types import Send


class Refused(Exception):
    """The request goes no further. status: of HTTP; the message is one sentence for whoever sent it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    async def answer(self, send: Send) -> None:
        """Send it as JSON, in the form in which Gradio tells its own refusals."""
        body = json.dumps({"detail": str(self)}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        if self.status == 429:
            headers.append((b"retry-after", b"60"))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
