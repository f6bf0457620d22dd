"""The verbs of `./launch.sh`. Each is a file here with `add(subparsers)` and `run(args, settings) -> exit code`.

Only the file of the verb that was asked for is imported. Exit codes: 0 done, 1 failed, 2 bad input.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from logging.handlers import RotatingFileHandler
from pathlib import Path

from jobs.errors import JobsError
from jobs.job import Event, Job
from jobs.store import Store
from models.errors import ModelError
from models.redact import Redacting
from scenehf.errors import BadPicture, NotPossible, SceneError
from scenehf.settings import BadSettings, Settings, load

VERBS = ("layers", "edit", "convert", "gaze", "jobs", "models", "doctor")
INTERRUPTED = 130  # what a shell expects after Ctrl+C


def main(argv: Sequence[str]) -> int:
    """Run one verb; every failure that a person can cure is one sentence on stderr."""
    flags, rest = _everywhere().parse_known_args(argv)
    args = _verbs(rest).parse_args(rest)
    try:
        code: int = import_module(f"scenehf.cli.{args.verb}").run(args, load(**vars(flags)))
        return code
    except (BadPicture, NotPossible) as error:
        print(error, file=sys.stderr)
        return 2
    except (SceneError, ModelError, JobsError, BadSettings) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def app_settings(argv: Sequence[str]) -> tuple[Settings, bool]:
    """Settings of the app from its flags, and whether to take over from an older instance.

    Exits with a usage line for an unknown flag. Raises BadSettings.
    """
    parser = argparse.ArgumentParser(prog="./launch.sh", parents=[_everywhere()], allow_abbrev=False)
    unset = argparse.SUPPRESS
    parser.add_argument("--port", type=int, metavar="N", default=unset, help="on 127.0.0.1 (default 7860)")
    parser.add_argument("--share", action="store_true", default=unset, help="also make a public link")
    parser.add_argument(
        "--no-browser", dest="browser", action="store_false", default=unset, help="open no window"
    )
    parser.add_argument(
        "--takeover", action="store_true", help="end an older instance of this app on the port"
    )
    flags = vars(parser.parse_args(argv))
    takeover = bool(flags.pop("takeover"))
    return load(**flags), takeover


def log_to_file(settings: Settings) -> None:
    """Everything that is logged from now on, without any key, goes to `logs/app.log`."""
    file = RotatingFileHandler(settings.logs / "app.log", maxBytes=2_000_000, backupCount=3, encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    file.addFilter(Redacting())
    logging.basicConfig(level=logging.INFO, handlers=[file])


def _everywhere() -> argparse.ArgumentParser:
    """The flag that every verb takes, at any place."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        default=argparse.SUPPRESS,
        help="where jobs, weights and logs live (default ~/.scenehf)",
    )
    return parser


def _verbs(argv: Sequence[str]) -> argparse.ArgumentParser:
    """A parser that knows the verb asked for, or all of them when it has to list them."""
    parser = argparse.ArgumentParser(
        prog="./launch.sh",
        allow_abbrev=False,
        epilog="Every verb takes --data DIR. Without a verb the app starts.",
    )
    subparsers = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    asked = argv[:1] if argv and argv[0] in VERBS else VERBS
    for verb in asked:
        import_module(f"scenehf.cli.{verb}").add(subparsers)
    return parser


def folder(path: Path) -> Path:
    """`path` as a folder that is there; NotPossible where it cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotPossible(f"{path} cannot be written: {error.strerror}. Choose another folder.") from None
    return path


def follow(store: Store, job: Job) -> Job:
    """Print the job's events until it ends; the work itself is done by whichever process holds the lane."""
    after = 0
    while True:
        for event in store.follow(job.id, after, 1.0):
            after = event.seq
            _print(event)
        job = store.job(job.id)
        if job.state in ("succeeded", "failed", "cancelled", "needs_review"):
            return job


def _print(event: Event) -> None:
    if event.type == "log":
        print(event.data["text"], flush=True)
    elif event.type == "progress" and event.data.get("message"):
        print(f"{event.data['fraction']:4.0%}  {event.data['message']}", flush=True)
