"""The low-rank change that makes a transformer paint in few steps, added beside the weights that it changes.

Quantised weights cannot take it in. Files name a layer's two factors lora_down and lora_up (or lora_A and lora_B) and
may tell an alpha: the change is up @ down * alpha / rank.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from models.runtime.gguf import damaged

PREFIXES = ("transformer.", "diffusion_model.")
DOWN, UP = ("lora_down.weight", "lora_A.weight"), ("lora_up.weight", "lora_B.weight")

Change = tuple[Tensor, Tensor, float]


class Changed(nn.Module):
    """A linear layer and the change to it."""

    def __init__(self, layer: nn.Module, change: Change) -> None:
        super().__init__()
        self.layer = layer
        self.down, self.up = (nn.Parameter(factor, requires_grad=False) for factor in change[:2])
        self.scale = change[2]

    def forward(self, states: Tensor) -> Tensor:
        """The layer's answer and the change's."""
        linear = nn.functional.linear
        return self.layer(states) + linear(linear(states, self.down), self.up) * self.scale


def read(file: Path, wanted: Callable[[str], bool], device: Any, dtype: Any) -> dict[str, Change]:
    """Each wanted layer -> its factors on the device, and their scale. Raises WeightsDamaged."""
    try:
        with safe_open(file, framework="pt") as opened:
            names = {_plain(name): name for name in opened.keys()}  # noqa: SIM118 - no mapping
            layers = {plain.rsplit(".", 2)[0] for plain in names if plain.endswith(DOWN)}
            return {layer: _change(opened, names, layer, device, dtype) for layer in filter(wanted, layers)}
    except (SafetensorError, KeyError, OSError) as error:
        raise damaged(file, f"cannot be read as a Lightning file: {error}") from error


def _plain(name: str) -> str:
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _change(opened: Any, names: Mapping[str, str], layer: str, device: Any, dtype: Any) -> Change:
    down, up = (
        opened.get_tensor(next(names[f"{layer}.{end}"] for end in ends if f"{layer}.{end}" in names))
        for ends in (DOWN, UP)
    )
    told = names.get(f"{layer}.alpha")
    scale = float(opened.get_tensor(told)) / down.shape[0] if told else 1.0
    return down.to(device, dtype), up.to(device, dtype), scale


def apply(network: nn.Module, layer: str, change: Change | None) -> None:
    """Put the change beside one layer of the network; raises ValueError where it does not fit."""
    if change is None:
        return
    known = network.get_submodule(layer)
    down, up, _ = change
    if (down.shape[1], up.shape[0]) != (known.in_features, known.out_features):
        raise ValueError(f"the Lightning file is of another width at {layer}")
    network.set_submodule(layer, Changed(known, change))
