"""The part of a picture that a request is about, at the size it is segmented at."""

from dataclasses import dataclass

import numpy as np

from models.local.saliency_cut.colour import ROUGHNESS, Palette, palette
from models.local.saliency_cut.saliency import barrier_distance, robust_background
from models.requests import Alpha, Box, Image, Mask, MaskGeneration

BUDGET = (
    45_000  # px, 260 x 173: enough for the shape, more only slows the cuts; the edge is refined afterwards
)
CONTEXT = 0.4  # of the box's sides, around it: where the background is learnt
LARGEST_SCALE = 1.5  # small objects are magnified a little, so that thin parts survive the cut
NEIGHBOUR = 0.05  # of the box's sides: further out, what lies in a neighbour's box is the neighbour's
POINT = 0.01  # radius of a clicked point, as a share of the view's long side


@dataclass(frozen=True, eq=False)
class View:
    """window: x0, y0, x1, y1 in the picture, whole pixels. All else in pixels of the view: box (None: no box
    was given); person, salient: soft maps in [0, 1]; beyond: distance outside the box in shares of its sides
    (0 inside, infinite in a neighbour's place); keep, drop: hard seeds; base: a mask to refine, or None."""

    window: tuple[int, int, int, int]
    full: tuple[int, int]
    image: Image
    palette: Palette
    box: Box | None
    person: Alpha
    salient: Alpha
    beyond: Alpha
    keep: Mask
    drop: Mask
    base: Mask | None

    def placed(self, box: Box) -> Box:
        """A box of the view as a box of the whole picture."""
        x0, y0, x1, y1 = self.window
        across, down = (x1 - x0) / self.image.shape[1], (y1 - y0) / self.image.shape[0]
        return x0 + box[0] * across, y0 + box[1] * down, x0 + box[2] * across, y0 + box[3] * down

    def lifted(self, mask: Mask) -> Mask:
        """A mask of the view as a mask of the whole picture."""
        import cv2

        x0, y0, x1, y1 = self.window
        result = np.zeros(self.full, bool)
        size = x1 - x0, y1 - y0
        result[y0:y1, x0:x1] = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5
        return result


def view_of(request: MaskGeneration) -> View:
    """What `request` is about."""
    import cv2

    height, width = request.image.shape[:2]
    box = _clipped(request.box, width, height)
    window = _window(box or _extent(request), width, height)
    x0, y0, x1, y1 = window
    image = scaled(request.image[y0:y1, x0:x1], BUDGET, LARGEST_SCALE if box else 1.0)
    size = image.shape[1], image.shape[0]
    per_x, per_y = size[0] / (x1 - x0), size[1] / (y1 - y0)

    def brought(away: Box) -> Box:
        return (away[0] - x0) * per_x, (away[1] - y0) * per_y, (away[2] - x0) * per_x, (away[3] - y0) * per_y

    def seen(field: Alpha | Mask | None) -> Alpha:
        if field is None:
            return np.zeros(size[::-1], np.float32)
        part = field[y0:y1, x0:x1].astype(np.float32)
        method = cv2.INTER_AREA if per_x < 1 else cv2.INTER_LINEAR
        result: Alpha = cv2.resize(part, size, interpolation=method)
        return result

    keep, drop = seen(request.keep) > 0.25, seen(request.drop) > 0.5
    radius = max(1, round(POINT * max(size)))
    for x, y, label in request.points:
        spot = np.zeros(size[::-1], np.uint8)
        cv2.circle(spot, (round((x - x0) * per_x), round((y - y0) * per_y)), radius, 1, -1)
        (keep if label else drop)[spot > 0] = True
    keep &= ~drop
    near = brought(box) if box else None
    salient = (robust_background(image) + barrier_distance(image)) / 2
    beyond = _beyond(near, size)
    top = float(salient[beyond == 0].max(initial=0))
    for neighbour in request.avoid if box else ():
        theirs = _beyond(brought(neighbour), size) == 0
        beyond[theirs & (beyond > NEIGHBOUR)] = np.inf
    return View(
        window=window,
        full=(height, width),
        image=image,
        palette=palette(image, ROUGHNESS),
        box=near,
        person=seen(request.prior),
        salient=np.clip(salient / (top + 1e-6), 0, 1),
        beyond=beyond,
        keep=keep,
        drop=drop,
        base=None if request.base is None else seen(request.base) > 0.5,
    )


def scaled(image: Image, budget: int, largest_scale: float) -> Image:
    """The picture at a size of at most `budget` pixels, magnified by at most `largest_scale`."""
    import cv2

    height, width = image.shape[:2]
    scale = min(largest_scale, (budget / (height * width)) ** 0.5)
    size = max(8, round(width * scale)), max(8, round(height * scale))
    result: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return result


def _clipped(box: Box | None, width: int, height: int) -> Box | None:
    """The box within the picture; None if nothing of it is left."""
    if box is None:
        return None
    x0, y0, x1, y1 = max(0.0, box[0]), max(0.0, box[1]), min(float(width), box[2]), min(float(height), box[3])
    return (x0, y0, x1, y1) if x1 - x0 >= 1 and y1 - y0 >= 1 else None


def _extent(request: MaskGeneration) -> Box | None:
    """Without a box, a mask to refine says where the object is."""
    from models.local.saliency_cut.shape import bounding_box

    if request.base is None or not request.base.any():
        return None
    known = request.base if request.keep is None else request.base | request.keep
    return bounding_box(known)


def _window(box: Box | None, width: int, height: int) -> tuple[int, int, int, int]:
    if box is None:
        return 0, 0, width, height
    x0, y0, x1, y1 = box
    across, down = CONTEXT * (x1 - x0), CONTEXT * (y1 - y0)
    return (
        int(max(0, x0 - across)),
        int(max(0, y0 - down)),
        int(np.ceil(min(width, x1 + across))),
        int(np.ceil(min(height, y1 + down))),
    )


def _beyond(box: Box | None, size: tuple[int, int]) -> Alpha:
    if box is None:
        return np.zeros(size[::-1], np.float32)
    x, y = np.arange(size[0], dtype=np.float32) + 0.5, np.arange(size[1], dtype=np.float32) + 0.5
    across = np.maximum(np.maximum(box[0] - x, x - box[2]), 0) / (box[2] - box[0])
    down = np.maximum(np.maximum(box[1] - y, y - box[3]), 0) / (box[3] - box[1])
    return np.asarray(np.hypot(across[None], down[:, None]), np.float32)
