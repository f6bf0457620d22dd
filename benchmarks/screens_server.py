"""The servers of `benchmarks.screens`, each in a process of its own: `screens_server app|bare FOLDER`."""

import contextlib
import importlib.util
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

UNITS = "benchmarks.screens_units:units"


@contextlib.contextmanager
def served(what: str, data: Path) -> Iterator[str]:
    """The address of a server that runs until the end of the block."""
    command = [sys.executable, "-m", "benchmarks.screens_server", what, str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = (line.strip() for line in process.stdout)
            address = next((line for line in said if line.startswith("http://")), None)
            if address is None:
                raise RuntimeError(f"the server {what!r} did not start")
            yield address.rstrip("/")
        finally:
            process.terminate()


def app(data: Path) -> None:
    """The real screens over a real store, runner and worker process."""
    from jobs.host import Host
    from jobs.runner import Runner
    from jobs.store import Store
    from scenehf.settings import load
    from scenehf.ui.build import Screens
    from scenehf.worker import WORKFLOWS

    settings = load(data=data)
    store = Store(settings.store, free_min=0, ballast=0)
    runner = Runner(store, WORKFLOWS, Host(UNITS))
    runner.start()
    print(Screens(store, settings.uploads).serve(None).url, flush=True)
    _until_told()
    runner.stop()


def bare(data: Path) -> None:
    """The least that Gradio can be, launched as the app launches it."""
    import gradio as gr

    from scenehf.settings import load

    load(data=data)
    with gr.Blocks(analytics_enabled=False) as blocks:
        gr.Textbox(label="Text")
    _, url, _ = blocks.queue().launch(
        prevent_thread_lock=True,
        quiet=True,
        show_error=True,
        ssr_mode=False,
        run_history=False,
        enable_monitoring=False,
        mcp_server=importlib.util.find_spec("mcp") is not None,
        footer_links=["api", "settings"],
    )
    print(url, flush=True)
    _until_told()


def _until_told() -> None:
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    ended.wait()


if __name__ == "__main__":
    {"app": app, "bare": bare}[sys.argv[1]](Path(sys.argv[2]))
