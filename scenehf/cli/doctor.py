"""`doctor`: one screen that says whether this machine is fit, and after each bad line the command that cures it."""

import argparse
import importlib.metadata
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from jobs.database import WAL_IS_SAFE
from jobs.errors import JobsError, StoreDamaged, StoreTooNew
from jobs.store import Store
from models.errors import ModelError
from models.runtime import hub
from models.runtime.device import best_device, free_memory, total_memory
from models.runtime.weights import WEIGHTS, Finding, verify
from scenehf import instance
from scenehf.settings import CHECKOUT, KEYS, OTHERS, Settings

GB = 1e9
PYTHONS = ((3, 11), (3, 13))
FREE_DISK = 2 * GB  # a 16-megapixel job with all its attempts and exports
FREE_MEMORY = 2 * GB  # one 16-megapixel step
# Older ones have a known hole or fault: file reads and request forgery in gradio, code from weight files in torch
# and transformers, decompression bombs in pillow.
FLOORS = {"gradio": "6.20", "torch": "2.6", "transformers": "5.3", "pillow": "12.3"}
REINSTALL = "rm -r .venv && ./launch.sh"
UPDATE = "git pull && ./launch.sh"
ELSEWHERE = "./launch.sh --data ~/scenehf-elsewhere"


@dataclass(frozen=True)
class Line:
    """One line of the screen. cure: the command to run; empty where all is well."""

    name: str
    state: Literal["ok", "note", "bad"]
    text: str
    cure: str = ""


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the verb."""
    parser = subparsers.add_parser("doctor", help="is this machine fit, and if not, what cures it")
    parser.add_argument("--port", type=int, metavar="N", help="the port to look at (default: the app's)")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Exit 0, or 1 if a line is bad."""
    if args.port:
        settings = settings.model_copy(update={"port": args.port})
    lines = []
    for check in CHECKS:
        line = check(settings)
        lines.append(line)
        mark = {"ok": "ok ", "note": " - ", "bad": "BAD"}[line.state]
        print(
            f"{mark}  {line.name:<9} {line.text}" + (f"  Cure: {line.cure}" if line.cure else ""), flush=True
        )
    return 1 if any(line.state == "bad" for line in lines) else 0


def _python(settings: Settings) -> Line:
    version = sys.version_info[:2]
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    if PYTHONS[0] <= version <= PYTHONS[1]:
        return Line("Python", "ok", text)
    return Line("Python", "bad", f"{text}; 3.11 to 3.13 are known to work.", REINSTALL)


def _disk(settings: Settings) -> Line:
    free = shutil.disk_usage(settings.data).free
    text = f"{free / GB:.1f} GB free for {settings.data}"
    return (
        Line("Disk", "ok", text)
        if free > FREE_DISK
        else Line("Disk", "bad", text, "./launch.sh jobs clean --hours 24")
    )


def _memory(settings: Settings) -> Line:
    text = f"{free_memory() / GB:.1f} of {total_memory() / GB:.1f} GB free"
    if free_memory() > FREE_MEMORY:
        return Line("Memory", "ok", text)
    return Line(
        "Memory", "note", f"{text}; large pictures need {FREE_MEMORY / GB:.0f} GB: close other programs first"
    )


def _device(settings: Settings) -> Line:
    device, build = best_device(), f"torch {_installed('torch')}"
    return Line(
        "Device", "ok", f"cpu: no GPU that {build} can use" if device == "cpu" else f"{device}, {build}"
    )


def _versions(settings: Settings) -> Line:
    found = {name: _installed(name) for name in FLOORS}
    text = ", ".join(f"{name} {version or 'missing'}" for name, version in found.items())
    bad = [name for name, version in found.items() if _numbers(version) < _numbers(FLOORS[name])]
    if not bad:
        return Line("Packages", "ok", text)
    wanted = ", ".join(f"{name} at least {FLOORS[name]}" for name in bad)
    return Line("Packages", "bad", f"{text}; needed: {wanted}.", REINSTALL)


def _sqlite(settings: Settings) -> Line:
    try:
        with Store(settings.store) as store:
            version = str(store.rows("SELECT sqlite_version()")[0][0])
    except JobsError:
        return Line("SQLite", "note", "unknown, because the store cannot be opened")
    if _numbers(version) >= WAL_IS_SAFE:
        return Line("SQLite", "ok", version)
    floor = ".".join(map(str, WAL_IS_SAFE))
    text = f"{version}; before {floor} its write-ahead log can be corrupted, so a slower journal is used."
    return Line("SQLite", "note", text, REINSTALL)


def _weights(settings: Settings) -> Line:
    for finding in verify(settings.weights):
        if finding.state != "present":
            return _lacking(finding)
    pulled = tuple(name for name in hub.HUB if (settings.weights / name / hub.RECORD).exists())
    for name in pulled:
        try:
            lacking = [f for f in hub.verify(settings.weights, (name,), quick=True) if f.state != "present"]
        except ModelError as error:
            cure = f"rm -r {settings.weights / name} && {hub.command(name)}"
            return Line("Weights", "bad", str(error.args[0]), cure)
        if lacking:
            return _lacking(lacking[0])
    return Line("Weights", "ok", ", ".join((*WEIGHTS, *pulled)))


def _lacking(finding: Finding) -> Line:
    cure = f"./launch.sh models pull {finding.set}"
    return Line("Weights", "bad", f"{finding.set}: {finding.file} is {finding.state}.", cure)


def _keys(settings: Settings) -> Line:
    found = settings.keys_found()
    return Line(
        "Keys", "note", ", ".join(found) if found else f"none; local work needs none ({', '.join(KEYS)})"
    )


def _private(settings: Settings) -> Line:
    """Settings close what is open when they are read; what is left belongs to somebody else."""
    open_to_others = [
        path
        for path in (settings.data, settings.data / ".env", CHECKOUT / ".env")
        if path.exists() and path.stat().st_mode & OTHERS
    ]
    if open_to_others:
        names = " ".join(map(str, open_to_others))
        return Line("Privacy", "bad", f"Others on this machine can read {names}.", f"chmod go= {names}")
    return Line("Privacy", "ok", f"{settings.data} is for you alone")


def _sharing(settings: Settings) -> Line:
    if not settings.public:
        return Line("Sharing", "ok", f"{settings.host}: this machine alone")
    asked = "a password is asked for" if settings.auth else "without a password"
    if settings.space_id:
        asked = f"as the Space {settings.space_id}"
    spent = f"{settings.cap_day:g} dollars a day at most"
    return Line(
        "Sharing", "note", f"{settings.host}: others can reach it, {asked}; {spent}, with keys of their own"
    )


def _port(settings: Settings) -> Line:
    if mine := instance.older(settings.data, settings.port):
        return Line("Port", "ok", f"{settings.port}: this app runs there as {mine}")
    if holder := instance.holder(settings.port):
        return Line(
            "Port", "bad", f"{settings.port} is held by {holder}.", f"./launch.sh --port {settings.port + 1}"
        )
    return Line("Port", "ok", f"{settings.port} is free")


def _store(settings: Settings) -> Line:
    try:
        with tempfile.TemporaryFile(dir=settings.data) as probe:
            probe.write(b"a place to write")
        with Store(settings.store) as store:
            damage = [str(row[0]) for row in store.rows("PRAGMA quick_check")]
            jobs = sum(store.counts().values())
            size = store.disk_use()
    except StoreTooNew as error:
        return Line("Store", "bad", error.message, UPDATE)
    except StoreDamaged as error:  # so badly that it cannot be opened: the app starts a new one
        return Line(
            "Store",
            "bad",
            error.message,
            f"mv {settings.store} {settings.store}.damaged",
        )
    except (OSError, JobsError) as error:
        return Line("Store", "bad", f"{settings.store}: {error}", ELSEWHERE)
    if damage != ["ok"]:
        return Line("Store", "bad", f"{settings.store}: {damage[0]}", "./launch.sh jobs verify")
    return Line(
        "Store", "ok", f"{jobs} jobs, {(size.database + size.assets) / 1e6:.0f} MB in {settings.store}"
    )


def _installed(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


CHECKS: tuple[Callable[[Settings], Line], ...] = (
    _python,
    _disk,
    _memory,
    _device,
    _versions,
    _sqlite,
    _weights,
    _keys,
    _private,
    _sharing,
    _port,
    _store,
)
