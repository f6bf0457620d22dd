"""Gemini reads a picture and answers in JSON. An answer that breaks the schema comes back as it is: whoever asks
validates it."""

from models.providers.connect import connect
from models.providers.pictures import encode
from models.providers.prices import price
from models.providers.remote import Order, Provider, drive
from models.requests import ImageTextToText, Run
from models.spec import Host

MODEL = "gemini-3.8-flash"
LONGEST = 1024  # px


class GeminiPlanner:
    """model: one of Google's that reads pictures."""

    def __init__(self, provider: Provider, model: str) -> None:
        self._provider, self._model = provider, model

    def __call__(self, request: ImageTextToText, run: Run) -> str:
        """One paid call of a fraction of a cent; a lost answer is written off. Raises ModelGone for a model without a
        known price."""
        model = request.model or self._model
        config = {
            "system_instruction": request.system,
            "response_mime_type": "application/json",
            "response_json_schema": request.schema,
            "temperature": 0,
        }
        order = Order(
            model,
            {"prompt": request.prompt, "config": config},
            {"images": encode(request.image, LONGEST)},
            price("google", model).bound(),
            call=request.call,
            cheap=True,
        )
        return drive(self._provider, order, run)[0].decode("utf-8", "replace")


def load(host: Host) -> GeminiPlanner:
    """Raises KeyMissing."""
    return GeminiPlanner(connect("google", host.access), host.access.reader("google", MODEL))
