"""The page's code: many small files, and to the browser one function for each tab.

/scenehf/code/{tab}.js   GET: the code of a tab that is not the first; the page waits for no other than that.
                         ?v=HASH: may be kept for ever
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

CODE = "/scenehf/code"
STATIC = Path(__file__).parent / "static"

_HEADERS = {"Cache-Control": "max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
_MISSING = PlainTextResponse("There is no such code.", status_code=404)


def read(*names: str) -> str:
    """Static files, joined."""
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in names)


def later(tab: str, *names: str) -> str:
    """A script that fetches these files from the route above and runs them as if it had held them."""
    version = hashlib.sha256(read(*names).encode()).hexdigest()[:16]
    return read("later.js").replace("ADDRESS", json.dumps(f"{CODE[1:]}/{tab}.js?v={version}"))


def routes(tabs: Mapping[str, tuple[str, ...]]) -> list[Route]:
    """The route above. tabs: the files of each tab."""
    sources = {tab: read(*names) for tab, names in tabs.items()}

    def code(request: Request) -> Response:
        source = sources.get(request.path_params["tab"])
        if source is None:
            return _MISSING
        return Response(source, media_type="text/javascript", headers=_HEADERS)

    return [Route(CODE + "/{tab}.js", code)]
