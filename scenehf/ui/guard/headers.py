"""What every answer tells the browser: take things for what they are, talk to nobody else, be in nobody's frame."""

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

from scenehf.ui.guard.doors import Door

# Gradio's page is made of inline scripts and of code that it compiles from strings.
_PAGE = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; frame-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors "
)
SPACES = "https://huggingface.co"  # whose page shows a Space in a frame
ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), midi=()",
}
SHOWN = ("image/png", "image/jpeg", "image/webp", "video/mp4")


class Covering:
    """Adds the headers. space: the page is shown inside huggingface.co."""

    def __init__(self, *, space: bool) -> None:
        self._always = ALWAYS | {"content-security-policy": f"{_PAGE}'self'{f' {SPACES}' if space else ''}"}
        if not space:
            self._always["x-frame-options"] = "SAMEORIGIN"

    def over(self, send: Send, door: Door | None = None, cookie: str | None = None) -> Send:
        """`send` with the headers on every answer; a route's own ones stay. cookie: a whole Set-Cookie line."""

        async def covered(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message["headers"]))
                if door is Door.FILE and not headers.get("content-type", "").startswith(SHOWN):
                    headers["content-type"] = "application/octet-stream"
                    headers["content-disposition"] = "attachment"
                for name, value in self._always.items():
                    headers.setdefault(name, value)
                if cookie and message["status"] < 400:
                    headers.append("set-cookie", cookie)
                message = {**message, "headers": headers.raw}
            await send(message)

        return covered
