"""Trimaps, holes and clean colours."""

import cv2
import numpy as np

from benchmarks import metrics
from benchmarks.composites import singles
from scenehf.layers import foreground
from scenehf.layers.trimap import hole_around, trimap


def test_the_band_lies_around_the_edge_and_not_along_the_frame():
    mask = np.zeros((100, 500), bool)
    mask[:, 250:] = True
    band = trimap(mask)
    assert band.dtype == np.float32
    assert (band[:, 246:254] == 0.5).all()  # .8 % of 500 px on either side
    assert (band[:, :246] == 0).all()
    assert (band[:, 254:] == 1).all()


def test_the_hole_holds_every_trace_and_a_margin():
    alphas = [np.zeros((100, 100), np.float32), np.zeros((100, 100), np.float32)]
    alphas[0][40, 40], alphas[1][60, 60], alphas[1][80, 80] = 1, 0.02, 0.005
    hole = hole_around(alphas)
    assert hole[39:42, 40].all()
    assert hole[60, 60]
    assert not hole[80, 80]


def test_clean_colours_are_near_the_true_ones():
    ours, raw = [], []
    for case in singles()[:3]:
        sheet = case.sheets[0]
        front, back = foreground.estimate(case.image, sheet.alpha.astype(np.float32))
        ours.append(metrics.edge_colour_error(front / 255, sheet.colour, sheet.alpha))
        raw.append(metrics.edge_colour_error(case.image / 255, sheet.colour, sheet.alpha))
        assert np.array_equal(front[sheet.alpha == 1], case.image[sheet.alpha == 1])
        assert metrics.edge_colour_error(back / 255, case.plate / 255, sheet.alpha) < 0.08
    assert np.mean(ours) < 0.036  # measured .034
    assert np.mean(ours) < np.mean(raw) / 2.5


def test_a_large_picture_is_refined_in_its_band():
    case = singles()[1]
    size = 2 * case.image.shape[1], 2 * case.image.shape[0]
    image = cv2.resize(case.image, size, interpolation=cv2.INTER_CUBIC)
    alpha = np.clip(cv2.resize(case.sheets[0].alpha, size), 0, 1).astype(np.float32)
    colour = cv2.resize(case.sheets[0].colour, size)
    front, _ = foreground.estimate(image, alpha)
    assert metrics.edge_colour_error(front / 255, colour, alpha) < 0.05
