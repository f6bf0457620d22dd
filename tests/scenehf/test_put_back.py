"""A layer that was edited goes back into its scene, which adds up again: to the picture with that edit."""

import numpy as np
import pytest

from scenehf.errors import NotPossible
from scenehf.pixels import decode_png
from scenehf.workflows import actions
from scenehf.workflows.extract import ExportOrder
from tests.scenehf.test_extract import host, photo, png, scene_of, settled, store, two  # noqa: F401 -- fixtures too


def test_an_edited_layer_goes_back_into_its_scene(store, photo):  # noqa: F811
    job = actions.create(store, photo, "coffee.png", params=two())
    settled(store, job)
    before, _ = scene_of(store, job)
    layer = decode_png(store.read(job.id, "cup/1/cut.png"))
    green = np.dstack([np.full(layer.shape[:2], value, np.uint8) for value in (20, 180, 40)])
    with pytest.raises(NotPossible, match="px by now, and this picture"):
        actions.put_back(store, job.id, "cup", png(green[1:]))
    actions.put_back(store, job.id, "cup", png(green))
    assert settled(store, job).state == "succeeded"
    cup = actions.chosen(store, job.id, "cup")
    assert (cup.attempt, cup.result["x"], cup.result["y"]) == (
        2,
        *(store.step(job.id, "cup", 1).result[a] for a in "xy"),
    )
    _, after = scene_of(store, job)
    inside = decode_png(store.read(job.id, "cup/2/alpha.png"))
    assert np.abs(after[inside == 0] - before[inside == 0]).max() <= 2
    assert np.abs(after[inside == 255] - (20, 180, 40)).max() <= 2
    scene = actions.chosen(store, job.id, "scene")
    assert scene.result["max_error"] <= 2
    actions.export(store, job.id, ExportOrder(formats=("zip",)))
    assert settled(store, job).state == "succeeded"
    actions.choose(store, job.id, "cup", 1)
    assert settled(store, job).state == "succeeded"
    assert np.abs(scene_of(store, job)[1] - before).max() <= 2
