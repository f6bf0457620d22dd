"""The front door: settings, store, runner, screens, launch. Hugging Face Spaces starts it too."""

import queue
import signal
import sys
import threading
from collections.abc import Sequence

from jobs.errors import JobsError
from scenehf.cli import INTERRUPTED, app_settings, log_to_file
from scenehf.instance import PortTaken, only_one
from scenehf.settings import BadSettings, Settings
from scenehf.worker import build


def main(argv: Sequence[str]) -> int:
    """Serve until Ctrl+C (130) or a polite kill (0); what was running then resumes at the next start."""
    try:
        settings, takeover = app_settings(argv)
        with only_one(settings.data, settings.port, takeover=takeover):
            log_to_file(settings)
            return INTERRUPTED if _serve(settings) == signal.SIGINT else 0
    except (PortTaken, BadSettings, JobsError) as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # before the screens were up
        return INTERRUPTED


def _serve(settings: Settings) -> int:
    """Run everything; the signal that ended it."""
    ended: queue.SimpleQueue[int] = queue.SimpleQueue()
    with build(settings) as services:
        from scenehf.ui.build import Screens  # takes seconds, in which interrupted jobs go on already

        screens = Screens(services.store, settings.uploads, weights=settings.weights, public=settings.public)
        served = screens.serve(
            settings.port, share=settings.share, browser=settings.browser and not settings.space_id
        )
        for ending in (signal.SIGINT, signal.SIGTERM):
            signal.signal(ending, lambda number, _: ended.put(number))
        print(f"Ready: {served.share_url or served.url}", flush=True)
        if settings.share and not served.share_url:
            print("No public link could be made; the app runs on this machine alone.", file=sys.stderr)
        reason = ended.get()
        # Beside the runner's own stop, so that both are over within 5 seconds.
        threading.Thread(target=screens.close).start()
    return reason


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
