"""A power cut, simulated: file system calls of a workload are recorded, and disks rebuilt as a cut may leave them.

What was not synced may be there, be missing, or be torn at a sector; a name may point to its file or not until its
directory was synced. Model as in LazyFS and in SQLite's own crash tests. Needs strace.

python -m tests.jobs.crash_power FOLDER --states 1000 --seed 1 [--mutant no-fsync|no-dir-fsync|normal]
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.jobs.crash_facts import Fact, half_written, lost, mutate, open_store, work

SECTOR = 512
MEMORY = Path("/dev/shm")
CALLS = (
    "openat,pwrite64,write,fsync,fdatasync,rename,renameat,renameat2,"
    "unlink,unlinkat,ftruncate,mkdir,mkdirat,close,lseek"
)
QUOTED = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
LINE = re.compile(r"(?:\d+\s+)?(\w+)\((.*)\)\s+= (-?\d+)")
Op = tuple[Any, ...]


def record(folder: Path, seed: int, rounds: int, mutant: str) -> list[Op]:
    """Run the workload under strace; its operations on the store, with acknowledgements in between."""
    log, root = folder / "strace.log", folder / "root"
    command = [sys.executable, "-m", "tests.jobs.crash_power", str(folder), "--work", str(rounds)]
    strace = ["strace", "-f", "-xx", "-s", "3000000", "-o", str(log), "-e", f"trace={CALLS}"]
    subprocess.run([*strace, *command, "--seed", str(seed), "--mutant", mutant], check=True)
    with log.open() as lines:
        return list(Recording(root, folder / "acks").read(lines))


class Recording:
    """Turns strace lines into operations on files below `root`."""

    def __init__(self, root: Path, acks: Path) -> None:
        self._root, self._acks = str(root), str(acks)
        self._fds: dict[int, str] = {}
        self._at: dict[int, int] = {}

    def read(self, lines: Any) -> Any:
        """Yield the operations, oldest first."""
        for line in lines:
            found = LINE.match(line)
            if found and int(found[3]) >= 0:
                call = found[1].removesuffix("64").removesuffix("2")
                operation = getattr(self, f"_{call.removesuffix('at')}", None)
                if operation is not None:
                    yield from operation(found[2], int(found[3]))

    def _paths(self, args: str) -> list[str]:
        return [_bytes(text).decode() for text in QUOTED.findall(args)]

    def _ours(self, path: str) -> bool:
        return path.startswith(self._root)

    def _open(self, args: str, fd: int) -> Any:
        path = self._paths(args)[0]
        self._fds[fd], self._at[fd] = path, 0
        if self._ours(path) and "O_CREAT" in args:
            yield ("create", path)

    def _close(self, args: str, _: int) -> Any:
        self._fds.pop(int(args), None)
        return ()

    def _write(self, args: str, count: int) -> Any:
        fd = int(args.split(",")[0])
        path = self._fds.get(fd, "")
        data = _bytes(QUOTED.search(args)[1])[:count] if path == self._acks or self._ours(path) else b""
        if path == self._acks:
            yield ("ack", json.loads(data))
        elif data:
            yield ("write", path, self._at[fd], data)
            self._at[fd] += count

    def _pwrite(self, args: str, count: int) -> Any:
        path = self._fds.get(int(args.split(",")[0]), "")
        if self._ours(path):
            yield ("write", path, int(args.rsplit(",", 1)[1]), _bytes(QUOTED.search(args)[1])[:count])

    def _lseek(self, args: str, position: int) -> Any:
        self._at[int(args.split(",")[0])] = position
        return ()

    def _ftruncate(self, args: str, _: int) -> Any:
        fd, length = args.split(",")
        if self._ours(self._fds.get(int(fd), "")):
            yield ("truncate", self._fds[int(fd)], int(length))

    def _fsync(self, args: str, _: int) -> Any:
        if self._ours(self._fds.get(int(args), "")):
            yield ("sync", self._fds[int(args)])

    _fdatasync = _fsync

    def _rename(self, args: str, _: int) -> Any:
        old, new = self._paths(args)
        if self._ours(old):
            yield ("rename", old, new)

    def _unlink(self, args: str, _: int) -> Any:
        if self._ours(path := self._paths(args)[0]):
            yield ("unlink", path)

    def _mkdir(self, args: str, _: int) -> Any:
        if self._ours(path := self._paths(args)[0]):
            yield ("mkdir", path)


@dataclass(eq=False)
class Node:
    """A file or folder: its synced bytes and the changes since."""

    folder: bool = False
    synced: bytes = b""
    since: list[tuple[int | None, Any]] = field(
        default_factory=list
    )  # (offset, bytes), or (None, new length)


class Disk:
    """What programs see, and what the medium holds for sure."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._seen: dict[str, Node] = {}
        self._kept: dict[str, Node] = {}
        self._names: dict[str, list[tuple[str, Node | None]]] = defaultdict(
            list
        )  # by folder: changes not synced

    def apply(self, op: Op) -> None:
        """Do one recorded operation."""
        match op:
            case ("create" | "mkdir" as what, path) if path not in self._seen:
                self._link(path, Node(folder=what == "mkdir"))
            case ("write", path, offset, data) if path in self._seen:
                self._seen[path].since.append((offset, data))
            case ("truncate", path, length) if path in self._seen:
                self._seen[path].since.append((None, length))
            case ("rename", old, new) if old in self._seen:
                node = self._seen.pop(old)
                self._names[_parent(old)].append((old, None))
                self._link(new, node)
            case ("unlink", path) if self._seen.pop(path, None):
                self._names[_parent(path)].append((path, None))
            case ("sync", path):
                self._sync(path)

    def _link(self, path: str, node: Node) -> None:
        self._seen[path] = node
        self._names[_parent(path)].append((path, node))

    def _sync(self, path: str) -> None:
        node = self._seen.get(path)
        if node is None or node.folder:  # the root itself is a folder that existed before
            _rename_all(self._kept, self._names.pop(path, []))
        else:
            content = bytearray(node.synced)
            for change in node.since:
                _change(content, change)
            node.synced, node.since = bytes(content), []

    def after_cut(self, rng: random.Random, mode: str) -> tuple[dict[str, bytes], list[str]]:
        """(files, folders) as a power cut may leave them. mode: what happens to what is not synced: none|some|all."""
        names = dict(self._kept)
        for changes in self._names.values():
            many = {"none": 0, "all": len(changes)}.get(mode, rng.randint(0, len(changes)))
            _rename_all(names, changes[:many])
        names = {path: node for path, node in names.items() if self._reachable(path, names)}
        files = {
            path: _content(node, rng, mode)
            for path, node in names.items()
            if not node.folder and not path.endswith("-shm")  # shared memory: rebuilt by whoever opens first
        }
        return files, [path for path, node in names.items() if node.folder]

    def _reachable(self, path: str, names: dict[str, Node]) -> bool:
        parent = _parent(path)
        return (
            parent == self._root or (parent in names and self._reachable(parent, names)) or path == self._root
        )


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _rename_all(names: dict[str, Node], changes: list[tuple[str, Node | None]]) -> None:
    for path, node in changes:
        if node is None:
            names.pop(path, None)
        else:
            names[path] = node


def _content(node: Node, rng: random.Random, mode: str) -> bytes:
    content = bytearray(node.synced)
    for change in node.since:
        if mode == "all":
            _change(content, change)
        elif mode == "some" and rng.random() < 0.5:
            offset, data = change
            if offset is not None and rng.random() < 0.3:
                data = data[: rng.randrange(0, len(data) + 1, SECTOR)]
            _change(content, (offset, data))
    return bytes(content)


def _change(content: bytearray, change: tuple[int | None, Any]) -> None:
    offset, data = change
    if offset is None:
        del content[data:]
        content.extend(bytes(data - len(content)))
    else:
        content.extend(bytes(max(0, offset - len(content))))
        content[offset : offset + len(data)] = data


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def torture(folder: Path, states: int, seed: int, rounds: int, mutant: str) -> dict[str, Any]:
    """The whole test; see the keys of the result. `bad`: how many states broke any promise."""
    rng = random.Random(seed)
    ops = record(folder, seed, rounds, mutant)
    opened = next(index for index, op in enumerate(ops) if op[0] == "ack")
    cuts = sorted(rng.randint(opened + 1, len(ops)) for _ in range(states))
    report: dict[str, Any] = {
        "states": states,
        "operations": len(ops),
        "facts": 0,
        "bad": 0,
        "lost": [],
        "unsound": [],
    }
    # What happens to a rebuilt disk needs no real one.
    place = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None)) / "cut"
    disk, acks, done = Disk(folder / "root"), [], 0
    for number, cut in enumerate(cuts):
        for op in ops[done:cut]:
            if op[0] == "ack":
                acks.append(op[1])
            else:
                disk.apply(op)
        done = cut
        files, folders = disk.after_cut(rng, ("none", "some", "some", "all")[number % 4])
        missing, unsound = examine(place, folder / "root", files, folders, acks)
        report["facts"] += len(acks)
        report["bad"] += bool(missing or unsound)
        report["lost"] += missing
        report["unsound"] += unsound
    shutil.rmtree(place.parent)
    report["lost_count"], report["unsound_count"] = len(report["lost"]), len(report["unsound"])
    report["lost"], report["unsound"] = report["lost"][:5], report["unsound"][:5]
    return report


def examine(
    place: Path, root: Path, files: dict[str, bytes], folders: list[str], acks: list[Fact]
) -> tuple[list[Fact], list[str]]:
    """Build one disk at `place` and open the store on it: (facts lost, things unsound)."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for path in sorted(folders):
        (place / os.path.relpath(path, root)).mkdir(exist_ok=True)
    for path, content in files.items():
        (place / os.path.relpath(path, root)).write_bytes(content)
    try:
        with open_store(place) as store:
            missing = lost(store, [fact for fact in acks if fact[0] != "open"])
            unsound = half_written(store) + [str(finding) for finding in store.verify()]
            store.recover(everything=True)
            store.delete_job(store.create_job("edit", {}, assets=[("in", b"usable again", "text/plain")]).id)
    except Exception as error:  # noqa: BLE001 -- any failure is a finding
        return [], [f"cannot be used: {error!r}"]
    return missing, unsound


def run_workload(folder: Path, rounds: int, seed: int) -> None:
    """The traced process: acknowledgements go to a file, so that they are part of the record."""
    acks = os.open(folder / "acks", os.O_WRONLY | os.O_CREAT, 0o600)

    def ack(*fact: Any) -> None:
        os.write(acks, (json.dumps(fact) + "\n").encode())

    store = open_store(folder / "root")
    store.rows("PRAGMA wal_autocheckpoint = 40")  # many checkpoints in a short run
    ack("open")
    work(store, rounds, random.Random(seed), ack)
    store.close()


def main() -> None:
    """Print the report as JSON, or be the traced process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--states", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--mutant", default="")
    parser.add_argument("--work", type=int, metavar="ROUNDS", help=argparse.SUPPRESS)
    args = parser.parse_args()
    folder = args.folder.absolute()
    if args.work is not None:
        mutate(args.mutant)
        run_workload(folder, args.work, args.seed)
    else:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        json.dump(torture(folder, args.states, args.seed, args.rounds, args.mutant), sys.stdout)


if __name__ == "__main__":
    main()
