"""Masks as shapes: their boxes, pieces and holes."""

import numpy as np

from models.requests import Box, Mask

PIECE = 0.1  # pieces below this share of the largest are crumbs
PIECES = 4
HOLE = 0.008  # holes below this share of the mask are filled


def bounding_box(mask: Mask) -> Box:
    """x0, y0, x1, y1 with the far edges exclusive; all 0 for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0.0, 0.0, 0.0, 0.0
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def area(box: Box) -> float:
    """In square pixels; 0 for a box turned inside out."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def box_iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0 if both are empty."""
    shared = area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))
    union = area(a) + area(b) - shared
    return shared / union if union else 0.0


def mask_iou(a: Mask, b: Mask) -> float:
    """Intersection over union of two masks, 1 if both are empty."""
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0


def cleaned(mask: Mask) -> Mask:
    """Without hair-thin bridges, crumbs and pinholes."""
    import cv2

    opened: Mask = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
    return filled(largest_pieces(opened))


def largest_pieces(mask: Mask) -> Mask:
    """The largest connected piece, and up to three others that are not small beside it."""
    import cv2

    count, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count <= 1:
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    order = np.argsort(-areas)[:PIECES]
    kept = 1 + order[areas[order] >= PIECE * areas.max()]
    return np.isin(pieces, kept)


def filled(mask: Mask) -> Mask:
    """Small holes closed; large ones (the handle of a cup) stay."""
    import cv2

    count, pieces, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    if count <= 1:
        return mask
    small = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] < HOLE * mask.sum())
    return mask | np.isin(pieces, small[small > 0])


def pieces_touching(mask: Mask, seeds: Mask) -> Mask:
    """The connected pieces of `mask` that hold a pixel of `seeds`."""
    import cv2

    _, pieces = cv2.connectedComponents(mask.astype(np.uint8))
    hit = np.unique(pieces[seeds & mask])
    return np.isin(pieces, hit[hit > 0])
