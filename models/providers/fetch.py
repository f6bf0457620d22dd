"""Fetching results: from known hosts alone, without credentials, whole, and only if they are pictures."""

import io
import warnings
from collections.abc import Iterator, Mapping

from PIL import Image

from models.errors import ProviderError, RemoteFailed, Transient
from models.providers.guard import calling, guarded, is_among, is_loopback
from models.spec import title_of

SECONDS = 120.0
MOST_BYTES = 64 << 20
MOST_PIXELS = 64_000_000
MOST_REDIRECTS = 3
FORMATS = ("PNG", "JPEG", "WEBP")
GONE = (401, 403, 404, 410)  # what services answer for results that they no longer keep
REDIRECTS = (301, 302, 303, 307, 308)


def fetch(url: str, provider: str, hosts: tuple[str, ...], *, seconds: float = SECONDS) -> bytes:
    """The bytes of the picture at `url`. RemoteFailed if it is gone or no picture of a sane size, Transient if it did
    not come whole: that one may be tried again. Only https, or http of this machine if `hosts` names it."""
    import httpx

    headers = {"accept-encoding": "identity"}  # so that Content-Length counts what arrives
    with (
        calling(provider, seconds, lambda *answer: _refusal(provider, *answer)),
        httpx.Client(transport=guarded(httpx, ()), follow_redirects=False, headers=headers) as client,
    ):
        for _ in range(MOST_REDIRECTS + 1):
            target = httpx.URL(url)
            if not is_among(target.host, hosts) or (
                target.scheme != "https" and not is_loopback(target.host)
            ):
                place = f"{target.scheme}://{target.host}"
                told = f"{title_of(provider)} sent its result from {place}, which is not trusted."
                raise RemoteFailed(told, provider=provider, charged="yes")
            with client.stream("GET", target) as response:
                if response.status_code in REDIRECTS:
                    url = str(target.join(response.headers.get("location", "")))
                    continue
                data = _body(response.iter_raw(), response.headers, provider)
            return checked(data, provider)
    raise RemoteFailed(
        f"{title_of(provider)} redirects its result in circles.", provider=provider, charged="yes"
    )


def checked(data: bytes, provider: str) -> bytes:
    """The bytes again, after they were decoded whole. Transient if they are no picture: they may have been damaged."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # we have a limit of our own
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    told = f"{title_of(provider)} sent a picture of {picture.width}x{picture.height}."
                    raise RemoteFailed(told, provider=provider, charged="yes")
                picture.load()
    except Image.DecompressionBombError as error:
        told = f"{title_of(provider)} sent a picture that is far too large."
        raise RemoteFailed(told, provider=provider, charged="yes") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise Transient(
            f"{title_of(provider)} sent something that is no picture.", provider=provider
        ) from error
    return data


def mime(data: bytes) -> str:
    """The media type of a result: a picture's own, or text."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            return f"image/{str(picture.format).lower()}"
    except OSError:
        return "text/plain"


def _body(chunks: Iterator[bytes], headers: Mapping[str, str], provider: str) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > MOST_BYTES:
            told = f"{title_of(provider)} sent a result of more than {MOST_BYTES >> 20} MB."
            raise RemoteFailed(told, provider=provider, charged="yes")
    announced = headers.get("content-length", "")
    if announced.isdigit() and int(announced) != len(body):
        raise Transient(f"{title_of(provider)} sent {len(body)} of {announced} bytes.", provider=provider)
    return bytes(body)


def _refusal(provider: str, status: int, _: Mapping[str, str], __: bytes) -> ProviderError:
    if status in GONE:
        told = f"{title_of(provider)} no longer has the result (HTTP {status})."
        return RemoteFailed(told, provider=provider, status=status, charged="yes")
    return Transient(f"{title_of(provider)} answered {status}.", provider=provider, status=status)
