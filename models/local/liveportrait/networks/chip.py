"""The networks on the machine's fastest part, in the numbers that it is fastest with.

Motion and keypoints stay float32 everywhere: their errors are seen as trembling. On a CPU the two large networks run
in float32 by Winograd's and Fourier's ways, or in bfloat16 where a trial shows that the chip does that faster.
"""

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.local.liveportrait.networks import build
from models.local.liveportrait.networks.taps import TapsFirst
from models.local.liveportrait.networks.warping_module import Source

States = Callable[[str], Mapping[str, Any]]
BATCH = {"cuda": 8, "mps": 4, "cpu": 1}
TRIAL = 256, 64  # channels and side of the picture that a CPU is tried with


@dataclass(eq=False)
class Chip:
    """The networks of one machine. dtype: of the warping network and the generator."""

    device: torch.device
    dtype: torch.dtype
    batch: int
    appearance: nn.Module
    motion: nn.Module
    warping: nn.Module
    generator: nn.Module
    stitching: nn.Module

    def encoded(self, image: Tensor) -> tuple[Tensor, dict[str, Any]]:
        """(feature volume, what the motion network says as arrays) of (1, 3, 256, 256) in [0, 1]."""
        with torch.inference_mode():
            seen = image.to(self.device)
            told = {name: value.float().cpu().numpy() for name, value in self.motion(seen).items()}
            return self.appearance(seen), told

    def source(self, feature: Tensor, keypoints: Tensor) -> Source:
        """What all drivings of a portrait share. keypoints: (1, 21, 3)."""
        with torch.inference_mode():
            return self.warping.source(feature.to(self.dtype), keypoints.to(self.device))

    def stitch(self, source: Tensor, driving: Tensor) -> Tensor:
        """(N, 65) for keypoints (1, 21, 3) and (N, 21, 3)."""
        with torch.inference_mode():
            both = torch.cat([source.expand_as(driving), driving], dim=1).flatten(1)
            return self.stitching(both.to(self.device)).cpu()

    def painted(self, source: Source, driving: Tensor) -> Tensor:
        """uint8 (N, 512, 512, 3) on the CPU, at most `batch` at a time. Raises FloatingPointError where a number
        is none: half precision overflows on some chips."""
        with torch.inference_mode():
            features, _, _ = self.warping.warp(source, driving.to(self.device))
            image = self.generator(features.contiguous(memory_format=torch.channels_last))
            if not bool(torch.isfinite(image).all()):
                raise FloatingPointError
            return (image * 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu()


def placed(states: States, device_name: str, *, dtype: torch.dtype | None = None) -> Chip:
    """The networks with these states on "mps", "cuda" or "cpu". dtype: None lets the chip decide."""
    device = torch.device(device_name)
    chosen = dtype or best_dtype(device)
    appearance, motion, warping, generator, stitching = (
        build(name, states(name)).to(device)
        for name in (
            "appearance_feature_extractor",
            "motion_extractor",
            "warping_module",
            "spade_generator",
            "stitching",
        )
    )
    for large in (warping, generator):
        large.to(chosen)
        if device.type == "cpu" and chosen == torch.float32:
            accelerate(large)
    generator.to(memory_format=torch.channels_last)  # of flat layers only; the volumes gain nothing by it
    return Chip(device, chosen, BATCH[device.type], appearance, motion, warping, generator, stitching)


def accelerate(network: nn.Module) -> None:
    """Give a large network the ways that pay on a CPU in float32; the answers stay the same to some 1e-6. Where
    machine code cannot be made it stays as it is."""
    if not makes_machine_code():
        return
    from models.local.liveportrait.networks import winograd
    from models.local.liveportrait.networks.fourier import FourierConv3d

    motion = getattr(network, "dense_motion_network", None)
    if motion is not None:
        motion.mask = FourierConv3d(motion.mask)
        motion.occlusion = TapsFirst(motion.occlusion)
        motion.layout = torch.channels_last_3d
    winograd.install(network)


def makes_machine_code() -> bool:
    """Whether numba is there, and the CPU one that its code was shaped for: x86 with the registers of AVX2."""
    if torch.backends.cpu.get_cpu_capability() not in {"AVX2", "AVX512"}:
        return False
    try:
        import numba  # noqa: F401 - it refuses to load beside a numpy that it does not know
    except ImportError:
        return False
    return True


def best_dtype(device: torch.device) -> torch.dtype:
    """What the large networks run fastest in on this device without losing what can be seen."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device.type == "mps":
        return torch.bfloat16
    return torch.bfloat16 if _bfloat16_is_faster() else torch.float32


def _bfloat16_is_faster() -> bool:
    """Whether this CPU has such instructions, and they beat what float32 would do on one convolution."""
    told: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    if not (told.get("amx_bf16") or told.get("avx512_bf16")):
        return False
    channels, side = TRIAL
    conv = nn.Conv2d(channels, channels, 3, padding=1).requires_grad_(False)
    single = nn.Sequential(conv)
    accelerate(single)
    half = copy.deepcopy(conv).to(torch.bfloat16).to(memory_format=torch.channels_last)
    x = torch.rand(1, channels, side, side).contiguous(memory_format=torch.channels_last)
    return _seconds(half, x.bfloat16()) < _seconds(single, x)


def _seconds(network: nn.Module, x: Tensor) -> float:
    """The shortest of three."""
    taken = []
    with torch.inference_mode():
        for _ in range(3):
            started = time.perf_counter()
            network(x)
            taken.append(time.perf_counter() - started)
    return min(taken)
