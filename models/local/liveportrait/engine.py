"""One portrait, encoded once, and the cells of any poses."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.local.liveportrait import crop as crops
from models.local.liveportrait.detail import Detail
from models.local.liveportrait.expressions import Edit
from models.local.liveportrait.keypoints import Motion, stitched
from models.requests import Calibration, Image, PortraitRetarget, Pose

if TYPE_CHECKING:
    from models.local.liveportrait.networks.chip import Chip

Floats = NDArray[np.float32]

PUPIL = 15.0  # units of gaze at pupil_x or pupil_y = 1, as in gaze-app (artokun/gaze-app @1426ebe)
NEAR = 0.06  # of the longer side: how far around the person the networks' background is taken
SOFT = 0.02  # of the longer side: how softly that ends


def cell_size(image: Image, longer: int) -> tuple[int, int]:
    """(width, height) of a cell: the shape of the image, its longer side `longer` px."""
    height, width = image.shape[:2]
    scale = longer / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def edit_of(pose: Pose, by: Calibration, expression: Mapping[str, float] | None = None) -> Edit:
    """A pose in the networks' words, and an expression by names of controls. Brows go up with the gaze, as gaze-app
    has it."""
    face = Edit(**(expression or {}))
    return replace(
        face,
        pitch=-pose.pitch / by.pitch,
        yaw=-pose.yaw / by.yaw,
        roll=pose.roll,
        gaze_x=PUPIL * pose.pupil_x / by.gaze,
        gaze_y=PUPIL * pose.pupil_y,
        eyebrow=face.eyebrow + max(0.0, PUPIL * pose.pupil_y),
    )


class Engine:
    """Everything about a portrait that its poses share. Raises FloatingPointError (see `Chip.painted`)."""

    def __init__(self, request: PortraitRetarget, chip: "Chip") -> None:
        import cv2
        import torch

        self._chip = chip
        self._calibration, self._expression = request.calibration, request.expression
        self._cutout = request.cutout
        self._size = cell_size(request.image, request.size)
        method = cv2.INTER_AREA if self._size[0] < request.image.shape[1] else cv2.INTER_CUBIC
        self._image: Image = cv2.resize(request.image, self._size, interpolation=method)
        scale = np.array(self._size, np.float64) / request.image.shape[1::-1]
        points = (request.points[:, :2].astype(np.float64) + 0.5) * scale - 0.5
        self._crop = crops.crop_of(points)
        seen = crops.shrunk(self._crop.cut(self._image))
        tensor = torch.from_numpy(seen).permute(2, 0, 1)[None].float() / 255
        feature, told = chip.encoded(tensor)
        self._motion = Motion.of(told)
        self._keypoints = torch.from_numpy(self._motion.source())[None]
        self._source = chip.source(feature, self._keypoints)
        base = self._laid(self._squares([Edit()])[0])
        self._detail = Detail(self._image, base)
        self._alpha = _resized(request.alpha, self._size)
        self._box = self._mask(self._size)

    def painted(self, poses: Sequence[Pose]) -> Image:
        """uint8 (N, 512, 512, 3): what the networks make of these poses, as squares."""
        return self._squares([edit_of(pose, self._calibration, self._expression) for pose in poses])

    def _squares(self, edits: Sequence[Edit]) -> Image:
        import torch

        wished = np.stack([self._motion.driving(edit) for edit in edits])
        delta = self._chip.stitch(self._keypoints, torch.from_numpy(wished)).numpy()
        driving = torch.from_numpy(stitched(wished, delta))
        squares: Image = self._chip.painted(self._source, driving).numpy()
        return squares

    def cell(self, square: Image) -> Image:
        """uint8 (height, width, 3), or (height, width, 4) as a cut-out, of one painted square."""
        import cv2

        drawn = self._laid(square)
        origins = self._detail.origins(drawn)
        whole = self._detail.added(drawn, origins)
        share = self._box
        alpha = None
        if self._alpha is not None:
            alpha = cv2.remap(self._alpha, origins, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            share = share * self._near(np.maximum(alpha, self._alpha))
        mixed = self._image + (whole - self._image) * share[..., None]
        cell = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
        if not self._cutout or alpha is None:
            return cell
        cover = self._alpha + (alpha - self._alpha) * self._box
        return np.dstack([cell, np.clip(cover * 255 + 0.5, 0, 255).astype(np.uint8)])

    def _laid(self, square: Image) -> Image:
        """A painted square in the picture, the source around it."""
        import cv2

        laid = self._image.copy()
        cv2.warpAffine(
            square, self._crop.back[:2], self._size, dst=laid, flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_TRANSPARENT,
        )  # fmt: skip
        return laid

    def _mask(self, size: tuple[int, int]) -> Floats:
        """float32 (h, w): the box of the square, fading wherever its border lies within the picture."""
        return np.asarray(self._crop.laid(crops.template(crops.FEATHER), size), np.float32)

    def _near(self, alpha: Floats) -> Floats:
        """float32 (h, w): 1 on and around the person, 0 where the background is to stand still."""
        import cv2

        longer = max(self._size)
        reach = 2 * round(NEAR * longer) + 1
        around = cv2.dilate(alpha, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
        return np.asarray(cv2.GaussianBlur(around, (0, 0), SOFT * longer), np.float32)


def _resized(alpha: Floats | None, size: tuple[int, int]) -> Floats | None:
    import cv2

    if alpha is None:
        return None
    fitting = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
    return np.asarray(np.clip(fitting, 0, 1), np.float32)
