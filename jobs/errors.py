"""What can go wrong with stored work, each kind with a `hint`: the one thing to do next.

`Cancelled`, `Paused` and `Interrupted` are no errors. They end a running job on purpose and derive from
BaseException, so that no `except Exception` in between can swallow them.
"""


class JobsError(Exception):
    """Base of every failure on this floor. `message` is what happened, `hint` is a sentence that names the cure."""

    hint = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if hint is not None:
            self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class StoreError(JobsError):
    """Base of every failure of the store."""

    hint = "Try again; if it fails again, run `./launch.sh jobs verify`."


class StoreFull(StoreError):
    """The disk has no room; nothing that was acknowledged is lost."""

    hint = "Free some space, for example with `./launch.sh jobs clean --hours 24`."


class StoreBusy(StoreError):
    """Another process held the database for longer than the time we wait."""

    hint = "Try again in a moment."


class StoreTooNew(StoreError):
    """A newer version of the program wrote this store; it was not touched."""

    hint = "Update the program, or choose another folder with --data."


class StoreDamaged(StoreError):
    """The database or an asset is not what was written."""

    hint = "Run `./launch.sh jobs verify` to see what is affected."


class NoSuchJob(StoreError):
    """No job has this id."""

    hint = "Run `./launch.sh jobs list` to see the ids."


class NoSuchAsset(StoreError):
    """The job has no asset of this name."""

    hint = "It may have been replaced or cleaned; reload the job."


class NoSuchStep(StoreError):
    """The job has no step of this key and attempt."""

    hint = "Reload the job to see its steps."


class NoSuchBill(StoreError):
    """The ledger knows no paid call of this id."""

    hint = "Reload the job to see its paid calls."


class SpendCap(JobsError):
    """A call that could pass a limit on spending; nothing was sent and nothing was spent."""

    hint = "Raise the limit in the settings, or wait until it starts anew."


class IllegalMove(StoreError):
    """The tables of `jobs.job` do not allow this change of state now; nothing changed."""

    hint = "Reload the job to see where it stands."


class LostLease(StoreError):
    """Another runner owns the job by now; what this one tried to write was refused."""

    hint = "Nothing needs to be done: the other runner goes on."


class BadBundle(StoreError):
    """A bundle that was refused; nothing was imported."""

    hint = "Export the job again and import that file."


class HostCrashed(JobsError):
    """The process that does the heavy work died in the middle of it. signal: its name, or None if it exited."""

    hint = "Run it again; if it crashes again, use a smaller picture."

    def __init__(self, message: str, *, signal: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.signal = signal


class UnitFailed(JobsError):
    """A unit of work raised in the host process. kind: the name of the exception's class there."""

    def __init__(self, kind: str, message: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind


class Cancelled(BaseException):
    """The person cancelled the job."""


class Paused(BaseException):
    """The job stops here and waits for a person (needs_review); the argument says why."""


class Interrupted(BaseException):
    """The runner stops; the job goes back to the queue and resumes at the next start."""


def describe(error: Exception) -> dict[str, str]:
    """An exception as a job or step keeps it: kind, message and hint, and of a paid call whether it was charged and by
    which id its service finds it. The traceback belongs into the log file."""
    kind = error.kind if isinstance(error, UnitFailed) else type(error).__name__
    message = str(error.args[0]) if error.args else str(error)
    told = {"kind": kind, "message": message or kind, "hint": str(getattr(error, "hint", ""))}
    paid = {name: str(getattr(error, name, "")) for name in ("charged", "request_id")}
    return told | {name: value for name, value in paid.items() if value}
