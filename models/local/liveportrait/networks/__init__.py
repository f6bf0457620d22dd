"""The five networks of LivePortrait in PyTorch, one file each. Import from inside functions only: torch is heavy."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from models.errors import WeightsDamaged
from models.local.liveportrait.networks.appearance_feature_extractor import AppearanceFeatureExtractor
from models.local.liveportrait.networks.blocks import fold
from models.local.liveportrait.networks.motion_extractor import MotionExtractor
from models.local.liveportrait.networks.retargeting import WIDTHS, Retargeting
from models.local.liveportrait.networks.spade_generator import SpadeGenerator
from models.local.liveportrait.networks.warping_module import WarpingModule

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "appearance_feature_extractor": AppearanceFeatureExtractor,
    "motion_extractor": MotionExtractor,
    "warping_module": WarpingModule,
    "spade_generator": SpadeGenerator,
    "stitching": lambda: Retargeting(WIDTHS["stitching"]),
    "lip": lambda: Retargeting(WIDTHS["lip"]),
    "eye": lambda: Retargeting(WIDTHS["eye"]),
}


def build(name: str, state: Mapping[str, Any]) -> nn.Module:
    """The network `name` with this state (tensors or arrays by their published names): folded, in eval mode, float32,
    on the CPU. Raises WeightsDamaged if a name is missing, unknown or of another shape."""
    with torch.device("meta"):
        network = NETWORKS[name]()
    tensors = {key: torch.as_tensor(value) for key, value in state.items()}
    floats = {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}
    try:
        network.load_state_dict(floats, strict=True, assign=True)
    except RuntimeError as error:
        first = str(error).splitlines()[1:2] or [str(error)]
        raise WeightsDamaged(f"These are not the weights of {name}: {first[0].strip()[:200]}") from error
    network.eval().requires_grad_(False)
    fold(network)
    return network.eval().requires_grad_(False)
