"""Everything in one zip: the PNG files and the documents that describe them."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

from scenehf.export import pictures
from scenehf.scene import Pixels, Scene


def write(
    path: Path,
    scene: Scene,
    documents: Mapping[str, bytes],
    merged: Pixels | None = None,
    ready: Path | None = None,
) -> None:
    """Write `layers/NN-name.png`, `plate.png`, `composite.png` and the documents.

    merged: `composite(scene)` if it is at hand. ready: a folder that holds the PNG files already.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in documents.items():
            archive.writestr(name, data)
        for name, make in pictures.makers(scene, merged):
            if ready is None:
                archive.writestr(name, make(), zipfile.ZIP_STORED)  # PNG is deflated already
            else:
                archive.write(ready / name, name, zipfile.ZIP_STORED)
