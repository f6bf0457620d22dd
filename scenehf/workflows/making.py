"""A job runs like `make`: every step has a key made of all its inputs, and a step that came to something with the same
key is not done again. So resume, retry, edited parameters and an older attempt chosen again are one mechanism.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from jobs.context import Context
from jobs.errors import HostCrashed, Paused, SpendCap, UnitFailed, describe
from jobs.job import OPEN_BILLS, Bill
from jobs.job import Step as Attempt
from jobs.ledger import Caps, dollars
from jobs.paying import Paying
from models.errors import ModelError
from models.requests import Run
from models.spec import title_of
from scenehf.pixels import encode_png, thumbnail
from scenehf.scene import Pixels

Files = dict[str, Path]
Reply = tuple[dict[str, Any], dict[str, bytes]]
Unit = Callable[[dict[str, Any], Files, Run], Reply]

SOURCE, THUMB = "source.png", "thumb.png"  # assets of every job of a photo
THUMBNAIL_SIDE = 360
FINISHED = ("done", "accepted")
STATES: dict[str, Literal["done", "needs_review", "failed"]] = {
    "pass": "done",
    "review": "needs_review",
    "fail": "failed",
}
MIMES = {
    "png": "image/png",
    "webp": "image/webp",
    "jpg": "image/jpeg",
    "mp4": "video/mp4",
    "html": "text/html",
    "zip": "application/zip",
    "tiff": "image/tiff",
    "js": "text/javascript",
    "json": "application/json",
}


def photo_assets(photo: bytes | Path, pixels: Pixels) -> list[tuple[str, bytes | Path, str]]:
    """What every job of a photo keeps: the file as it came, its `pixels` (H, W, 3 uint8) as PNG, and a thumbnail."""
    return [
        ("original", photo, "application/octet-stream"),
        (SOURCE, encode_png(pixels), "image/png"),
        (THUMB, encode_png(thumbnail(pixels, THUMBNAIL_SIDE)), "image/png"),
    ]


@dataclass(frozen=True)
class Task:
    """One unit of work. params and files decide its result; `around` is what it may also look at (the other steps'
    boxes and alphas), a change of which is no reason to do finished work again."""

    key: str
    name: str
    unit: str
    params: dict[str, Any]
    files: Files
    around: tuple[dict[str, Any], Files] = field(default=({}, {}))

    def input_key(self) -> str:
        """A hash of everything that decides the result."""
        # Assets are content-addressed: a file's name is the hash of its bytes.
        inputs = {name: path.name for name, path in self.files.items()}
        text = json.dumps([self.unit, self.params, inputs], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


class Maker:
    """The steps of one run of one job. headless: nobody watches, so doubtful results are flagged and the run goes on.
    here: the unit to be called in this process for a task, or None for the worker process. caps: what a step that is
    done here may spend.

    A step whose paid call is still open, or whose end nobody knows, is `unknown`. The next run goes on with that call
    and never makes another one in its place; a call that is uncertain waits until a person has told what became of it.
    """

    def __init__(
        self,
        context: Context,
        *,
        headless: bool = False,
        here: Callable[[Task], Unit | None] = lambda _: None,
        caps: Caps | None = None,
    ) -> None:
        self._context = context
        self._headless = headless
        self._here = here
        self._caps = caps or Caps()
        self.chosen: dict[str, Attempt] = {
            step.key: step for step in context.store.chosen_steps(context.job.id)
        }

    def do(self, task: Task, position: int, total: int, span: tuple[float, float] | None = None) -> Attempt:
        """Run the task unless an attempt already has this result; raises Paused where a person is to look. span: its
        stretch of the run's progress; even ones without it."""
        attempt = self.attempt(task, position, total, span)
        if attempt.state not in FINISHED and not self._headless:
            raise Paused(_why(attempt))
        self._context.check()
        return attempt

    def attempt(
        self, task: Task, position: int, total: int, span: tuple[float, float] | None = None
    ) -> Attempt:
        """The same, whatever it comes to."""
        key = task.input_key()
        stretch = span or (position / (total + 1), (position + 1) / (total + 1))
        self._take_up(task.key, key)
        attempt = self._made(task.key, key) or self._attempt(task, key, position, stretch)
        self.chosen[task.key] = attempt
        return attempt

    def _take_up(self, step: str, key: str) -> None:
        """Make an `unknown` step one that can go on with the call it left, or pause where that is not possible."""
        chosen = self.chosen.get(step)
        if chosen is None or chosen.state != "unknown":
            return
        store, job_id = self._context.store, self._context.job.id
        for bill in store.bills(job_id, step, OPEN_BILLS):
            if f"/{key}:" not in bill.key:
                raise Paused(
                    f"{chosen.name}: an earlier call to {title_of(bill.provider)} is still open. {_what_is_known(bill)}"
                )
        self.chosen[step] = store.move_step(job_id, step, chosen.attempt, "pending")

    def _made(self, step: str, key: str) -> Attempt | None:
        """An attempt with these inputs that came to something: the chosen one, or an older one, chosen again. So
        undoing an edit of the plan costs nothing."""
        chosen = self.chosen.get(step)
        if chosen is None or _has(chosen, key):
            return chosen
        store, job_id = self._context.store, self._context.job.id
        older = [made for made in store.steps(job_id) if made.key == step and _has(made, key)]
        return store.choose_attempt(job_id, step, older[-1].attempt) if older else None

    def _attempt(self, task: Task, key: str, position: int, span: tuple[float, float]) -> Attempt:
        context = self._context
        part = context.part(*span)
        attempt = context.begin(task.key, position, task.name, task.params, key)
        part.progress(0.0, task.name)
        try:
            data, blobs = self._call(task, part, attempt)
        except (ModelError, UnitFailed, HostCrashed, SpendCap) as error:
            problem = describe(error)
            part.log(f"{task.name}: {problem['message']} {problem['hint']}".strip())
            is_open = context.store.bills(context.job.id, task.key, OPEN_BILLS)
            return context.end(
                task.key, attempt.attempt, "unknown" if is_open else "failed", {}, error=problem
            )
        for check in data.get("checks", []):
            if check["verdict"] != "pass":
                part.log(f"{task.name}: {_sentence(check)}")
        assets = [
            (asset_name(task.key, attempt.attempt, name), blob, _mime(name)) for name, blob in blobs.items()
        ]
        part.progress(1.0, task.name)
        return context.end(task.key, attempt.attempt, STATES[data.get("verdict", "pass")], data, assets)

    def _call(self, task: Task, part: Context, attempt: Attempt) -> Reply:
        params, files = task.params | task.around[0], task.files | task.around[1]
        if (unit := self._here(task)) is not None:
            return unit(params, files, Paying(part, attempt, self._caps))
        answer = part.call(task.unit, params, files)
        return answer.data, dict(answer.blobs)


def asset_name(key: str, attempt: int, name: str) -> str:
    """The name in the store of what one attempt of a step made."""
    return f"{key}/{attempt}/{name}"


def _has(attempt: Attempt, key: str) -> bool:
    return attempt.input_key == key and attempt.state in (*FINISHED, "needs_review")


def _mime(name: str) -> str:
    return MIMES.get(name.rsplit(".", 1)[-1], "application/octet-stream")


def _why(attempt: Attempt) -> str:
    """One sentence for the person: which step, which figure, what to try."""
    if attempt.error:
        return f"{attempt.name}: {attempt.error['message']} {attempt.error.get('hint', '')}".strip()
    bad = [check for check in attempt.result.get("checks", []) if check["verdict"] != "pass"]
    if not bad:
        return f"{attempt.name} waits for you to accept it."
    return f"{attempt.name}: {_sentence(bad[0])}"


def _what_is_known(bill: Bill) -> str:
    """Of a paid call nobody knows the end of, for the person who is to tell."""
    asked = bill.remote.get("handles") or {}
    number = asked.get("id") or asked.get("request_id")
    known = f" Its number there is {number}." if number else ""
    return f"It may cost {dollars(bill.reserved)}.{known} Say what became of it, or run it again as it was."


def _sentence(check: dict[str, Any]) -> str:
    return f"{check['name']} is {check['value']:.3g}, wanted {check['limit']}. {check['advice']}"
