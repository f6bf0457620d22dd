"""One call of a model that makes pictures, whatever the sizes: what goes in is made to fit it, and what comes out of an
edit has the first picture's size and frame, and outside the mask its pixels."""

from dataclasses import replace

import numpy as np

from models.errors import ResultInvalid
from models.pool import Pool
from models.requests import Image, ImageEdit, Run, TextToImage
from scenehf.studio.sizes import frame, laid


def make(pool: Pool, model_id: str, request: TextToImage | ImageEdit, run: Run) -> tuple[Image, ...]:
    """The pictures, uint8 (height, width, 3). Images of any size are taken. Raises `ModelError`."""
    if isinstance(request, TextToImage):
        return _checked(pool(model_id, request, run))
    spec, first, mask = pool.spec(model_id), request.images[0], request.mask
    frames = [frame(image.shape[1::-1], spec.limits) for image in request.images]
    sent = tuple(one.inwards(image) for one, image in zip(frames, request.images, strict=True))
    shown = None if mask is None else frames[0].mask_inwards(mask)
    keeps = spec.keeps_size(request.options, images=len(sent))
    if keeps and frames[0].enlarged:
        width, height = frames[0].sent
        run.log(f"{spec.title} works at {width} x {height} px; the result is enlarged to the picture's size.")
    answers = _checked(pool(model_id, replace(request, images=sent, mask=shown), run))
    if not keeps:
        return answers
    return tuple(laid(frames[0].back(answer), first, mask) for answer in answers)


def _checked(answers: tuple[Image, ...]) -> tuple[Image, ...]:
    """The answers, if they are pictures."""
    for answer in answers:
        if answer.dtype != np.uint8 or answer.ndim != 3 or answer.shape[2] != 3 or 0 in answer.shape:
            raise ResultInvalid("The model answered with something that is not a picture.")
    if not answers:
        raise ResultInvalid("The model made no picture.")
    return answers
