"""What can go wrong between a request and its result, in words for the person who asked.

Every kind carries a `hint`: the one thing to do next.
"""

from typing import Literal, TypeAlias

from models.redact import redacted

Charged: TypeAlias = Literal["yes", "no", "unknown"]
LONGEST = 600  # characters of what a service says


class ModelError(Exception):
    """Base of every failure of a model; `hint` is a full sentence that names the cure."""

    hint = "Try again; if it fails again, choose another model."

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint

    def __str__(self) -> str:
        return f"{self.args[0]} {self.hint}".strip()


class UnknownModel(ModelError):
    """No spec in the catalog has this id."""

    hint = "Run `./launch.sh models list` to see the ids."


class InvalidRequest(ModelError):
    """The request does not fit what the model accepts; nothing was spent."""

    hint = "Change the inputs and try again."


class WeightsMissing(ModelError):
    """The model's files are not on this machine."""

    hint = "Run `./launch.sh models pull starter`."


class WeightsDamaged(ModelError):
    """A weight file differs from its recorded hash and was not used."""

    hint = "Run `./launch.sh models pull starter` to fetch it again."


class DownloadFailed(ModelError):
    """The package index or model hub could not be reached."""

    hint = "Check the connection and run the same command again."


class OutOfMemory(ModelError):
    """The device has too little free memory for this model and picture."""

    hint = "Close other programs, use a smaller picture, or choose a smaller or a remote model."


class ResultInvalid(ModelError):
    """A model answered with something that is not a result (NaN, wrong size, empty)."""


# --- remote services: every kind says whether the call was charged ------------------------------------------


class ProviderError(ModelError):
    """Base of every failure of a remote service. Keys never get into its text.

    charged: whether money was spent on the call. status: of HTTP, if there was an answer. code: the service's own.
    request_id: by which its support finds the call. retry_after: seconds, if the service named them.
    """

    charged: Charged = "no"

    def __init__(
        self,
        message: str,
        *,
        provider: str = "",
        status: int | None = None,
        code: str = "",
        request_id: str = "",
        retry_after: float | None = None,
        charged: Charged | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(redacted(message)[:LONGEST], hint=hint)
        self.provider = provider
        self.status = status
        self.code = redacted(code)
        self.request_id = redacted(request_id)
        self.retry_after = retry_after
        if charged is not None:
            self.charged = charged


class KeyMissing(ProviderError):
    """No key for the service that the model belongs to."""


class KeyRefused(ProviderError):
    """The service does not accept the key, or the key may not do this."""

    hint = "Check the key; it may be mistyped, expired, or without access to this model."


class QuotaExceeded(ProviderError):
    """The account has no credit or no quota left."""

    hint = "Add credit or raise the quota at the service, or choose another model."


class RateLimited(ProviderError):
    """Turned away at the door: too many calls just now."""

    hint = "Wait a moment and try again."


class ContentRefused(ProviderError):
    """The service's content policy refused the request or its result."""

    hint = "Change the words or the picture; it was not sent again."


class BadInput(ProviderError):
    """The service does not accept these inputs."""

    hint = "Change the inputs and try again."


class ModelGone(ProviderError):
    """The model was retired or renamed, or this account cannot see it."""

    hint = "Choose another model."


class Transient(ProviderError):
    """It did not work this time, and surely nothing was charged."""

    hint = "Try again in a moment."


class RemoteFailed(ProviderError):
    """The service took the call on and did not finish it."""

    charged: Charged = "unknown"
    hint = "Try again, or choose another model."


class RemoteCancelled(RemoteFailed):
    """The call was cancelled at the service."""


class Uncertain(ProviderError):
    """Nobody knows whether the service took the call on: it is never sent again by itself, and counts as spent."""

    charged: Charged = "unknown"
    hint = "Look at the service's own list of calls, then say here whether it was made."
