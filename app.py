"""The front door: settings, store, runner, screens, launch. Hugging Face Spaces starts it too."""

import queue
import signal
import sys
import threading
from collections.abc import Sequence

from jobs.errors import JobsError
from scenehf.cli import INTERRUPTED, app_settings
from scenehf.instance import PortTaken, only_one
from scenehf.logs import keep_log
from scenehf.settings import BadSettings, Settings
from scenehf.worker import build, furnish


def main(argv: Sequence[str]) -> int:
    """Serve until Ctrl+C (130) or a polite kill (0); what was running then resumes at the next start."""
    try:
        settings, takeover = app_settings(argv)
        with only_one(settings.data, settings.port, takeover=takeover):
            keep_log(settings)
            if settings.space_id and (lacking := furnish(settings)):  # elsewhere launch.sh does it
                print(lacking, file=sys.stderr)
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
        from scenehf.ui.visitors import sharing, warning

        shared = sharing(settings)
        screens = Screens(
            services.store, settings.uploads, weights=settings.weights, sharing=shared, loaded=services.loaded
        )
        browser = settings.browser and not settings.space_id
        served = screens.serve(settings.port, host=settings.host, share=settings.share, browser=browser)
        for ending in (signal.SIGINT, signal.SIGTERM):
            signal.signal(ending, lambda number, _: ended.put(number))
        print(f"Ready: {served.share_url or served.url}", flush=True)
        if said := warning(shared):
            print(said, file=sys.stderr)
        if settings.share and not served.share_url:
            print("No public link could be made; the app runs on this machine alone.", file=sys.stderr)
        reason = ended.get()
        # Beside the runner's own stop, so that both are over within 5 seconds.
        threading.Thread(target=screens.close).start()
    return reason


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
