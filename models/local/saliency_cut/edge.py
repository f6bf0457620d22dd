"""A second, finer cut in a narrow band around the edge of a coarse mask.

The coarse cut knows what the object is; here only the course of its edge is open. Besides the colours of the
whole object, every place has its own two colour models: what lies just inside and just outside, nearby.
"""

import numpy as np

from models.local.saliency_cut.candidates import COLOUR_WEIGHT, logit
from models.local.saliency_cut.colour import palette
from models.local.saliency_cut.graphcut import cut
from models.local.saliency_cut.view import View, scaled
from models.requests import Alpha, Image, Mask

BUDGET = 260_000  # px of the fine view: 624 x 416
SMOOTHNESS = 8.0
BAND = 2.5  # half-width of the open band, in pixels of the coarse view
NEIGHBOURHOOD = 0.06  # side of the window of the local colours, as a share of the long side
NOISE = 16.0  # Lab variance added to the local colours: sensor noise and soft shading
LOCAL_LIMIT = 3.0  # log odds
LOCAL_WEIGHT = 0.5


def refined(picture: Image, view: View, mask: Mask) -> Mask:
    """`mask`, of the coarse view, as a mask of the whole picture with its edge drawn anew."""
    import cv2

    x0, y0, x1, y1 = view.window
    image = scaled(np.ascontiguousarray(picture[y0:y1, x0:x1]), BUDGET, 1.0)
    size = image.shape[1], image.shape[0]
    growth = size[0] / mask.shape[1]
    if growth <= 1 or not mask.any() or mask.all():
        return view.lifted(mask)
    soft = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    coarse = soft > 0.5
    inside, outside = _distance(coarse), _distance(~coarse)
    reach = BAND * growth
    open_band = (inside <= reach) & (outside <= reach)
    colours = palette(image)
    nothing = np.zeros_like(coarse)
    odds = COLOUR_WEIGHT * colours.log_ratio(coarse.astype(np.float32), nothing)
    odds = odds + LOCAL_WEIGHT * _local_odds(colours.image_lab, coarse, inside, outside, reach)
    odds = odds + 0.5 * logit(cv2.GaussianBlur(soft, (0, 0), growth))
    odds = np.where(open_band, odds, np.where(coarse, np.inf, -np.inf))
    for seeds, value in ((view.drop, -np.inf), (view.keep, np.inf)):
        near = cv2.resize(seeds.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        odds = np.where(near, value, odds)
    fine = cut(image, odds.astype(np.float32), SMOOTHNESS)
    result = np.zeros(view.full, bool)
    lifted = cv2.resize(fine.astype(np.float32), (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
    result[y0:y1, x0:x1] = lifted > 0.5
    return result


def _local_odds(lab: Alpha, coarse: Mask, inside: Alpha, outside: Alpha, reach: float) -> Alpha:
    """Log odds from the colours nearby: Gaussians of the sure inside and the sure outside in a window."""
    import cv2

    side = 2 * max(4, round(NEIGHBOURHOOD * max(coarse.shape) / 2)) + 1

    def log_likelihood(sure: Mask) -> tuple[Alpha, Alpha]:
        weight = sure.astype(np.float32)
        share = cv2.blur(weight, (side, side))
        mean = cv2.blur(lab * weight[..., None], (side, side)) / (share[..., None] + 1e-6)
        square = cv2.blur(lab**2 * weight[..., None], (side, side)) / (share[..., None] + 1e-6)
        variance = np.maximum(square - mean**2, 0) + NOISE
        return -0.5 * ((lab - mean) ** 2 / variance + np.log(variance)).sum(axis=2), share

    # Sure means half the band away from the coarse edge.
    foreground, has_foreground = log_likelihood(coarse & (inside > reach / 2))
    background, has_background = log_likelihood(~coarse & (outside > reach / 2))
    known = (has_foreground > 0.02) & (has_background > 0.02)
    return np.where(known, np.clip(foreground - background, -LOCAL_LIMIT, LOCAL_LIMIT), 0)


def _distance(inside: Mask) -> Alpha:
    """Distance of every True pixel to the nearest False one; 0 where False."""
    import cv2

    result: Alpha = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5)
    return result
