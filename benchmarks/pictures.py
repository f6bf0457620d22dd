"""The README's pictures, from real runs: `python -m benchmarks.pictures` writes docs/layers.webp.

Each row is one photo that ships in a wheel (NASA's astronaut, a coffee cup, Grace Hopper): the photo, its layers
over a checkerboard, the clean plate. No hints: the planner finds the objects.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.composites import PHOTOS

ROWS = ("astronaut", "coffee", "grace")
HEIGHT, GAP, TILE = 300, 10, 12
TARGET = Path(__file__).parent.parent / "docs" / "layers.webp"


def over_checkerboard(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(height, width, 4) to (height, width, 3)."""
    height, width = rgba.shape[:2]
    y, x = np.mgrid[:height, :width] // TILE
    board = np.where((x + y) % 2, 205, 245)[..., None]
    alpha = rgba[..., 3:] / 255
    return np.rint(rgba[..., :3] * alpha + board * (1 - alpha)).astype(np.uint8)


def row(name: str, folder: Path) -> list[Image.Image]:
    """Photo, layers, plate."""
    subprocess.run(
        [sys.executable, "-m", "scenehf", "layers", str(PHOTOS[name]), "--out", str(folder)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    layers = Image.new("RGBA", Image.open(PHOTOS[name]).size)
    for file in sorted((folder / "layers").iterdir(), reverse=True):
        layers.alpha_composite(Image.open(file).convert("RGBA"))
    cut = Image.fromarray(over_checkerboard(np.asarray(layers)))
    return [Image.open(PHOTOS[name]).convert("RGB"), cut, Image.open(folder / "plate.png").convert("RGB")]


def at_height(image: Image.Image) -> Image.Image:
    """The image, HEIGHT px high."""
    return image.resize((round(image.width * HEIGHT / image.height), HEIGHT), Image.Resampling.LANCZOS)


def main() -> None:
    """Run the photos and paste the sheet."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [row(name, Path(folder, name)) for name in ROWS]
    shrunk = [[at_height(image) for image in images] for images in rows]
    width = max(sum(image.width + GAP for image in images) - GAP for images in shrunk)
    sheet = Image.new("RGB", (width, len(rows) * (HEIGHT + GAP) - GAP), "white")
    for line, images in enumerate(shrunk):
        x = (width - sum(image.width + GAP for image in images) + GAP) // 2
        for image in images:
            sheet.paste(image, (x, line * (HEIGHT + GAP)))
            x += image.width + GAP
    TARGET.parent.mkdir(exist_ok=True)
    sheet.save(TARGET, quality=88, method=6)
    print(f"wrote {TARGET.name}, {sheet.width} x {sheet.height}")


if __name__ == "__main__":
    main()
