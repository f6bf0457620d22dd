"""Stand-ins for the heavy units, for the worker process of the screen tests: quick, talkative, and slow on request.

The red value of a photo's top left pixel sets the pace, see PACES. The plan always holds two objects with hostile
names; the second one fails a check at its first attempt. Pictures are made by the real units.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from models.pool import Pool
from models.spec import Host
from scenehf.layers.validate import Check
from scenehf.pixels import decode_png, encode_png, thumbnail
from scenehf.workflows import scene_units
from scenehf.workflows.make_units import MakeUnits

HOSTILE = "<script>window.pwned=1</script><img src=x onerror=window.pwned=2>${window.pwned=3}{{value}}"
PACES = ((240, 2.0), (200, 300.0), (0, 0.2))  # red value from which every step takes so many seconds
BOXES = {"s1": (0.1, 0.2, 0.5, 0.9), "s2": (0.45, 0.1, 0.95, 0.6)}


def units() -> dict[str, Any]:
    """Every unit by name, as scenehf.worker.units has them."""
    return {
        "layers.plan": plan,
        "layers.extract": extract,
        "layers.plate": plate,
        "layers.assemble": scene_units.assemble,
        "layers.export": scene_units.export,
        **MakeUnits(Pool(Host(weights=Path("nowhere")))).table(),
    }


def plan(params: dict[str, Any], files: dict[str, Path], run: Any) -> tuple[dict[str, Any], dict[str, bytes]]:
    run.log("Looking for objects")
    steps = [
        {"id": "s1", "action": "extract", "name": "Left thing", "z": 2, "box": BOXES["s1"]},
        {"id": "s2", "action": "extract", "name": HOSTILE[:80], "z": 1, "box": BOXES["s2"]},
        {
            "id": "p1",
            "action": "plate",
            "name": "Background",
            "removes": ["s1", "s2"],
            "depends_on": ["s1", "s2"],
        },
    ]
    return {"plan": {"version": 1, "scene": f"two things {HOSTILE}", "steps": steps}}, {}


def extract(
    params: dict[str, Any], files: dict[str, Path], run: Any
) -> tuple[dict[str, Any], dict[str, bytes]]:
    image = decode_png(files["image"].read_bytes())
    height, width = image.shape[:2]
    x0, y0, x1, y1 = (
        round(v * s) for v, s in zip(params["box"], (width, height, width, height), strict=True)
    )
    cut = np.dstack([image[y0:y1, x0:x1], _ellipse(y1 - y0, x1 - x0)])
    _work(image, run, cut)
    run.log(f"Cut out {HOSTILE}")
    alpha = np.zeros((height, width), np.uint8)
    alpha[y0:y1, x0:x1] = cut[..., 3]
    bad = params["box"][0] > 0.4 and params["redo"]["serial"] == 0
    data = {
        "verdict": "review" if bad else "pass",
        "checks": [_check(bad)],
        "coverage": float(alpha.mean() / 255),
    }
    data |= {"x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0, "confidence": 0.4 if bad else 0.9}
    thumb = encode_png(thumbnail(cut, 360))
    return data, {"alpha.png": encode_png(alpha), "cut.png": encode_png(cut), "thumb.png": thumb}


def plate(
    params: dict[str, Any], files: dict[str, Path], run: Any
) -> tuple[dict[str, Any], dict[str, bytes]]:
    image = decode_png(files["image"].read_bytes())
    hole = np.maximum.reduce([decode_png(path.read_bytes()) for key, path in files.items() if ":" in key]) > 0
    painted = np.where(hole[..., None], image.mean(axis=(0, 1)).astype(np.uint8), image)
    _work(image, run, painted)
    blobs = {"plate.png": encode_png(painted), "thumb.png": encode_png(thumbnail(painted, 360))}
    return {"verdict": "pass", "checks": [], "hole": float(hole.mean())}, blobs


def _work(image: Any, run: Any, shown: Any) -> None:
    seconds = next(seconds for red, seconds in PACES if image[0, 0, 0] >= red)
    parts = round(max(20, 10 * seconds))
    for part in range(parts):
        run.check()
        run.progress(part / parts, f"part {part + 1} of {parts}")
        run.log(f"part {part + 1} of {parts}")
        if part % 5 == 0:
            run.preview(Image.fromarray(shown))
        time.sleep(seconds / parts)


def _check(bad: bool) -> dict[str, Any]:
    value, verdict = 0.9, "pass"
    if bad:
        value, verdict = 0.4, "review"
    advice = "The methods disagree about this object. Look at the outline." if bad else ""
    return Check("confidence", value, "at least 0.5", verdict, advice).as_json()


def _ellipse(height: int, width: int) -> Any:
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.rint(255 * np.clip((1 - x**2 - y**2) * 8, 0, 1)).astype(np.uint8)
