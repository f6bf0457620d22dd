"""Weights from the model hub: which repository, which revision, and that nothing changes behind our back.

Nothing here says what a file's hash is. The first pull asks the hub for the newest revision and for the hash of each
file, shows them, checks the files by them and writes them down; from then on only that revision and those hashes count.
Pickled files are read once, tensors only, and kept as safetensors; what is kept is hashed too.
"""

import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.errors import DownloadFailed, WeightsDamaged, WeightsMissing
from models.runtime.weights import Finding, Report, State, sha256

RECORD = "source.json"
HASH = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")  # of git, or SHA-256
WRAPPED = "module."  # what training on several devices leaves before every name
SHARE_OF_FETCHING = 0.95


@dataclass(frozen=True)
class HubFile:
    """A file of a repository. becomes: the name that we keep it by (.safetensors) -> the part of it that goes there;
    "" is all of it."""

    path: str
    becomes: Mapping[str, str]


@dataclass(frozen=True)
class HubSet:
    """Files that belong together, in a folder of the set's name. repositories: the same files under every name that
    they have had. bytes: about, to be told before anything is fetched."""

    name: str
    title: str
    licence: str
    repositories: tuple[str, ...]
    files: tuple[HubFile, ...]
    bytes: int

    @property
    def kept(self) -> tuple[str, ...]:
        """The names of the files on this machine."""
        return tuple(name for file in self.files for name in file.becomes)


@dataclass
class Record:
    """What the first pull found out. files: path in the repository -> sha256 and bytes; kept: the same of ours."""

    repository: str
    revision: str
    licence: str
    files: dict[str, dict[str, Any]]
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """A hash also names a file while it comes: only what is one may."""
        hashes = [str(entry.get("sha256") or entry.get("git")) for entry in self.files.values()]
        if not all(HASH.fullmatch(told) for told in (self.revision, *hashes)):
            raise DownloadFailed(
                f"{self.repository} told no revision or no hash, so its files cannot be held to one."
            )


_BASE = "liveportrait/base_models"
HUB: dict[str, HubSet] = {
    hub_set.name: hub_set
    for hub_set in (
        HubSet(
            name="liveportrait",
            title="LivePortrait",
            licence="MIT",
            repositories=("KwaiVGI/LivePortrait", "KlingTeam/LivePortrait"),
            files=(
                *(
                    HubFile(f"{_BASE}/{name}.pth", {f"{name}.safetensors": ""})
                    for name in (
                        "appearance_feature_extractor",
                        "motion_extractor",
                        "warping_module",
                        "spade_generator",
                    )
                ),
                HubFile(
                    "liveportrait/retargeting_models/stitching_retargeting_module.pth",
                    {
                        "stitching.safetensors": "retarget_shoulder",
                        "lip.safetensors": "retarget_mouth",
                        "eye.safetensors": "retarget_eye",
                    },
                ),
            ),
            bytes=521_000_000,
        ),
    )
}


def here(folder: Path, name: str) -> bool:
    """Whether every file of the set lies under `folder`; a look, no hashing."""
    return all((folder / name / kept).is_file() for kept in HUB[name].kept)


def path(folder: Path, name: str, file: str) -> Path:
    """Where `file` of the set `name` lies under `folder`; raises WeightsMissing if it is not there."""
    found = folder / name / file
    if not found.is_file():
        raise WeightsMissing(f"{found} is not here.", hint=f"Run `{command(name)}`.")
    return found


def command(name: str) -> str:
    """What to type to get the set."""
    return f"./launch.sh models pull {name}"


def verify(folder: Path, names: tuple[str, ...] = tuple(HUB)) -> list[Finding]:
    """Hash every file of the named sets by what was written down when it came."""
    return [
        Finding(name, kept, _state(folder / name, kept, record))
        for name in names
        for record in [_read(folder / name)]
        for kept in HUB[name].kept
    ]


def pull(name: str, folder: Path, report: Report, tell: Callable[[str], None]) -> Path:
    """Fetch the set `name` into `folder / name` unless it is there and whole; returns that folder.

    `tell` gets the lines that a person should be able to read again: licence, revision, hashes. `report` is as in
    `weights.pull` and may raise to stop. Raises DownloadFailed or WeightsDamaged; files are whole or not there.
    """
    hub_set, target = HUB[name], folder / name
    if all(finding.state == "present" for finding in verify(folder, (name,))):
        report(1.0, f"{hub_set.title}: already here")
        return target
    tell(f"{hub_set.title}: licence {hub_set.licence}, about {hub_set.bytes / 1e6:.0f} MB")
    report(0.0, "Asking the hub")
    known = _read(target)
    record = known or _resolved(hub_set)
    _told(record, tell, new=known is None)
    target.mkdir(parents=True, exist_ok=True)
    _write(target, record)
    total = sum(entry["bytes"] for entry in record.files.values())
    done = 0
    for file in hub_set.files:
        entry = record.files[file.path]
        if any(_state(target, kept, record) != "present" for kept in file.becomes):

            def fetched(count: int, before: int = done, what: str = Path(file.path).name) -> None:
                share = SHARE_OF_FETCHING * min(1.0, (before + count) / total)
                report(share, f"Fetching {what}, {(before + count) / 1e6:.0f} of {total / 1e6:.0f} MB")

            with tempfile.TemporaryDirectory(prefix=".pull-", dir=folder) as scratch:
                source = _fetched(record, file.path, Path(scratch), fetched)
                if sha256(source) != entry["sha256"]:
                    raise WeightsDamaged(
                        f"{file.path} is not the file that the hub told of, so it was not used.",
                        hint=f"Run `{command(name)}` again.",
                    )
                _keep(source, file, target, record)
            _write(target, record)
        done += entry["bytes"]
    report(1.0, f"{hub_set.title}: {sum(e['bytes'] for e in record.kept.values()) / 1e6:.1f} MB in {target}")
    return target


def _told(record: Record, tell: Callable[[str], None], *, new: bool) -> None:
    tell(f"{record.repository} at {record.revision}, licence there: {record.licence}")
    tell("Its hashes, kept from now on:" if new else "Its hashes, as kept from the first pull:")
    for name, entry in record.files.items():
        tell(f"  {entry['sha256']}  {name}")


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
        for file in hub_set.files:
            sibling = found.get(file.path)
            if sibling is None or sibling.lfs is None:
                raise DownloadFailed(
                    f"{repository} has no {file.path} with a hash.", hint="Look for a newer SceneHF."
                )
            files[file.path] = {"sha256": sibling.lfs.sha256, "bytes": sibling.lfs.size}
        licence = (info.card_data or {}).get("license") or "not told"
        return Record(repository, str(info.sha), str(licence), files)
    raise DownloadFailed(f"The hub knows none of {', '.join(hub_set.repositories)}.")


def _fetched(record: Record, name: str, scratch: Path, heard: Callable[[int], None]) -> Path:
    """The file through the hub's own client, so that its mirrors, proxies and tokens are the person's."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled
    from huggingface_hub.utils import tqdm

    class Heard(tqdm):  # type: ignore[misc]
        """The client's progress bar; it draws nothing."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **(options | {"disable": True}))
            self._count = 0.0

        def update(self, n: float | None = 1) -> None:
            self._count += n or 0
            heard(int(self._count))

    try:
        return Path(
            hf_hub_download(
                record.repository, name, revision=record.revision, local_dir=scratch, tqdm_class=Heard
            )
        )
    except (HTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        raise DownloadFailed(
            f"{record.repository}/{name} could not be fetched: {_first_line(error)}"
        ) from error


def _keep(source: Path, file: HubFile, target: Path, record: Record) -> None:
    """Write what the file becomes beside `target`'s others, renamed into place when it is whole."""
    from safetensors.torch import save_file

    tensors = _tensors(source)
    for name, part in file.becomes.items():
        chosen = tensors.get(part) if part else tensors
        if not isinstance(chosen, Mapping):
            raise WeightsDamaged(f"{file.path} has no part {part!r}.", hint="Look for a newer SceneHF.")
        plain = {key.removeprefix(WRAPPED): value.contiguous().clone() for key, value in chosen.items()}
        written = source.with_name(name)
        save_file(plain, written, metadata={"format": "pt"})
        with written.open("rb") as stream:
            os.fsync(stream.fileno())
        record.kept[name] = {"sha256": sha256(written), "bytes": written.stat().st_size}
        written.replace(target / name)


def _tensors(source: Path) -> dict[str, Any]:
    """All tensors of a file; of a pickled one nothing but tensors is read."""
    from pickle import UnpicklingError  # noqa: TID251 - what torch raises; nothing is unpickled here

    import torch

    if source.suffix == ".safetensors":
        from safetensors.torch import load_file

        return dict(load_file(source))
    try:
        loaded: dict[str, Any] = torch.load(source, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError) as error:
        raise WeightsDamaged(
            f"{source.name} holds something else than tensors, so it was not used.",
            hint="Look for a newer SceneHF.",
        ) from error
    return loaded


def _state(folder: Path, name: str, record: Record | None) -> State:
    found = folder / name
    if record is None or name not in record.kept or not found.is_file():
        return "missing"
    entry = record.kept[name]
    whole = found.stat().st_size == entry["bytes"] and sha256(found) == entry["sha256"]
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
