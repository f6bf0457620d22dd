"""The records of the store, and which changes of state are legal."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from jobs.errors import IllegalMove

JobState: TypeAlias = Literal["queued", "running", "needs_review", "succeeded", "failed", "cancelled"]
StepState: TypeAlias = Literal[
    "pending", "running", "done", "needs_review", "accepted", "failed", "cancelled", "unknown"
]
BillState: TypeAlias = Literal[
    "reserved", "submitting", "submitted", "remote_done", "settled", "released", "uncertain"
]

# From a state, to which others. running -> queued: interrupted, or its lease was lost. succeeded -> queued: a
# person sent one of its steps back. queued -> needs_review: paused before it began.
JOB_MOVES: Mapping[str, frozenset[str]] = {
    "queued": frozenset({"running", "needs_review", "cancelled"}),
    "running": frozenset({"succeeded", "failed", "cancelled", "needs_review", "queued"}),
    "needs_review": frozenset({"queued", "cancelled"}),
    "succeeded": frozenset({"queued"}),
    "failed": frozenset({"queued"}),
    "cancelled": frozenset({"queued"}),
}

# To `pending` from a finished state means: once more. It adds an attempt and leaves the finished one as it is.
# unknown: a paid step that a crash caught in the middle; a person tells what became of it.
STEP_MOVES: Mapping[str, frozenset[str]] = {
    "pending": frozenset({"running"}),
    "running": frozenset({"done", "needs_review", "failed", "cancelled", "pending", "unknown"}),
    "done": frozenset({"accepted", "pending"}),
    "needs_review": frozenset({"accepted", "pending"}),
    "accepted": frozenset({"pending"}),
    "failed": frozenset({"pending"}),
    "cancelled": frozenset({"pending"}),
    "unknown": frozenset({"pending", "failed"}),
}

# released: provably unpaid. uncertain: the call may have been accepted; it is looked up, or a person tells. The
# database refuses every other move too (schema.sql).
BILL_MOVES: Mapping[str, frozenset[str]] = {
    "reserved": frozenset({"submitting", "released"}),
    "submitting": frozenset({"submitted", "released", "uncertain"}),
    "submitted": frozenset({"remote_done"}),
    "remote_done": frozenset({"settled"}),
    "uncertain": frozenset({"settled", "released"}),
}

# Promised or out, and not over. What is uncertain stays open until somebody tells.
OPEN_BILLS: tuple[BillState, ...] = ("reserved", "submitting", "submitted", "remote_done", "uncertain")

FINISHED: frozenset[str] = frozenset({"succeeded", "failed", "cancelled"})


def check_move(moves: Mapping[str, frozenset[str]], subject: str, old: str, new: str) -> None:
    """Raise IllegalMove unless `moves` allows old -> new."""
    if new not in moves.get(old, frozenset()):
        raise IllegalMove(f"{subject} is {old} and cannot become {new}.")


@dataclass(frozen=True)
class Job:
    """One job. Times are seconds since 1970; `attempt` counts its runs and is the fence of the current one."""

    id: str
    kind: str
    state: JobState
    title: str
    params: dict[str, Any]
    created: float
    updated: float
    cancel_requested: bool
    attempt: int
    owner: str | None
    error: dict[str, Any] | None
    pause_requested: bool = False

    @property
    def finished(self) -> bool:
        """No runner and no person is expected to act on it any more."""
        return self.state in FINISHED


@dataclass(frozen=True)
class Step:
    """One attempt at one step. `chosen`: it counts; `input_key`: a hash of what its result depends on."""

    job_id: str
    key: str
    attempt: int
    position: int
    name: str
    state: StepState
    chosen: bool
    params: dict[str, Any]
    input_key: str
    result: dict[str, Any]
    error: dict[str, Any] | None
    started: float | None
    ended: float | None


@dataclass(frozen=True)
class Bill:
    """One paid call. reserved: its upper bound, settled: what it cost, in millionths of a US dollar.

    key: names the step's inputs and which of its calls this is.
    remote: what is known of it, JSON: what was asked, the provider's ids, its results. `kept` in it says that the
    results are assets of the job.
    """

    id: str
    job_id: str
    step_key: str
    attempt: int
    key: str
    provider: str
    state: BillState
    reserved: int
    settled: int | None
    remote: dict[str, Any]
    created: float
    updated: float

    @property
    def counted(self) -> int:
        """What the caps count."""
        if self.state == "released":
            return 0
        return self.reserved if self.settled is None else self.settled

    @property
    def resumable(self) -> bool:
        """Whether asking the same again is to go on with this call and not to pay for another one."""
        return self.state not in ("settled", "released") or bool(self.remote.get("kept"))


@dataclass(frozen=True)
class Event:
    """One line of the append-only log; `seq` grows over all jobs and is the cursor of every follower."""

    seq: int
    job_id: str
    time: float
    type: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Asset:
    """A named file of a job; the name is data, never a path. `bytes`: its length."""

    job_id: str
    name: str
    sha256: str
    bytes: int
    mime: str


@dataclass(frozen=True)
class Finding:
    """One thing that `verify` found wrong. kind: database | reference | asset-missing | asset-damaged | stray."""

    kind: str
    subject: str
    message: str
