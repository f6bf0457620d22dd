"""Stand-ins for the heavy units, for the worker process of `benchmarks.screens`: they cost no time of their own.

The red value of a photo's top left pixel says what is wanted: HOLD works until it is cancelled, WHOLE cuts out layers
as large as the photo, anything else one ellipse in the box.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scenehf.layers.plan import ExtractStep, arrange
from scenehf.pixels import decode_png, encode_png, thumbnail
from scenehf.workflows import scene_units

HOLD, WHOLE, QUICK = 100, 101, 5
LOOK = 0.05  # seconds between two looks whether to stop
TALK = 10  # looks between two lines of the log, a progress report and a preview
VEIL = 8  # least alpha of a WHOLE layer, so that its picture is not trimmed

Answer = tuple[dict[str, Any], dict[str, bytes]]


def units() -> dict[str, Any]:
    """Every unit by name."""
    return {
        "layers.plan": plan,
        "layers.extract": extract,
        "layers.plate": plate,
        "layers.assemble": scene_units.assemble,
        "layers.export": scene_units.export,
    }


def plan(params: dict[str, Any], files: dict[str, Path], run: Any) -> Answer:
    """One object."""
    step = ExtractStep(id="s1", name="Layer", z=1, box=(0.1, 0.1, 0.9, 0.9))
    return {"plan": arrange("", [step]).model_dump(mode="json")}, {}


def extract(params: dict[str, Any], files: dict[str, Path], run: Any) -> Answer:
    """An ellipse in the box."""
    image = decode_png(files["image"].read_bytes())
    pace = int(image[0, 0, 0])
    if pace == HOLD:
        _hold(run, Image.fromarray(image))
    height, width = image.shape[:2]
    alpha = _ellipse(params["box"], width, height)
    x0, y0, x1, y1 = _pixels(params["box"], width, height)
    if pace == WHOLE:
        alpha = np.maximum(alpha, VEIL)
        x0, y0, x1, y1 = 0, 0, width, height
    cut = np.dstack([image, alpha])[y0:y1, x0:x1]
    data = {"verdict": "pass", "checks": [], "coverage": float(alpha.mean() / 255), "confidence": 0.9}
    data |= {"x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0}
    thumb = encode_png(thumbnail(cut, 360))
    return data, {"alpha.png": encode_png(alpha), "cut.png": encode_png(cut), "thumb.png": thumb}


def plate(params: dict[str, Any], files: dict[str, Path], run: Any) -> Answer:
    """The photo at half its brightness."""
    image = decode_png(files["image"].read_bytes()) // 2
    blobs = {"plate.png": encode_png(image), "thumb.png": encode_png(thumbnail(image, 360))}
    return {"verdict": "pass", "checks": [], "hole": 0.5}, blobs


def _hold(run: Any, picture: Image.Image) -> None:
    """Work without end, and talk about it."""
    look = 0
    while True:
        run.check()
        if look % TALK == 0:
            run.log(f"part {look // TALK}")
            run.progress(1 - 1 / (1 + look / 1000), "going on")
            run.preview(picture)
        look += 1
        time.sleep(LOOK)


def _pixels(box: list[float], width: int, height: int) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = box
    return round(x0 * width), round(y0 * height), round(x1 * width), round(y1 * height)


def _ellipse(box: list[float], width: int, height: int) -> NDArray[np.uint8]:
    """Alpha of the whole canvas, uint8."""
    x0, y0, x1, y1 = _pixels(box, width, height)
    alpha = np.zeros((height, width), np.uint8)
    y, x = np.linspace(-1, 1, y1 - y0)[:, None], np.linspace(-1, 1, x1 - x0)
    alpha[y0:y1, x0:x1] = np.rint(255 * np.clip((1 - x**2 - y**2) * 8, 0, 1))
    return alpha
