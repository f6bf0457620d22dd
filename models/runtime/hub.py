"""Weights from the model hub: which repository, which revision, and that nothing changes behind our back.

Nothing here says what a file's hash is. The first pull asks the hub for the newest revision and for the hash of each
file, shows them, checks the files by them and writes them down; from then on only that revision and those hashes count.
A pull that was broken off goes on where it stopped. Pickled files are read once, tensors only, and kept as safetensors;
what is kept is hashed too.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.errors import DownloadFailed, WeightsDamaged, WeightsMissing
from models.runtime.hub_sets import HUB as HUB
from models.runtime.hub_sets import HubFile as HubFile
from models.runtime.hub_sets import HubSet as HubSet
from models.runtime.weights import Finding, Report, State, sha256

RECORD = "source.json"
PARTS = ".part"  # folder of what is on its way
FULL = (errno.ENOSPC, errno.EDQUOT)
WRAPPED = "module."  # what training on several devices leaves before every name
SHARE_OF_FETCHING = 0.95


@dataclass
class Record:
    """What the first pull found out. files: path in the repository -> bytes and sha256, or git's own hash of a small
    file, for which the hub knows no other; kept: name of ours -> bytes and sha256."""

    repository: str
    revision: str
    licence: str
    files: dict[str, dict[str, Any]]
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)


def here(folder: Path, name: str) -> bool:
    """Whether every file of the set, and of those that it needs, lies under `folder`; a look, no hashing."""
    hub_set = HUB[name]
    whole = all((folder / name / kept).is_file() for kept in hub_set.kept)
    chosen = bool(chosen_here(folder, name)) if hub_set.choices else True
    return whole and chosen and all(here(folder, needed) for needed in hub_set.needs)


def chosen_here(folder: Path, name: str) -> dict[str, Path]:
    """The choices of a set that lie under `folder`: name -> file."""
    found = {choice: folder / name / next(iter(file.becomes)) for choice, file in HUB[name].choices.items()}
    return {choice: path for choice, path in found.items() if path.is_file()}


def path(folder: Path, name: str, file: str) -> Path:
    """Where `file` of the set `name` lies under `folder`; raises WeightsMissing if it is not there."""
    found = folder / name / file
    if not found.is_file():
        raise WeightsMissing(f"{found} is not here.", hint=f"Run `{command(name)}`.")
    return found


def command(name: str) -> str:
    """What to type to get the set."""
    return f"./launch.sh models pull {name}"


def verify(folder: Path, names: tuple[str, ...] | None = None, *, quick: bool = False) -> list[Finding]:
    """Hash every file of the named sets (all, if none are named) by what was written down when it came. quick: look at
    the sizes alone."""
    return [
        Finding(name, kept, _state(folder / name, kept, record, quick=quick))
        for name in (tuple(HUB) if names is None else names)
        for record in [_read(folder / name)]
        for kept in _expected(HUB[name], record)
    ]


def _expected(hub_set: HubSet, record: Record | None) -> list[str]:
    """The names of files that should be here: of the choices those that were made, or the first."""
    choices = [next(iter(file.becomes)) for file in hub_set.choices.values()]
    made = [name for name in choices if record and name in record.kept]
    return [*hub_set.kept, *(made or choices[:1])]


def pull(
    name: str, folder: Path, report: Report, tell: Callable[[str], None], choice: str | None = None
) -> Path:
    """Fetch the set `name`, and what it needs, into `folder / name` unless it is there and whole; returns that folder.

    choice: one of the set's, None: the first. `tell` gets the lines that a person should be able to read again:
    licence, revision, hashes. `report` is as in `weights.pull` and may raise to stop. Raises DownloadFailed or
    WeightsDamaged; files are whole or not there.
    """
    hub_set, target = HUB[name], folder / name
    for needed in hub_set.needs:
        pull(needed, folder, report, tell)
    wanted = _wanted(hub_set, choice)
    known = _read(target)
    absent = [
        file for file in wanted if any(_state(target, kept, known) != "present" for kept in file.becomes)
    ]
    if not absent:
        report(1.0, f"{hub_set.title}: already here")
        return target
    about = sum(file.bytes for file in wanted) or hub_set.bytes
    tell(f"{hub_set.title}: licence {hub_set.licence}, about {about / 1e6:.0f} MB")
    report(0.0, "Asking the hub")
    record = known or _resolved(hub_set)
    _told(record, [file.path for file in wanted], tell, new=known is None)
    target.mkdir(parents=True, exist_ok=True)
    _write(target, record)
    try:
        _fetch(absent, target, record, report)
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise _no_room(hub_set, absent, record, target) from error
    shutil.rmtree(target / PARTS, ignore_errors=True)
    held = sum(record.kept[kept]["bytes"] for file in wanted for kept in file.becomes)
    report(1.0, f"{hub_set.title}: {held / 1e6:,.1f} MB in {target}")
    return target


def _wanted(hub_set: HubSet, choice: str | None) -> tuple[HubFile, ...]:
    if not hub_set.choices:
        return hub_set.files
    return (*hub_set.files, hub_set.choices[choice or next(iter(hub_set.choices))])


def _fetch(absent: list[HubFile], target: Path, record: Record, report: Report) -> None:
    """The files one after the other, each checked and in its place before the next."""
    total = sum(record.files[file.path]["bytes"] for file in absent)
    parts = target / PARTS
    parts.mkdir(exist_ok=True)
    under_way = sum(part.stat().st_size for part in parts.iterdir() if part.is_file())
    if shutil.disk_usage(target).free < total - under_way:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    done = 0
    for file in absent:
        entry = record.files[file.path]

        def fetched(count: int, before: int = done, what: str = Path(file.path).name) -> None:
            share = SHARE_OF_FETCHING * min(1.0, (before + count) / total)
            report(share, f"Fetching {what}, {(before + count) / 1e6:,.0f} of {total / 1e6:,.0f} MB")

        part = parts / _told_hash(entry)
        resumed = part.is_file()
        _fetched(record, file.path, part, fetched)
        report(SHARE_OF_FETCHING * (done + entry["bytes"]) / total, f"Checking {Path(file.path).name}")
        whole = _as_told(part, entry)
        if resumed and not whole:  # what was there before may have been wrong
            part.unlink()
            _fetched(record, file.path, part, fetched)
            whole = _as_told(part, entry)
        if not whole:
            part.unlink()
            raise WeightsDamaged(
                f"{file.path} is not the file that the hub told of, so it was not used.",
                hint=f"Run `{command(target.name)}` again.",
            )
        _keep(part, file, target, record)
        _write(target, record)
        done += entry["bytes"]


def _no_room(hub_set: HubSet, absent: list[HubFile], record: Record, target: Path) -> DownloadFailed:
    needed = sum(record.files[file.path]["bytes"] for file in absent) / 1e9
    free = shutil.disk_usage(target).free / 1e9
    return DownloadFailed(
        f"{hub_set.title} needs {needed:,.1f} GB, and {free:,.1f} GB are free on the disk of {target}.",
        hint="Free some space and run the same command again; what was fetched is kept.",
    )


def _told(record: Record, wanted: list[str], tell: Callable[[str], None], *, new: bool) -> None:
    tell(f"{record.repository} at {record.revision}, licence there: {record.licence}")
    tell("Its hashes, kept from now on:" if new else "Its hashes, as kept from the first pull:")
    for name in wanted:
        tell(f"  {_told_hash(record.files[name])}  {name}")


def _told_hash(entry: Mapping[str, Any]) -> str:
    """The hash that the hub told of a file."""
    return str(entry.get("sha256") or entry["git"])


def _resolved(hub_set: HubSet) -> Record:
    """What the hub says of the set's files, at the first of its names that answers."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

    for repository in hub_set.repositories:
        try:
            info = HfApi().model_info(repository, files_metadata=True)
        except RepositoryNotFoundError:
            continue
        except (HTTPError, OfflineModeIsEnabled, OSError) as error:
            raise DownloadFailed(f"The hub did not tell about {repository}: {_first_line(error)}") from error
        found = {sibling.rfilename: sibling for sibling in info.siblings or ()}
        files = {}
        for file in (*hub_set.files, *hub_set.choices.values()):
            sibling = found.get(file.path)
            if sibling is None or (sibling.lfs is None and sibling.blob_id is None):
                raise DownloadFailed(
                    f"{repository} has no {file.path} with a hash.", hint="Look for a newer SceneHF."
                )
            files[file.path] = (
                {"sha256": sibling.lfs.sha256, "bytes": sibling.lfs.size}
                if sibling.lfs
                else {"git": sibling.blob_id, "bytes": sibling.size}
            )
        licence = (info.card_data or {}).get("license") or "not told"
        return Record(repository, str(info.sha), str(licence), files)
    raise DownloadFailed(f"The hub knows none of {', '.join(hub_set.repositories)}.")


def _fetched(record: Record, name: str, part: Path, heard: Callable[[int], None]) -> None:
    """The file into `part`, going on where that ends, through the hub's own client, so that its mirrors, proxies and
    tokens are the person's."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.errors import HTTPError, OfflineModeIsEnabled
    from huggingface_hub.file_download import http_get  # hf_hub_download starts over after a break
    from huggingface_hub.utils import build_hf_headers, logging, tqdm

    logging.set_verbosity_error()  # it tells of every try; we tell of the last

    class Heard(tqdm):  # type: ignore[misc]
        """The client's progress bar; it draws nothing."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **(options | {"disable": True}))
            self._count = float(options.get("initial") or 0)

        def update(self, n: float | None = 1) -> None:
            self._count += n or 0
            heard(int(self._count))

    size = record.files[name]["bytes"]
    begun = part.stat().st_size if part.is_file() else 0
    try:
        with part.open("r+b" if 0 < begun <= size else "wb") as stream:
            stream.seek(0, os.SEEK_END)
            http_get(
                hf_hub_url(record.repository, name, revision=record.revision),
                stream,
                resume_size=stream.tell(),
                headers=build_hf_headers(),
                expected_size=size,
                tqdm_class=Heard,
            )
            stream.flush()
            os.fsync(stream.fileno())
    except (HTTPError, OfflineModeIsEnabled, OSError) as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        raise DownloadFailed(
            f"{record.repository}/{name} could not be fetched: {_first_line(error)}",
            hint="Check the connection and run the same command again: it goes on where it stopped.",
        ) from error


def _as_told(part: Path, entry: Mapping[str, Any]) -> bool:
    if "sha256" in entry:
        return bool(sha256(part) == entry["sha256"])
    content = part.read_bytes()
    blob = f"blob {len(content)}\0".encode() + content
    return bool(hashlib.sha1(blob, usedforsecurity=False).hexdigest() == entry["git"])


def _keep(source: Path, file: HubFile, target: Path, record: Record) -> None:
    """Put what the file becomes beside `target`'s others, renamed into place when it is whole."""
    told = record.files[file.path].get("sha256")
    for name, content in _written(source, file).items():
        known = told if file.becomes[name] is None else None
        record.kept[name] = {"sha256": known or sha256(content), "bytes": content.stat().st_size}
        content.replace(target / name)
    source.unlink(missing_ok=True)


def _written(source: Path, file: HubFile) -> dict[str, Path]:
    """Name -> a file with what is kept by it."""
    from safetensors.torch import save_file

    if None in file.becomes.values():
        return dict.fromkeys(file.becomes, source)
    tensors, found = _tensors(source, file.path), {}
    for name, part in file.becomes.items():
        chosen = tensors.get(part) if part else tensors
        if not isinstance(chosen, Mapping):
            raise WeightsDamaged(f"{file.path} has no part {part!r}.", hint="Look for a newer SceneHF.")
        plain = {key.removeprefix(WRAPPED): value.contiguous().clone() for key, value in chosen.items()}
        found[name] = source.with_name(name)
        save_file(plain, found[name], metadata={"format": "pt"})
        with found[name].open("rb") as stream:
            os.fsync(stream.fileno())
    return found


def _tensors(source: Path, name: str) -> dict[str, Any]:
    """All tensors of a file of this name; of a pickled one nothing but tensors is read."""
    from pickle import UnpicklingError  # noqa: TID251 - what torch raises; nothing is unpickled here

    import torch

    if name.endswith(".safetensors"):
        from safetensors.torch import load_file

        return dict(load_file(source))
    try:
        loaded: dict[str, Any] = torch.load(source, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError) as error:
        raise WeightsDamaged(
            f"{Path(name).name} holds something else than tensors, so it was not used.",
            hint="Look for a newer SceneHF.",
        ) from error
    return loaded


def _state(folder: Path, name: str, record: Record | None, *, quick: bool = False) -> State:
    found = folder / name
    if record is None or name not in record.kept or not found.is_file():
        return "missing"
    entry = record.kept[name]
    whole = found.stat().st_size == entry["bytes"] and (quick or sha256(found) == entry["sha256"])
    return "present" if whole else "damaged"


def _read(folder: Path) -> Record | None:
    try:
        return Record(**json.loads((folder / RECORD).read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise WeightsDamaged(
            f"{folder / RECORD} cannot be read.", hint=f"Remove {folder} and pull it again."
        ) from error


def _write(folder: Path, record: Record) -> None:
    part = folder / f"{RECORD}.part"
    with part.open("w") as stream:
        json.dump(vars(record), stream, indent=2)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(folder / RECORD)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0].rstrip(".")[:200] + "."
