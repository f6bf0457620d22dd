"""One portrait, encoded once, and the cell of any pose."""

from dataclasses import replace
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from models.local.mesh_portrait.eyes import eyes_of
from models.local.mesh_portrait.field import Motion
from models.local.mesh_portrait.head import GRID, head_of
from models.local.mesh_portrait.layers import split
from models.requests import Calibration, Image, PortraitRetarget, Pose

Floats = NDArray[np.float32]

STILL = 0.02  # px: smaller shifts are none
RIM = 4  # px of a doubled patch that its missing surroundings would spoil; nothing moves there
# OpenCV's cubic weights of the four pixels around a place half-way between two.
BETWEEN = np.array([-3, 19, 19, -3], np.float32) / 32
MARGIN = 2  # cells of the grid that cubic enlarging spreads a shift over


def cell_size(image: Image, longer: int) -> tuple[int, int]:
    """(width, height) of a cell: the shape of the image, its longer side `longer` px."""
    height, width = image.shape[:2]
    scale = longer / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


class Engine:
    """Everything about a portrait that its poses share."""

    def __init__(self, request: PortraitRetarget, threads: int = 1) -> None:
        import cv2

        self._size = cell_size(request.image, request.size)
        width, height = self._size
        scale = width / request.image.shape[1], height / request.image.shape[0]
        self._image = _resized(request.image, self._size)
        points = request.points.astype(np.float64)
        points[:, :2] = (points[:, :2] + 0.5) * scale - 0.5
        points[:, 2] *= sum(scale) / 2
        self._head = head_of(points, self._size)
        self._eyes, lids = eyes_of(self._image, points)
        self._cutout = request.cutout
        self._calibration = request.calibration
        alpha = request.alpha
        if alpha is not None:
            alpha = np.clip(cv2.resize(alpha, self._size, interpolation=cv2.INTER_AREA), 0, 1)
        self._motion = Motion(self._head, alpha, lids)
        self._background: Image | None = None
        self._person: Image | None = None
        self._source, self._still = self._image, self._image.copy()
        if alpha is not None:
            sheets = split(self._image, alpha, explain=not request.cutout)
            self._source, self._background = sheets.person, sheets.background
            self._eyes = tuple(eye.on(self._source) for eye in self._eyes)
            if request.cutout:
                self._still = _straight(self._source)
            self._person = _shrunk(self._source[..., 3])
        # One sheet to draw eyes into for every cell that is drawn at the same time.
        self._sheets: SimpleQueue[Image] = SimpleQueue()
        for _ in range(threads):
            self._sheets.put(_doubled(self._source))
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        self._doubled_places = 2 * np.dstack([x, y])

    def cell(self, pose: Pose) -> Image:
        """uint8 (height, width, 3), or (height, width, 4) as a cut-out."""
        import cv2

        pose = self._turned(pose)
        back = self._motion.backward(pose)
        shift = cv2.resize(2 * back, self._size, interpolation=cv2.INTER_CUBIC)
        x0, y0, x1, y1 = self._moving(back)
        origin = cv2.subtract(self._doubled_places[y0:y1, x0:x1], shift[y0:y1, x0:x1])
        sheet = self._sheets.get()
        self._look(sheet, pose)
        seen = cv2.remap(sheet, origin, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        self._sheets.put(sheet)
        if self._background is not None:
            seen = _straight(seen) if self._cutout else _over(seen, self._background[y0:y1, x0:x1])
        cell = self._still.copy()
        cell[y0:y1, x0:x1] = seen
        return cell

    def _moving(self, back: Floats) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1 of what this field changes: nothing else has to be drawn. back: (GRID, GRID, 2)."""
        import cv2

        across, along = (np.abs(back[..., axis]) > STILL for axis in (0, 1))
        moves = (across | along).view(np.uint8)
        if self._person is not None:
            arrived = cv2.remap(self._person, self._motion.origin(back), None, cv2.INTER_NEAREST)
            moves &= self._person | arrived
        x, y, width, height = cv2.boundingRect(moves)
        low, high = np.array([x, y]) - MARGIN, np.array([x + width, y + height]) + MARGIN
        x0, y0 = np.maximum(low * self._size // GRID, 0)
        x1, y1 = np.minimum(-(-high * self._size // GRID), self._size)
        for eye in self._eyes:
            x0, y0 = min(x0, eye.box[0]), min(y0, eye.box[1])
            x1, y1 = max(x1, eye.box[2]), max(y1, eye.box[3])
        return int(x0), int(y0), int(x1), int(y1)

    def least_area(self, pose: Pose) -> float:
        """min det J of this pose's field."""
        return self._motion.least_area(self._turned(pose))

    def _turned(self, pose: Pose) -> Pose:
        by: Calibration = self._calibration
        return replace(
            pose, yaw=pose.yaw / by.yaw, pitch=pose.pitch / by.pitch, pupil_x=pose.pupil_x / by.gaze
        )

    def _look(self, sheet: Image, pose: Pose) -> None:
        """Draw the eyes into a sheet; their patches are replaced whole, so nothing adds up."""
        for eye in self._eyes:
            x0, y0, x1, y1 = eye.box
            drawn = _doubled(eye.looking(pose.pupil_x, pose.pupil_y))[RIM:-RIM, RIM:-RIM]
            sheet[2 * y0 + RIM : 2 * y1 - 1 - RIM, 2 * x0 + RIM : 2 * x1 - 1 - RIM, :3] = drawn


def _doubled(image: Image) -> Image:
    """The image at (2 h - 1, 2 w - 1): its own pixels at even places, cubic ones between.

    Reading it linearly gives what cubic reading of the image gives, in a third of the time.
    """
    import cv2

    height, width = image.shape[:2]
    across = cv2.filter2D(image, -1, BETWEEN[None], anchor=(1, 0), borderType=cv2.BORDER_REPLICATE)
    twice = np.empty((2 * height - 1, 2 * width - 1, image.shape[2]), np.uint8)
    twice[::2, ::2] = image
    twice[::2, 1::2] = across[:, :-1]
    for column, known in ((0, image), (1, across[:, :-1])):
        along = cv2.filter2D(known, -1, BETWEEN[:, None], anchor=(0, 1), borderType=cv2.BORDER_REPLICATE)
        twice[1::2, column::2] = along[:-1]
    return twice


def _resized(image: Image, size: tuple[int, int]) -> Image:
    """A copy of the image at this size."""
    import cv2

    if image.shape[1::-1] == size:
        return image.copy()
    method = cv2.INTER_AREA if size[0] < image.shape[1] else cv2.INTER_CUBIC
    result: Image = cv2.resize(image, size, interpolation=method)
    return result


def _over(sheet: Image, background: Image) -> Image:
    """The sheet, colours times alpha, over the background."""
    import cv2

    clear = cv2.cvtColor(cv2.bitwise_not(sheet[..., 3]), cv2.COLOR_GRAY2RGB)
    behind = cv2.multiply(background, clear, scale=1 / 255)
    result: Image = cv2.add(cv2.cvtColor(sheet, cv2.COLOR_RGBA2RGB), behind)
    return result


def _straight(sheet: Image) -> Image:
    """Colours no longer multiplied by alpha; black where nothing is."""
    alpha: NDArray[np.float32] = np.maximum(sheet[..., 3:], 1).astype(np.float32)
    colour = np.minimum(sheet[..., :3] * (255 / alpha) + 0.5, 255)
    return np.dstack([colour.astype(np.uint8), sheet[..., 3]])


def _shrunk(alpha: Image) -> Image:
    """uint8 (GRID, GRID): 1 where a cell of the grid touches the person."""
    import cv2

    height, width = alpha.shape
    reach = np.ones((2 * height // GRID + 1, 2 * width // GRID + 1), np.uint8)
    touched = cv2.dilate((alpha > 0).astype(np.uint8), reach)
    return np.asarray(cv2.resize(touched, (GRID, GRID), interpolation=cv2.INTER_NEAREST), np.uint8)
