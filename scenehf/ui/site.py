"""Pages that a job made, shown in a frame of ours.

/scenehf/site/{key}/{job}/{name}   a page (name: of its asset), and beside it what it is of

Such a page runs scripts, so it gets an origin of its own, which brings no cookie along and reaches nothing of ours. Its
address holds a key instead, which only whoever may see the job is told.
"""

import hashlib
import hmac
import secrets
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from jobs.errors import StoreError
from jobs.job import Asset
from jobs.store import Store

SITE = "/scenehf/site"
STEPS = ("site/", "export/")  # whose files are pages: of the gaze grid, of an exported scene
KINDS = frozenset({
    "text/html", "text/javascript", "application/json", "image/png", "image/jpeg", "image/webp", "video/mp4",
})  # fmt: skip
HEADERS = {
    "Content-Security-Policy": "sandbox allow-scripts; default-src 'none'; script-src 'self' 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "Cross-Origin-Resource-Policy": "cross-origin",  # to itself: its origin is nobody's
    "Access-Control-Allow-Origin": "*",
    "Referrer-Policy": "no-referrer",  # the address is the key
    "Cache-Control": "private, no-cache",
}
_MISSING = PlainTextResponse("There is no such page.", status_code=404)
_secret = secrets.token_bytes(32)  # of this process


def routes(store: Store) -> list[Route]:
    """The route above, over one store."""

    def page(request: Request) -> Response:
        job, name = request.path_params["job"], request.path_params["name"]
        if not hmac.compare_digest(request.path_params["key"], _key(job)) or not name.startswith(STEPS):
            return _MISSING
        try:
            asset = store.asset(job, name)
            if asset.mime not in KINDS:
                return _MISSING
            return FileResponse(store.files.path(asset.sha256), media_type=asset.mime, headers=HEADERS)
        except StoreError:
            return _MISSING

    return [Route(SITE + "/{key}/{job}/{name:path}", page)]


def site_url(asset: Asset) -> str:
    """Where the browser finds a page."""
    return f"{SITE}/{_key(asset.job_id)}/{asset.job_id}/{quote(asset.name)}?v={asset.sha256[:16]}"


def _key(job_id: str) -> str:
    return hmac.new(_secret, job_id.encode(), hashlib.sha256).hexdigest()[:32]
