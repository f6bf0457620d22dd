"""Whether the app works, for whoever watches it.

/scenehf/health   GET: 200 and {"ok": true, "version", "jobs": {state: number}}; 503 where the store cannot be read. The
                  owner is also told the device, the models in memory (null while they work), free bytes and seconds
                  since the start
"""

import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jobs.errors import StoreError
from jobs.files import free_bytes
from jobs.store import Store
from models.runtime.device import likely_device
from scenehf import VERSION
from scenehf.ui.visitors import visitor_of

HEALTH = "/scenehf/health"
WAITING = ("queued", "running")  # what strangers are told of: how long the line is
_began = time.monotonic()


def routes(store: Store, loaded: Callable[[], list[str] | None]) -> list[Route]:
    """The route above. loaded: the models in memory."""

    def health(request: Request) -> Response:
        try:
            counts, free = store.counts(), free_bytes(store.root)
        except (StoreError, OSError) as error:
            return JSONResponse({"ok": False, "version": VERSION, "error": str(error)}, status_code=503)
        if not visitor_of(request).owner:
            return _told({state: counts.get(state, 0) for state in WAITING}, {})
        more: dict[str, object] = {
            "device": likely_device(),
            "models": loaded(),
            "free": free,
            "up": round(time.monotonic() - _began),
        }
        return _told(counts, more)

    return [Route(HEALTH, health)]


def _told(counts: dict[str, int], more: dict[str, object]) -> Response:
    told = {"ok": True, "version": VERSION, "jobs": counts} | more
    return JSONResponse(told, headers={"Cache-Control": "no-store"})
