"""Palettes: what Lab tells apart, and what only roughness does."""

import numpy as np

from models.local.saliency_cut.colour import ROUGHNESS, palette


def test_roughness_tells_a_dark_object_from_a_dark_sky():
    lightness = np.full((120, 160), 30.0)
    object_here = np.zeros(lightness.shape, bool)
    object_here[30:90, 50:110] = True
    lightness += np.random.default_rng(0).normal(0, np.where(object_here, 8, 2))
    image = np.repeat(np.clip(lightness, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    nothing = np.zeros_like(object_here)

    def right(roughness: float) -> float:
        odds = palette(image, roughness).log_ratio(object_here.astype(np.float32), nothing)
        return float(((odds > 0) == object_here).mean())

    assert right(ROUGHNESS) > 0.95
    assert right(0) < 0.9
