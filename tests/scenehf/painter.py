"""A picture whose layers are known, a model that redraws it as such models do, and how a job of it is looked at."""

import base64
import io
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from scenehf.pixels import decode_png
from scenehf.workflows import actions
from tests.models.providers.services import GoogleService

SIZE = (240, 180)
BALL = ((72, 90), 39)  # a red ball on gravel, with a green pole before it
POLE = ((84, 15), (96, 165))
PLAN = {"scene": "A ball on gravel.", "objects": [
    {"name": "Ball", "description": "the red ball", "box": [120, 270, 480, 730]}]}  # fmt: skip
POLE_BOX = (0.32, 0.07, 0.44, 0.93)  # twice as wide as the pole: a person is asked about that
BLANK = np.zeros((SIZE[1], SIZE[0]), np.float32)
TRUE_MATTE = cv2.circle(BLANK.copy(), *BALL, 1.0, -1, cv2.LINE_AA)
TRUE_POLE = cv2.rectangle(BLANK.copy(), *POLE, 1.0, -1)


def gravel() -> np.ndarray:
    rough = np.random.default_rng(0).integers(60, 200, (SIZE[1], SIZE[0], 1), np.uint8).repeat(3, axis=2)
    return cv2.GaussianBlur(rough, (0, 0), 1.2)


def marbled(colour: tuple[int, int, int], seed: int) -> np.ndarray:
    marks = np.random.default_rng(seed).integers(-40, 40, (SIZE[1], SIZE[0], 1)).astype(np.float32)
    return np.clip(np.array(colour) + cv2.GaussianBlur(marks, (0, 0), 2)[..., None] * 3, 0, 255)


def photograph(*, pole: bool = False) -> np.ndarray:
    photo = gravel().astype(float)
    photo += (marbled((200, 30, 30), 1) - photo) * TRUE_MATTE[..., None]
    if pole:
        photo += (marbled((30, 160, 30), 2) - photo) * TRUE_POLE[..., None]
    return np.rint(photo).astype(np.uint8)


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


class Painter(GoogleService):
    """Redraws what it is sent as such models do: nearly the same, moved by (2.3, -1.6) px and one per cent larger.
    invents: how many of its next cut-outs also show what is not there."""

    invents = 0

    def answer(self, asked):
        if b'"IMAGE"' in asked.body:
            parts = asked.json()["contents"][0]["parts"]
            inline = [part.get("inlineData") or part.get("inline_data") for part in parts]
            sent, *more = [decode_png(base64.urlsafe_b64decode(one["data"])) for one in inline if one]
            told = next(part["text"] for part in parts if "text" in part)
            self.paint = (
                self.cut(sent, told) if told.startswith("Cut") else self.plate(sent, more[0][..., 0] > 127)
            )
        reply = super().answer(asked)
        if b'"IMAGE"' in asked.body and reply.status == 200:
            for part in reply.body["candidates"][0]["content"]["parts"]:
                if "inlineData" in part:
                    part["inlineData"]["data"] = base64.b64encode(png(self.paint)).decode()
        return reply

    def redrawn(self, picture, border):
        height, width = picture.shape[:2]
        matrix = np.array([[1.01, 0, 2.3], [0, 1.01, -1.6]])
        return cv2.warpAffine(picture, matrix, (width, height), borderMode=border, borderValue=(255,) * 3)

    def cut(self, sent, told):
        red, green = (sent[..., one].astype(int) - sent[..., other] > 60 for one, other in ((0, 1), (1, 0)))
        shown = np.where((green if "green" in told else red)[..., None], sent, 255).astype(np.uint8)
        if self.invents:
            self.invents -= 1
            blank = (shown == 255).all(axis=2)
            blank[sent.shape[0] // 2 :] = False
            shown[blank] = (20, 20, 240)
        return self.redrawn(shown, cv2.BORDER_CONSTANT)

    def plate(self, sent, marked):
        """What lies behind: the ball behind the pole, the gravel behind both."""
        behind = gravel() if marked[BALL[0][1], BALL[0][0]] else photograph()
        return self.redrawn(np.where(marked[..., None], behind, sent), cv2.BORDER_REPLICATE)


def settled(store, job_id, seconds=40):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = store.job(job_id)
        if found.state in ("succeeded", "failed", "cancelled", "needs_review"):
            return found
        time.sleep(0.02)
    raise AssertionError(store.job(job_id), store.events(job_id)[-5:])


def states(store, job):
    return {step.key: step.state for step in store.chosen_steps(job.id)}


def made(store, job, key, name):
    return decode_png(store.read(job.id, f"{key}/{actions.chosen(store, job.id, key).attempt}/{name}"))


def made_file(store, job, name):
    return store.read(job.id, f"export/{actions.chosen(store, job.id, 'export').attempt}/{name}")


def everything_written(root: Path) -> bytes:
    return b"".join(file.read_bytes() for file in root.rglob("*") if file.is_file())
