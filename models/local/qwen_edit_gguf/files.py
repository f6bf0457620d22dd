"""The files of the editor on this machine, as `models pull` puts them there."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.errors import WeightsMissing
from models.runtime import hub

READER, PIXELS = "qwen2.5-vl-7b-gguf", "qwen-image-vae"


@dataclass(frozen=True)
class Version:
    """One of Qwen's editors. zero_cond_t: whether references are told apart by a time of their own, zero."""

    weights: str
    lightning: str
    zero_cond_t: bool


VERSIONS = {
    "2509": Version("qwen-edit-2509-gguf", "qwen-edit-2509-lightning", zero_cond_t=False),
    "2511": Version("qwen-edit-2511-gguf", "qwen-edit-2511-lightning", zero_cond_t=True),
}


@dataclass(frozen=True)
class Files:
    """transformers: by quantisation. lightning: by the most steps that the file is for. pixels: the folder of the
    autoencoder and the tokeniser."""

    transformers: Mapping[str, Path]
    text: Path
    vision: Path
    pixels: Path
    lightning: Mapping[int, Path]

    def change(self, steps: int) -> Path:
        """The Lightning file for so few steps; that for fewer, where there is none."""
        fitting = [most for most in sorted(self.lightning) if most >= steps]
        return self.lightning[fitting[0] if fitting else max(self.lightning)]


def found(weights: Path, version: Version) -> Files:
    """The files under the folder of all weights; raises WeightsMissing."""
    transformers = hub.chosen_here(weights, version.weights)
    if not transformers or not hub.here(weights, version.weights):
        raise WeightsMissing(
            f"{hub.HUB[version.weights].title} is not here, or not all of it.",
            hint=f"Run `{hub.command(version.weights)}`.",
        )
    text, vision = (weights / READER / name for name in hub.HUB[READER].kept)
    lightning = {
        steps: weights / version.lightning / name
        for name in hub.HUB[version.lightning].kept
        for steps in (4, 8)
        if f"{steps}steps" in name
    }
    return Files(transformers, text, vision, weights / PIXELS, lightning)
