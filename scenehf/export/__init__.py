"""A scene as files: every format is one module here, `write_all` fills the folder of a finished run."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from scenehf.errors import CannotExport
from scenehf.export import openraster, parallax, pictures, psd, tiff, zip
from scenehf.pixels import composite
from scenehf.scene import Scene

FORMATS = ("png", "zip", "psd", "ora", "tiff", "html")

Writer = Callable[[Path], None]

__all__ = ["FORMATS", "openraster", "parallax", "pictures", "psd", "tiff", "write_all", "zip"]


def write_all(
    folder: Path,
    scene: Scene,
    documents: Mapping[str, bytes],
    formats: Iterable[str] = FORMATS,
    log: Callable[[str], None] = lambda sentence: None,
) -> dict[str, int]:
    """Write the scene into `folder` and return {name relative to it: bytes}, in the order written.

    documents: files that travel along as they are (plan.json ...), beside "png" and inside "zip". Every file
    appears whole or not at all. A format that cannot hold the scene is left out and `log` is told why.
    """
    sizes = {}
    for name, write in _writers(folder, scene, documents, set(formats)).items():
        target = folder / name
        try:
            with appearing(target) as part:
                write(part)
        except CannotExport as error:
            log(str(error))
        else:
            sizes[name] = target.stat().st_size
    return sizes


def _writers(
    folder: Path, scene: Scene, documents: Mapping[str, bytes], wanted: set[str]
) -> dict[str, Writer]:
    """{file name: what writes it}; the composite is made once for all of them."""
    if unknown := wanted.difference(FORMATS):
        raise ValueError(f"unknown formats {sorted(unknown)}; there are {FORMATS}")
    merged = composite(scene)
    writers: dict[str, Writer] = {}
    if "png" in wanted:
        for name, data in documents.items():
            writers[name] = lambda part, data=data: _put(part, data)  # type: ignore[misc]
        for name, make in pictures.makers(scene, merged):
            writers[name] = lambda part, make=make: _put(part, make())  # type: ignore[misc]
    if "psd" in wanted:
        writers["scene.psd"] = lambda part: psd.write(part, scene, merged)
    if "ora" in wanted:
        writers["scene.ora"] = lambda part: openraster.write(part, scene, merged)
    if "tiff" in wanted:
        writers["scene.tiff"] = lambda part: tiff.write(part, scene, merged)
    if "html" in wanted:
        writers["parallax.html"] = lambda part: parallax.write(part, scene)
    if "zip" in wanted:
        ready = folder if "png" in wanted else None
        writers["scene.zip"] = lambda part: zip.write(part, scene, documents, merged, ready)
    return writers


def _put(path: Path, data: bytes) -> None:
    path.write_bytes(data)


@contextmanager
def appearing(target: Path) -> Iterator[Path]:
    """A path to write to, which becomes `target` when the block ends well and vanishes when it does not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
