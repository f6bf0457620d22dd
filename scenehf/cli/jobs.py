"""`./launch.sh jobs`: look at stored work, move it in and out, and get disk space back."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jobs.bundle import export_bundle, import_bundle
from jobs.errors import StoreDamaged, StoreError
from jobs.job import JOB_MOVES, Event, Job
from jobs.lane import Lane
from jobs.store import Store
from scenehf.settings import Settings

STATES = tuple(JOB_MOVES)


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb and its actions."""
    parser = subparsers.add_parser("jobs", help="list, show, export, import and clean stored jobs")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    listed = actions.add_parser("list", help="newest jobs first")
    listed.add_argument("--limit", type=int, default=20, metavar="N")
    listed.add_argument("--state", choices=STATES)
    listed.add_argument("--search", metavar="TEXT", help="part of the title")
    listed.set_defaults(act=_list)

    show = actions.add_parser("show", help="one job: its steps, files and last events")
    show.add_argument("id", metavar="ID", help="the id, or an unambiguous beginning or end of it")
    show.set_defaults(act=_show)

    actions.add_parser("status", help="jobs per state and disk use").set_defaults(act=_status)

    clean = actions.add_parser("clean", help="delete jobs and free their space; works on a full disk")
    which = clean.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--hours", type=float, metavar="N", help="those untouched for N hours, unless queued or running"
    )
    which.add_argument("--job", metavar="ID")
    which.add_argument("--all", action="store_true", help="every job that is not running")
    clean.set_defaults(act=_clean)

    export = actions.add_parser("export", help="write one job to a zip file")
    export.add_argument("id", metavar="ID")
    export.add_argument("--out", type=Path, metavar="FILE", help="default: job-ID.zip here")
    export.set_defaults(act=_export)

    imported = actions.add_parser("import", help="add the job of an exported zip file")
    imported.add_argument("zip", type=Path, metavar="ZIP")
    imported.set_defaults(act=_import)

    actions.add_parser("verify", help="check the database and every stored file").set_defaults(act=_verify)


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Do what was asked on the store of these settings. 0: done; 1: something is damaged; 2: it could not be done."""
    act: Callable[[Store, argparse.Namespace], int] = args.act
    try:
        with Store(settings.store) as store:
            return act(store, args)
    except StoreDamaged as error:
        print(error.message, file=sys.stderr)
        return 1
    except StoreError as error:
        print(error, file=sys.stderr)
        return 2


def _list(store: Store, args: argparse.Namespace) -> int:
    jobs = store.list_jobs(args.limit, state=args.state, search=args.search)
    if not jobs:
        print("No jobs." if args.state is None and args.search is None else "No such jobs.")
        return 0
    rows = [(job.id, job.state, job.kind, _age(job.updated), job.title) for job in jobs]
    _table([("ID", "STATE", "KIND", "CHANGED", "TITLE"), *rows])
    more = sum(store.counts().values()) - len(jobs)
    if more > 0 and args.state is None and args.search is None:
        print(f"... and {more} more; see them with --limit, --state or --search.")
    return 0


def _show(store: Store, args: argparse.Namespace) -> int:
    job = _find(store, args.id)
    facts = [
        ("id", job.id),
        ("title", job.title or "-"),
        ("kind", job.kind),
        ("state", job.state + (", cancel requested" if job.cancel_requested else "")),
        ("created", f"{_when(job.created)} ({_age(job.created)})"),
        ("changed", f"{_when(job.updated)} ({_age(job.updated)})"),
    ]
    if job.error is not None:
        facts.append(("error", f"{job.error.get('message', '')} {job.error.get('hint', '')}".strip()))
    _table(facts)
    if steps := store.steps(job.id):
        print("\nSteps (* counts)")
        rows = [
            (
                " *"[step.chosen],
                step.key,
                str(step.attempt),
                step.state,
                _took(step.started, step.ended),
                step.name,
            )
            for step in steps
        ]
        _table([("", "KEY", "TRY", "STATE", "TOOK", "NAME"), *rows])
    if assets := store.assets(job.id):
        print("\nFiles")
        _table([(asset.name, _size(asset.bytes), asset.mime) for asset in assets])
    print("\nLast events")
    for event in _last_events(store, job, 10):
        print(f"{_when(event.time)}  {event.type}  {_words(event.data)}")
    return 0


def _status(store: Store, args: argparse.Namespace) -> int:
    counts = store.counts()
    use = store.disk_use()
    holder = Lane(store.root).holder()
    facts = [(state, str(counts.get(state, 0))) for state in STATES]
    facts += [
        ("", ""),
        ("database", _size(use.database)),
        ("files", _size(use.assets)),
        ("being written", _size(use.temporary)),
        ("reserve", _size(use.ballast)),
        ("free on disk", _size(use.free)),
        ("", ""),
        ("folder", str(store.root)),
        ("runs jobs", "nobody: start the app" if holder is None else f"process {holder}"),
    ]
    _table(facts)
    return 0


def _clean(store: Store, args: argparse.Namespace) -> int:
    job_id = None if args.job is None else _find(store, args.job).id
    cleaned = store.clean(args.hours, job_id=job_id, all=args.all)
    print(f"Deleted {_count(cleaned.jobs, 'job')}, freed {_size(cleaned.bytes)}.")
    if cleaned.kept_running:
        print(f"Kept {_count(cleaned.kept_running, 'running job')}: cancel first what should go.")
    return 0


def _export(store: Store, args: argparse.Namespace) -> int:
    job = _find(store, args.id)
    out: Path = args.out or Path(f"job-{job.id}.zip")
    if not out.parent.is_dir():
        print(f"There is no folder {out.parent}; choose another --out.", file=sys.stderr)
        return 2
    export_bundle(store, job.id, out)
    print(f"Wrote {out} ({_size(out.stat().st_size)}).")
    return 0


def _import(store: Store, args: argparse.Namespace) -> int:
    job = import_bundle(store, args.zip)
    print(f"Imported job {job.id} ({job.state}) {job.title}".rstrip())
    return 0


def _verify(store: Store, args: argparse.Namespace) -> int:
    findings = store.verify()
    if not findings:
        print("All is well.")
        return 0
    _table([("KIND", "WHERE", "WHAT"), *((each.kind, each.subject, each.message) for each in findings)])
    return 1


def _find(store: Store, text: str) -> Job:
    """The job whose id is, begins or ends with `text`."""
    return store.job(store.resolve(text))


def _last_events(store: Store, job: Job, count: int) -> list[Event]:
    events: list[Event] = []
    while page := store.events(job.id, events[-1].seq if events else 0):
        events = [*events, *page][-count:]
    return events


def _table(rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their widest cell, two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _words(data: dict[str, Any]) -> str:
    shown = {key: value.get("message") if isinstance(value, dict) else value for key, value in data.items()}
    return ", ".join(f"{key} {value}" for key, value in shown.items() if value not in (None, ""))[:160]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _age(seconds: float) -> str:
    """How long ago, in the largest whole unit."""
    ago = max(0.0, time.time() - seconds)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if ago >= length:
            return f"{int(ago // length)} {unit} ago"
    return f"{int(ago)} s ago"


def _took(started: float | None, ended: float | None) -> str:
    if started is None:
        return "-"
    return f"{(time.time() if ended is None else ended) - started:.1f} s"


def _size(size: float) -> str:
    """Bytes in decimal units, as disks are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
