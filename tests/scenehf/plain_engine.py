"""A second, deliberately plain layer engine: the seam has to fit more than one.

It cuts the ellipse inside the box and paints plates in one colour. A prompt can make it misbehave, as a remote
service does.
"""

import time

import cv2
import numpy as np

from models.errors import ModelError
from scenehf.layers.engines import Cut, EngineSpec, Plate


class PlainEngine:
    def __init__(self, pool):
        self.pool = pool

    def extract(self, task, run):
        if "refuse" in task.prompt:
            raise ModelError("The service refused this picture.", hint="Change the prompt.")
        alpha = np.zeros(task.image.shape[:2], np.float32)
        if "nothing" not in task.prompt:
            x0, y0, x1, y1 = task.box
            centre, axes = (
                (round((x0 + x1) / 2), round((y0 + y1) / 2)),
                (int((x1 - x0) / 2), int((y1 - y0) / 2)),
            )
            cv2.ellipse(alpha, centre, axes, 0, 0, 360, 1.0, -1)
        alpha = cv2.GaussianBlur(alpha, (0, 0), 1)
        if task.keep is not None:
            alpha[task.keep] = 1
        if task.drop is not None:
            alpha[task.drop] = 0
        if "slow" in task.prompt:
            for tenth in range(600):
                run.check()
                run.progress(tenth / 600, "Waiting")
                time.sleep(0.01)
        return Cut(alpha, confidence=0.2 if "unsure" in task.prompt else 0.9)

    def plate(self, task, run):
        hole = np.logical_or.reduce([alpha > 0.01 for alpha in task.alphas])
        hole = cv2.dilate(hole.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        noise = np.random.default_rng(0).integers(-40, 40, task.image.shape)
        mean = task.image[~hole].mean(axis=0)
        return Plate(
            np.where(hole[..., None], np.clip(mean + noise, 0, 255), task.image).astype(np.uint8), hole
        )

    def remove_background(self, task, run):
        return Cut((task.base > 0.9).astype(np.float32), confidence=0.9)


SPEC = EngineSpec(id="plain", title="Plain", where="cloud", retries_with=("prompt", "box"), build=PlainEngine)
