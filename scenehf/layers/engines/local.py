"""This computer's own engine: graph cuts guided by a person segmenter, closed-form matting, PatchMatch plates.

No keys and no downloads beyond the starter weights. The layer keeps the photo's own pixels; only alpha is found.
"""

import numpy as np

from models.local.saliency_cut import REVIEW_BELOW
from models.pool import Pool
from models.requests import Alpha, Inpainting, Mask, MaskGeneration, Matting, Run
from scenehf.layers.engines import Cut, ExtractTask, Plate, PlateTask
from scenehf.layers.prior import person_prior
from scenehf.layers.trimap import hole_around, trimap
from scenehf.work import Part

REMATTE_MARGIN = 0.02  # of the box: the earlier attempt may have shaved its edge


class LocalEngine:
    """Stateless; the models live in the pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def extract(self, task: ExtractTask, run: Run) -> Cut:
        """Mask from box, points and strokes, then alpha at full resolution."""
        run.progress(0.05, "Looking for the object")
        prior = person_prior(task.image, task.box, self._pool, Part(run, 0.0, 0.1))
        drop = _union(task.drop, task.taken)
        request = MaskGeneration(
            image=task.image,
            box=task.box,
            points=task.points,
            avoid=task.avoid,
            keep=task.keep,
            drop=drop,
            prior=prior,
            base=None if task.base is None else task.base > 0.5,
        )
        found = self._pool("saliency-cut", request, Part(run, 0.1, 0.4))
        if not found:
            return Cut(np.zeros(task.image.shape[:2], np.float32), 0.0, REVIEW_BELOW)
        run.progress(0.4, "Finding its edge")
        return Cut(self._matte(task, found[0].mask, run), found[0].score, REVIEW_BELOW)

    def plate(self, task: PlateTask, run: Run) -> Plate:
        """The background behind `task.alphas`, painted from the texture around them."""
        hole = hole_around(task.alphas)
        run.progress(0.1, "Painting the background")
        return Plate(self._pool("patchmatch", Inpainting(task.image, hole), Part(run, 0.1, 0.9)), hole)

    def remove_background(self, task: ExtractTask, run: Run) -> Cut:
        """Extract again inside what the earlier attempt kept: its outside is background for certain."""
        if task.base is None or not (task.base > 0.5).any():
            return self.extract(task, run)
        solid = task.base > 0.5
        ys, xs = np.nonzero(solid)
        box = _grown((xs.min(), ys.min(), xs.max() + 1, ys.max() + 1), solid.shape)
        outside = task.base < 0.02
        inside = ExtractTask(
            image=task.image,
            box=box,
            points=task.points,
            avoid=task.avoid,
            taken=task.taken,
            keep=task.keep,
            drop=_union(task.drop, outside),
        )
        return self.extract(inside, run)

    def _matte(self, task: ExtractTask, mask: Mask, run: Run) -> Alpha:
        """Alpha around the mask's edge, then once more around the edge that this found: the mask is a few pixels off
        here and there, and the second band is centred on the true edge."""
        alpha = mask.astype(np.float32)
        for stretch in (Part(run, 0.4, 0.65), Part(run, 0.65, 0.85)):
            if not (alpha > 0.5).any():
                return alpha
            unknown = _with_strokes(trimap(alpha > 0.5), task)
            alpha = self._pool("closed-form", Matting(task.image, unknown), stretch)
        return alpha


def build(pool: Pool) -> LocalEngine:
    """The engine over this process's models."""
    return LocalEngine(pool)


def _union(a: Mask | None, b: Mask | None) -> Mask | None:
    if a is None or b is None:
        return a if b is None else b
    return a | b


def _grown(box: tuple[int, int, int, int], shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = box
    dx, dy = REMATTE_MARGIN * (x1 - x0), REMATTE_MARGIN * (y1 - y0)
    return max(0.0, x0 - dx), max(0.0, y0 - dy), min(float(shape[1]), x1 + dx), min(float(shape[0]), y1 + dy)


def _with_strokes(unknown: Alpha, task: ExtractTask) -> Alpha:
    """What the person painted is sure, and what lies in front is not the object's."""
    if task.taken is not None:
        unknown[task.taken] = 0
    if task.drop is not None:
        unknown[task.drop] = 0
    if task.keep is not None:
        unknown[task.keep] = 1
    return unknown
