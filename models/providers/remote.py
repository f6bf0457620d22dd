"""The law of money, as one function: reserve -> upload -> submit once -> remember -> poll -> fetch -> settle.

Every arrow is durable before the next begins, so whatever is interrupted goes on from where it stood: the ledger
hands an open bill back to whoever asks for the same again. Uploads, polls and downloads are free and tried again;
the one paid POST is tried again only when it was provably turned away.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, TypeVar

from models.errors import (
    ProviderError,
    RateLimited,
    RemoteFailed,
    Transient,
    Uncertain,
)
from models.providers.fetch import mime
from models.redact import hidden, redacted
from models.requests import Bill, Payer, Run
from models.spec import title_of

ATTEMPTS = 3
LOOKS = 8  # attempts at a poll or a download: they are free, and the result is paid for
PAUSE = 0.5  # seconds before the second attempt; doubles
LONGEST_PAUSE = 60.0  # seconds; a service that names more is not waited for
POLL_FIRST, POLL_SLOWEST = 0.5, 5.0  # seconds between two looks
PATIENCE = 1800.0  # seconds until a call that is still running is left for a later run
CANCEL_LOOKS = 4
WRITTEN_OFF = "It counts as spent. Try again when you like."
TICK = 0.1  # seconds between two looks at the cancel flag

Answer = TypeVar("Answer")
Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Order:
    """One paid call. call: tells it from the step's other ones. inputs: as the model wants them; files: pictures
    (PNG bytes, or a list of them) that the provider puts in the place of their name. microusd: upper bound of it all;
    each: price of one result, for services that name no cost. cheap: an answer that is lost is written off at the upper
    bound, instead of asking the person what became of it.
    """

    model: str
    inputs: Json
    files: Mapping[str, bytes | list[bytes]] = field(default_factory=dict)
    microusd: int = 0
    each: int | None = None
    call: str = "1"
    cheap: bool = False


@dataclass(frozen=True)
class Waiting:
    """Not finished yet. message: for people."""

    message: str = ""


@dataclass(frozen=True)
class Done:
    """Finished. urls: where the results lie; or blobs: the results, if the answer held them. microusd: what it cost,
    None if the service does not say. basis: what that is made of."""

    urls: tuple[str, ...] = ()
    blobs: tuple[bytes, ...] = ()
    microusd: int | None = None
    basis: str = "estimate"


@dataclass(frozen=True)
class Failed:
    """Finished without a result; error.charged says whether it was paid."""

    error: ProviderError


Status: TypeAlias = Waiting | Done | Failed


class Provider(Protocol):
    """A service. Every method raises a `ProviderError` of its own or of the guard. `submit` and `poll` answer about
    handles: all that is needed to find the call again, as JSON."""

    name: str

    def upload(self, order: Order) -> Json:
        """The call's inputs as they go over the wire. Free, may be repeated."""

    def submit(self, order: Order, wire: Json) -> tuple[Json, Status]:
        """The one paid POST; the handles, and how far it has come."""

    def poll(self, handles: Json) -> Status:
        """How far a call has come. Free."""

    def find(self, asked: Json) -> Json | None:
        """The handles of a call whose answer was lost, by what was asked; None if that cannot be known."""

    def cancel(self, handles: Json) -> None:
        """Ask the service to stop."""

    def fetch(self, url: str) -> bytes:
        """A result."""


def drive(provider: Provider, order: Order, run: Run) -> list[bytes]:
    """The results of one paid call, whatever an earlier run of it left behind. Raises `ProviderError`; after that the
    ledger says what it cost. A cancel reaches the service; an interruption leaves the call to the next run."""
    if not isinstance(run, Payer):
        raise TypeError("a paid call needs a run that keeps a ledger")
    bill = run.reserve(order.call, provider.name, order.microusd)
    if bill.state == "settled":
        return run.kept(bill.id)
    try:
        return _drive(provider, order, bill, run)
    except Uncertain as error:
        if order.cheap:
            run.move(bill.id, "settled", remote={"error": _words(error)})
            error.hint = WRITTEN_OFF
        raise


def _drive(provider: Provider, order: Order, bill: Bill, run: Payer) -> list[bytes]:
    """From wherever the bill stands to its results."""
    if bill.state == "reserved":
        bill = _send(provider, order, bill, run)
    elif bill.state in ("submitting", "submitted") and run.kept(bill.id):  # the answer held the results
        bill = run.move(bill.id, "submitted", remote={"handles": {}}) if bill.state == "submitting" else bill
        bill = run.move(bill.id, "remote_done", remote={"urls": [], "cost": None})
    elif bill.state in ("submitting", "uncertain") and "handles" not in bill.remote:
        bill = _look_up(provider, bill, run)
    if bill.state in ("submitted", "uncertain"):
        bill = _wait(provider, order, bill, run)
    return _collect(provider, bill, run)


def _send(provider: Provider, order: Order, bill: Bill, run: Payer) -> Bill:
    """From `reserved` to `submitted`, or as far as an answer that holds the results goes."""
    try:
        run.log(f"Sending to {title_of(provider.name)}")
        wire = patiently(lambda: provider.upload(order), run)
        run.check()
    except BaseException as error:
        run.move(bill.id, "released", remote={"error": _words(error)})
        raise
    asked = {"model": order.model, "input": brief(wire), "at": time.time()}
    bill = run.move(bill.id, "submitting", remote={"asked": asked})
    door = _Door(provider, order, wire)
    try:
        handles, status = patiently(door.knock, run)
    except Uncertain as error:
        run.note(bill.id, {"error": _words(error)})
        return _look_up(provider, bill, run, error)
    except BaseException as error:
        if not door.is_open:  # turned away, or stopped while waiting to be let in: nothing is out
            run.move(bill.id, "released", remote={"error": _words(error)})
        raise
    if isinstance(status, Done) and status.blobs:  # so that they are not lost, whatever happens now
        _keep(bill, status.blobs, run)
    bill = run.move(bill.id, "submitted", remote={"handles": _told(handles)})
    return bill if isinstance(status, Waiting) else _finish(order, bill, status, run)


class _Door:
    """Where the paid POST goes out. is_open: one is out, or may be."""

    def __init__(self, provider: Provider, order: Order, wire: Json) -> None:
        self._provider, self._order, self._wire = provider, order, wire
        self.is_open = False

    def knock(self) -> tuple[Json, Status]:
        """Submit. Whatever an SDK makes of the answer: unless the call was surely turned away, nobody knows."""
        name = self._provider.name
        self.is_open = True
        try:
            return self._provider.submit(self._order, self._wire)
        except Exception as error:  # the boundary of a paid submit: SDKs raise what their parsers raise
            ours = provider_error(error)
            if ours is not None and ours.charged == "no":
                self.is_open = False
                raise ours from error
            if isinstance(ours, Uncertain):
                raise ours from error
            told = (
                str(ours.args[0])
                if ours
                else f"{title_of(name)} sent an unreadable answer ({type(error).__name__})."
            )
            raise Uncertain(told, provider=name, status=ours.status if ours else None) from error


def provider_error(error: BaseException) -> ProviderError | None:
    """Our own error in what an SDK made of it: openai wraps everything that a transport raises."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, ProviderError):
        seen = seen.__cause__ or seen.__context__
    return seen


def _look_up(provider: Provider, bill: Bill, run: Payer, error: Uncertain | None = None) -> Bill:
    """The call whose answer was lost, if the service can say; else it is uncertain and stays so."""
    try:
        handles = patiently(lambda: provider.find(bill.remote["asked"]), run)
    except ProviderError:
        handles = None
    if handles is not None:
        run.log(f"{title_of(provider.name)} has the call whose answer was lost; going on with it")
        if bill.state == "uncertain":
            return run.note(bill.id, {"handles": _told(handles)})
        return run.move(bill.id, "submitted", remote={"handles": _told(handles)})
    if bill.state == "submitting":
        run.move(bill.id, "uncertain")
    raise error or Uncertain(
        f"A call to {title_of(provider.name)} was interrupted, and nobody knows whether it was taken on.",
        provider=provider.name,
    )


def _wait(provider: Provider, order: Order, bill: Bill, run: Payer) -> Bill:
    """Poll until it is finished."""
    handles, pause, until = bill.remote["handles"], POLL_FIRST, time.monotonic() + PATIENCE
    try:
        while isinstance(status := patiently(lambda: provider.poll(handles), run, LOOKS), Waiting):
            if time.monotonic() > until:
                told = f"{title_of(provider.name)} still works on it."
                raise Transient(
                    told, provider=provider.name, charged="unknown", hint="Run it again to go on."
                )
            if status.message:
                run.progress(0.5, status.message)
            _sleep(pause, run)
            pause = min(pause * 1.5, POLL_SLOWEST)
    except BaseException as stop:
        if not isinstance(stop, Exception) and run.cancelled():
            _cancel(provider, order, bill, run)
        raise
    return _finish(order, bill, status, run)


def _finish(order: Order, bill: Bill, status: Done | Failed, run: Payer) -> Bill:
    """Write down what came of a call. A failed one is over here."""
    if isinstance(status, Failed):
        error = status.error
        paid = 0 if error.charged == "no" else bill.reserved
        _settle(bill, run, {"error": _words(error), "charged": error.charged}, paid)
        raise error
    cost, basis = status.microusd, status.basis
    if cost is None and order.each is not None:
        cost, basis = order.each * (len(status.urls) or len(status.blobs)), "results"
    result = _told({"urls": list(status.urls), "cost": cost, "basis": basis})
    if bill.state == "uncertain":
        return run.note(bill.id, result)
    return run.move(bill.id, "remote_done", remote=result)


def _collect(provider: Provider, bill: Bill, run: Payer) -> list[bytes]:
    """Fetch the results, put them on the disk, settle the bill."""
    known = bill.remote
    results = run.kept(bill.id)
    if not results:
        run.progress(0.9, "Fetching the result")
        try:
            results = [_fetched(provider, url, run) for url in known["urls"]]
        except RemoteFailed as error:
            _settle(bill, run, {"error": _words(error), "charged": "yes"}, known["cost"])
            raise
        _keep(bill, results, run)
    _settle(bill, run, {"kept": len(results)}, known["cost"])
    return results


def _fetched(provider: Provider, url: str, run: Run) -> bytes:
    """One result. What is said to be gone is asked for again too: a result may be announced before it is there."""

    def once() -> bytes:
        try:
            return provider.fetch(url)
        except RemoteFailed as error:
            if error.status is None:
                raise
            raise Transient(str(error.args[0]), status=error.status) from error

    try:
        return patiently(once, run, LOOKS)
    except Transient as error:
        if isinstance(error.__cause__, RemoteFailed):
            raise error.__cause__ from None
        raise


def _keep(bill: Bill, results: "list[bytes] | tuple[bytes, ...]", run: Payer) -> None:
    run.keep(bill.id, [(data, mime(data)) for data in results])


def _settle(bill: Bill, run: Payer, remote: Json, microusd: int | None) -> None:
    if bill.state == "submitted":
        run.move(bill.id, "remote_done")
    run.move(bill.id, "settled", remote=remote, microusd=microusd)


def _cancel(provider: Provider, order: Order, bill: Bill, run: Payer) -> None:
    """Stop the call at the service and write down what came of it; what cannot be learnt now is left open, and counts
    with its upper bound."""
    try:
        provider.cancel(bill.remote["handles"])
        for _ in range(CANCEL_LOOKS):
            status = provider.poll(bill.remote["handles"])
            if not isinstance(status, Waiting):
                _finish(order, bill, status, run)
                return
            time.sleep(POLL_FIRST)
    except ProviderError as error:
        run.note(bill.id, {"cancel": _words(error)})


def patiently(act: Callable[[], Answer], run: Run, attempts: int = ATTEMPTS) -> Answer:
    """Do something free, again if the service was busy or did not answer, as long as it names a sane time to wait."""
    pause = PAUSE
    for left in reversed(range(attempts)):
        try:
            return act()
        except (RateLimited, Transient) as error:
            wait = pause if error.retry_after is None else error.retry_after
            if not left or wait > LONGEST_PAUSE:
                raise
            run.log(f"{error.args[0]} Trying again in {wait:.0f} s.")
            _sleep(wait, run)
            pause *= 2
    raise AssertionError("unreachable: the last attempt returns or raises")


def brief(value: Any) -> Any:
    """A request's inputs as the ledger remembers them: data and bytes by their hash, so that it stays small and
    holds no picture."""
    if isinstance(value, dict):
        return {key: brief(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [brief(each) for each in value]
    if isinstance(value, bytes) or (isinstance(value, str) and value.startswith("data:")):
        data = value if isinstance(value, bytes) else value.encode()
        return f"sha256:{hashlib.sha256(data).hexdigest()}"
    return value


def _told(answer: Json) -> Json:
    """What a service answered, as the ledger keeps it: should it hold our key, it does not."""
    told: Json = json.loads(hidden(json.dumps(answer)))
    return told


def json_of(body: bytes) -> Any:
    """A body as JSON, or {} where it is none."""
    try:
        return json.loads(body)
    except ValueError:
        return {}


def seconds_in(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds; None where it is missing or a date."""
    text = headers.get("retry-after", "").strip()
    return float(text) if text.isdigit() else None


def _words(error: BaseException) -> str:
    return redacted(f"{type(error).__name__}: {error.args[0] if error.args else ''}")


def _sleep(seconds: float, run: Run) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        run.check()
        time.sleep(min(TICK, left))
