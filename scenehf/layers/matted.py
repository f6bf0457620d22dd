"""Layer engines in which a remote net finds alpha and this computer paints the plates.

The layer keeps the photo's own pixels. The net is shown the box with some context, and cuts out what stands out there.
"""

import numpy as np

from models.pool import Pool
from models.requests import Inpainting, Matting, Run
from scenehf.layers.engines import Cut, ExtractTask, Plate, PlateTask
from scenehf.layers.trimap import hole_around

MARGIN = 0.1  # of the box: context for the net; more lets neighbours in


class MattedEngine:
    """Stateless; the models live in the pool. model: the net in the catalog; title: who runs it."""

    def __init__(self, pool: Pool, model: str, title: str) -> None:
        self._pool, self._model, self._title = pool, model, title

    def extract(self, task: ExtractTask, run: Run) -> Cut:
        """One call."""
        height, width = task.image.shape[:2]
        x0, y0, x1, y1 = task.box or (0, 0, width, height)
        dx, dy = MARGIN * (x1 - x0), MARGIN * (y1 - y0)
        left, top = max(0, int(x0 - dx)), max(0, int(y0 - dy))
        right, bottom = min(width, int(np.ceil(x1 + dx))), min(height, int(np.ceil(y1 + dy)))
        part = np.ascontiguousarray(task.image[top:bottom, left:right])
        run.progress(0.05, f"Asking {self._title} for the cut-out")
        alpha = np.zeros((height, width), np.float32)
        alpha[top:bottom, left:right] = self._pool(self._model, Matting(part), run)
        for pixels, value in ((task.taken, 0.0), (task.keep, 1.0), (task.drop, 0.0)):
            if pixels is not None:
                alpha[pixels] = value
        return Cut(alpha)

    def plate(self, task: PlateTask, run: Run) -> Plate:
        """Free: painted here from the texture around the hole."""
        hole = hole_around(task.alphas)
        run.progress(0.1, "Painting the background")
        return Plate(self._pool("patchmatch", Inpainting(task.image, hole), run), hole)

    def remove_background(self, task: ExtractTask, run: Run) -> Cut:
        """Cut again; what the earlier attempt left out stays out."""
        cut = self.extract(task, run)
        if task.base is None:
            return cut
        return Cut(np.where(task.base > 0.02, cut.alpha, 0).astype(np.float32))
