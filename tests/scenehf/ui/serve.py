"""The screens over a data directory with the stand-in units, as a process that a test can kill: serve.py PORT DIR."""

import signal
import sys
import threading
from pathlib import Path

from jobs.host import Host
from jobs.runner import Runner
from jobs.store import Store
from scenehf.settings import load
from scenehf.ui.build import Screens
from scenehf.worker import WORKFLOWS
from tests.scenehf.ui.conftest import UNITS


def main(port: int, data: Path) -> None:
    settings = load(data=data)
    store = Store(settings.store)
    runner = Runner(store, WORKFLOWS, Host(UNITS))
    runner.start()
    print(Screens(store, settings.uploads).serve(port).url, flush=True)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    ended.wait()
    runner.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
