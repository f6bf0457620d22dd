"""The last halves of layer extraction: layers and plate become a scene that adds up, and the scene becomes files."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from models.requests import Run
from scenehf.export import write_all
from scenehf.export.pictures import layer_name
from scenehf.layers import recompose
from scenehf.layers.validate import check_recomposition, worst
from scenehf.pixels import composite, decode_png, encode_png, thumbnail
from scenehf.scene import Layer, Pixels, Scene
from scenehf.workflows.making import THUMBNAIL_SIDE, Files, Reply


def assemble(params: dict[str, Any], files: Files, run: Run) -> Reply:
    """params: layers (id, name, z, x, y, edited or not, front to back). files: source, plate, cut:ID. Blobs: ID.png
    (RGBA, trimmed, its place in data), plate.png, composite.png, thumb.png. Data: layers, max_error and mean_error of
    255, pixels."""
    source = _picture(files["source"])
    plate = _picture(files["plate"]) if "plate" in files else source
    layers = [_layer(row, files[f"cut:{row['id']}"]) for row in params["layers"]]
    edited = {row["id"] for row in params["layers"] if row.get("edited")}
    if edited:
        source = recompose.with_edits(source, plate, layers, edited)
    run.progress(0.2, "Making the layers add up to the photo")
    result = recompose.faithful(source, plate, layers)
    run.check()
    run.progress(0.7, "Writing the scene")
    whole = composite(result.scene)
    checks = [check_recomposition(int(np.ceil(result.max_error)))]
    blobs = {"plate.png": encode_png(result.scene.plate), "composite.png": encode_png(whole)}
    blobs["thumb.png"] = encode_png(thumbnail(whole, THUMBNAIL_SIDE))
    blobs |= {f"{layer.id}.png": encode_png(layer.pixels) for layer in result.scene.layers}
    data = {
        "verdict": worst(checks),
        "checks": [check.as_json() for check in checks],
        "layers": params["layers"],
        "max_error": result.max_error,
        "mean_error": result.mean_error,
        "raised": result.raised,
        "pixels": source.shape[0] * source.shape[1],
    }
    return data, blobs


def export(params: dict[str, Any], files: Files, run: Run) -> Reply:
    """params: formats, layers (as `assemble` gave them), documents (name -> JSON). files: source, plate, layer:ID, and
    painted:ID, which goes along with the PNG files. Blobs: the files that were written, by their names."""
    layers = tuple(_layer(row, files[f"layer:{row['id']}"]) for row in params["layers"])
    scene = Scene(layers, _picture(files["plate"]), _picture(files["source"]))
    documents = {
        name: json.dumps(content, indent=2, ensure_ascii=False).encode()
        for name, content in params["documents"].items()
    }
    for index, layer in enumerate(layers):
        if f"painted:{layer.id}" in files:
            name = layer_name(scene, index).replace("layers/", "painted/", 1)
            documents[name] = files[f"painted:{layer.id}"].read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        written = write_all(Path(folder), scene, documents, params["formats"], run.log)
        blobs = {name: (Path(folder) / name).read_bytes() for name in written}
    return {"files": {name: len(blob) for name, blob in blobs.items()}}, blobs


def _layer(row: dict[str, Any], path: Path) -> Layer:
    return Layer(row["id"], row["name"], row["z"], _picture(path), row["x"], row["y"])


def _picture(path: Path) -> Pixels:
    return decode_png(path.read_bytes())
