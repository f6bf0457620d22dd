"""Test pictures with known truth, built only from photos that ship inside Python wheels.

Six photos (scikit-image: astronaut, coffee, rocket; scikit-learn: flower, china; matplotlib: Grace Hopper)
are cut out once with hand-drawn polygons, GrabCut and closed-form matting; those cut-outs, pasted over other
photos of the same wheels, give pictures whose alpha, foreground colours and plate are known exactly.

    singles()   7 pictures, 768 x 512, one subject each.
    stacks()    6 pictures, 768 x 512, two subjects that overlap or stand side by side. The first is
                flower / Grace Hopper / motorcycle; the other five keep the placements of five further
                two-subject scenes with subjects and backgrounds replaced by ones that ship in wheels.
    natural()   the six photos themselves with their reference masks. The masks are hand-hinted, not truth:
                differences below .02 IoU are noise.

Everything is deterministic and nothing is downloaded. The first run compiles pymatting (about 30 s) and keeps the
cut-outs in the environment's cache.
"""

import os
import sys
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import skimage
import sklearn
from numpy.typing import NDArray
from PIL import Image

CANVAS = (768, 512)
KEPT = Path(sys.prefix) / ".cache" / "cut-outs"
_SKIMAGE = Path(skimage.__file__).parent / "data"
_SKLEARN = Path(sklearn.__file__).parent / "datasets" / "images"
_MATPLOTLIB = Path(matplotlib.get_data_path()) / "sample_data"
PHOTOS = {
    "astronaut": _SKIMAGE / "astronaut.png",
    "coffee": _SKIMAGE / "coffee.png",
    "rocket": _SKIMAGE / "rocket.jpg",
    "motorcycle": _SKIMAGE / "motorcycle_left.png",
    "brick": _SKIMAGE / "brick.png",
    "grass": _SKIMAGE / "grass.png",
    "gravel": _SKIMAGE / "gravel.png",
    "hubble": _SKIMAGE / "hubble_deep_field.jpg",
    "flower": _SKLEARN / "flower.jpg",
    "china": _SKLEARN / "china.jpg",
    "grace": _MATPLOTLIB / "grace_hopper.jpg",
}

Polygon = list[tuple[int, int]]


@dataclass(frozen=True)
class Hints:
    """Polygons in pixels of the photo. outer: holds the subject; inner: surely subject; out: surely not."""

    outer: Polygon
    inner: list[Polygon]
    out: list[Polygon]


# fmt: off
HINTS = {
    "astronaut": Hints(
        outer=[(148, 10), (250, 0), (310, 30), (312, 110), (300, 165), (312, 200), (352, 225), (372, 300), (372, 340),
               (440, 338), (512, 400), (512, 512), (0, 512), (10, 440), (22, 330), (70, 235), (120, 195), (140, 170),
               (150, 110)],
        inner=[[(170, 40), (280, 40), (290, 90), (255, 180), (200, 180), (165, 100)],
               [(150, 190), (300, 230), (350, 300), (340, 345), (290, 400), (280, 500), (60, 500), (40, 420), (60, 300),
                (100, 240)],
               [(400, 360), (470, 390), (500, 430), (500, 510), (290, 510), (290, 420), (330, 370)]],
        out=[[(0, 0), (80, 0), (90, 100), (60, 190), (0, 420)],
             [(330, 0), (512, 0), (512, 370), (430, 330), (385, 310), (370, 240), (330, 190)]],
    ),
    "coffee": Hints(
        outer=[(62, 150), (95, 90), (165, 60), (190, 10), (300, 0), (400, 30), (440, 70), (480, 130), (500, 200),
               (480, 300), (440, 360), (380, 398), (270, 398), (150, 350), (80, 260), (66, 200)],
        inner=[[(110, 130), (180, 100), (240, 30), (350, 30), (390, 90), (460, 150), (470, 240), (420, 340), (350, 385),
                (260, 360), (150, 310), (100, 230), (85, 180)]],
        out=[],
    ),
    "flower": Hints(
        outer=[(160, 200), (170, 140), (220, 95), (300, 80), (380, 95), (430, 140), (455, 220), (440, 300), (400, 345),
               (340, 365), (270, 355), (200, 310), (170, 260)],
        inner=[[(190, 200), (200, 150), (250, 110), (320, 100), (390, 125), (425, 190), (420, 270), (380, 320),
                (310, 335), (240, 310), (200, 260)]],
        out=[[(290, 370), (370, 370), (370, 372), (290, 372)]],
    ),
    "grace": Hints(
        outer=[(150, 160), (170, 60), (230, 15), (300, 15), (370, 60), (385, 150), (385, 300), (350, 330), (430, 360),
               (500, 400), (512, 450), (512, 600), (30, 600), (40, 420), (110, 370), (200, 330), (160, 260),
               (150, 200)],
        inner=[[(180, 90), (230, 40), (300, 40), (350, 90), (360, 170), (350, 260), (320, 320), (420, 380), (490, 420),
                (500, 590), (50, 590), (60, 440), (130, 385), (210, 340), (180, 230), (165, 150)]],
        out=[[(0, 0), (130, 0), (140, 240), (100, 340), (0, 400)],
             [(400, 0), (512, 0), (512, 360), (420, 330), (395, 250)]],
    ),
    "china": Hints(
        outer=[(190, 60), (205, 25), (230, 60), (290, 110), (300, 140), (320, 170), (330, 200), (330, 245), (345, 280),
               (350, 310), (370, 340), (340, 390), (260, 398), (190, 392), (150, 360), (75, 335), (60, 300), (80, 250),
               (70, 235), (100, 200), (95, 165), (90, 145), (120, 110), (160, 80)],
        inner=[[(195, 75), (215, 60), (270, 120), (300, 200), (310, 270), (320, 330), (300, 370), (200, 370),
                (140, 330), (110, 280), (115, 200), (120, 140)]],
        out=[[(0, 0), (180, 0), (150, 70), (90, 110), (60, 180), (0, 190)],
             [(260, 0), (640, 0), (640, 120), (360, 240), (340, 170)]],
    ),
    "rocket": Hints(
        outer=[(300, 125), (320, 110), (340, 125), (345, 300), (350, 410), (300, 410), (300, 300)],
        inner=[[(312, 140), (328, 140), (330, 290), (332, 400), (310, 400), (310, 290)]],
        out=[],
    ),
}
# fmt: on

Place = tuple[float, float, float]  # height, centre x and bottom y as fractions of the canvas

SINGLES: tuple[tuple[str, str, Place], ...] = (
    ("astronaut", "brick", (0.8, 0.5, 1.0)),
    ("flower", "grass", (0.5, 0.6, 0.8)),
    ("coffee", "gravel", (0.5, 0.45, 0.85)),
    ("grace", "motorcycle", (0.8, 0.35, 1.0)),
    ("china", "hubble", (0.7, 0.4, 0.9)),
    ("flower", "rocket", (0.4, 0.5, 0.7)),
    ("coffee", "china", (0.45, 0.6, 0.9)),
)
STACKS: tuple[tuple[tuple[str, Place], tuple[str, Place], str], ...] = (
    (("flower", (0.4, 0.3, 0.9)), ("grace", (0.8, 0.45, 1.0)), "motorcycle"),
    (("coffee", (0.4, 0.35, 0.95)), ("astronaut", (0.8, 0.55, 1.0)), "brick"),
    (("rocket", (0.8, 0.55, 0.95)), ("china", (0.65, 0.45, 0.9)), "gravel"),
    (("flower", (0.45, 0.35, 0.8)), ("astronaut", (0.6, 0.65, 0.95)), "china"),
    (("coffee", (0.45, 0.35, 0.98)), ("grace", (0.75, 0.55, 1.0)), "grass"),
    (("grace", (0.55, 0.6, 0.95)), ("flower", (0.45, 0.4, 0.8)), "hubble"),
)


@dataclass(frozen=True, eq=False)
class Sheet:
    """One known layer on the canvas. colour: float64 (height, width, 3) in [0, 1]; alpha: float64 in [0, 1]."""

    name: str
    colour: NDArray[np.float64]
    alpha: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Composite:
    """A picture and its truth. sheets: front to back; plate, image: uint8 (height, width, 3)."""

    name: str
    image: NDArray[np.uint8]
    sheets: tuple[Sheet, ...]
    plate: NDArray[np.uint8]

    def visible(self, index: int) -> NDArray[np.float64]:
        """Alpha of sheet `index` where no sheet in front of it covers it."""
        alpha = self.sheets[index].alpha
        for sheet in self.sheets[:index]:
            alpha = alpha * (1 - sheet.alpha)
        return alpha

    def box(self, index: int = 0) -> tuple[float, float, float, float]:
        """The box of the visible part of a sheet, the hint that a careful person would draw."""
        return bounding_box(self.visible(index) > 0.5)


@dataclass(frozen=True, eq=False)
class Photo:
    """An uncomposited photo, uint8 (height, width, 3), with its hand-hinted reference mask."""

    name: str
    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]


def bounding_box(mask: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 in pixels, the far edges exclusive; `mask` must not be empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def jittered(
    box: tuple[float, float, float, float], seed: int, share: float = 0.1
) -> tuple[float, float, float, float]:
    """The box with every edge moved by up to `share` of its side, clipped to the canvas: a sloppy hint."""
    x0, y0, x1, y1 = box
    side = np.array([x1 - x0, y1 - y0, x1 - x0, y1 - y0])
    moved = np.array(box) + np.random.default_rng(seed).uniform(-share, share, 4) * side
    limit = np.array([*CANVAS, *CANVAS])
    a, b, c, d = np.clip(moved, 0, limit)
    return float(a), float(b), float(c), float(d)


@cache
def photo(name: str) -> NDArray[np.uint8]:
    """One photo as uint8 (height, width, 3). Shared: do not write into it."""
    return np.asarray(Image.open(PHOTOS[name]).convert("RGB"))


@cache
def reference(name: str) -> NDArray[np.bool_]:
    """The reference mask of a photo that has hints: GrabCut between the polygons, largest piece, filled."""
    image, hints = photo(name), HINTS[name]
    labels = np.full(image.shape[:2], cv2.GC_BGD, np.uint8)
    outer = _filled(image, hints.outer)
    labels[outer] = cv2.GC_PR_BGD
    for polygon in hints.inner:
        labels[_filled(image, polygon)] = cv2.GC_FGD
    near = cv2.dilate((labels == cv2.GC_FGD).astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    labels[near & outer & (labels != cv2.GC_FGD)] = cv2.GC_PR_FGD
    for polygon in hints.out:
        labels[_filled(image, polygon)] = cv2.GC_BGD
    cv2.setRNGSeed(0)
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(bgr, labels, None, *models, 6, cv2.GC_INIT_WITH_MASK)
    mask = _largest((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD))
    _, pieces, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8))
    small = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] < 150)
    mask |= np.isin(pieces, small[small > 0])
    return cv2.medianBlur(mask.astype(np.uint8) * 255, 5) > 127


def trimap(mask: NDArray[np.bool_], half_width: int) -> NDArray[np.float64]:
    """1 inside, 0 outside, 0.5 within `half_width` pixels of the edge of `mask`."""
    size = 2 * half_width + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    result = np.full(mask.shape, 0.5)
    result[cv2.erode(mask.astype(np.uint8), kernel, borderValue=1) > 0] = 1
    result[cv2.dilate(mask.astype(np.uint8), kernel) == 0] = 0
    return result


@cache
def singles() -> tuple[Composite, ...]:
    """Seven one-subject pictures."""
    return tuple(_compose([(name, at)], background) for name, background, at in SINGLES)


@cache
def stacks() -> tuple[Composite, ...]:
    """Six two-subject pictures."""
    return tuple(_compose([front, back], background) for front, back, background in STACKS)


@cache
def natural() -> tuple[Photo, ...]:
    """The six photos as they are."""
    return tuple(Photo(name, photo(name), reference(name)) for name in HINTS)


def over(sheet: Sheet, below: NDArray[np.float64]) -> NDArray[np.float64]:
    """Source-over on sRGB values in [0, 1]."""
    alpha = sheet.alpha[..., None]
    return alpha * sheet.colour + (1 - alpha) * below


def _compose(parts: list[tuple[str, Place]], background: str) -> Composite:
    plate = _background(background)
    sheets = tuple(_place(name, at) for name, at in parts)
    picture = plate / 255.0
    for sheet in reversed(sheets):
        picture = over(sheet, picture)
    name = "/".join([*(name for name, _ in parts), background])
    return Composite(name, np.round(picture * 255).astype(np.uint8), sheets, plate)


@cache
def _cut_out(name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Foreground colour and alpha of a photo's subject, cropped to it."""
    kept = KEPT / f"{name}-{sha256(Path(__file__).read_bytes()).hexdigest()[:16]}.npz"
    if not kept.exists():
        colour, alpha = _matted(name)
        KEPT.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_suffix(f".{os.getpid()}.npz")
        np.savez(unfinished, colour=colour, alpha=alpha)
        unfinished.replace(kept)
    with np.load(kept) as arrays:
        return arrays["colour"], arrays["alpha"]


def _matted(name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from pymatting import estimate_alpha_cf, estimate_foreground_ml

    image = photo(name) / 255.0
    alpha = estimate_alpha_cf(image, trimap(reference(name), 4))
    colour = estimate_foreground_ml(image, alpha)
    x0, y0, x1, y1 = (int(edge) for edge in bounding_box(alpha > 0.02))
    return colour[y0:y1, x0:x1], alpha[y0:y1, x0:x1]


def _place(name: str, at: Place) -> Sheet:
    colour, alpha = _cut_out(name)
    height, centre, bottom = at
    scale = min(height * CANVAS[1] / alpha.shape[0], 0.8 * CANVAS[0] / alpha.shape[1])
    size = max(2, int(alpha.shape[1] * scale)), max(2, int(alpha.shape[0] * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = np.dstack(
        [cv2.resize(colour, size, interpolation=method), cv2.resize(alpha, size, interpolation=method)]
    )
    x, y = int(centre * CANVAS[0] - size[0] / 2), int(bottom * CANVAS[1] - size[1])
    canvas = np.zeros((CANVAS[1], CANVAS[0], 4))
    x0, y0, x1, y1 = max(0, x), max(0, y), min(CANVAS[0], x + size[0]), min(CANVAS[1], y + size[1])
    canvas[y0:y1, x0:x1] = np.clip(small[y0 - y : y1 - y, x0 - x : x1 - x], 0, 1)
    return Sheet(name, canvas[..., :3], canvas[..., 3])


def _background(name: str) -> NDArray[np.uint8]:
    image = photo(name)
    height, width = image.shape[:2]
    scale = max(CANVAS[0] / width, CANVAS[1] / height)
    size = int(np.ceil(width * scale)), int(np.ceil(height * scale))
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    y, x = (image.shape[0] - CANVAS[1]) // 2, (image.shape[1] - CANVAS[0]) // 2
    return image[y : y + CANVAS[1], x : x + CANVAS[0]]


def _filled(image: NDArray[np.uint8], polygon: Polygon) -> NDArray[np.bool_]:
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.array(polygon, np.int32)], 1)
    return mask > 0


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    return mask if count <= 1 else pieces == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
