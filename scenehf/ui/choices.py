"""Who reads a photo and who cuts it: what can be chosen, what it costs, and the field for a visitor's own key.

/scenehf/key   POST {"service", "key"}: keeps the key in memory for the session that the cookie names, see scenehf.keys.
               Where strangers share the app, for those who have logged in
"""

import json
from typing import Any
from urllib.parse import urlsplit

import gradio as gr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jobs.ledger import DOLLAR
from jobs.store import Store
from models.providers.connect import SERVICES, has_access
from models.spec import Access, Where
from scenehf.errors import NotPossible
from scenehf.keys import KEYRING
from scenehf.layers.engines import ENGINES
from scenehf.layers.planners import OFFLINE, PLANNERS
from scenehf.settings import Settings
from scenehf.ui.visitors import cookie, is_https, visitor_of
from scenehf.workflows.estimate import usd_of, usd_of_plan
from scenehf.workflows.extract import Params

KEY = "/scenehf/key"
MOST_BYTES = 8192
LOG_IN = "Sign in first: paid models are for visitors who have."
NO_KEYS = "Paid models are closed to visitors of this app."

Json = dict[str, Any]


def session_of(request: gr.Request) -> str:
    """The name of the visitor's session, "" if they have none."""
    return visitor_of(request).session


def offered(store: Store, session: str) -> Json:
    """Every planner and engine with its upper price in US dollars, the service whose key is missing, if one is, and to
    whom it sends the photo."""
    settings = Settings()
    access = KEYRING.reach(session, settings)
    usual = settings.planner_provider if settings.planner_provider in PLANNERS else OFFLINE
    planners = [
        {
            "id": each.id, "title": each.title, "usd": usd_of_plan(each.id, settings),
            "needs": _needs(each.where, access), "goes": _goes(each.where, access),
        }
        for each in PLANNERS.values()
    ]  # fmt: skip
    engines = [
        {
            "id": each.id, "title": each.title, "usd": usd_of(each.id, "extract"), "plate": usd_of(each.id, "plate"),
            "needs": _needs(each.service or "local", access), "goes": _goes(each.service or "local", access),
        }
        for each in ENGINES.values()
    ]  # fmt: skip
    chosen = {"planner": usual, "engine": Params().engine}
    spent = spending(store) | {"day": settings.cap_day}
    return {"planners": planners, "engines": engines, "usual": chosen, "spent": spent}


def spending(store: Store) -> Json:
    """What remote models have cost today, in US dollars, and of how many calls nobody knows the end."""
    spent = store.spent()
    return {"today": spent.day / DOLLAR, "uncertain": spent.uncertain}


def chosen(engine: str, planner: str, session: str) -> Params:
    """The parameters of a new job; NotPossible without the key that they need, or for what is not offered."""
    if engine not in ENGINES or planner not in PLANNERS:
        raise NotPossible("Choose one of the planners and engines that are listed.")
    access = KEYRING.reach(session, Settings())
    for service in (PLANNERS[planner].where, ENGINES[engine].service or "local"):
        if _needs(service, access):
            known = SERVICES[service]
            raise NotPossible(
                f"{known.title} needs a key: enter it under Who does it, or choose This computer."
            )
    return Params(engine=engine, planner=planner)


def routes() -> list[Route]:
    """The route above."""

    async def keep(request: Request) -> Response:
        # A page of somebody else cannot send JSON here without being asked first, and gets no cookie of ours along.
        if request.headers.get("content-type", "").split(";")[0] != "application/json":
            return JSONResponse({"error": "Send JSON."}, status_code=415)
        visitor = visitor_of(request)
        if visitor.name is None and not visitor.owner:
            return JSONResponse(
                {"error": LOG_IN if visitor.reception.sharing.oauth else NO_KEYS}, status_code=403
            )
        session = visitor.session or KEYRING.new_session()
        try:
            body = await _short_body(request)
            KEYRING.put(session, body["service"], str(body["key"]))
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"error": "That is no key."}, status_code=400)
        answer = JSONResponse({"entered": KEYRING.entered(session)}, headers={"Cache-Control": "no-store"})
        line = cookie(session, secure=is_https(request.headers, request.url.scheme))
        answer.headers.append("Set-Cookie", line)
        return answer

    return [Route(KEY, keep, methods=["POST"])]


async def _short_body(request: Request) -> Json:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise ValueError("too long")
    found = json.loads(body)
    if not isinstance(found, dict):
        raise TypeError("not an object")
    return found


def _needs(service: Where, access: Access) -> Json | None:
    """The service whose key is missing, or None."""
    if service == "local" or has_access(service, access):
        return None
    known = SERVICES[service]
    return {"service": known.id, "title": known.title, "variable": known.variable, "page": known.page}


def _goes(service: Where, access: Access) -> str:
    """Who gets to see the photo, "" if nobody."""
    if service == "local":
        return ""
    if service == "openai" and access.openai_base_url:
        return f"the server at {urlsplit(access.openai_base_url).hostname}"
    return SERVICES[service].title
