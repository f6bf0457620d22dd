"""The scene as one web page that tilts with the mouse, a finger, the phone or the arrow keys.

The page stands alone: its pictures are inside it, it asks nobody for anything, and it works from a file.
"""

import base64
import hashlib
import io
from html import escape
from pathlib import Path

from PIL import Image

from scenehf.pixels import label, thumbnail
from scenehf.scene import Pixels, Scene

_BUDGET = 5_800_000  # bytes of pictures; base64 makes 8 MB of them
_SIDES = (1920, 1440, 1080, 810, 600)  # px of the canvas' longer side, tried until the pictures fit
_QUALITY = 88  # of WebP's colours; alpha is kept exactly
_TRAVEL = 0.04  # of the frame, between plate and nearest layer, from rest to the end of the tilt
_PIVOT = 0.35  # the depth (0 plate, 1 nearest) that stands still
_MARGIN = _TRAVEL * (1 - _PIVOT) + 0.002  # of the frame, cut off on every side so that no edge ever shows
_HELP = "Move the mouse, drag, tilt or press the arrow keys."


def write(path: Path, scene: Scene) -> None:
    """Write the page to `path`."""
    path.write_text(html(scene), encoding="utf-8")


def html(scene: Scene) -> str:
    """The page, about 8 MB at most. The names of layers are text in it and can be nothing else."""
    width, height = scene.size
    style = _text("page.css") + _places(scene)
    script = _text("page.js")
    names = ", ".join(label(layer.name) for layer in scene.layers) or "a picture without layers"
    layers = f"{len(scene.layers)} layer{'' if len(scene.layers) == 1 else 's'}"
    return _text("page.html").format(
        style=style,
        style_hash=_source_hash(style),
        script=script,
        script_hash=_source_hash(script),
        title="Parallax preview",
        described=escape(f"Parallax preview: {names}"),
        images="\n".join(_images(scene)),
        caption=f"{width} x {height} px, {layers}. {_HELP}",
    )


def _text(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _images(scene: Scene) -> list[str]:
    """The img elements, back to front."""
    planes = sorted({layer.z for layer in scene.layers})
    depths = [0.0] + [(planes.index(layer.z) + 1) / len(planes) for layer in reversed(scene.layers)]
    names = ["Plate"] + [label(layer.name) for layer in reversed(scene.layers)]
    return [
        f'<img id="s{index}" alt="{escape(name)}" draggable="false" data-lift="{_TRAVEL * (depth - _PIVOT):.5f}"'
        f' src="data:image/webp;base64,{base64.b64encode(picture).decode()}">'
        for index, (name, depth, picture) in enumerate(zip(names, depths, _pictures(scene), strict=True))
    ]


def _places(scene: Scene) -> str:
    """Where each image lies on the stage, in per cent of the canvas; rules, since style attributes are blocked."""
    width, height = scene.size
    rules = [f":root {{ --ratio: {width / height:.6f}; --margin: {_MARGIN:.4f}; }}"]
    boxes = [(0, 0, width, height)]
    boxes += [(s.x, s.y, s.pixels.shape[1], s.pixels.shape[0]) for s in reversed(scene.layers)]
    for index, (x, y, w, h) in enumerate(boxes):
        left, top = f"left: {100 * x / width:.5f}%", f"top: {100 * y / height:.5f}%"
        rules.append(
            f"#s{index} {{ {left}; {top}; width: {100 * w / width:.5f}%; height: {100 * h / height:.5f}%; }}"
        )
    return "\n".join(rules) + "\n"


def _pictures(scene: Scene) -> list[bytes]:
    """WebP of the plate and the layers, back to front, at the largest size that fits the budget."""
    sheets = [scene.plate, *(layer.pixels for layer in reversed(scene.layers))]
    encoded: list[bytes] = []
    for side in _SIDES:
        scale = min(1.0, side / max(scene.size))
        encoded = [_webp(sheet, scale) for sheet in sheets]
        if sum(map(len, encoded)) <= _BUDGET:
            break
    return encoded


def _webp(pixels: Pixels, scale: float) -> bytes:
    small = thumbnail(pixels, max(1, round(scale * max(pixels.shape[:2]))))
    stream = io.BytesIO()
    Image.fromarray(small).save(stream, "WEBP", quality=_QUALITY, method=4)
    return stream.getvalue()


def _source_hash(text: str) -> str:
    """What a Content-Security-Policy calls the one inline style or script that it lets through."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
