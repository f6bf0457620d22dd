"""The keys that visitors entered: in this process's memory alone, under a random name that their browser holds in a
cookie, forgotten when nobody used them for an hour.

A job remembers in memory whose it is, so it is done with the keys of whoever made it. After a restart they are gone,
and its next paid step says which key it needs. The owner's own keys come from the settings; where strangers reach the
app, they are never used for them.
"""

import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pydantic import SecretStr

from models.spec import Access, Where
from scenehf.settings import Settings

IDLE = 3600.0  # seconds
MOST_SESSIONS = 1000  # a flood of visitors pushes the idlest out
MOST_KEY = 4096  # characters
SERVICES: tuple[Where, ...] = ("google", "fal", "openai", "replicate")


@dataclass
class _Session:
    used: float
    keys: dict[Where, SecretStr] = field(default_factory=dict)
    jobs: set[str] = field(default_factory=set)


class Keyring:
    """Safe for many threads. idle: seconds after which a session is forgotten."""

    def __init__(self, idle: float = IDLE) -> None:
        self._idle = idle
        self._turn = threading.Lock()
        self._sessions: dict[str, _Session] = {}

    def new_session(self) -> str:
        """A name nobody can guess, for a cookie."""
        return secrets.token_urlsafe(32)

    def put(self, session: str, service: Where, key: str) -> None:
        """Keep a key for this session; an empty one forgets it. ValueError for what cannot be one."""
        key = key.strip()
        if service not in SERVICES or len(key) > MOST_KEY or not key.isprintable():
            raise ValueError("that is no key")
        with self._turn:
            kept = self._session(session)
            if key:
                kept.keys[service] = SecretStr(key)  # made known to `redact` by whoever sends it
            else:
                kept.keys.pop(service, None)

    def entered(self, session: str) -> tuple[Where, ...]:
        """For which services this session has keys; never the keys."""
        with self._turn:
            self._forget()
            return tuple(self._sessions[session].keys) if session in self._sessions else ()

    def bind(self, job_id: str, session: str) -> None:
        """From now on the job is done with this session's keys, if it has any."""
        with self._turn:
            self._forget()
            if session not in self._sessions:
                return
            for other in self._sessions.values():
                other.jobs.discard(job_id)
            self._session(session).jobs.add(job_id)

    def access(self, job_id: str, settings: Settings) -> Access:
        """How this job reaches services: with its session's keys, and where there are none with the owner's, unless
        strangers can reach the app."""
        with self._turn:
            self._forget()
            found = next((one for one in self._sessions.values() if job_id in one.jobs), None)
            if found is not None:
                found.used = time.monotonic()
            keys: Mapping[Where, SecretStr] = dict(found.keys) if found else {}
        return _merged(settings, keys)

    def reach(self, session: str, settings: Settings) -> Access:
        """How jobs that this session makes would reach services."""
        with self._turn:
            self._forget()
            keys = dict(self._sessions[session].keys) if session in self._sessions else {}
        return _merged(settings, keys)

    def _session(self, session: str) -> _Session:
        self._forget()
        if session not in self._sessions and len(self._sessions) >= MOST_SESSIONS:
            del self._sessions[min(self._sessions, key=lambda name: self._sessions[name].used)]
        kept = self._sessions.setdefault(session, _Session(time.monotonic()))
        kept.used = time.monotonic()
        return kept

    def _forget(self) -> None:
        oldest = time.monotonic() - self._idle
        for name in [name for name, one in self._sessions.items() if one.used < oldest]:
            del self._sessions[name]


def _merged(settings: Settings, keys: Mapping[Where, SecretStr]) -> Access:
    access = Access(addresses=settings.addresses) if settings.public else settings.access()
    return replace(
        access,
        replicate=keys.get("replicate", access.replicate),
        fal=keys.get("fal", access.fal),
        google=keys.get("google", access.google),
        openai=keys.get("openai", access.openai),
    )


KEYRING = Keyring()  # of this process
