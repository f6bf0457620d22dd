"""The whole screen: bar, tabs, endpoints, and how it is served."""

import importlib.util
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from jobs.store import Store
from scenehf.pixels import HOME, PUBLIC
from scenehf.ui import choices, gaze_view, layers_view, make_view, pictures
from scenehf.ui.api import Endpoints
from scenehf.ui.images import routes
from scenehf.ui.make_api import MakeEndpoints
from scenehf.ui.tabs import edit, gaze, history, layers
from scenehf.ui.theme import read, styles, theme
from scenehf.ui.watch import Watch
from scenehf.workflows import extract, make
from scenehf.workflows import gaze as gaze_grid

TITLE = "SceneHF"
# Fixed, or what the browser kept cannot be read after a restart. It is a job's id, and guards nothing.
BROWSER_KEY, BROWSER_SECRET = "scenehf-job", "scenehf"
MAX_QUEUED = 64  # calls of named endpoints that wait


@dataclass(frozen=True)
class Served:
    """A running server. share_url: None if none was asked for, or none came."""

    url: str
    share_url: str | None


class Screens:
    """The app over one store. uploads: folder for what browsers send, emptied here. weights: folder of pulled files;
    without it the one beside `uploads`. public: strangers can reach it."""

    def __init__(
        self, store: Store, uploads: Path, *, weights: Path | None = None, public: bool = False
    ) -> None:
        weights = weights or uploads.parent / "weights"
        self._store = store
        self._limits = PUBLIC if public else HOME
        _empty(uploads)
        views = {
            extract.KIND: layers_view.describe,
            gaze_grid.KIND: gaze_view.describe,
            make.KIND: make_view.describe,
        }
        watch = Watch(store, views)
        with gr.Blocks(
            title=TITLE, fill_width=True, analytics_enabled=False, delete_cache=(3600, 86400)
        ) as self.blocks:
            gr.HTML(
                None,
                html_template=read("shell.html"),
                js_on_load=styles() + read("shell.js"),
                apply_default_css=False,
                elem_id="shell",
            )
            with gr.Tabs(elem_id="tabs"):
                with gr.Tab("Layers", id="layers"):
                    first = layers.build(store, watch, self._limits, uploads, public=public)
                with gr.Tab("Edit / Generate", id="edit"):
                    second = edit.build(store, watch, self._limits, uploads, public=public)
                with gr.Tab("Gaze", id="gaze"):
                    third = gaze.build(store, watch, self._limits, uploads, weights, public=public)
                with gr.Tab("History", id="history"):
                    history.build(store, public=public)
            _remember(self.blocks, first, second, third)
            Endpoints(store, watch, self._limits, weights, public=public).declare()
            MakeEndpoints(store, self._limits).declare()

    def serve(self, port: int | None, *, share: bool = False, browser: bool = False) -> Served:
        """Serve on 127.0.0.1 (a Space: where it wants it) and return at once. port None: any free one."""
        self.blocks.queue(default_concurrency_limit=4, max_size=MAX_QUEUED)
        _, url, share_url = self.blocks.launch(
            server_port=port or _free_port(),
            share=share,
            inbrowser=browser,
            prevent_thread_lock=True,
            quiet=True,
            show_error=True,
            ssr_mode=False,
            run_history=False,
            enable_monitoring=False,
            mcp_server=importlib.util.find_spec("mcp") is not None,
            max_file_size=self._limits.bytes,
            footer_links=["api", "settings"],
            theme=theme(),
            app_kwargs={"routes": [*routes(self._store), *pictures.routes(self._store), *choices.routes()]},
        )
        return Served(url, share_url or None)

    def close(self) -> None:
        """Stop serving; streams that are still followed are cut after a second."""
        self.blocks.server.config.timeout_graceful_shutdown = 1
        self.blocks.close(verbose=False)


def _remember(blocks: gr.Blocks, *panels: gr.HTML) -> None:
    """Keep the open job in the browser, for where the address of the page is lost (a Space's frame). The first panel,
    which is always there, opens it, or passes it on to the tab of its kind."""
    kept = gr.BrowserState(None, storage_key=BROWSER_KEY, secret=BROWSER_SECRET)

    def opened(event: gr.EventData) -> str | None:
        job: Any = event._data.get("job")  # what the page sent
        return str(job) if job else None

    def reopen(job: str | None, request: gr.Request) -> str | None:
        return request.query_params.get("job") or job

    for panel in panels:
        panel.opened(opened, None, kept, queue=False, api_visibility="private", show_progress="hidden")
    blocks.load(reopen, kept, panels[0], queue=False, api_visibility="private", show_progress="hidden")


def _free_port() -> int:
    """One that nobody else is given at the same time, as can happen where ports are tried in turn."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _empty(uploads: Path) -> None:
    """Leftovers of an earlier run. Nothing here is the only copy of anything."""
    shutil.rmtree(uploads, ignore_errors=True)
    uploads.mkdir(parents=True, mode=0o700)
