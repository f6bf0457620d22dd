"""Google's image model as a layer engine. It redraws: the object alone on white, or the picture without it.

A redraw is only a guide. The layer's pixels are the photo's own; the redraw says where the object is, and matting on
the photo finds alpha. Of a plate only the hole is taken from the redraw.
"""

from dataclasses import replace

import numpy as np

from models.errors import ResultInvalid
from models.pool import Pool
from models.requests import Alpha, Image, ImageEdit, Mask, Matting, Run
from scenehf.layers.engines import Cut, ExtractTask, Plate, PlateTask
from scenehf.layers.register import aligned
from scenehf.layers.trimap import hole_around, trimap

MARGIN = 0.15  # of the box: what the model sees around the object
WHITE = 26.0  # of 255: what differs less from white in every channel is background
LIKE = 60.0  # of 255: a redrawn pixel farther from the photo than this is not the photo's
SPECK = 0.02  # of the largest part: smaller ones are dirt
SEAM = 2.0  # px over which a plate fades into the photo
REVIEW_BELOW = 0.6
EXTRACT = (
    "Cut {what} out of this photo: show it exactly as it is, same place, same size, same pixels, on a plain pure white "
    "background. Nothing else may remain: no shadow, no ground, no other object. Do not complete hidden parts."
)
PLATE = (
    "Remove what is marked from this photo and continue what lies behind it as if it had never been there. In the "
    "second picture, white marks what is to be removed. Change nothing else: same framing, same light, same grain."
)


class GoogleEngine:
    """Stateless; the models live in the pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def extract(self, task: ExtractTask, run: Run) -> Cut:
        """One paid redraw on white, then matting of the photo."""
        height, width = task.image.shape[:2]
        x0, y0, x1, y1 = _around(task, width, height)
        part = np.ascontiguousarray(task.image[y0:y1, x0:x1])
        what = task.prompt or "the main object in the middle"
        run.progress(0.05, "Asking Google for the object alone")
        (redraw,) = self._pool("google-image", ImageEdit((part,), EXTRACT.format(what=what)), run)
        run.progress(0.6, "Finding its edge in the photo")
        guide, confidence = guided(redraw, part)
        mask = np.zeros((height, width), bool)
        mask[y0:y1, x0:x1] = guide
        return self._matted(task, mask, confidence, run)

    def plate(self, task: PlateTask, run: Run) -> Plate:
        """One paid redraw without the objects; only the hole is taken from it."""
        hole = hole_around(task.alphas)
        run.progress(0.05, "Asking Google for the background")
        marked = np.repeat(hole[..., None].astype(np.uint8) * 255, 3, axis=2)
        prompt = f"{PLATE} {task.prompt}".strip()
        (redraw,) = self._pool("google-image", ImageEdit((task.image, marked), prompt), run)
        laid = aligned(redraw, task.image, ~hole)
        if laid is None:
            raise ResultInvalid(
                "Google changed the whole picture.", hint="Retry, or paint it on this computer."
            )
        return Plate(_blended(task.image, laid, hole), hole)

    def remove_background(self, task: ExtractTask, run: Run) -> Cut:
        """Extract again; what the earlier attempt left out stays out."""
        cut = self.extract(task, run)
        if task.base is None:
            return cut
        inside = np.where(task.base > 0.02, cut.alpha, 0).astype(np.float32)
        return replace(cut, alpha=inside)

    def _matted(self, task: ExtractTask, mask: Mask, confidence: float, run: Run) -> Cut:
        """Alpha around the guide's edge, found in the photo; strokes and layers in front have the last word."""
        for pixels in (task.taken, task.drop):
            if pixels is not None:
                mask = mask & ~pixels
        if task.keep is not None:
            mask = mask | task.keep
        if not mask.any():
            return Cut(np.zeros(mask.shape, np.float32), 0.0, REVIEW_BELOW, "likeness")
        unknown = trimap(mask)
        for pixels, value in ((task.keep, 1.0), (task.drop, 0.0), (task.taken, 0.0)):
            if pixels is not None:
                unknown[pixels] = value
        alpha: Alpha = self._pool("closed-form", Matting(task.image, unknown), run)
        return Cut(alpha, confidence, REVIEW_BELOW, "likeness")


def guided(redraw: Image, part: Image) -> tuple[Mask, float]:
    """Where a redraw on white shows its object, laid over the photo; and the share of it that looks like the photo."""
    import cv2

    shown = _solid(redraw)
    laid = aligned(redraw, part, shown)
    if laid is None:
        laid = redraw
    mask = _solid(laid)
    if not mask.any():
        return mask, 0.0
    far = np.abs(laid.astype(np.int16) - part).mean(axis=2)
    alike = cv2.GaussianBlur(far.astype(np.float32), (0, 0), 2) < LIKE
    return mask & alike, float((mask & alike).sum() / mask.sum())


def _solid(redraw: Image) -> Mask:
    """What is not white, with the white inside of it, without specks."""
    import cv2

    dark = (redraw.min(axis=2) < 255 - WHITE).astype(np.uint8)
    contours, _ = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    areas = [cv2.contourArea(contour) for contour in contours]
    kept = [c for c, area in zip(contours, areas, strict=True) if area >= SPECK * max(areas)]
    filled = np.zeros(dark.shape, np.uint8)
    cv2.drawContours(filled, kept, -1, 1, cv2.FILLED)
    solid: Mask = filled > 0
    return solid


def _blended(image: Image, redraw: Image, hole: Mask) -> Image:
    """The redraw inside the hole, fading into the photo within it: every pixel outside stays as it is."""
    import cv2

    inside = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 5)
    weight = np.clip(inside / SEAM, 0, 1)[..., None]
    result: Image = np.rint(redraw * weight + image * (1 - weight)).astype(np.uint8)
    return result


def _around(task: ExtractTask, width: int, height: int) -> tuple[int, int, int, int]:
    if task.box is None:
        return 0, 0, width, height
    x0, y0, x1, y1 = task.box
    dx, dy = MARGIN * (x1 - x0), MARGIN * (y1 - y0)
    left, top = max(0, int(x0 - dx)), max(0, int(y0 - dy))
    return left, top, min(width, int(np.ceil(x1 + dx))), min(height, int(np.ceil(y1 + dy)))


def build(pool: Pool) -> GoogleEngine:
    """The engine over these models."""
    return GoogleEngine(pool)
