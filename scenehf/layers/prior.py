"""How likely each pixel belongs to a person, seen from close by: the hint that graph cuts lack."""

import numpy as np

from models.pool import Pool
from models.requests import Alpha, Box, Image, Matting, Run

# Context around the box, as a share of its sides: the segmenter knows people by more than their outline.
CONTEXT = 0.25


def person_prior(image: Image, box: Box | None, pool: Pool, run: Run) -> Alpha:
    """float32 (height, width) in [0, 1]; 0 beyond the neighbourhood of `box`. The whole picture without a box."""
    if box is None:
        return pool("person-matte", Matting(image), run)
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box
    across, down = CONTEXT * (x1 - x0), CONTEXT * (y1 - y0)
    left, top = int(max(0, x0 - across)), int(max(0, y0 - down))
    right, bottom = int(np.ceil(min(width, x1 + across))), int(np.ceil(min(height, y1 + down)))
    result = np.zeros((height, width), np.float32)
    if right > left and bottom > top:
        near = np.ascontiguousarray(image[top:bottom, left:right])
        result[top:bottom, left:right] = pool("person-matte", Matting(near), run)
    return result
