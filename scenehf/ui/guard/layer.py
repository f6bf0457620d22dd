"""The guard itself: one ASGI layer around Gradio. It knows which doors there are, who asks, and what is theirs."""

import json
import logging
import shutil
from collections.abc import Awaitable, Callable
from functools import partial
from ipaddress import ip_address
from typing import Any

import anyio.to_thread
from starlette.datastructures import Headers, QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scenehf.keys import KEYRING
from scenehf.ui.guard.belongings import Belongings
from scenehf.ui.guard.body import Json, Judge, again, parsed, whole, without
from scenehf.ui.guard.doors import Door, door
from scenehf.ui.guard.headers import Covering
from scenehf.ui.guard.quotas import ACTS, CALLS, HEAVY, LOGINS, STREAMS, UPLOADED, UPLOADS, Meter
from scenehf.ui.guard.refusal import Refused
from scenehf.ui.guard.rules import Call, Rules
from scenehf.ui.visitors import SCOPE, Visitor, cookie, is_https, session_in

log = logging.getLogger(__name__)

READS = ("GET", "HEAD")
UNLOCKED = (Door.PAGE, Door.OPEN, Door.LOGIN)  # what is there before a login
KNOWN = (
    Door.CALL,
    Door.SERVER,
    Door.CANCEL,
    Door.UPLOAD,
    Door.STREAM,
    Door.FILE,
)  # where a visitor has to be known
NAMELESS = "predict"  # what Gradio's page calls a function by whose name it was not told
SLOW_DOWN = "That was too much in a short time. Wait a minute."
NOT_YOURS = "There is nothing here."

Check = Callable[["_Asked", Visitor], Awaitable[tuple[Receive, Send]]]


class _Asked:
    """One request on its way in."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self.receive, self.send = scope, receive, send
        self.headers = Headers(scope=scope)
        self.query = QueryParams(scope.get("query_string", b""))
        self.kind, self.parts = door(scope["method"], scope["path"])


class Guard:
    """In front of `app`, by these rules."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app = app
        self._rules = rules
        self._sharing = rules.reception.sharing
        self._covering = Covering(space=self._sharing.space)
        self._belongings = Belongings()
        self._numbers = {call.number: call for call in rules.calls}
        self._names = {call.name: call for call in rules.calls}
        self._calls, self._heavy, self._acts = Meter(CALLS), Meter(HEAVY), Meter(ACTS)
        self._uploads, self._uploaded = Meter(UPLOADS), Meter(UPLOADED)
        self._streams, self._logins = Meter(STREAMS), Meter(LOGINS)
        self._checks: dict[Door, Check] = {
            Door.CALL: self._call, Door.SERVER: self._server, Door.CANCEL: self._cancel, Door.UPLOAD: self._upload,
            Door.LOGIN: self._login, Door.STREAM: self._stream, Door.FILE: self._file, Door.ASSET: self._asset,
            Door.TOOLS: self._tools,
        }  # fmt: skip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            try:
                await self._through(scope, receive, send)
            except Refused as refusal:
                await refusal.answer(self._covering.over(send))
        else:  # nothing here speaks by web socket
            await send({"type": "websocket.close", "code": 1008})

    async def _through(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        self._rules.hosts.check(headers)
        asked = _Asked(scope, receive, send)
        if scope["method"] not in READS:
            self._rules.hosts.check_sender(headers)
        visitor = self._visitor(asked)
        if self._sharing.account and visitor.name is None and asked.kind not in UNLOCKED:
            raise Refused(401, "Log in first.")
        if asked.kind in KNOWN and not (visitor.owner or visitor.names):
            raise Refused(403, "This app tells its visitors apart by a cookie. Load the page first.")
        if asked.kind is Door.PAGE:
            asked.send = self._with_cookie(asked)
        else:
            asked.send = self._covering.over(send, asked.kind)
        scope[SCOPE] = visitor
        check = self._checks.get(asked.kind)
        receive, send = await check(asked, visitor) if check else (asked.receive, asked.send)
        await self._answered(scope, receive, send)

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the app answer. A fault of it, as calls that make no sense find them, is told in the log alone."""
        begun = False

        async def heard(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, heard)
        except Exception as error:  # the last boundary before the server, which would cut the line
            if begun:
                raise
            log.exception("No answer to %s %s", scope["method"], scope["path"])
            raise Refused(500, "That did not work; the app's log says why.") from error

    def _visitor(self, asked: _Asked) -> Visitor:
        name = self._rules.signed_in(asked.scope)
        address = _address(asked.scope, asked.headers, space=self._sharing.space)
        return self._rules.reception.visitor(asked.headers, name, address)

    def _with_cookie(self, asked: _Asked) -> Send:
        """Whoever loads the page of a shared app gets a cookie, which also Gradio's own clients bring back."""
        given = None
        if self._sharing.public and not session_in(asked.headers):
            given = cookie(KEYRING.new_session(), secure=is_https(asked.headers, asked.scope["scheme"]))
        return self._covering.over(asked.send, cookie=given)

    # --- calls of functions ------------------------------------------------------------------------------------

    async def _call(self, asked: _Asked, visitor: Visitor) -> tuple[Receive, Send]:
        body = await self._body(asked)
        call = self._wanted(body.get("fn_index"), asked.parts.get("name"))
        self._measure(self._heavy if call.heavy else self._calls, visitor)
        self._of_session(body.get("session_hash"), visitor)
        receive = await self._judged(asked, body, visitor)
        return receive, self._heard(asked.send, partial(self._called, visitor))

    def _wanted(self, number: Any, name: str | None) -> Call:
        """The function that is called, by number, by name, or by both: then the heavier of them, if they differ."""
        numbered = self._numbers.get(number) if type(number) is int else None
        named = self._names.get(name or "")
        if name == NAMELESS:
            named = numbered
        known = [call for call in (numbered, named) if call]
        if not known or (numbered is None and number is not None) or (named is None and name is not None):
            raise Refused(403, "That is not a function of this app.")
        return max(known, key=lambda call: call.heavy)

    async def _server(self, asked: _Asked, visitor: Visitor) -> tuple[Receive, Send]:
        self._measure(self._acts, visitor)
        body = await self._body(asked)
        if type(body.get("component_id")) is not int or body["component_id"] not in self._rules.parts:
            raise Refused(403, "That is not a part of this page.")
        self._of_session(body.get("session_hash"), visitor)
        return await self._judged(asked, body, visitor, opened=False), asked.send

    async def _cancel(self, asked: _Asked, visitor: Visitor) -> tuple[Receive, Send]:
        body = await self._body(asked)
        self._of_session(body.get("session_hash"), visitor)
        self._owned("call", body.get("event_id"), visitor)
        return again(json.dumps(body).encode(), asked.receive), asked.send

    async def _body(self, asked: _Asked) -> Json:
        if asked.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refused(415, "Send JSON.")
        return parsed(await whole(asked.receive))

    async def _judged(self, asked: _Asked, body: Json, visitor: Visitor, *, opened: bool = True) -> Receive:
        """The body as it may be read: files of theirs alone, jobs of theirs alone. opened: Gradio opens files."""
        mine = None if visitor.owner else partial(self._has_upload, visitor)
        judge = Judge(self._rules.uploads, mine, opened=opened)

        def judged() -> bytes:
            kept = judge.files(body)
            foreign = self._rules.reception.foreign(visitor, judge.jobs)
            return json.dumps(without(kept, foreign) if foreign else kept, allow_nan=False).encode()

        try:
            text = judged() if visitor.owner else await anyio.to_thread.run_sync(judged)
        except ValueError:
            raise Refused(400, "Send JSON.") from None
        lengths = [(name, value) for name, value in asked.scope["headers"] if name != b"content-length"]
        asked.scope["headers"] = [*lengths, (b"content-length", str(len(text)).encode())]
        return again(text, asked.receive)

    def _called(self, visitor: Visitor, told: Any) -> None:
        if isinstance(told, dict) and isinstance(told.get("event_id"), str):
            self._give("call", told["event_id"], visitor)

    # --- what comes of them ------------------------------------------------------------------------------------

    async def _stream(self, asked: _Asked, visitor: Visitor) -> tuple[Receive, Send]:
        self._measure(self._streams, visitor)
        if "event" in asked.parts:
            self._owned("call", asked.parts["event"], visitor)
        elif "upload_id" in asked.query:
            self._of_upload(asked.query["upload_id"], visitor)
        else:
            self._of_session(asked.parts.get("session") or asked.query.get("session_hash"), visitor)
        return asked.receive, asked.send

    def _of_session(self, session: Any, visitor: Visitor) -> None:
        """A page's number for itself: whoever says it first has it."""
        if visitor.owner or session is None:
            return
        if not isinstance(session, str) or not self._belongings.take(f"session {session}", _key(visitor)):
            raise Refused(403, NOT_YOURS)

    def _owned(self, what: str, name: Any, visitor: Visitor) -> None:
        if not visitor.owner and not self._belongings.has(f"{what} {name}", _key(visitor)):
            raise Refused(404, NOT_YOURS)

    def _give(self, what: str, name: str, visitor: Visitor) -> None:
        if not visitor.owner:
            self._belongings.give(f"{what} {name}", _key(visitor))

    # --- files -------------------------------------------------------------------------------------------------

    async def _upload(self, asked: _Asked, visitor: Visitor) -> tuple[Receive, Send]:
        if visitor.owner:
            return asked.receive, asked.send
        length = asked.headers.get("content-length", "")
        if not length.isdecimal():
            raise Refused(411, "Say how long the file is.")
        self._measure(self._uploads, visitor)
        self._measure(self._uploaded, visitor, int(length))
        if shutil.disk_usage(self._rules.uploads).free < self._rules.reception.store.free_min + int(length):
            raise Refused(507, "There is no room for more files here. Come back later.")
        if "upload_id" in asked.query:
            self._of_upload(asked.query["upload_id"], visitor)
        return asked.receive, self._heard(asked.send, partial(self._stored, visitor))

    def _of_upload(self, number: str, visitor: Visitor) -> None:
        if not visitor.owner and not self._belongings.take(f"progress {number}", _key(visitor)):
            raise Refused(403, NOT_YOURS)

    def _stored(self, visitor: Visitor, told: Any) -> None:
        for path in told if isinstance(told, list) else []:
            self._give("upload", str(path), visitor)

    def _has_upload(self, visitor: Visitor, path: str) -> bool:
        return self._belongings.has(f"upload {path}", _key(visitor))

    async def _file(self, asked: _Asked, visitor: Visitor) -> tuple[Receive, Send]:
        self._owned("upload", asked.parts["file"], visitor)
        return asked.receive, asked.send

    async def _asset(self, asked: _Asked, visitor: Visitor) -> tuple[Receive, Send]:
        job = asked.parts["job"]
        if not visitor.owner and await anyio.to_thread.run_sync(self._is_foreign, visitor, job):
            raise Refused(404, "There is no such file.")
        return asked.receive, asked.send

    def _is_foreign(self, visitor: Visitor, job: str) -> bool:
        return bool(self._rules.reception.foreign(visitor, {job}))

    # --- the rest ----------------------------------------------------------------------------------------------

    async def _login(self, asked: _Asked, visitor: Visitor) -> tuple[Receive, Send]:
        """Failures count, and are taken as such until the answer says otherwise."""
        self._measure(self._logins, visitor)

        async def heard(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                self._logins.give_back(visitor.metered_as)
            await send(message)

        send = asked.send
        return asked.receive, heard

    async def _tools(self, asked: _Asked, visitor: Visitor) -> tuple[Receive, Send]:
        if not self._rules.tools:
            raise Refused(404, NOT_YOURS)
        return asked.receive, asked.send

    def _measure(self, meter: Meter, visitor: Visitor, amount: int = 1) -> None:
        is_free = visitor.owner and meter is not self._logins
        if not is_free and not meter.take(visitor.metered_as, amount):
            raise Refused(429, SLOW_DOWN)

    @staticmethod
    def _heard(send: Send, hear: Callable[[Any], None]) -> Send:
        """`send` that also tells `hear` the whole answer, as JSON, before its end is sent."""
        body, status = b"", 0

        async def heard(message: Message) -> None:
            nonlocal body, status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body" and status == 200:
                body += message.get("body", b"")
                if not message.get("more_body"):
                    try:
                        hear(json.loads(body))
                    except ValueError:  # nothing that we would keep
                        pass
            await send(message)

        return heard


def _key(visitor: Visitor) -> str:
    """Who has what they are handed: a browser, also where a person logs in meanwhile."""
    return visitor.names[-1]


def _address(scope: Scope, headers: Headers, *, space: bool) -> str:
    """Where a request comes from; "" where that cannot be known. In a Space every request comes through a proxy, which
    writes down last whom it had it from; what stands before is the caller's own claim."""
    if not space:
        host = (scope.get("client") or ("",))[0]
        return "" if not host or _is_inside(host) else host
    claimed = ",".join(headers.getlist("x-forwarded-for")).split(",")
    return next((each.strip() for each in reversed(claimed) if not _is_inside(each.strip())), "")


def _is_inside(address: str) -> bool:
    """Whether this is no address of the internet at large; anything that is no address is not one either."""
    try:
        return not ip_address(address).is_global
    except ValueError:
        return True
