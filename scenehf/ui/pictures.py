"""Made pictures on their way out, in the format a person wants, with their recipe.

/scenehf/picture/{job}/{name}   ?as=png|jpeg|webp, &save=NAME. A JPEG whose recipe does not fit into it comes with it in
                                a zip
"""

import io
import zipfile
from pathlib import Path
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from jobs.errors import StoreError
from jobs.job import Asset
from jobs.store import Store
from scenehf.pixels import decode_png
from scenehf.studio.metadata import MIMES, Kind, read, write

PICTURE = "/scenehf/picture"
_NO_SNIFF = {"X-Content-Type-Options": "nosniff"}
_MISSING = PlainTextResponse("There is no such picture.", status_code=404, headers=_NO_SNIFF)


def routes(store: Store) -> list[Route]:
    """The route above. A plain function, so that it runs in a thread."""

    def picture(request: Request) -> Response:
        try:
            found = store.asset(request.path_params["job"], request.path_params["name"])
        except StoreError:
            return _MISSING
        kind = next((kind for kind in MIMES if kind == request.query_params.get("as")), None)
        if kind is None or found.mime != "image/png":
            return _MISSING
        data = store.read(found.job_id, found.name)
        return _file(data, kind, Path(request.query_params.get("save", "picture")).name)

    return [Route(PICTURE + "/{job}/{name:path}", picture)]


def saved_as(asset: Asset, kind: Kind, name: str) -> str:
    """Where the browser saves a made picture from, in this format, under this name."""
    return f"{PICTURE}/{asset.job_id}/{quote(asset.name)}?{urlencode({'as': kind, 'save': name})}"


def _file(data: bytes, kind: Kind, name: str) -> Response:
    if kind == "png":
        return _download(data, MIMES["png"], name)
    written = write(decode_png(data), read(data), kind)
    if written.sidecar is None:
        return _download(written.data, MIMES[kind], name)
    both = io.BytesIO()
    with zipfile.ZipFile(both, "w") as archive:
        archive.writestr(name, written.data)
        archive.writestr(f"{Path(name).stem}.json", written.sidecar)
    return _download(both.getvalue(), "application/zip", f"{Path(name).stem}.zip")


def _download(data: bytes, mime: str, name: str) -> Response:
    told = {"Content-Disposition": f"attachment; filename*=utf-8''{quote(name)}"}
    return Response(data, media_type=mime, headers=_NO_SNIFF | told)
