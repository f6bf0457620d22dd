"""The front door: settings, store, runner, screens, launch. Hugging Face Spaces starts it too."""

import signal
import sys
import threading
from collections.abc import Sequence

from jobs.errors import JobsError
from scenehf.cli import app_settings
from scenehf.instance import LOOPBACK, PortTaken, only_one
from scenehf.settings import BadSettings, Settings
from scenehf.worker import build


def main(argv: Sequence[str]) -> int:
    """Serve until Ctrl+C or a polite kill; what was running then resumes at the next start."""
    try:
        settings, takeover = app_settings(argv)
        with only_one(settings.data, settings.port, takeover=takeover):
            _serve(settings)
    except (PortTaken, BadSettings, JobsError) as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return 0


def _serve(settings: Settings) -> None:
    import gradio as gr

    stop = threading.Event()
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda *_: stop.set())
    with build(settings), gr.Blocks(title="SceneHF") as screens:
        gr.Markdown("# SceneHF")
        _, url, public_url = screens.launch(
            server_name=None if settings.space_id else LOOPBACK,
            server_port=settings.port,
            inbrowser=settings.browser and settings.space_id is None,
            share=settings.share,
            ssr_mode=False,
            run_history=False,  # would keep every field in the browser's storage
            quiet=True,
            prevent_thread_lock=True,
        )
        print(f"Ready: {url}", flush=True)
        if settings.share and public_url is None:
            print("No public link could be made; the app runs on this machine alone.", file=sys.stderr)
        stop.wait()
        screens.close(verbose=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
