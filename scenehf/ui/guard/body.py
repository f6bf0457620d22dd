"""What a caller wrote, read once, judged, and passed on exactly as it was judged.

A file is named by what an upload answered and by nothing else: Gradio opens any picture on the disk for a caller who
leaves one field out. A job of another visitor is, to this one, no job: its id is replaced by one that nobody has, so
that a function answers as for any id that does not exist, whatever the function is.
"""

import json
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NoReturn

from starlette.types import Message, Receive

from scenehf.ui.guard.refusal import Refused

MOST = 4 << 20  # bytes of one call; pictures come as uploads
DEEPEST = 64  # containers in one another
FILE = {"_type": "gradio.FileData"}
FILE_FIELDS = {"path", "url"}
JOB = re.compile(r"[0-9a-f]{28}")
NOBODYS_JOB = "0" * 28
LONGEST_PATH = 4096

Json = dict[str, Any]
Mine = Callable[[str], bool]  # whether an upload at this path is the caller's


async def whole(receive: Receive) -> bytes:
    """The body of the request; Refused if it is too long."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Refused(400, "The request ended before it was whole.")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MOST:
            raise Refused(413, "That is too long for one call. Send pictures as uploads.")
    return body


def again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that hands on this body, then what else comes."""
    waiting = [body]

    async def received() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return received


def parsed(body: bytes) -> Json:
    """The body as a JSON object; Refused if it is anything else."""
    try:
        found = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused(400, "Send JSON.") from None
    if not isinstance(found, dict):
        raise Refused(400, "Send a JSON object.")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class Judge:
    """Goes through what one visitor sends. uploads: the folder of uploaded files; mine: which of them are theirs, None
    where there is one person only. opened: Gradio opens the files that are named, before any function of ours sees
    them. jobs: the ids that were found."""

    def __init__(self, uploads: Path, mine: Mine | None, *, opened: bool = True) -> None:
        self._uploads = uploads.resolve()
        self._mine = mine
        self._opened = opened
        self.jobs: set[str] = set()

    def files(self, value: Any, depth: int = 0) -> Any:
        """`value` without any file that is not an upload of theirs, and the ids of jobs in it noted. Refused where a
        file is asked for that is not one."""
        if depth > DEEPEST:
            raise Refused(400, "That is nested too deep.")
        if isinstance(value, dict):
            if self._opened and FILE_FIELDS & value.keys():
                value = self._file(value)
            return {self.files(name): self.files(part, depth + 1) for name, part in value.items()}
        if isinstance(value, list):
            return [self.files(part, depth + 1) for part in value]
        if isinstance(value, str):
            if JOB.fullmatch(value):
                self.jobs.add(value)
            elif self._mine is not None and self._is_upload(value) and not self._mine(value):
                return ""
        return value

    def _file(self, value: Json) -> Json:
        """A file as Gradio's clients name one, and never by an address that would be fetched."""
        path = value.get("path")
        known = value.get("meta") == FILE and isinstance(path, str) and self._is_upload(path)
        if not known or (self._mine is not None and not self._mine(str(path))):
            raise Refused(403, "Only a file that you uploaded here can be used. Upload it first.")
        return value | {"url": None}

    def _is_upload(self, path: str) -> bool:
        """Whether this names a file in the folder of uploads, by whatever way."""
        if not path or len(path) > LONGEST_PATH or "\0" in path:
            return False
        try:
            return Path(path).resolve().is_relative_to(self._uploads)
        except (OSError, RuntimeError, ValueError):  # loops of links, names too long, lone surrogates
            return False


def without(value: Any, jobs: Collection[str]) -> Any:
    """`value` with the ids of these jobs made into one that nobody has."""
    if isinstance(value, dict):
        return {without(name, jobs): without(part, jobs) for name, part in value.items()}
    if isinstance(value, list):
        return [without(part, jobs) for part in value]
    return NOBODYS_JOB if isinstance(value, str) and value in jobs else value
