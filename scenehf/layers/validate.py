"""Is a step's result what was asked for? Each check gives a figure, its limit, and what to try.

Limits come from measurements on composites with known alpha and background: benign results and deliberately broken
ones (shifted, zoomed, redrawn, unchanged) fall on either side. "review" asks a person, "fail" cannot be used.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from models.requests import Alpha, Box, Image, Mask
from scenehf.layers.engines import Cut, Plate

Verdict = Literal["pass", "review", "fail"]

EMPTY_COVERAGE = 0.0005
FULL_COVERAGE = 0.97
MIN_BOX_IOU = 0.5
LOST_BOX_IOU = 0.2
MAX_FRAGMENTS = 6
FRAGMENT_SHARE = 0.01  # smaller specks are not counted
MAX_SOFT_SHARE = 0.35  # of the layer's own area: more is fog, not an edge
MIN_EDGE_CONTRAST = 3.0  # CIELAB distance across the outline; natural cut-outs measure 8 and more
MAX_DUPLICATE_IOU = 0.8
MAX_LIKENESS = 0.8  # correlation of plate and source where the object was; untouched is 1
ALARM_LIKENESS = 0.97
MAX_OUTSIDE_DIFFERENCE = 1.0  # mean of 255, outside the painted hole
MIN_TEXTURE = 0.4  # gradients inside the hole against its surroundings; a smear measures 0.2
MAX_RECOMPOSITION = 2  # of 255, on every pixel

# What each figure says, for a person who has never seen it.
MEANINGS = {
    "size": "A result has to be as large as the photo, or it would not fit over it.",
    "coverage": "The share of the picture that the layer covers.",
    "box fit": "How well the layer fills the box it was looked for in: 1 is exactly.",
    "pieces": "The number of separate parts of the layer. One object is mostly one part, or a few.",
    "soft share": "The share of the layer that is half transparent. Hair and glass are soft at the edge, not inside.",
    "edge contrast": "How much the colour changes across the outline. A true edge can be seen in the photo.",
    "overlap with other layers": "How much of the layer is another layer's too: 1 is the same object twice.",
    "confidence": "How far several ways of cutting this object out agree about it.",
    "likeness": "How much of what the service drew looks like the photo: 1 is all of it.",
    "rest untouched": "How much the plate differs from the photo where nothing was removed, of 255.",
    "object gone": "How much of the removed object can still be recognised in the plate: 1 is all of it.",
    "texture": "How lively the painted area is against its surroundings: near 0 is a smear.",
    "recomposition": "The largest difference between the photo and all layers put together again, of 255.",
}


@dataclass(frozen=True)
class Check:
    """One figure held against its limit. `limit` reads as text ("at least 0.5"); `advice` is empty on a pass."""

    name: str
    value: float
    limit: str
    verdict: Verdict
    advice: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, for the store and the report."""
        return asdict(self) | {"meaning": MEANINGS[self.name]}


def worst(checks: Sequence[Check]) -> Verdict:
    """The verdict of a step: its worst check."""
    ranks: tuple[Verdict, ...] = ("fail", "review", "pass")
    return next((rank for rank in ranks if any(c.verdict == rank for c in checks)), "pass")


def check_cut(
    cut: Cut,
    image: Image,
    box: Box | None,
    coverage: tuple[float, float] | None = None,
    earlier: Sequence[Alpha] = (),
) -> list[Check]:
    """Checks of an extraction against the picture it was cut from."""
    alpha = cut.alpha
    if alpha.shape != image.shape[:2]:
        size = f"{alpha.shape[1]}x{alpha.shape[0]}"
        return [Check("size", alpha.size / image[..., 0].size, "1", "fail", f"The result is {size}: retry.")]
    mean = float(alpha.mean())
    if mean < EMPTY_COVERAGE:
        advice = "Nothing was found there. Draw the box closer around the object, or click on it."
        return [Check("coverage", mean, f"at least {EMPTY_COVERAGE}", "fail", advice)]
    checks = [_coverage(mean, coverage)]
    if box is not None:
        checks.append(_inside_box(alpha, box))
    checks += [_fragments(alpha), _softness(alpha), _edge_contrast(alpha, image)]
    if earlier:
        checks.append(_duplicate(alpha, earlier))
    if cut.confidence is not None:
        checks.append(_confidence(cut, cut.confidence))
    return checks


def check_plate(plate: Plate, image: Image, alphas: Sequence[Alpha]) -> list[Check]:
    """Checks of a plate: the objects are gone, the rest is untouched, the fill is not a smear."""
    if plate.image.shape != image.shape:
        return [
            Check("size", plate.image.size / image.size, "1", "fail", "The plate has another size: retry.")
        ]
    removed = np.zeros(image.shape[:2], bool)
    for alpha in alphas:
        removed |= alpha > 0.95
    checks = [_untouched(plate, image)]
    core = _shrink(removed, 4)
    if core.sum() >= 64:
        checks.append(_removed(plate.image, image, core))
        checks.append(_texture(plate.image, plate.hole))
    return checks


def check_recomposition(greatest: int) -> Check:
    """Plate and layers put together again, held against the source. greatest: largest difference, of 255."""
    if greatest <= MAX_RECOMPOSITION:
        return Check("recomposition", greatest, f"at most {MAX_RECOMPOSITION}", "pass")
    advice = "The layers do not add up to the photo. Run the scene step again."
    return Check("recomposition", greatest, f"at most {MAX_RECOMPOSITION}", "fail", advice)


def _coverage(mean: float, wanted: tuple[float, float] | None) -> Check:
    low, high = wanted or (EMPTY_COVERAGE, FULL_COVERAGE)
    limit = f"{low:g} to {high:g}"
    if mean > FULL_COVERAGE:
        advice = "The whole picture was taken. Draw a box around the object alone."
        return Check("coverage", mean, limit, "fail", advice)
    if not low <= mean <= high:
        size = "less" if mean < low else "more"
        advice = f"The layer covers {size} of the picture than planned. Correct the box, or accept it."
        return Check("coverage", mean, limit, "review", advice)
    return Check("coverage", mean, limit, "pass")


def _inside_box(alpha: Alpha, box: Box) -> Check:
    ys, xs = np.nonzero(alpha > 0.5)
    limit = f"at least {MIN_BOX_IOU}"
    if not len(xs):
        return Check(
            "box fit", 0.0, limit, "fail", "Nothing solid was found inside the box. Click on the object."
        )
    found = (float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1))
    value = _box_iou(found, box)
    if value >= MIN_BOX_IOU:
        return Check("box fit", value, limit, "pass")
    advice = "The layer does not fill its box. Move the box, click on the object, or refine with the brush."
    return Check("box fit", value, limit, "review" if value >= LOST_BOX_IOU else "fail", advice)


def _box_iou(a: Box, b: Box) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union if union > 0 else 0.0


def _fragments(alpha: Alpha) -> Check:
    import cv2

    solid = (alpha > 0.5).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(solid)
    areas = stats[1:, cv2.CC_STAT_AREA]
    count = int((areas > FRAGMENT_SHARE * max(1, int(solid.sum()))).sum())
    if count <= MAX_FRAGMENTS:
        return Check("pieces", count, f"at most {MAX_FRAGMENTS}", "pass")
    advice = "The layer fell into many pieces. Refine it with the brush, or split it into several steps."
    return Check("pieces", count, f"at most {MAX_FRAGMENTS}", "review", advice)


def _softness(alpha: Alpha) -> Check:
    soft = float(((alpha > 0.05) & (alpha < 0.95)).sum())
    share = soft / max(1.0, float((alpha > 0.05).sum()))
    if share <= MAX_SOFT_SHARE:
        return Check("soft share", share, f"at most {MAX_SOFT_SHARE}", "pass")
    advice = "Much of the layer is half transparent. Mark what surely belongs to it with the brush."
    return Check("soft share", share, f"at most {MAX_SOFT_SHARE}", "review", advice)


def _edge_contrast(alpha: Alpha, image: Image) -> Check:
    """Median CIELAB distance between the picture's colours a little inside and a little outside the outline."""
    import cv2

    scale = min(1.0, 1024 / max(alpha.shape))
    size = (max(1, round(alpha.shape[1] * scale)), max(1, round(alpha.shape[0] * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    inside = (cv2.resize(alpha, size, interpolation=cv2.INTER_AREA) > 0.5).astype(np.uint8)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    kernel = np.ones((7, 7), np.uint8)
    ring_in = inside - cv2.erode(inside, kernel, borderValue=1)
    ring_out = cv2.dilate(inside, kernel, borderValue=0) - inside
    near_in = _blur_within(lab, ring_in)
    near_out = _blur_within(lab, ring_out)
    edge = (cv2.dilate(inside, np.ones((3, 3), np.uint8), borderValue=0) - inside) > 0
    if not edge.any():
        return Check("edge contrast", 0.0, f"at least {MIN_EDGE_CONTRAST}", "pass")
    value = float(np.median(np.linalg.norm(near_in - near_out, axis=2)[edge]))
    if value >= MIN_EDGE_CONTRAST:
        return Check("edge contrast", value, f"at least {MIN_EDGE_CONTRAST}", "pass")
    advice = "The outline follows no visible edge. Correct it with the brush, or move the box."
    return Check("edge contrast", value, f"at least {MIN_EDGE_CONTRAST}", "review", advice)


def _blur_within(lab: np.ndarray[Any, Any], ring: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    import cv2

    weight = cv2.boxFilter(ring.astype(np.float32), -1, (9, 9))[..., None]
    return np.asarray(cv2.boxFilter(lab * ring[..., None], -1, (9, 9)) / np.maximum(weight, 1e-6))


def _duplicate(alpha: Alpha, earlier: Sequence[Alpha]) -> Check:
    overlaps = (
        float(np.minimum(alpha, other).sum()) / max(1.0, float(np.maximum(alpha, other).sum()))
        for other in earlier
    )
    value = max(overlaps)
    if value <= MAX_DUPLICATE_IOU:
        return Check("overlap with other layers", value, f"at most {MAX_DUPLICATE_IOU}", "pass")
    advice = "This is the same object as an earlier layer. Delete the step or move its box."
    return Check("overlap with other layers", value, f"at most {MAX_DUPLICATE_IOU}", "fail", advice)


def _confidence(cut: Cut, value: float) -> Check:
    limit = f"at least {cut.review_below:g}"
    if value >= cut.review_below:
        return Check(cut.measure, value, limit, "pass")
    advice = {
        "confidence": "The methods disagree about this object. Look at the outline; a tighter box or one click helps"
        " most.",
        "likeness": "The service drew what is not in the photo. Look at the outline; say in other words what it is, or"
        " draw a tighter box.",
    }
    return Check(cut.measure, value, limit, "review", advice[cut.measure])


def _untouched(plate: Plate, image: Image) -> Check:
    outside = ~plate.hole
    value = 0.0
    if outside.any():
        value = float(np.abs(plate.image[outside].astype(np.int16) - image[outside]).mean())
    if value <= MAX_OUTSIDE_DIFFERENCE:
        return Check("rest untouched", value, f"at most {MAX_OUTSIDE_DIFFERENCE}", "pass")
    advice = "The plate changed pixels outside the removed objects. Retry it."
    return Check("rest untouched", value, f"at most {MAX_OUTSIDE_DIFFERENCE}", "fail", advice)


def _removed(plate: Image, image: Image, core: Mask) -> Check:
    import cv2

    before = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[core].astype(np.float64)
    after = cv2.cvtColor(plate, cv2.COLOR_RGB2GRAY)[core].astype(np.float64)
    value = 1.0 if np.array_equal(before, after) else 0.0
    if before.std() > 1 and after.std() > 1:
        value = float(np.corrcoef(before, after)[0, 1])
    if value <= MAX_LIKENESS:
        return Check("object gone", value, f"at most {MAX_LIKENESS}", "pass")
    advice = "Traces of the object remain. Grow its layer with the brush and run the plate again."
    verdict: Verdict = "review" if value < ALARM_LIKENESS else "fail"
    return Check("object gone", value, f"at most {MAX_LIKENESS}", verdict, advice)


def _texture(plate: Image, hole: Mask) -> Check:
    """Mean gradient inside the hole against a ring around it; nothing to compare with on a flat surround."""
    import cv2

    gray = cv2.cvtColor(plate, cv2.COLOR_RGB2GRAY).astype(np.float32)
    strength = np.hypot(cv2.Sobel(gray, -1, 1, 0), cv2.Sobel(gray, -1, 0, 1))
    width = max(5, round(0.03 * max(hole.shape))) | 1
    ring = cv2.dilate(hole.astype(np.uint8), np.ones((width, width), np.uint8)).astype(bool) & ~hole
    around = float(np.median(strength[ring])) if ring.any() else 0.0
    if around < 4:
        return Check("texture", 1.0, f"at least {MIN_TEXTURE}", "pass")
    value = float(np.median(strength[hole])) / around
    if value >= MIN_TEXTURE:
        return Check("texture", value, f"at least {MIN_TEXTURE}", "pass")
    advice = "The painted area is smoother than its surroundings. Accept it, or retry with another engine."
    return Check("texture", value, f"at least {MIN_TEXTURE}", "review", advice)


def _shrink(mask: Mask, pixels: int) -> Mask:
    import cv2

    kernel = np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    return np.asarray(cv2.erode(mask.astype(np.uint8), kernel, borderValue=0)).astype(bool)
