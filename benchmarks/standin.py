"""Weights for LivePortrait's networks that anyone can make: seeded noise of the published names and shapes.

They paint no portrait. They prove that our networks compute what the published ones compute (reference outputs were
made with these very weights), and how fast: the time does not depend on what the numbers are.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MANIFEST: Mapping[str, Any] = json.loads(Path(__file__).with_name("liveportrait_manifest.json").read_text())
UNHASHED = ("weight_u", "weight_v")  # of the last bits of another machine's arithmetic
# Noise is scaled so that a layer keeps the size of what goes in; the heads are tamed so that faces stay in range.
GAIN = 2**0.5
GAINS = {
    "fc_kp.weight": 0.15, "fc_exp.weight": 0.02, "fc_t.weight": 0.05, "fc_scale.weight": 0.05,
    "fc_pitch.weight": 0.7, "fc_yaw.weight": 0.7, "fc_roll.weight": 0.7, "conv_img.0.weight": 0.25,
}  # fmt: skip
LAST_OF_SMALL = 0.02  # the last layer of stitching, lip and eye

State = dict[str, NDArray[Any]]


@cache
def standin(network: str) -> Mapping[str, NDArray[Any]]:
    """The state of one network by its name in the manifest. Drawn in the order of the sorted names."""
    shapes = MANIFEST[network]["tensors"]
    draw = np.random.Generator(np.random.PCG64(MANIFEST[network]["seed"]))
    layers = [int(name.split(".")[1]) for name in shapes if name.startswith("mlp.")]
    gains = GAINS | ({f"mlp.{max(layers)}.weight": LAST_OF_SMALL} if layers else {})
    state: State = {}
    for name in sorted(shapes):
        shape = tuple(shapes[name])
        if name.endswith("num_batches_tracked"):
            state[name] = np.zeros(shape, np.int64)
            continue
        noise = draw.standard_normal(size=shape, dtype=np.float32)
        value = _value(name, noise, state, gains)
        state[name] = np.ascontiguousarray(value, np.float32).reshape(shape)
    return state


def _value(name: str, noise: NDArray[np.float32], state: State, gains: Mapping[str, float]) -> NDArray[Any]:
    small = {"running_mean": 0.1, "bias": 0.05, "beta": 0.05, "gamma": 0.1}
    if name.endswith("fc_scale.bias"):
        return np.full(noise.shape, 1.3, np.float32)
    if name.endswith("running_var"):
        return np.exp(np.float32(0.2) * noise)
    if name.endswith("weight_u"):
        return noise / np.linalg.norm(noise.astype(np.float64))
    if name.endswith("weight_v"):
        layer = name.removesuffix("weight_v")
        weight = state[layer + "weight_orig"].astype(np.float64)
        v = weight.reshape(len(weight), -1).T @ state[layer + "weight_u"].astype(np.float64)
        return v / np.linalg.norm(v)
    for ending, factor in small.items():
        if name.endswith(ending):
            return np.float32(factor) * noise
    if noise.ndim == 1:
        return 1 + np.float32(0.1) * noise
    gain = next((gain for ending, gain in gains.items() if name.endswith(ending)), GAIN)
    return np.float32(gain * (1.0 / np.prod(noise.shape[1:])) ** 0.5) * noise
