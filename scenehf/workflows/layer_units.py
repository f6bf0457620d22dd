"""The heavy halves of layer extraction: small parameters and files in, JSON and PNG bytes out.

A unit runs in the worker process (or, for a cloud engine, in the runner's thread), keeps nothing, and can be run
again. Keys of `files`: "image" is the picture the step works on, "alpha:ID" an extracted layer's alpha.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Picture

from models.errors import InvalidRequest
from models.pool import Pool
from models.requests import Alpha, Image, Mask, Run
from scenehf.layers import foreground
from scenehf.layers.adjust import adjusted
from scenehf.layers.engines import ENGINES, Cut, Engine, ExtractTask, Plate, PlateTask
from scenehf.layers.plan import separated
from scenehf.layers.planners import PLANNERS
from scenehf.layers.validate import Check, check_cut, check_plate, worst
from scenehf.pixels import decode_png, encode_png, thumbnail, trim
from scenehf.scene import Pixels
from scenehf.workflows.making import THUMBNAIL_SIDE, Files, Reply, Unit

PREVIEW_SIDE = 900


class LayerUnits:
    """The units over one pool of models; engines are built once each."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._engines: dict[str, Engine] = {}

    def table(self) -> dict[str, Unit]:
        """Every unit by name."""
        return {
            "layers.plan": self.plan,
            "layers.extract": self.extract,
            "layers.plate": self.plate,
        }

    def plan(self, params: dict[str, Any], files: Files, run: Run) -> Reply:
        """params: planner. Data: plan (JSON)."""
        proposal = separated(PLANNERS[params["planner"]].propose(_picture(files["image"]), self._pool, run))
        return {"plan": proposal.model_dump(mode="json")}, {}

    def extract(self, params: dict[str, Any], files: Files, run: Run) -> Reply:
        """params: engine, box, points, prompt, redo, avoid, coverage (boxes and points in 0..1). files: source, where
        the picture is a plate; edited and base (the layer and its opacity), where the layer was edited. Blobs:
        alpha.png (whole canvas), cut.png (RGBA in clean colours, trimmed; its place in data x, y), thumb.png, and
        painted.png (whole canvas, white where the layer is not of the photo) with its share of the layer in data, if
        there is any."""
        if "edited" in files:
            return _edited(_picture(files["edited"]), _picture(files["base"]), run)
        image = _picture(files["image"])
        task = _task(params, image, files)
        engine = self._engine(params["engine"])
        cut = _cut(engine, task, params["redo"], run)
        run.check()
        earlier = [_alpha(path) for key, path in files.items() if key.startswith("alpha:")]
        checks = check_cut(cut, image, task.box, params["coverage"], earlier)
        if _is_moved(task, params["redo"]):  # as the person asked: only what cannot be used is said
            checks = [check for check in checks if check.verdict != "review"]
        if worst(checks) == "fail" and not cut.alpha.any():
            return _verdict(checks), {}
        run.progress(0.85, "Cleaning its colours")
        data, blobs = _described(cut, image, checks, run)
        more, mask = _painted(cut.alpha, image, files.get("source"))
        return data | more, blobs | mask

    def plate(self, params: dict[str, Any], files: Files, run: Run) -> Reply:
        """params: engine, prompt. Blobs: plate.png, thumb.png."""
        image = _picture(files["image"])
        alphas = tuple(_alpha(path) for key, path in files.items() if key.startswith("alpha:"))
        if not alphas:
            plate = Plate(image, np.zeros(image.shape[:2], bool))
        else:
            plate = self._engine(params["engine"]).plate(PlateTask(image, alphas, params["prompt"]), run)
        checks = check_plate(plate, image, alphas) if alphas else []
        _show(plate.image, run)
        blobs = {"plate.png": encode_png(plate.image), "thumb.png": _thumb(plate.image)}
        return _verdict(checks) | {"hole": float(plate.hole.mean())}, blobs

    def _engine(self, engine_id: str) -> Engine:
        if engine_id not in self._engines:
            self._engines[engine_id] = ENGINES[engine_id].build(self._pool)
        return self._engines[engine_id]


def _cut(engine: Engine, task: ExtractTask, redo: dict[str, Any], run: Run) -> Cut:
    """The engine's cut; without strokes, refining moves and softens the earlier outline and asks no engine."""
    if task.base is not None and _is_moved(task, redo):
        cut = Cut(task.base)
    else:
        cut = (engine.remove_background if redo["mode"] == "rematte" else engine.extract)(task, run)
    return replace(cut, alpha=adjusted(cut.alpha, redo["grow"], redo["feather"]))


def _is_moved(task: ExtractTask, redo: dict[str, Any]) -> bool:
    """Whether a person only moves or softens the earlier outline."""
    return redo["mode"] == "refine" and task.keep is None


def _task(params: dict[str, Any], image: Image, files: Files) -> ExtractTask:
    """The engine's task in pixels. Everything in front and every stroke becomes a mask."""
    height, width = image.shape[:2]

    def pixels(box: Sequence[float]) -> tuple[float, float, float, float]:
        return box[0] * width, box[1] * height, box[2] * width, box[3] * height

    keep, drop = _strokes(files.get("strokes"))
    front = [_alpha(path) > 0.5 for key, path in files.items() if key.startswith("alpha:")]
    return ExtractTask(
        image=image,
        box=pixels(params["box"]) if params["box"] else None,
        points=tuple((x * width, y * height, int(label)) for x, y, label in params["points"]),
        avoid=tuple(pixels(box) for box in params["avoid"]),
        taken=np.logical_or.reduce(front) if front else None,
        keep=keep,
        drop=drop,
        base=_alpha(files["base"]) if "base" in files else None,
        prompt=params["prompt"],
    )


def _strokes(path: Path | None) -> tuple[Mask | None, Mask | None]:
    """(keep, drop) of a stroke picture: green keeps, red drops."""
    if path is None:
        return None, None
    drawn = decode_png(path.read_bytes())
    painted = drawn[..., 3] > 127 if drawn.shape[2] == 4 else np.ones(drawn.shape[:2], bool)
    green, red = drawn[..., 1] > 127, drawn[..., 0] > 127
    return painted & green & ~red, painted & red & ~green


def _described(cut: Cut, image: Image, checks: Sequence[Check], run: Run) -> Reply:
    """What an extraction hands back: alpha, the layer in clean colours, a thumbnail, and its figures."""
    front, _ = foreground.estimate(image, cut.alpha)
    opacity = np.rint(cut.alpha * 255).astype(np.uint8)
    layer, x, y = trim(np.dstack([front, opacity]))
    _show(layer, run)
    data = _verdict(checks) | {"x": x, "y": y, "width": layer.shape[1], "height": layer.shape[0]}
    data |= {"coverage": float(cut.alpha.mean()), "confidence": cut.confidence}
    blobs = {"alpha.png": encode_png(opacity), "cut.png": encode_png(layer), "thumb.png": _thumb(layer)}
    return data, blobs


def _painted(alpha: Alpha, plate: Image, source: Path | None) -> Reply:
    """Which part of a layer was painted behind what stood before it, and is no part of the photo."""
    if source is None:
        return {}, {}
    invented = (plate != _picture(source)).any(axis=2) & (alpha > 0)
    if not invented.any():
        return {}, {}
    share = float(alpha[invented].sum() / alpha.sum())
    return {"painted": share}, {"painted.png": encode_png(invented.astype(np.uint8) * 255)}


def _edited(layer: Pixels, opacity: Image, run: Run) -> Reply:
    """A layer that has been given other colours, in its old place and with its old alpha. opacity: uint8 (height,
    width) of the whole canvas."""
    alone, x, y = trim(np.dstack([np.zeros((*opacity.shape, 3), np.uint8), opacity]))
    if layer.shape[:2] != alone.shape[:2]:
        raise InvalidRequest("The edited picture is not as large as its layer.")
    shown = np.dstack([layer[..., :3], alone[..., 3]])
    _show(shown, run)
    data = _verdict([]) | {"x": x, "y": y, "width": shown.shape[1], "height": shown.shape[0], "edited": True}
    data |= {"coverage": float(opacity.mean() / 255), "confidence": 1.0}
    return data, {"alpha.png": encode_png(opacity), "cut.png": encode_png(shown), "thumb.png": _thumb(shown)}


def _verdict(checks: Sequence[Check]) -> dict[str, Any]:
    return {"verdict": worst(checks), "checks": [check.as_json() for check in checks]}


def _picture(path: Path) -> Image:
    return decode_png(path.read_bytes())


def _alpha(path: Path) -> Alpha:
    return decode_png(path.read_bytes()).astype(np.float32) / np.float32(255)


def _thumb(pixels: Pixels) -> bytes:
    return encode_png(thumbnail(pixels, THUMBNAIL_SIDE))


def _show(pixels: Pixels, run: Run) -> None:
    run.preview(Picture.fromarray(thumbnail(pixels, PREVIEW_SIDE)))
