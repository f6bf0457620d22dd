"""A program that makes paid calls on a loopback server, is killed, starts again, and says what it found.

Each run is a forked child, so that a kill is a real one and the SDKs are loaded once. The parent never opens the store.
"""

import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from jobs.context import Context
from jobs.errors import Cancelled
from jobs.ledger import Caps
from jobs.paying import Paying
from jobs.store import Store
from models.errors import ProviderError, Transient, Uncertain
from models.providers import fal, fetch, google, openai, remote, replicate
from models.providers.guard import Guard
from models.providers.remote import Order, Provider, drive
from tests.models.providers.loopback import KINDS, SLOW, Fault, Loopback, Service
from tests.models.providers.services import (
    CANARY,
    RESULT,
    FalService,
    GoogleService,
    OpenAIService,
    ReplicateService,
    png,
)

KEY = SecretStr(CANARY)
CAP = 100_000  # millionths of a dollar
KILLS = ("", "before_post", "after_post", "after_store", "before_download", "after_keep")
WORST = (
    "submit-429-before", "submit-500-after", "submit-reset-after", "submit-malformed-after", "poll-reset-after",
    "fetch-truncate-after",
)  # fmt: skip
LEAST = ("submit-reset-after", "submit-malformed-after")  # what tells most about a paid POST
EVERYDAY = {"replicate": WORST}
IMAGE_CONFIG = {"response_modalities": ["TEXT", "IMAGE"]}


@dataclass
class Kind:
    """One provider: how to make it, what to order, where its submit, poll and fetch go."""

    service: Callable[[], Service]
    make: Callable[[str], Provider]
    order: Order
    submit: str
    poll: str = ""
    fetch: str = ""


KINDS_OF = {
    "replicate": Kind(
        ReplicateService,
        lambda url: replicate.Replicate(KEY, base_url=url),
        Order("qwen/qwen-image-edit", {"prompt": "x"}, {"image": png()}, 30_000, 10_000),
        r"/models/.*/predictions$",
        r"/predictions/\w+$",
        "/delivery/",
    ),
    "fal": Kind(
        FalService,
        lambda url: fal.Fal(KEY, base_url=f"{url}/queue/", units={"fal-ai/birefnet/v2": 20_000}),
        Order("fal-ai/birefnet/v2", {}, {"image_url": png()}, 30_000),
        "/birefnet/v2$",
        "/status$",
        "/cdn/",
    ),
    "google": Kind(
        GoogleService,
        lambda url: google.Google(KEY, base_url=url),
        Order("gemini-nano-banana-2.1", {"prompt": "x", "config": IMAGE_CONFIG}, {"images": png()}, 50_000),
        ":generateContent$",
    ),
    "openai": Kind(
        lambda: OpenAIService(lambda _: json.dumps({"a": 1})),
        lambda url: openai.OpenAI(KEY, base_url=f"{url}/v1"),
        Order("gpt-6-luna", {"prompt": "x", "system": "y", "schema": {"type": "object"}}, {}, 10_000),
        "/chat/completions$",
    ),
}


def hurry() -> None:
    """Seconds instead of minutes: nothing but the waiting is shorter."""
    remote.PAUSE, remote.POLL_FIRST, remote.POLL_SLOWEST = 0.01, 0.01, 0.02
    replicate.SUBMIT = fal.SUBMIT = google.SECONDS = openai.SECONDS = SLOW / 2
    replicate.LOOK = fal.LOOK = fetch.SECONDS = replicate.UPLOAD = SLOW / 2
    fetch.fetch.__kwdefaults__["seconds"] = SLOW / 2


class Killed(Paying):
    """Kills its process at one moment."""

    def __init__(self, whole: Context, step: Any, caps: Caps, kill: str) -> None:
        super().__init__(whole, step, caps)
        self._kill = kill

    def move(self, bill_id: str, state: Any, **told: Any) -> Any:
        if (self._kill, state) == ("after_post", "submitted"):
            os.kill(os.getpid(), signal.SIGKILL)
        bill = super().move(bill_id, state, **told)
        moments = {"before_post": "submitting", "after_store": "submitted", "before_download": "remote_done"}
        if moments.get(self._kill) == state:
            os.kill(os.getpid(), signal.SIGKILL)
        return bill

    def keep(self, bill_id: str, results: Any) -> None:
        if self._kill == "after_post":
            os.kill(os.getpid(), signal.SIGKILL)
        super().keep(bill_id, results)
        if self._kill == "after_keep":
            os.kill(os.getpid(), signal.SIGKILL)


def attempt(
    root: Path, provider: Provider, order: Order, kill: str = "", cancel: bool = False
) -> dict[str, Any]:
    """One run of the one job of a store, as the program would make it at its start; what it came to."""
    with Store(root, free_min=0, ballast=0) as store:
        store.recover(everything=True)
        if not store.list_jobs():
            store.create_job("edit", {})
        job = store.claim("me") or store.claim("me")
        if job is None:
            store.requeue(store.list_jobs()[0].id)
            job = store.claim("me")
        assert job is not None
        for step in store.chosen_steps(job.id):
            if step.state == "unknown":
                store.move_step(job.id, step.key, step.attempt, "pending")
        step = store.begin_step(job.id, job.attempt, "s1", 1, "cup", {}, "input")
        payer = Killed(Context(store, job), step, Caps(day=CAP), kill)
        if cancel:
            store.request_cancel(job.id)
        results: list[bytes] = []
        error = ""
        try:
            results = drive(provider, order, payer)
            store.end_step(job.id, job.attempt, "s1", step.attempt, "done", {})
        except (ProviderError, Cancelled) as raised:
            error = type(raised).__name__
            open_ = store.bills(job.id, states=("submitting", "submitted", "remote_done", "uncertain"))
            store.end_step(job.id, job.attempt, "s1", step.attempt, "unknown" if open_ else "failed", {})
        store.finish_job(job.id, job.attempt, "needs_review")
        bills = [asdict(bill) for bill in store.bills()]
        events = [event.data for event in store.events(job.id)]
        return {
            "results": [one == RESULT or len(one) for one in results], "error": error, "bills": bills,
            "spent": store.spent().day, "events": events,
        }  # fmt: skip


def forked(act: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """What `act` says in a process of its own; None if it was killed."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, json.dumps(act()).encode())
        except BaseException:  # noqa: BLE001 -- told to the parent
            os.write(write, json.dumps({"broken": traceback.format_exc()}).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    return None if os.WIFSIGNALED(status) else json.loads(said)


def faults(kind: Kind) -> Iterator[tuple[str, Fault | None]]:
    """Every fault that the kind's protocol has a place for. A 429 is given at the door only: it says "not accepted"."""
    yield "none", None
    for name, path in (("submit", kind.submit), ("poll", kind.poll), ("fetch", kind.fetch)):
        for fault in KINDS if path else ():
            for when in ("before", "after"):
                if (fault, when) != ("429", "after") and (name == "submit" or when == "after"):
                    method = "POST" if name == "submit" else "GET"
                    yield f"{name}-{fault}-{when}", Fault(method, path, fault, when)


def case(name: str, label: str, fault: Fault | None, kill: str) -> dict[str, Any]:
    """One click on a fresh store: a run with this fault and kill, and a second run as after a restart."""
    kind = KINDS_OF[name]
    server = Loopback(kind.service())
    root = Path(tempfile.mkdtemp())
    try:
        if fault:
            server.faults.append(fault)
        provider = kind.make(server.url)  # before the forks: it has sent nothing yet
        first = forked(lambda: attempt(root, provider, kind.order, kill))
        last = first if first and not first.get("error") else None
        if last is None:
            last = forked(lambda: attempt(root, provider, kind.order))
        assert last is not None
        return {
            "case": f"{name} {label} {kill or 'no kill'}", "killed": first is None, "jobs": server.service.jobs,
            "first": first and first.get("error"), **last,
        }  # fmt: skip
    finally:
        server.close()


def wrong(found: dict[str, Any], name: str) -> str:
    """Which law a case broke, "" if none."""
    if "broken" in found:
        return str(found["broken"])
    bills = found["bills"]
    uncertain = [bill for bill in bills if bill["state"] == "uncertain"]
    if found["spent"] > CAP:
        return "over the cap"
    if found["jobs"] > 1 + sum(bill["state"] == "released" for bill in bills):
        return f"{found['jobs']} remote jobs"
    paid = [bill for bill in bills if bill["state"] not in ("released", "reserved")]
    if len(paid) > 1 or found["jobs"] > len(paid):
        return f"{found['jobs']} remote jobs, {len(paid)} in the ledger"
    if found["jobs"] and not found["results"] and not uncertain:
        return "a paid result was lost"
    if uncertain and name == "replicate" and found["jobs"]:
        return "replicate can look it up"
    if CANARY in json.dumps(found):
        return "the key got out"
    return ""


def warm(kind: Kind) -> None:
    """Load all that a call takes, once and not in every fork: SDKs load much of it when they first send."""
    server = Loopback(kind.service())
    provider = kind.make(server.url)
    provider.submit(kind.order, provider.upload(kind.order))
    server.close()


def resending() -> None:
    """The mutant: what is uncertain is taken for turned away, and tried again by ourselves."""
    real = remote._Door.knock

    def knock(door: Any) -> Any:
        try:
            return real(door)
        except Uncertain as error:
            raise Transient("so what", provider=error.provider) from error

    remote._Door.knock = knock  # type: ignore[method-assign]


def blind() -> None:
    """The mutant: the transport lets everything through, so that SDKs send again as they do by themselves."""

    def through(guard: Guard, request: Any) -> Any:
        return guard._inner.handle_request(request)

    Guard.handle_request = through  # type: ignore[method-assign]


MUTANTS = {"blind": blind, "resending": resending}


def main() -> int:
    """`python -m tests.models.providers.paid NAME [faults | all | blind | resending]`: a few faults and every kill of
    one provider, every fault and every kill, all products of both, or a mutant."""
    name, how = sys.argv[1], "".join(sys.argv[2:])
    mutant = MUTANTS.get(how)
    brief = EVERYDAY.get(name, LEAST) if not how else LEAST if mutant else None
    if mutant:
        mutant()
    kind = KINDS_OF[name]
    warm(kind)  # at leisure: on a busy machine an SDK takes seconds to load
    hurry()
    for (label, fault), kill in product(faults(kind), KILLS):
        if ((fault or mutant) and kill and how != "all") or (brief and fault and label not in brief):
            continue
        copy = fault and Fault(fault.method, fault.path, fault.kind, fault.when)
        found = case(name, label, copy, kill)
        found["wrong"] = wrong(found, name)
        states = [bill["state"] for bill in found.get("bills", [])]
        told = {
            key: found.get(key) for key in ("case", "wrong", "jobs", "error", "first", "killed", "results")
        }
        print(json.dumps(told | {"states": states}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
