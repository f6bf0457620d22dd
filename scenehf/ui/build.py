"""The whole screen: bar, tabs, endpoints, and how it is served."""

import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.routing import Route

from jobs.store import Store
from scenehf.pixels import HOME, PUBLIC
from scenehf.settings import LOOPBACK
from scenehf.ui import choices, code, gaze_view, health, images, layers_view, login, make_view, pictures, site
from scenehf.ui.api import Endpoints
from scenehf.ui.code import read
from scenehf.ui.expiry import Expiry
from scenehf.ui.guard.hosts import Hosts
from scenehf.ui.guard.layer import Guard
from scenehf.ui.guard.rules import Call, Rules
from scenehf.ui.make_api import MakeEndpoints
from scenehf.ui.server import launch
from scenehf.ui.tabs import edit, gaze, history, layers
from scenehf.ui.theme import styles, theme
from scenehf.ui.visitors import ALONE, Reception, Sharing
from scenehf.ui.watch import Watch
from scenehf.workflows import extract, make
from scenehf.workflows import gaze as gaze_grid

TITLE = "SceneHF"
MAX_QUEUED = 64  # calls of named endpoints that wait
UPLOADS_KEPT = (3600, 86400), (600, 3600)  # seconds: looked at every, kept for; alone, and with strangers


@dataclass(frozen=True)
class Served:
    """A running server. share_url: None if none was asked for, or none came."""

    url: str
    share_url: str | None


class Screens:
    """The app over one store. uploads: folder for what browsers send, emptied here. weights: folder of pulled files;
    without it the one beside `uploads`. sharing: with whom. loaded: which models are in memory, for whoever watches."""

    def __init__(
        self,
        store: Store,
        uploads: Path,
        *,
        weights: Path | None = None,
        sharing: Sharing = ALONE,
        loaded: Callable[[], list[str] | None] = lambda: None,
    ) -> None:
        weights = weights or uploads.parent / "weights"
        public = sharing.public
        self._store, self._uploads, self._sharing, self._loaded = store, uploads, sharing, loaded
        self._hosts = Hosts(sharing.names)
        self._expiry = Expiry(store, sharing)
        self._limits = PUBLIC if public else HOME
        _empty(uploads)
        views = {
            extract.KIND: layers_view.describe,
            gaze_grid.KIND: gaze_view.describe,
            make.KIND: make_view.describe,
        }
        watch = Watch(store, views)
        kind = login.SignInBlocks if sharing.oauth else gr.Blocks
        with kind(
            title=TITLE, fill_width=True, analytics_enabled=False, delete_cache=UPLOADS_KEPT[public]
        ) as self.blocks:
            gr.HTML(
                None,
                html_template=login.bar(read("shell.html"), sharing),
                js_on_load=styles() + read("shell.js"),
                apply_default_css=False,
                elem_id="shell",
            )
            with gr.Tabs(elem_id="tabs"):
                with gr.Tab("Layers", id="layers"):
                    layers.build(store, watch, self._limits, uploads, public=public)
                with gr.Tab("Edit / Generate", id="edit"):
                    edit.build(store, watch, self._limits, uploads, public=public)
                with gr.Tab("Gaze", id="gaze"):
                    gaze.build(store, watch, self._limits, uploads, weights, public=public)
                with gr.Tab("History", id="history"):
                    history.build(store)
            Endpoints(store, watch, self._limits, uploads, weights).declare()
            MakeEndpoints(store, self._limits, uploads).declare()

    def serve(
        self, port: int | None, *, host: str = LOOPBACK, share: bool = False, browser: bool = False
    ) -> Served:
        """Serve and return at once. port None: any free one."""
        self.blocks.queue(default_concurrency_limit=4, max_size=MAX_QUEUED)
        url, share_url = launch(
            self.blocks,
            port,
            server_name=host,
            auth=self._sharing.account,
            share=share,
            inbrowser=browser,
            quiet=True,
            show_error=not self._sharing.public,
            ssr_mode=False,
            run_history=False,
            enable_monitoring=False,
            mcp_server=self._has_tools(),
            max_file_size=self._limits.bytes,
            footer_links=["api", "settings"],
            theme=theme(),
            app_kwargs={"routes": self._routes(), "middleware": [Middleware(Guard, self._rules())]},
        )
        _leave_out_endpoints(self.blocks.config)
        if share_url:
            self._hosts.add(share_url)
            self.blocks.share = False  # or the page would fetch Gradio's scripts from somewhere else
        if self._sharing.public:
            self._expiry.start()
        return Served(url, share_url)

    def _routes(self) -> list[Route]:
        return [
            *images.routes(self._store),
            *pictures.routes(self._store),
            *site.routes(self._store),
            *choices.routes(),
            *code.routes({"edit": edit.SCRIPTS, "gaze": gaze.SCRIPTS, "history": history.SCRIPTS}),
            *login.routes(self._sharing),
            *health.routes(self._store, self._loaded),
        ]

    def _has_tools(self) -> bool:
        """Agents come without a cookie: they are for a person's own machine."""
        return importlib.util.find_spec("mcp") is not None and not self._sharing.public

    def _rules(self) -> Rules:
        calls = [
            Call(fn._id, str(fn.api_name), heavy=fn.queue and fn.concurrency_limit is not None)
            for fn in self.blocks.fns.values()
            if fn.api_visibility == "public"
        ]
        return Rules(
            reception=Reception(self._store, self._sharing),
            uploads=self._uploads,
            hosts=self._hosts,
            calls=calls,
            parts=frozenset(
                number for number, part in self.blocks.blocks.items() if isinstance(part, gr.HTML)
            ),
            signed_in=login.signed_in,
            tools=self._has_tools(),
        )

    def close(self) -> None:
        """Stop serving; streams that are still followed are cut after a second."""
        self._expiry.stop()
        self.blocks.server.config.timeout_graceful_shutdown = 1
        self.blocks.close(verbose=False)


def _leave_out_endpoints(config: Any) -> None:
    """Every argument of an endpoint is a part of the page to Gradio, without anything to be seen: most of what a
    browser would unpack before it shows the page."""
    page = config["page"][""]
    shown = {part["id"] for part in config["components"] if part["type"] != "api"}
    page["components"] = [number for number in page["components"] if number in shown]
    page["layout"]["children"] = [part for part in page["layout"]["children"] if part["id"] in shown]


def _empty(uploads: Path) -> None:
    """Leftovers of an earlier run. Nothing here is the only copy of anything."""
    shutil.rmtree(uploads, ignore_errors=True)
    uploads.mkdir(parents=True, mode=0o700)
