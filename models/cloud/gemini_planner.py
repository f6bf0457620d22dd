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
        """One paid call of a fraction of a cent; a lost answer is written off."""
        config = {
            "system_instruction": request.system,
            "response_mime_type": "application/json",
            "response_json_schema": request.schema,
            "temperature": 0,
        }
        order = Order(
            self._model,
            {"prompt": request.prompt, "config": config},
            {"images": encode(request.image, LONGEST)},
            price("google", self._model).bound(),
            call=request.call,
            cheap=True,
        )
        return drive(self._provider, order, run)[0].decode("utf-8", "replace")


def load(host: Host) -> GeminiPlanner:
    """Raises KeyMissing."""
    wanted = host.access.planner or ""
    return GeminiPlanner(connect("google", host.access), wanted if wanted.startswith("gemini") else MODEL)
