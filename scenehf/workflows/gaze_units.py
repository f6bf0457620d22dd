"""The heavy halves of a gaze grid: the portrait made ready, cells, and the page made of them."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Picture

from models.pool import Pool
from models.requests import Calibration, FaceMesh, Image, Run
from scenehf.gaze import grid, prepare, site, sprites, webp
from scenehf.gaze.grid import Cell
from scenehf.gaze.prepare import Portrait
from scenehf.pixels import decode_png, encode_png, thumbnail
from scenehf.work import Part
from scenehf.workflows.gaze import ENGINES, PAID
from scenehf.workflows.making import THUMBNAIL_SIDE, Files, Reply, Unit

FILM_DONE, SHEETS_DONE = 0.3, 0.9  # of the last step


@dataclass
class _Drawing:
    """Cells of one grid on their way. rest: what is drawn next, `at` in the order of cells."""

    what: dict[str, Any]
    atlas: sprites.Atlas
    rest: Iterator[Image]
    at: int


class GazeUnits:
    """The units over one pool. The cells of the last grid stay in memory until its page is made; what a crash took
    from it comes back out of the packs."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._drawing: _Drawing | None = None

    def table(self) -> dict[str, Unit]:
        """Every unit by name."""
        return {"gaze.prepare": self.prepare, "gaze.cells": self.cells, "gaze.site": self.site}

    def prepare(self, params: dict[str, Any], files: Files, run: Run) -> Reply:
        """params: cell, engine, cutout, face (a click in 0..1, or None). files: image, alpha. Data: faces (boxes in
        0..1 of the photo), portrait (JSON of all but the pixels). Blobs: image.png, matte.png, thumb.png."""
        image = decode_png(files["image"].read_bytes())
        height, width = image.shape[:2]
        run.progress(0.1, "Looking for faces")
        faces = prepare.find_faces(image, self._pool, run)
        click = params["face"] and (params["face"][0] * width, params["face"][1] * height)
        face = prepare.choose(faces, click)
        alpha = decode_png(files["alpha"].read_bytes()) if "alpha" in files else None
        run.progress(0.3, "Finding landmarks and outline")
        is_paid = (
            params["engine"] in PAID
        )  # then looking how far it turns would cost: the mesh shows how lids move
        portrait = prepare.prepare(
            image,
            face,
            params["cell"],
            self._pool,
            Part(run, 0.3, 1.0),
            engine=ENGINES["mesh" if is_paid else params["engine"]],
            own_alpha=None if alpha is None else alpha.astype(np.float32) / np.float32(255),
        )
        if is_paid:
            portrait = replace(portrait, calibration=prepare.NOT_CALIBRATED)
        blobs = {"image.png": encode_png(portrait.image)}
        blobs["thumb.png"] = encode_png(thumbnail(portrait.image, THUMBNAIL_SIDE))
        if portrait.alpha is not None:
            blobs["matte.png"] = encode_png(np.rint(portrait.alpha * 255).astype(np.uint8))
        boxes = [(np.array(other.box) / (width, height, width, height)).tolist() for other in faces]
        told = {"faces": boxes, "chosen": [other is face for other in faces].index(True)}
        return told | {"portrait": _as_json(portrait)}, blobs

    def cells(self, params: dict[str, Any], files: Files, run: Run) -> Reply:
        """params: the grid's, portrait, first and last of the order of cells. Data: lengths. Blobs: cells.bin, the
        cells as WebP one after the other."""
        first, last = params["first"], params["last"]
        drawing = self._drawn_up_to(params, files, first, run)
        order = grid.order(params["grid"])
        drawn: list[Image] = []
        for place in range(first, last):
            cell = next(drawing.rest)
            drawing.at = place + 1
            drawing.atlas.put(order[place], cell)
            drawn.append(cell)
            run.progress((place + 1 - first) / (last - first), f"Cell {place + 1} of {len(order)}")
        run.preview(Picture.fromarray(_overview(drawing.atlas)))
        with ThreadPoolExecutor(sprites.ENCODERS) as pool:
            encoded = list(pool.map(webp.encode, drawn))
        return {"lengths": [len(cell) for cell in encoded]}, {"cells.bin": b"".join(encoded)}

    def site(self, params: dict[str, Any], files: Files, run: Run) -> Reply:
        """params: the grid's, portrait, lengths of the packs. files: pack:NN. Blobs: every file of the page, its zip,
        the film and the contact sheet. Data: files (name -> bytes)."""
        portrait, side, mobile = _portrait(params, files), params["grid"], params["mobile"]
        packed = _packed(params, files)
        atlas = self._whole(params, portrait, packed)
        size = atlas.size
        cells = packed.items() if site.needs_cells(side, size) else None
        about = site.metadata(
            side=side,
            mobile=mobile,
            size=size,
            alpha=params["cutout"],
            engine=params["engine"],
            ranges={"yaw": grid.YAW, "pitch": grid.PITCH},
            calibration=asdict(portrait.calibration),
            face_box=_shares(portrait.face.box, size),
            eyes=portrait.eyes,
        )
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            run.progress(0.0, "Making the film")
            names = [site.write_contact(folder, atlas, side), site.write_film(folder, atlas, side)]
            run.check()
            self._drawing = (
                None  # each sheet goes as soon as it is encoded: with all cells twice it is too much
            )
            sheets = dict(sprites.encoded(atlas, mobile, Part(run, FILM_DONE, SHEETS_DONE), release=True))
            run.progress(SHEETS_DONE, "Writing the page")
            still = packed[side // 2, side // 2]
            names += site.write_site(folder, sheets, about, cells, still)
            blobs = {name: (folder / name).read_bytes() for name in names}
        return {"files": {name: len(blob) for name, blob in blobs.items()}}, blobs

    def _drawn_up_to(self, params: dict[str, Any], files: Files, first: int, run: Run) -> _Drawing:
        """The drawing that goes on with cell `first`: the present one, or a new one."""
        what = _identity(params, files)
        present = self._drawing
        if present is None or present.what != what or present.at != first:
            self._drawing = None  # two grids are too many for the memory
            portrait = _portrait(params, files)
            places = grid.order(params["grid"])[first:]
            poses = [grid.pose(cell, params["grid"]) for cell in places]
            asked = portrait.request(
                poses, cutout=params["cutout"], fast=params["fast"], expression=params["expression"]
            )
            kept = present.atlas if present is not None and present.what == what else _atlas(params, portrait)
            rest = self._pool(ENGINES[params["engine"]], asked, run)
            self._drawing = present = _Drawing(what, kept, rest, first)
        return present

    def _whole(self, params: dict[str, Any], portrait: Portrait, packed: dict[Cell, bytes]) -> sprites.Atlas:
        """Every cell: as it was drawn, or out of its pack where another process drew it."""
        present = self._drawing
        same = present is not None and present.what["portrait"] == params["portrait"]
        atlas = present.atlas if present is not None and same else _atlas(params, portrait)
        missing = [cell for cell in packed if cell not in atlas]
        for cell in missing:
            atlas.put(cell, _decoded(packed[cell], atlas.channels))
        return atlas


def _identity(params: dict[str, Any], files: Files) -> dict[str, Any]:
    shared = {name: value for name, value in params.items() if name not in ("first", "last")}
    return shared | {"files": sorted(path.name for path in files.values())}


def _atlas(params: dict[str, Any], portrait: Portrait) -> sprites.Atlas:
    height, width = portrait.image.shape[:2]
    return sprites.Atlas(params["grid"], (width, height), 4 if params["cutout"] else 3)


def _packed(params: dict[str, Any], files: Files) -> dict[Cell, bytes]:
    """Every cell as WebP."""
    order = iter(grid.order(params["grid"]))
    cells: dict[Cell, bytes] = {}
    for number, lengths in enumerate(params["lengths"]):
        pack, at = files[f"pack:{number:02d}"].read_bytes(), 0
        for length in lengths:
            cells[next(order)] = pack[at : at + length]
            at += length
    return cells


def _decoded(cell: bytes, channels: int) -> Image:
    with Picture.open(BytesIO(cell)) as picture:
        return np.asarray(picture.convert("RGBA" if channels == 4 else "RGB"))


def _overview(atlas: sprites.Atlas) -> Image:
    """The corners and the centre as far as they are there, else the whole grid thinly sampled."""
    side = atlas.side
    kept = grid.sample(side, 3 if len(atlas) < side * side // 8 else min(side, 7))
    empty = np.full((*atlas.size[::-1], 3), 128, np.uint8)
    rows = [[atlas[r, c][..., :3] if (r, c) in atlas else empty for c in kept] for r in kept]
    step = max(1, max(atlas.size) * len(kept) // 900)
    return np.ascontiguousarray(
        np.vstack([np.hstack([cell[::step, ::step] for cell in row]) for row in rows])
    )


def _as_json(portrait: Portrait) -> dict[str, Any]:
    face = portrait.face
    return {
        "frame": list(portrait.frame),
        "box": list(face.box),
        "score": face.score,
        "points": np.round(face.points.astype(float), 3).tolist(),
        "calibration": asdict(portrait.calibration),
        "eyes": list(portrait.eyes),
    }


def _portrait(params: dict[str, Any], files: Files) -> Portrait:
    told = params["portrait"]
    x, y, width, height = told["frame"]
    face = FaceMesh(tuple(told["box"]), told["score"], np.array(told["points"], np.float32))
    matte = decode_png(files["matte"].read_bytes()) if "matte" in files else None
    return Portrait(
        decode_png(files["image"].read_bytes()),
        (x, y, width, height),
        face,
        None if matte is None else matte.astype(np.float32) / np.float32(255),
        Calibration(**told["calibration"]),
        tuple(told.get("eyes", ())),
    )


def _shares(
    box: tuple[float, float, float, float], size: tuple[int, int]
) -> tuple[float, float, float, float]:
    width, height = size
    return box[0] / width, box[1] / height, box[2] / width, box[3] / height
