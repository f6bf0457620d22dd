"""The heavy halves of layer extraction: small parameters and files in, JSON and PNG bytes out.

A unit runs in the worker process (or, for a cloud engine, in the runner's thread), keeps nothing, and can be run
again. Keys of `files`: "image" is the picture the step works on, "alpha:ID" an extracted layer's alpha.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from models.pool import Pool
from models.requests import Alpha, Image, Mask, Run
from scenehf.layers import foreground, recompose
from scenehf.layers.engines import ENGINES, Cut, Engine, ExtractTask, Plate, PlateTask
from scenehf.layers.plan import Box, ExtractStep, PlateStep
from scenehf.layers.planners import PLANNERS
from scenehf.layers.validate import Check, check_cut, check_plate, check_recomposition, worst
from scenehf.pixels import composite, decode_png, encode_png, thumbnail, trim
from scenehf.scene import Layer, Scene

Files = dict[str, Path]
Reply = tuple[dict[str, Any], dict[str, bytes]]
Unit = Callable[[dict[str, Any], Files, Run], Reply]

THUMBNAIL_SIDE = 360
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
            "layers.assemble": assemble,
        }

    def plan(self, params: dict[str, Any], files: Files, run: Run) -> Reply:
        """params: planner. Data: plan (JSON)."""
        proposal = PLANNERS[params["planner"]](_picture(files["image"]), self._pool, run)
        return {"plan": proposal.model_dump(mode="json")}, {}

    def extract(self, params: dict[str, Any], files: Files, run: Run) -> Reply:
        """params: engine, box, points, prompt, redo, avoid, coverage (boxes and points in 0..1). Blobs: alpha.png
        (whole canvas), cut.png (RGBA in clean colours, trimmed; its place in data x, y), thumb.png."""
        image = _picture(files["image"])
        task = _task(params, image, files)
        engine = self._engine(params["engine"])
        work = engine.remove_background if params["redo"]["mode"] == "rematte" else engine.extract
        cut = work(task, run)
        run.check()
        earlier = [_alpha(path) for key, path in files.items() if key.startswith("alpha:")]
        checks = check_cut(cut, image, task.box, params["coverage"], earlier)
        if worst(checks) == "fail" and not cut.alpha.any():
            return _verdict(checks), {}
        run.progress(0.85, "Cleaning its colours")
        return _described(cut, image, checks, run)

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
