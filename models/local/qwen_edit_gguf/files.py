"""The files of the editor on this machine, as `models pull` puts them there."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.errors import WeightsMissing
from models.runtime import hub

READER, PIXELS = "qwen2.5-vl-7b-gguf", "qwen-image-vae"


@dataclass(frozen=True)
class Version:
    """One of Qwen's editors. whole: the transformer in bfloat16, for large GPUs; zero_cond_t: whether references are
    told apart by a time of their own, zero."""

    weights: str
    whole: str
    lightning: str
    zero_cond_t: bool


VERSIONS = {
    name: Version(
        f"qwen-edit-{name}-gguf",
        f"qwen-edit-{name}-bf16",
        f"qwen-edit-{name}-lightning",
        zero_cond_t=zero_cond_t,
    )
    for name, zero_cond_t in (("2509", False), ("2511", True))
}


@dataclass(frozen=True)
class Files:
    """transformers: by quantisation, a file, or for BF16 a folder. lightning: by the most steps that the file is for.
    pixels: the folder of the autoencoder and the tokeniser."""

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
    if hub.here(weights, version.whole):
        transformers["BF16"] = weights / version.whole / "transformer"
    if not transformers or not all(hub.here(weights, name) for name in hub.HUB[version.weights].needs):
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
