"""The unit that makes pictures: in the worker process for local models, in the runner's thread for remote ones."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Picture

from models.pool import Pool
from models.requests import Alpha, Image, ImageEdit, Run, TextToImage
from scenehf.pixels import decode_png
from scenehf.studio.make import make
from scenehf.studio.metadata import write
from scenehf.studio.recipe import Recipe
from scenehf.workflows.making import Files, Reply, Unit


class MakeUnits:
    """The unit over one pool of models."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def table(self) -> dict[str, Unit]:
        """Every unit by name."""
        return {"image.make": self.make}

    def make(self, params: dict[str, Any], files: Files, run: Run) -> Reply:
        """params: model, prompt, options, images (as `Given`), mask, source, job. files: image:0 ..., mask. Blobs:
        1.png ..., each with its recipe inside. Data: images (name, width, height), recipe (of the last)."""
        spec = self._pool.spec(params["model"])
        options = spec.chosen(params["options"]).model_dump()
        pictures = [_picture(files[f"image:{place}"]) for place in range(len(params["images"]))]
        request: TextToImage | ImageEdit = TextToImage(params["prompt"], options)
        alpha = None
        if pictures:
            images = tuple(pixels for pixels, _ in pictures)
            request = ImageEdit(images, params["prompt"], _mask(files.get("mask")), options)
            if spec.keeps_size(options, images=len(images)):
                alpha = pictures[0][1]
        answers = make(self._pool, spec.id, request, run)
        run.preview(Picture.fromarray(answers[0]))
        blobs, told, recipe = {}, [], None
        for number, answer in enumerate(answers, 1):
            height, width = answer.shape[:2]
            same = {name: params[name] for name in ("model", "prompt", "images", "mask", "source", "job")}
            recipe = Recipe.model_validate(same | {"options": options, "width": width, "height": height})
            shown = answer if alpha is None else np.dstack([answer, alpha])
            blobs[f"{number}.png"] = write(shown, recipe, "png").data
            told.append({"name": f"{number}.png", "width": width, "height": height})
        return {"images": told, "recipe": recipe and recipe.model_dump(mode="json")}, blobs


def _picture(path: Path) -> tuple[Image, Image | None]:
    """The picture as a model sees it, (height, width, 3), and its own alpha: what is transparent is white to the model,
    and transparent again in what it makes."""
    pixels = decode_png(path.read_bytes())
    if pixels.shape[2] == 3:
        return pixels, None
    alpha = pixels[..., 3:].astype(np.float32) / np.float32(255)
    shown: Image = np.rint(pixels[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return shown, pixels[..., 3]


def _mask(path: Path | None) -> Alpha | None:
    if path is None:
        return None
    return decode_png(path.read_bytes()).astype(np.float32) / np.float32(255)
