"""Moving and softening an outline by hand: what a person asks for after the mask is right in principle."""

import numpy as np

from models.requests import Alpha

MOST = 50.0  # px: the outline is not moved or softened further than this


def adjusted(alpha: Alpha, grow: float = 0.0, feather: float = 0.0) -> Alpha:
    """The alpha with its outline moved outwards by `grow` px (negative: inwards), then softened over `feather` px.

    alpha: float32 (height, width) in [0, 1]; the result is another. The profile of a soft edge is moved as it is, not
    made harder: each pixel takes the value that lies `grow` px further in, along the slope of the distance to the
    outline. Growing takes nothing away, and shrinking adds nothing.
    """
    result = alpha
    if grow and (alpha > 0.5).any():
        moved = _moved(alpha, grow)
        result = np.maximum(alpha, moved) if grow > 0 else np.minimum(alpha, moved)
    if feather:
        import cv2

        # Two standard deviations on either side of the outline hold what an eye sees of the slope.
        result = cv2.GaussianBlur(result, (0, 0), feather / 2, borderType=cv2.BORDER_REPLICATE)
    return np.clip(result, 0, 1).astype(np.float32)


def _moved(alpha: Alpha, grow: float) -> Alpha:
    import cv2

    solid = (alpha > 0.5).astype(np.uint8)
    outside = cv2.distanceTransform(1 - solid, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    inside = cv2.distanceTransform(solid, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # The picture's border is no outline: a subject cut off by the frame does not shrink away from it.
    distance = cv2.GaussianBlur(np.minimum(outside, 1e4) - np.minimum(inside, 1e4), (0, 0), 1.0)
    slope_x = cv2.Sobel(distance, cv2.CV_32F, 1, 0, scale=1 / 8, borderType=cv2.BORDER_REPLICATE)
    slope_y = cv2.Sobel(distance, cv2.CV_32F, 0, 1, scale=1 / 8, borderType=cv2.BORDER_REPLICATE)
    steepness = np.maximum(np.hypot(slope_x, slope_y), 1e-3)
    y, x = np.indices(alpha.shape, np.float32)
    x -= grow * slope_x / steepness
    y -= grow * slope_y / steepness
    return np.asarray(cv2.remap(alpha, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)
