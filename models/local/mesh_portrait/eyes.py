"""Eyes in layers: white, iris and lids taken apart once, put together anew for every direction of the gaze.

The iris is a sprite with the background's share taken out of it, as in matting: put back where it was, it gives
the very pixels of the source. Only the difference to that is added to the picture, so that lashes, shadows and
reflections on glasses stay where they are.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.local.mesh_portrait.field import Lid, smoothstep
from models.requests import Image

Floats = NDArray[np.float32]

# MediaPipe's mesh: the eyelids' outline, the middle of upper and lower lid, the corners, the iris and its rim.
RINGS = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382),
)
UPPER, LOWER = ((160, 159, 158), (385, 386, 387)), ((144, 145, 153), (380, 374, 373))
CORNERS = ((33, 133), (362, 263))  # the picture's left one first
IRISES = (468, 473)

TRAVEL = (0.28, 0.11)  # eye widths the iris moves at pupil_x = 1, pupil_y = 1
SMALLEST = 7.0  # px: below this width of an eye there is no iris to move
CLOSED = 0.14  # height by width: below it an eye counts as closed
LEAST_CONTRAST = 14.0  # levels the white is brighter than the iris; carved and blank eyes have less
UNSEEN = 1 / 512  # of a level's whole range: no change of that share can be seen
RIM = 4  # px around what changes
FINE = 56  # px: smaller eyes are taken apart at a multiple of their size
IRIS_EDGE = (0.92, 1.16)  # iris radii between which its edge is soft
HALO = (1.25, 1.65)  # iris radii between which a blurred iris still darkens the white
WHITE_REACH = (1.2, 0.6, 0.3, 0.15)  # iris radii: where the white under the iris takes its colour from
WHITE_BY_SKIN = 0.85  # how bright the white of a shaded eye is at least, by the skin around it
SHADE, SHADE_REACH = 0.3, 0.45  # how much darker the white is at the lids, and over how many iris radii
LID_FOLLOW = (0.060, 0.020)  # eye widths that the upper and the lower lid follow the gaze


@dataclass(frozen=True, eq=False)
class Eye:
    """One eye, taken apart. box: x0, y0, x1, y1 of its patch; `fine`: how much larger the layers are than it.

    patch: float32 (h, w, 3), the source; lids: (h, w, 1), 1 between the lids. In layer pixels: white (H, W, 3),
    iris, colour without the white's share and alpha, of a larger place, (.., .., 4); inset: (x, y) of the other layers'
    origin in it; still (h, w, 3): the layers put together unmoved. right, down: unit vectors of the eye in the picture;
    width: of the eye in px.
    """

    box: tuple[int, int, int, int]
    fine: int
    patch: Floats
    lids: Floats
    white: Floats
    iris: Floats
    inset: tuple[int, int]
    still: Floats
    right: Floats
    down: Floats
    width: float

    def looking(self, pupil_x: float, pupil_y: float) -> Image:
        """uint8 (h, w, 3): the patch with the iris moved."""
        moved = self._composed(pupil_x, pupil_y)
        drawn = self.patch + self.lids * (moved - self.still)
        return np.asarray(np.clip(drawn + 0.5, 0, 255), np.uint8)

    def on(self, sheet: Image) -> "Eye":
        """The same eye to be drawn into another sheet, uint8 (height, width, 3 or 4)."""
        x0, y0, x1, y1 = self.box
        return replace(self, patch=sheet[y0:y1, x0:x1, :3].astype(np.float32))

    def _composed(self, pupil_x: float, pupil_y: float) -> Floats:
        import cv2

        across, up = TRAVEL[0] * pupil_x, TRAVEL[1] * pupil_y
        shift = (self.right * across - self.down * up) * (self.width * self.fine)
        shift -= self.inset
        height, width = self.white.shape[:2]
        there = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
        iris = cv2.warpAffine(self.iris, there, (width, height), flags=cv2.INTER_LINEAR)
        eye = self.white * (1 - iris[..., 3:]) + iris[..., :3]
        if self.fine == 1:
            return np.asarray(eye, np.float32)
        size = self.patch.shape[1], self.patch.shape[0]
        return np.asarray(cv2.resize(eye, size, interpolation=cv2.INTER_AREA), np.float32)


def eyes_of(image: Image, points: NDArray[np.floating]) -> tuple[tuple[Eye, ...], tuple[Lid, ...]]:
    """The eyes whose iris can move, and the lids that follow them. points: (478, 3) px."""
    apart = {side: _taken_apart(image, points[:, :2], side) for side in range(2)}
    found = {side: parts for side, parts in apart.items() if parts is not None}
    if not found or np.mean([contrast for _, contrast in found.values()]) < LEAST_CONTRAST:
        return (), ()  # both or neither: eyes that part look worse than eyes that rest
    lids = []
    for side, (eye, _) in found.items():
        gap = _openness(points[:, :2], side) * eye.width
        for row, follow in zip((UPPER, LOWER), LID_FOLLOW, strict=True):
            x, y = points[list(row[side]), :2].mean(axis=0)
            along = 0.35 * gap + 0.08 * eye.width
            lids.append(Lid(float(x), float(y), 0.45 * eye.width, along, follow * eye.width))
    return tuple(eye for eye, _ in found.values()), tuple(lids)


def _openness(points: NDArray[np.floating], side: int) -> float:
    """Height of the gap between the lids by the width of the eye."""
    a, b = points[list(CORNERS[side])]
    gap = points[list(UPPER[side])].mean(axis=0) - points[list(LOWER[side])].mean(axis=0)
    return float(np.hypot(*gap) / max(np.hypot(*(b - a)), 1e-6))


def _taken_apart(image: Image, points: NDArray[np.floating], side: int) -> tuple[Eye, float] | None:
    """One eye in layers and its contrast; None if it is closed, too small or cut off by the frame."""
    import cv2

    ring = points[list(RINGS[side])]
    a, b = points[list(CORNERS[side])]
    width = float(np.hypot(*(b - a)))
    if width < SMALLEST or _openness(points, side) < CLOSED:
        return None
    right = (b - a) / width
    low = np.floor(ring.min(axis=0) - 0.5 * width).astype(int)
    high = np.ceil(ring.max(axis=0) + 0.5 * width).astype(int) + 1
    if low.min() < 0 or high[0] > image.shape[1] or high[1] > image.shape[0]:
        return None
    patch = image[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    fine = max(1, int(np.ceil(FINE / width)))
    layer = cv2.resize(patch, None, fx=fine, fy=fine, interpolation=cv2.INTER_CUBIC)

    def placed(at: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.asarray((at - low + 0.5) * fine - 0.5)

    between = _polygon(placed(ring), layer.shape[:2], 0.025 * width * fine)
    rim = points[IRISES[side] + 1 : IRISES[side] + 5] - points[IRISES[side]]
    radius = float(np.hypot(*rim.T).mean()) * fine
    if not (between > 0.5).any():
        return None
    centre, radius = find_iris(layer, between, placed(points[IRISES[side]]), radius)
    y, x = np.mgrid[: layer.shape[0], : layer.shape[1]].astype(np.float32)
    distance = np.hypot(x - centre[0], y - centre[1]) / radius
    white, contrast = _white(layer, between, distance, radius)
    iris = _iris(layer, between, distance, centre, white)
    lids = cv2.resize(between, patch.shape[1::-1], interpolation=cv2.INTER_AREA)[..., None]
    unit = np.asarray(right, np.float32)
    down = np.array([-unit[1], unit[0]], np.float32)
    rows, columns = _used(lids)
    x0, y0 = (int(at) for at in low)
    box = (x0 + columns.start, y0 + rows.start, x0 + columns.stop, y0 + rows.stop)
    white = white[rows.start * fine : rows.stop * fine, columns.start * fine : columns.stop * fine]
    inset = (columns.start * fine, rows.start * fine)
    patch, lids = patch[rows, columns], lids[rows, columns]
    bare = Eye(box, fine, patch, lids, white, iris, inset, np.zeros_like(patch), unit, down, width)
    return replace(bare, still=bare._composed(0, 0)), contrast


def _used(lids: Floats) -> tuple[slice, slice]:
    """The rows and columns in which the lids leave something to be seen, and a rim around them."""
    import cv2

    x, y, width, height = cv2.boundingRect((lids[..., 0] > UNSEEN).astype(np.uint8))
    bottom, right = np.minimum((y + height + RIM, x + width + RIM), lids.shape[:2]).tolist()
    return slice(max(0, y - RIM), bottom), slice(max(0, x - RIM), right)


def _polygon(ring: NDArray[np.floating], shape: tuple[int, ...], softness: float) -> Floats:
    """float32 (h, w): 1 inside the ring, soft at its edge."""
    import cv2

    bits = 4  # of subpixel precision
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(ring * (1 << bits)).astype(np.int32)], 255, lineType=cv2.LINE_AA, shift=bits)
    soft: Floats = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), max(0.6, softness))
    return soft


def find_iris(
    layer: Floats, between: Floats, centre: NDArray[np.floating], radius: float
) -> tuple[NDArray[np.floating], float]:
    """The circle near the given one across which brightness jumps most (Daugman's operator).

    Only its flanks are looked at, since lids hide the rest, and the weaker of the two counts.
    """
    import cv2

    grey = cv2.GaussianBlur(layer.mean(axis=2), (0, 0), max(0.6, 0.06 * radius))
    grey = np.minimum(grey, np.percentile(grey[between > 0.5], 70))  # highlights are no white
    angles = np.radians(np.concatenate([np.arange(-30, 51, 8), np.arange(130, 211, 8)]))
    ray = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    steps = np.arange(-0.3, 0.31, 0.06) * radius
    dx, dy = np.meshgrid(steps, steps)
    centres = centre + np.stack([dx.ravel(), dy.ravel()], axis=1)
    scales = np.arange(0.8, 1.26, 0.05)
    jump = np.zeros((len(centres), len(scales), 2))
    for sign in (1, -1):
        radii = radius * (scales + sign * 0.2)
        at = (centres[:, None, None] + radii[None, :, None, None] * ray).astype(np.float32)
        seen = cv2.remap(grey, at.reshape(len(centres), -1, 2), None, cv2.INTER_LINEAR)
        jump += sign * seen.reshape(len(centres), len(scales), 2, -1).mean(axis=3)
    # the net is seldom far off: what lies further away has to be that much clearer
    near = np.exp(-((np.hypot(dx, dy).ravel() / (0.4 * radius)) ** 2))
    value = np.maximum(jump.min(axis=2), 0) * near[:, None] * np.exp(-(((scales - 1) / 0.4) ** 2))
    if not value.any():
        return centre, radius
    best, size = np.unravel_index(int(value.argmax()), value.shape)
    return centres[best], float(radius * scales[size])


def _white(layer: Floats, between: Floats, distance: Floats, radius: float) -> tuple[Floats, float]:
    """The eye without its iris, and how many levels the white is brighter than the iris."""
    import cv2

    grey = layer.mean(axis=2)
    sure = (cv2.erode(between, np.ones((3, 3))) > 0.9) & (distance > sum(HALO) / 2)
    if sure.sum() < 8:
        sure = (between > 0.5) & (distance > HALO[0])
    iris = (between > 0.9) & (distance < 0.9)
    if not sure.any() or not iris.any():
        return layer, 0.0
    sure &= grey >= np.percentile(grey[sure], 35)  # lashes and corners are no white
    contrast = float(np.percentile(grey[sure], 60) - np.percentile(grey[iris], 40))
    weight = sure.astype(np.float32)
    fill = np.broadcast_to(layer[sure].mean(axis=0), layer.shape).astype(np.float32)
    for reach in WHITE_REACH:  # from far to near: close to the white that is seen, its own colour counts
        colour = cv2.GaussianBlur(layer * weight[..., None], (0, 0), reach * radius)
        total = cv2.GaussianBlur(weight, (0, 0), reach * radius)[..., None]
        fill = (colour + 0.05 * fill) / (total + 0.05)
    fill = _lightened(fill, layer[between < 0.05])
    shade = cv2.GaussianBlur(between, (0, 0), SHADE_REACH * radius)[..., None]
    fill = fill * (1 - SHADE + SHADE * np.minimum(1, shade / 0.9))
    need = (1 - smoothstep(*HALO, distance))[..., None]
    return (layer * (1 - need) + fill * need).astype(np.float32), contrast


def _lightened(fill: Floats, skin: Floats) -> Floats:
    """The white no darker than white is beside such skin: where lids leave none to be seen, shadow stands in for it."""
    tone = np.median(skin, axis=0) if len(skin) else fill.mean(axis=(0, 1))
    grey = float(tone.mean())
    tint = 0.4 * tone / max(grey, 1.0) + 0.6
    lacking = np.maximum(WHITE_BY_SKIN * grey - fill.mean(axis=2, keepdims=True), 0)
    return np.asarray(fill + lacking * tint, np.float32)


def _iris(
    layer: Floats, between: Floats, distance: Floats, centre: NDArray[np.floating], white: Floats
) -> Floats:
    """float32 (H, W, 4): the whole iris with its halo; what the lids hide is taken from its mirror images."""
    import cv2

    height, width = distance.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    across, along = np.float32(2 * centre[0]) - x, np.float32(2 * centre[1]) - y
    visible = smoothstep(0.6, 0.95, between)
    alpha = (1 - smoothstep(*IRIS_EDGE, distance))[..., None]
    own = layer - (1 - alpha) * white
    other, trust = np.zeros_like(layer), np.full((height, width, 1), 1e-3, np.float32)
    for mx, my in ((across, along), (x, along), (across, y)):
        seen = cv2.remap(visible, mx, my, cv2.INTER_LINEAR)[..., None]
        other += seen * cv2.remap(own, mx, my, cv2.INTER_LINEAR)
        trust += seen
    inside = (visible > 0.9) & (distance < 0.9)
    typical = layer[inside].mean(axis=0) if inside.any() else layer.mean(axis=(0, 1))
    other = (other + 1e-3 * alpha * typical) / trust
    shown = cv2.GaussianBlur(visible, (0, 0), 0.8)[..., None]
    return np.dstack([own * shown + other * (1 - shown), alpha]).astype(np.float32)
