"""Gradio's launch where a machine is slow, or a free port is taken a moment later."""

import secrets
import socket
import time
from contextlib import suppress
from typing import Any

import gradio as gr
from gradio import http_server
from gradio.exceptions import ServerFailedToStartError

from scenehf.settings import LOOPBACK

PORTS = range(10_000, 32_000)


class PatientServer(http_server.Server):  # type: ignore[misc]  # Any to mypy
    """Gradio calls a server lost after 5 seconds. This one is lost when its thread has ended."""

    def run_in_thread(self) -> None:
        """Return when the server answers.

        Raises:
            ServerFailedToStartError: It has ended, as when the port is taken.
        """
        try:
            super().run_in_thread()
        except ServerFailedToStartError:
            while self.thread.is_alive() and not self.started:
                time.sleep(0.01)
            if not self.started:
                raise


def launch(blocks: gr.Blocks, port: int | None, **options: Any) -> tuple[str, str | None]:
    """(address, public address if one was asked for and came). port None: any free one. options: as `Blocks.launch`.

    Raises:
        OSError: The port is taken.
    """
    http_server.Server = PatientServer
    # _frontend asks for the page once more and gives it three seconds; a page in the making can take longer.
    _, url, share_url = blocks.launch(
        server_port=port or free_port(), prevent_thread_lock=True, _frontend=False, **options
    )
    return url, share_url or None


def free_port() -> int:
    """Below the ports that systems give to outgoing connections, so that none of those takes it meanwhile."""
    while True:
        with socket.socket() as free, suppress(OSError):
            free.bind((LOOPBACK, secrets.choice(PORTS)))
            return int(free.getsockname()[1])
