"""A chat model of OpenAI, or of a server of one's own that speaks its protocol, reads a picture and answers in JSON.

An answer that breaks the schema comes back as it is: whoever asks validates it. One's own server is free.
"""

from models.providers.connect import connect
from models.providers.pictures import encode
from models.providers.prices import reading_bound
from models.providers.remote import Order, Provider, drive
from models.requests import ImageTextToText, Run
from models.spec import Host

MODEL = "gpt-6-luna"
LONGEST = 1024  # px


class OpenAIPlanner:
    """microusd: the most that a call can cost."""

    def __init__(self, provider: Provider, model: str, microusd: int) -> None:
        self._provider, self._model, self._microusd = provider, model, microusd

    def __call__(self, request: ImageTextToText, run: Run) -> str:
        """One call of a fraction of a cent; a lost answer is written off."""
        order = Order(
            self._model,
            {"prompt": request.prompt, "system": request.system, "schema": request.schema},
            {"images": encode(request.image, LONGEST)},
            self._microusd,
            0 if not self._microusd else None,
            request.call,
            cheap=True,
        )
        return drive(self._provider, order, run)[0].decode("utf-8", "replace")


def load(host: Host) -> OpenAIPlanner:
    """Raises KeyMissing, and ModelGone where a service is asked for a model without a known price."""
    model = host.access.reader("openai", MODEL)
    provider = connect("openai", host.access)
    return OpenAIPlanner(provider, model, reading_bound("openai", model, host.access))
