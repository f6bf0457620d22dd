"""Files of jobs on their way to the browser. The guard lets nobody have those of another visitor's jobs; nothing else
of the store is served.

/scenehf/asset/{job}/{name}   one asset. ?v=HASH: may be kept for ever. ?side=N: a picture, reduced for display.
                              ?download=NAME: to be saved under that name
/scenehf/example/{name}       one of the shipped example photos
"""

import importlib.util
import io
import threading
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from PIL import Image
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from jobs.assets import PREVIEW
from jobs.errors import StoreError
from jobs.job import Asset
from jobs.store import Store
from scenehf.errors import NotPossible
from scenehf.pixels import decode_png, thumbnail

ASSET = "/scenehf/asset"
EXAMPLE = "/scenehf/example"

SIDES = (480, 1600)  # px of the longer side; few, so that few copies are kept
EXAMPLES = {"astronaut": "Astronaut", "coffee": "Coffee", "chelsea": "Cat"}  # photos in scikit-image's wheel
TRIES = 3  # to read a preview before the next one replaces it

_SIDES = {str(side): side for side in SIDES}
# What is looked at by itself; everything else is saved. Pages that a job made are shown elsewhere, see `site`.
_SHOWN = frozenset({"image/png", "image/jpeg", "image/webp", "video/mp4"})
_FOR_EVER = "private, max-age=31536000, immutable"
_NO_SNIFF = {"X-Content-Type-Options": "nosniff"}
_MISSING = PlainTextResponse("There is no such file.", status_code=404, headers=_NO_SNIFF)

_decoding = threading.Lock()  # one large picture in memory at a time


def routes(store: Store) -> list[Route]:
    """The routes above, over one store. Handlers are plain functions and run in threads."""

    def asset(request: Request) -> Response:
        try:
            return _asset(store, request)
        except StoreError:
            return _MISSING

    def example(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in EXAMPLES:
            return _MISSING
        headers = _NO_SNIFF | {"Cache-Control": "max-age=86400"}
        return Response(_reduced(example_path(name), SIDES[0]), media_type="image/webp", headers=headers)

    return [
        Route(ASSET + "/{job}/{name:path}", asset),
        Route(EXAMPLE + "/{name}", example),
    ]


def url_of(asset: Asset, *, side: int | None = None, download: str | None = None) -> str:
    """Where the browser finds an asset. side: one of SIDES, for pictures that are only looked at."""
    query: dict[str, Any] = {"v": asset.sha256[:16]}
    if side is not None:
        query["side"] = side
    if download is not None:
        query["download"] = download
    return f"{ASSET}/{asset.job_id}/{quote(asset.name)}?{urlencode(query)}"


def example_path(name: str) -> Path:
    """The file of a shipped example photo. Found without importing its package, which takes a second."""
    spec = importlib.util.find_spec("skimage")
    if name not in EXAMPLES or spec is None or spec.origin is None:
        raise NotPossible("There is no such example.")
    return Path(spec.origin).parent / "data" / f"{name}.png"


@lru_cache(maxsize=4096)
def png_size(path: Path) -> tuple[int, int]:
    """(width, height) from the header of a PNG of the store; such files never change."""
    with path.open("rb") as file:
        header = file.read(24)
    return int.from_bytes(header[16:20], "big"), int.from_bytes(header[20:24], "big")


def _asset(store: Store, request: Request) -> Response:
    found = store.asset(request.path_params["job"], request.path_params["name"])
    version = request.query_params.get("v")
    kept = version is not None and len(version) >= 16 and found.sha256.startswith(version)
    headers = _NO_SNIFF | {"Cache-Control": _FOR_EVER if kept else "no-cache"}
    path = store.files.path(found.sha256)
    side = _SIDES.get(request.query_params.get("side", ""))
    if side is not None and found.mime == "image/png":
        return Response(_reduced(path, side), media_type="image/webp", headers=headers)
    if found.name == PREVIEW:
        return _preview(store, found, headers)
    if not path.is_file():
        return _MISSING
    download = request.query_params.get("download")
    if download is None and found.mime in _SHOWN:
        return FileResponse(path, media_type=found.mime, headers=headers)
    name = Path(download or found.name).name
    return FileResponse(path, media_type="application/octet-stream", filename=name, headers=headers)


def _preview(store: Store, found: Asset, headers: dict[str, str]) -> Response:
    """The one asset that is replaced while it is looked at: its file goes at any moment, and a newer one is there."""
    for _ in range(TRIES):
        with suppress(FileNotFoundError):
            return Response(
                store.files.path(found.sha256).read_bytes(), media_type=found.mime, headers=headers
            )
        found = store.asset(found.job_id, found.name)
        headers = headers | {"Cache-Control": "no-cache"}
    return _MISSING


@lru_cache(maxsize=64)
def _reduced(path: Path, side: int) -> bytes:
    """A PNG of the store as a small WebP, for display only."""
    with _decoding:
        pixels = thumbnail(decode_png(path.read_bytes()), side)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "WEBP", quality=90, method=2)
    return stream.getvalue()
