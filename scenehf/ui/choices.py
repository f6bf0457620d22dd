"""Who reads a photo and who cuts it: what can be chosen, what it costs, and the field for a visitor's own key.

/scenehf/key   POST {"service", "key"}: keeps the key in memory for the session that the cookie names, see scenehf.keys;
               an empty one forgets it. Where strangers share the app, for those who have logged in
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
from models.providers.connect import SERVICES, has_access, missing
from models.spec import Access, Where, title_of
from scenehf.errors import NotPossible
from scenehf.keys import KEYRING
from scenehf.layers.engines import ENGINES
from scenehf.layers.planners import OFFLINE, PLANNERS
from scenehf.settings import Settings
from scenehf.ui.visitors import Visitor, cookie, is_https, visitor_of
from scenehf.workflows.estimate import model_of_plan, usd_of, usd_of_plan
from scenehf.workflows.extract import Params

KEY = "/scenehf/key"
MOST_BYTES = 8192
LOG_IN = "Sign in first: paid models are for visitors who have."
NO_KEYS = "Paid models are closed to visitors of this app."

Json = dict[str, Any]


def session_of(request: gr.Request) -> str:
    """The name of the visitor's session, "" if they have none."""
    return visitor_of(request).session


def offered(store: Store, visitor: Visitor) -> Json:
    """Every planner and engine with its upper price in US dollars (None: nobody knows), the service whose key is
    missing, and to whom it sends the photo. Offered is what this visitor can use, if need be with a key. entered: the
    services for which they entered one. spent: None but for the owner."""
    settings = Settings()
    access = KEYRING.reach(visitor.session, settings)
    planners = [
        {
            "id": each.id, "title": _reader(each.id, access), "usd": usd_of_plan(each.id, access),
            "needs": needs(each.where, access, visitor), "goes": goes(each.where, access),
        }
        for each in PLANNERS.values()
        if visitor.enters_keys or each.where == "local" or has_access(each.where, access)
    ]  # fmt: skip
    engines = [
        {
            "id": each.id, "title": each.title, "usd": usd_of(each.id, "extract"), "plate": usd_of(each.id, "plate"),
            "billed": each.billed, "needs": needs(each.service or "local", access, visitor),
            "goes": goes(each.service or "local", access),
        }
        for each in ENGINES.values()
        if each.service is None
        or has_access(each.service, access)
        or (visitor.enters_keys and SERVICES[each.service].entered)
    ]  # fmt: skip
    listed = [planner["id"] for planner in planners]
    usual = settings.planner_provider if settings.planner_provider in listed else OFFLINE
    return {
        "planners": planners,
        "engines": engines,
        "usual": {"planner": usual, "engine": Params().engine},
        "spent": spending(store) | {"day": settings.cap_day} if visitor.owner else None,
        "entered": entered(visitor.session),
    }


def entered(session: str) -> list[Json]:
    """The services for which this session has a key of its own."""
    return [{"service": each, "title": title_of(each)} for each in KEYRING.entered(session)]


def spending(store: Store) -> Json:
    """What remote models have cost today, in US dollars, and of how many calls nobody knows the end."""
    spent = store.spent()
    return {"today": spent.day / DOLLAR, "uncertain": spent.uncertain}


def chosen(engine: str, planner: str, session: str) -> Params:
    """The parameters of a new job; NotPossible without the key that they need, or for what is not offered."""
    if engine not in ENGINES or planner not in PLANNERS:
        raise NotPossible("Choose one of the planners and engines that are listed.")
    access = KEYRING.reach(session, Settings())
    if usd_of_plan(planner, access) is None:
        model = model_of_plan(planner, access)
        raise NotPossible(
            f"No price is known for {model}: choose another one, or add it to models/prices.toml."
        )
    for service in (PLANNERS[planner].where, ENGINES[engine].service or "local"):
        if service != "local" and not has_access(service, access):
            error = missing(service)
            cure = (
                "Enter it under Who does it"
                if SERVICES[service].entered
                else "Set it up as .env.example says"
            )
            raise NotPossible(f"{error.args[0]} {cure}, or choose This computer.")
    return Params(engine=engine, planner=planner)


def routes() -> list[Route]:
    """The route above."""

    async def keep(request: Request) -> Response:
        # A page of somebody else cannot send JSON here without being asked first, and gets no cookie of ours along.
        if request.headers.get("content-type", "").split(";")[0] != "application/json":
            return JSONResponse({"error": "Send JSON."}, status_code=415)
        visitor = visitor_of(request)
        if not visitor.enters_keys:
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


def _reader(planner: str, access: Access) -> str:
    """What a planner is called: by another model's name, where one was set."""
    spec, model = PLANNERS[planner], model_of_plan(planner, access)
    if model == spec.model:
        return spec.title
    return f"{model} ({'your server' if spec.where == 'openai' and access.openai_base_url else title_of(spec.where)})"


def needs(service: Where, access: Access, visitor: Visitor) -> Json | None:
    """The service whose key is missing, or None. variable: that the owner can set instead of entering it."""
    if service == "local" or has_access(service, access):
        return None
    known = SERVICES[service]
    variable = known.variable if visitor.owner else None
    return {"service": known.id, "title": known.title, "variable": variable, "page": known.page}


def private(answer: Json, request: gr.Request) -> Json:
    """What a poll told, for whoever asked: what has been spent is for the owner."""
    if answer["view"] and not visitor_of(request).owner:
        answer["view"].pop("spent", None)
    return answer


def goes(service: Where, access: Access) -> str:
    """Who gets to see the photo, "" if nobody."""
    if service == "local":
        return ""
    if service == "openai" and access.openai_base_url:
        return f"the server at {urlsplit(access.openai_base_url).hostname}"
    return SERVICES[service].title
