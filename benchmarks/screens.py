"""Every figure of the screens from one run against a real server and browser: `python -m benchmarks.screens [--quick]`.

The server is the app as it is: store, runner, worker process. Only the heavy units are stand-ins that take no time of
their own, so that what is measured is the screens. `--only NAME` runs one part (see PARTS).
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks import screens_follow as follow
from benchmarks import screens_motion as motion
from benchmarks.screens_pages import Desk, Table
from benchmarks.screens_server import served
from jobs.store import Store
from tests.conftest import BROWSERS, QUIET

PARTS = {
    "latency": follow.latency,
    "cards": follow.cards,
    "brush": motion.brush,
    "scene": motion.scene,
    "cancel": follow.cancel,
    "reattach": follow.reattach,
    "tabs": follow.nine_tabs,
    "history": motion.history,  # last: it leaves ten thousand jobs behind
}


def measure(browser: Browser, folder: Path, table: Table, only: str | None, quick: bool) -> None:
    """All rows, or those of one part."""
    data = folder / "data"
    with served("app", data) as address, Store(data / "store", free_min=0, ballast=0) as store:
        desk = Desk(browser, address, store)
        if only in (None, "ready"):
            with served("bare", folder / "bare") as bare:
                follow.ready(desk, table, bare, quick)
            follow.takes_a_file(desk, folder)
        for name, part in PARTS.items():
            if only in (None, name):
                part(desk, table, quick)
        errors = [line for line in desk.trouble if not line.startswith("foreign")]
        table.row("errors in the pages", len(errors), "", 0, more="; ".join(errors[:3]))
        foreign = len(desk.trouble) - len(errors)
        table.row("requests to other machines", foreign, "", 0, more=f"of {desk.requests} requests")


def main() -> None:
    """Print the table, and what it was measured on."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--only", choices=("ready", *PARTS), help="one part")
    args = parser.parse_args()
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    table = Table()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        print(
            f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, Chromium {browser.version} headless, "
            "drawn by the processor"
        )
        measure(browser, Path(folder), table, args.only, args.quick)
        browser.close()
    print(f"load {os.getloadavg()[0]:.1f}; missed: {', '.join(table.missed) or 'none'}")


if __name__ == "__main__":
    main()
