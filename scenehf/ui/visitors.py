"""Who asks, and what is theirs. Where strangers share the app every browser is a visitor of its own, known by a cookie,
and every job belongs to whoever made it; on a person's own machine there is one person, whose everything is."""

import hashlib
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers

from jobs.job import Job
from jobs.store import Store
from scenehf.errors import NotPossible
from scenehf.settings import Settings

COOKIE = "scenehf-session"
COOKIE_DAYS = 30
SCOPE = "scenehf.visitor"  # where the guard leaves the visitor for the functions that answer
SESSION = re.compile(r"[\w-]{43}")  # what `scenehf.keys` makes
ACTIVE = ("queued", "running")
MOST_ACTIVE = 3  # jobs of one visitor that wait or run
MOST_KEPT = 30  # jobs of one visitor
GB = 1_000_000_000


@dataclass(frozen=True)
class Sharing:
    """How the app is shared; the defaults say that it is not.

    names: under which it is reached, besides this machine's own. account: name and password of the owner. space: inside
    huggingface.co, which logs people in where `oauth` is; `author` is the owner there. keep_hours, keep_gb: how long
    and how much is kept of visitors' jobs.
    """

    public: bool = False
    names: tuple[str, ...] = ()
    account: tuple[str, str] | None = None
    space: bool = False
    oauth: bool = False
    author: str | None = None
    keep_hours: float = 24.0
    keep_gb: float = 10.0


ALONE = Sharing()
STRANGERS = """Whoever gets the address of this app can, without any password:
  make jobs, {active} at a time and {kept} in all for each visitor, on this machine's processor and graphics card;
  put up to {gb:g} GB on its disk; what nobody touches for {hours:g} hours is deleted;
  see, change and delete what they made themselves, and nothing else.
They cannot see your jobs or files, use your keys or spend your money.
To ask them for a password, start with --auth NAME:PASSWORD."""


def sharing(settings: Settings) -> Sharing:
    """As the settings say."""
    return Sharing(
        public=settings.public,
        names=settings.reached_as,
        account=settings.account(),
        space=settings.space_id is not None,
        oauth=settings.space_id is not None and settings.oauth_client is not None,
        author=settings.space_author,
        keep_hours=settings.keep_hours,
        keep_gb=settings.keep_gb,
    )


def warning(sharing: Sharing) -> str:
    """What the owner should know before others come; "" where nobody can, or where they are asked who they are."""
    if not sharing.public or sharing.account or sharing.space:
        return ""
    return STRANGERS.format(active=MOST_ACTIVE, kept=MOST_KEPT, gb=sharing.keep_gb, hours=sharing.keep_hours)


@dataclass(frozen=True)
class Visitor:
    """Who asks. session: the name in their cookie, "" without one. name: under which they logged in. owner: everything
    is theirs. address: where they are, as far as can be known."""

    reception: "Reception"
    session: str = ""
    name: str | None = None
    owner: bool = False
    address: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Under which the store knows them, the first one for what they make now; never the cookie itself."""
        session = f"browser:{hashlib.sha256(self.session.encode()).hexdigest()[:32]}" if self.session else ""
        return tuple(filter(None, (f"person:{self.name}" if self.name else "", session)))

    @property
    def enters_keys(self) -> bool:
        """Whether they can use paid models. The owner's keys are the owner's alone, and so is what they cost."""
        return self.owner or self.name is not None

    @property
    def metered_as(self) -> str:
        """Whose use of the app is counted together: anybody can throw a cookie away, but not an address."""
        return self.address or self.session


@dataclass
class Reception:
    """Tells visitors apart and takes their jobs on."""

    store: Store
    sharing: Sharing = ALONE
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _making: Counter[str] = field(default_factory=Counter)

    def visitor(self, headers: Headers, name: str | None, address: str) -> Visitor:
        """Who sent a request with these headers. name: as whom they logged in."""
        owner = not self.sharing.public or (name is not None and self._is_owner(name))
        return Visitor(self, session_in(headers), name, owner, address)

    def made(self, visitor: Visitor, create: Callable[[], Job]) -> Job:
        """The job that `create` makes, which is theirs from then on. NotPossible where they have too many."""
        if visitor.owner:
            return create()
        with self._place(visitor):
            job = create()
            self.store.claim_for(job.id, visitor.names[0])
            return job

    def foreign(self, visitor: Visitor, job_ids: set[str]) -> set[str]:
        """Those of the ids that are somebody else's jobs."""
        return set() if visitor.owner else self.store.foreign(job_ids, visitor.names)

    @contextmanager
    def _place(self, visitor: Visitor) -> Iterator[None]:
        """A place for one more job of theirs, while it is being made."""
        if not visitor.names:
            raise NotPossible(
                "This app tells its visitors apart by a cookie. Allow it and load the page again."
            )
        who = visitor.names[0]
        with self._turn:
            states = list(self.store.claimed(visitor.names).values())
            if sum(state in ACTIVE for state in states) + self._making[who] >= MOST_ACTIVE:
                raise NotPossible(
                    f"You have {MOST_ACTIVE} jobs waiting or running. Wait for one, or cancel it."
                )
            if len(states) + self._making[who] >= MOST_KEPT:
                raise NotPossible(f"You have {MOST_KEPT} jobs here. Delete one under History first.")
            self._making[who] += 1
        try:
            yield
        finally:
            with self._turn:
                self._making[who] -= 1

    def _is_owner(self, name: str) -> bool:
        account, author = self.sharing.account, self.sharing.author
        return (account is not None and name == account[0]) or (self.sharing.oauth and name == author)


def visitor_of(request: Any) -> Visitor:
    """Who sent this request, as Gradio or Starlette hands it over. Every one has passed the guard, which knows."""
    visitor: Visitor = getattr(request, "request", request).scope[SCOPE]
    return visitor


def made(request: Any, create: Callable[[], Job]) -> Job:
    """The job that `create` makes for whoever sent this request. NotPossible where they have too many."""
    visitor = visitor_of(request)
    return visitor.reception.made(visitor, create)


def session_in(headers: Headers) -> str:
    """The session that a cookie names; "" without one, or for what cannot be one of ours."""
    for line in headers.getlist("cookie"):
        for part in line.split(";"):
            name, _, value = part.strip().partition("=")
            if name == COOKIE and SESSION.fullmatch(value):
                return value
    return ""


def cookie(session: str, *, secure: bool) -> str:
    """The whole Set-Cookie line. secure: the page came over https. A Space is shown in a frame of another site, where
    only a cookie comes back that says it is meant to."""
    reach = "SameSite=None; Secure; Partitioned" if secure else "SameSite=Lax"
    return f"{COOKIE}={session}; Path=/; Max-Age={COOKIE_DAYS * 86400}; HttpOnly; {reach}"


def is_https(headers: Headers, scheme: str) -> bool:
    """Whether the browser used https, also where a proxy in between did not."""
    return scheme == "https" or headers.get("x-forwarded-proto", "").partition(",")[0].strip() == "https"
