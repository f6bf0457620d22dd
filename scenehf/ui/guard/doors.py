"""What of Gradio can be reached at all. What is not named here is not there: its tools for developers, its proxy, its
monitoring, the descriptions that it gives to anybody even where a login is asked for.
"""

import re
from enum import Enum, auto

from scenehf.ui.guard.refusal import Refused

API = "/gradio_api"


class Door(Enum):
    """What a path is, and so how it is guarded."""

    OPEN = auto()  # the files that the page is of, and where people log in
    PAGE = auto()  # the page itself: here a visitor is given their cookie
    TOLD = auto()  # what the app says of itself
    STREAM = auto()  # answers of calls, of one session or one call
    FILE = auto()  # a file that was uploaded
    CALL = auto()  # a named function
    SERVER = auto()  # a function of a part of the page
    CANCEL = auto()  # stops a call
    UPLOAD = auto()
    LOGIN = auto()
    ASSET = auto()  # whatever we serve of a job, by the job's id
    OURS = auto()  # our own routes
    TOOLS = auto()  # for agents (MCP)


_PATHS = (
    (Door.PAGE, "GET HEAD", r"/|/config/?"),
    (Door.OPEN, "GET HEAD", r"/(assets|static|svelte)/.*|/theme\.css|/favicon\.ico|/manifest\.json|/pwa_icon(/\w+)?"),
    (Door.OPEN, "GET HEAD", rf"/robots\.txt|/log(out|in/huggingface|in/callback)|{API}/(user|login_check)/?"),
    (Door.OPEN, "GET HEAD", rf"{API}/(app_id/?|startup-events|theme\.css)|/scenehf/health"),
    (Door.TOLD, "GET HEAD", rf"{API}/(info/?|queue/status)"),
    (Door.STREAM, "GET", rf"{API}/(queue/data|upload_progress|heartbeat/(?P<session>\w[\w-]*))"),
    (Door.STREAM, "GET", rf"{API}/call/(v2/)?\w+/(?P<event>[\w-]+)"),
    (Door.FILE, "GET HEAD", rf"{API}/file=(?P<file>.*)"),
    (Door.CALL, "POST", rf"{API}/(queue/join|(run|api|call|call/v2)/(?P<name>\w+)/?)"),
    (Door.SERVER, "POST", rf"{API}/component_server/?"),
    (Door.CANCEL, "POST", rf"{API}/(cancel|reset/?)"),
    (Door.UPLOAD, "POST", rf"{API}/upload"),
    (Door.LOGIN, "POST", r"/login/?"),
    (Door.ASSET, "GET HEAD", r"/scenehf/\w+/(?P<job>[0-9a-f]{28})(/.*)?"),
    (Door.OURS, "GET HEAD POST", r"/scenehf/.*"),
    (Door.TOOLS, "GET HEAD POST DELETE", rf"{API}/mcp(/.*)?"),
)  # fmt: skip
_TABLE = tuple((door, set(methods.split()), re.compile(path, re.DOTALL)) for door, methods, path in _PATHS)


def door(method: str, path: str) -> tuple[Door, dict[str, str]]:
    """Which door a path is, and what its parts are called. Refuses every other one."""
    for kind, methods, pattern in _TABLE:
        if method in methods and (found := pattern.fullmatch(path)):
            return kind, {name: part for name, part in found.groupdict().items() if part is not None}
    raise Refused(404, "There is nothing here.")
