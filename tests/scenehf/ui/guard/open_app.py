"""A small app with everything that Gradio is attacked by, served as Gradio serves it, or behind our guard."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware

from jobs.store import Store
from scenehf.ui import login
from scenehf.ui.guard.hosts import Hosts
from scenehf.ui.guard.layer import Guard
from scenehf.ui.guard.rules import Call, Rules
from scenehf.ui.visitors import Reception, Sharing

ACCOUNT = ("owner", "correct horse")
NAMED = ("shown", "kept", "slow")
SHOWN, KEPT, SLOW, HIDDEN, PRIVATE = range(5)


def build() -> gr.Blocks:
    """Functions by number: SHOWN gives its picture back, KEPT tells the path of its file, SLOW takes its time."""
    with gr.Blocks(analytics_enabled=False) as blocks:
        picture, shown, file, text = gr.Image(type="filepath"), gr.Image(), gr.File(), gr.Textbox()
        buttons = [gr.Button() for _ in range(5)]
        buttons[SHOWN].click(lambda path: path, picture, shown, api_name="shown")
        buttons[KEPT].click(str, file, text, api_name="kept")
        buttons[SLOW].click(
            lambda said: time.sleep(3) or said, text, text, api_name="slow", concurrency_limit=1
        )
        buttons[HIDDEN].click(lambda: "it ran", None, text, api_name=False)
        buttons[PRIVATE].click(lambda: "it ran", None, text, api_visibility="private")
    return blocks


@contextmanager
def serving(folder: Path, *, guarded: bool, login_asked: bool = False) -> Iterator[str]:
    """Its address. folder: holds `uploads`, `served` (which the app lets everybody read) and the store."""
    blocks = build()
    account = ACCOUNT if login_asked else None
    options = {}
    with Store(folder / f"store-{guarded}-{login_asked}", free_min=0, ballast=0) as store:
        if guarded:
            rules = Rules(
                reception=Reception(store, Sharing(public=True, account=account)),
                uploads=folder / "uploads",
                hosts=Hosts(),
                calls=[Call(number, name, heavy=name == "slow") for number, name in enumerate(NAMED)],
                parts=(),
                signed_in=login.signed_in,
                tools=False,
            )
            options = {"middleware": [Middleware(Guard, rules)]}
        _, url, _ = blocks.queue(max_size=20).launch(
            server_name="127.0.0.1", prevent_thread_lock=True, quiet=True, ssr_mode=False, auth=account,
            allowed_paths=[str(folder / "served")], max_file_size="5mb", show_error=False, app_kwargs=options,
        )  # fmt: skip
        try:
            yield url.rstrip("/")
        finally:
            blocks.server.config.timeout_graceful_shutdown = 1
            blocks.close(verbose=False)
