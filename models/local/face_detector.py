"""Face detector: MediaPipe's short-range BlazeFace (Apache-2.0), made to see small faces too.

The net sees 128 px and finds faces that fill about a seventh of its view. It looks at the whole picture, then
at half overlapping square tiles of it, down to an eighth of the short side. A face found in a tile counts
only if a second look, centred on it, confirms it: tiles of texture would give false faces otherwise.
Source of the anchors and the decoding: https://arxiv.org/abs/1907.05047 and the graph files of MediaPipe.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from models.requests import Box, Face, FaceDetection, Image, Run
from models.runtime.litert import Net, load_net
from models.runtime.weights import path
from models.spec import Host

SIDE = 128  # px of the net's input
GRIDS = ((16, 2), (8, 6))  # cells a side, anchors a cell
MIN_SCORE = 0.5  # MediaPipe's default: what is looked at again
SURE_SCORE = 0.75  # flowers and galaxies reach 0.7, faces seldom stay below 0.85
SAME_FACE = 0.3  # IoU above which two boxes are one face (MediaPipe's default)
CONFIRM_VIEW = 2.5  # side of the second look, in faces
MIN_TILE = 192  # px: below it a tile holds no face that the whole picture does not show as well
TILE_SHARES = (0.5, 0.25, 0.125)  # of the short side
LONGEST = 2048  # px: larger pictures are searched at this size; a face of 40 px is still found in it

Found = NDArray[np.float32]  # (count, 17): box, six key points (x, y), score; pixels of the whole picture


def load(host: Host) -> Callable[[FaceDetection, Run], tuple[Face, ...]]:
    """A callable that maps `FaceDetection` to its faces, largest first; raises WeightsMissing."""
    net = load_net(path(host.weights, "starter", "face_detection_short_range.tflite"), host.threads)

    def answer(request: FaceDetection, run: Run) -> tuple[Face, ...]:
        image, scale = _searchable(request.image)
        height, width = image.shape[:2]
        whole = _look(net, image, (0, 0, width, height))
        tiled = [found for tile in _tiles(width, height) for found in _in_tile(net, image, tile, run)]
        found = _merged(np.concatenate([whole[whole[:, 16] >= SURE_SCORE], *tiled]))
        faces = [_face(row, scale) for row in found]
        return tuple(sorted(faces, key=lambda face: -(face.box[2] - face.box[0])))

    return answer


def _searchable(image: Image) -> tuple[Image, float]:
    """The picture at the size it is searched at, and how much larger it really is."""
    import cv2

    scale = max(1.0, max(image.shape[:2]) / LONGEST)
    if scale == 1:
        return image, 1.0
    size = round(image.shape[1] / scale), round(image.shape[0] / scale)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), scale


def _anchors() -> NDArray[np.float32]:
    """float32 (896, 2): centres of the anchors in 0..1 of the input, in the order of the net's outputs."""
    centres = []
    for cells, repeats in GRIDS:
        middle = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        y, x = np.meshgrid(middle, middle, indexing="ij")
        centres.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), repeats, axis=0))
    return np.concatenate(centres)


def _look(net: Net, image: Image, view: Box) -> Found:
    """Faces in one view, which is put into the net's square with its aspect kept and black around."""
    import cv2

    x0, y0, x1, y1 = (round(edge) for edge in view)
    crop = image[max(0, y0) : y1, max(0, x0) : x1]
    x0, y0 = max(0, x0), max(0, y0)
    scale = SIDE / max(crop.shape[:2])
    size = max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale))
    entry = np.full((SIDE, SIDE, 3), -1, np.float32)
    left, top = (SIDE - size[0]) // 2, (SIDE - size[1]) // 2
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    entry[top : top + size[1], left : left + size[0]] = (
        cv2.resize(crop, size, interpolation=method) / 127.5 - 1
    )
    boxes, scores = sorted(net(entry), key=lambda output: -output.shape[-1])
    certainty = 1 / (1 + np.exp(-np.clip(scores[:, 0], -80, 80)))
    kept = certainty >= MIN_SCORE
    raw, centres = boxes[kept] / SIDE, _anchors()[kept]
    points = raw[:, 4:].reshape(-1, 6, 2) + centres[:, None]
    middle, half = raw[:, :2] + centres, raw[:, 2:4] / 2
    corners = np.stack([middle - half, middle + half], axis=1)
    shift = np.array([x0 - left / scale, y0 - top / scale], np.float32)
    placed = np.concatenate([corners, points], axis=1) * (SIDE / scale) + shift
    rows = np.concatenate([placed.reshape(-1, 16), certainty[kept][:, None]], axis=1)
    return _merged(rows.astype(np.float32))


def _in_tile(net: Net, image: Image, tile: Box, run: Run) -> Iterator[Found]:
    """Faces of one tile that a second look confirms; those that its edge may have cut are left to neighbours."""
    run.check()
    height, width = image.shape[:2]
    for row in _look(net, image, tile):
        x0, y0, x1, y1 = row[:4]
        inside = (
            (x0 > tile[0] or tile[0] <= 0)
            and (y0 > tile[1] or tile[1] <= 0)
            and (x1 < tile[2] or tile[2] >= width)
            and (y1 < tile[3] or tile[3] >= height)
        )
        if not inside:
            continue
        half = CONFIRM_VIEW * (x1 - x0) / 2
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        again = _look(net, image, (x - half, y - half, min(width, x + half), min(height, y + half)))
        again = again[again[:, 16] >= SURE_SCORE]
        same = [other for other in again if _overlap(row, other) > SAME_FACE]
        if same:
            yield max(same, key=lambda other: float(other[16]))[None]


def _tiles(width: int, height: int) -> Iterator[Box]:
    """Half overlapping squares: of the short side if the picture is long, then ever smaller ones."""
    shares = TILE_SHARES if max(width, height) < 1.3 * min(width, height) else (1.0, *TILE_SHARES)
    for share in shares:
        side = min(width, height) * share
        if side < MIN_TILE:
            return
        columns = max(1, int(np.ceil(2 * width / side - 1)))
        rows = max(1, int(np.ceil(2 * height / side - 1)))
        for y in np.linspace(0, height - side, rows):
            for x in np.linspace(0, width - side, columns):
                yield float(x), float(y), float(x) + side, float(y) + side


def _merged(found: Found) -> Found:
    """Weighted non-maximum suppression: overlapping finds become their mean, weighted by score."""
    left = found[np.argsort(-found[:, 16])]
    kept = []
    while len(left):
        same = np.array([_overlap(left[0], row) > SAME_FACE for row in left])
        same[0] = True
        merged = np.average(left[same], axis=0, weights=left[same][:, 16])
        merged[16] = left[0][16]
        kept.append(merged)
        left = left[~same]
    return np.array(kept, np.float32).reshape(-1, 17)


def _overlap(a: Found, b: Found) -> float:
    """Intersection over the smaller box: a face and its nose-to-chin part are the same face."""
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return float(max(0, across) * max(0, down) / smaller) if smaller > 0 else 0.0


def _face(row: Found, scale: float) -> Face:
    x0, y0, x1, y1 = (float(edge) * scale for edge in row[:4])
    points = tuple((float(x) * scale, float(y) * scale) for x, y in row[4:16].reshape(6, 2))
    return Face((x0, y0, x1, y1), float(row[16]), points)
