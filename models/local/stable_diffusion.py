"""Stable Diffusion XL and 1.5: pictures from words, and what many control nets are made for."""

import secrets
from typing import Annotated

from pydantic import Field

from models.errors import WeightsMissing
from models.requests import Image, Run, TextToImage
from models.runtime import hub
from models.runtime.aspects import Aspect, Megapixels, sides
from models.runtime.staged import Stages, eight_bits, followed
from models.spec import MOST_SEED, Host, Seeded

XL, FIRST = "sdxl", "sd-1.5"


class StableDiffusionOptions(Seeded):
    """Of Stable Diffusion."""

    aspect_ratio: Aspect = "1:1"
    megapixels: Megapixels = 1.0
    steps: Annotated[int, Field(ge=1, le=100, title="Steps", description="20 to 40 are usual.")] = 30
    guidance: Annotated[
        float, Field(ge=1.0, le=20.0, title="Guidance", description="How strongly to follow the prompt.")
    ] = 6.0
    negative_prompt: Annotated[
        str, Field(max_length=2000, title="Negative prompt", description="What to keep out.")
    ] = ""

    def pixels(self) -> int:
        """Of the result."""
        width, height = sides(self.aspect_ratio, self.megapixels)
        return width * height


class StableDiffusionFirstOptions(StableDiffusionOptions):
    """Of the first one, which was trained with a quarter of the pixels."""

    megapixels: Megapixels = 0.25


def load(host: Host) -> "StableDiffusion":
    """Stable Diffusion XL; raises WeightsMissing."""
    return _loaded(host, XL, "StableDiffusionXLPipeline", "Stable Diffusion XL", ())


def load_first(host: Host) -> "StableDiffusion":
    """Stable Diffusion 1.5; raises WeightsMissing."""
    without = ("safety_checker", "feature_extractor")  # not pulled
    return _loaded(host, FIRST, "StableDiffusionPipeline", "Stable Diffusion 1.5", without)


def _loaded(
    host: Host, weights: str, pipeline: str, title: str, without: tuple[str, ...]
) -> "StableDiffusion":
    if not hub.here(host.weights, weights):
        raise WeightsMissing(f"{title} is not here.", hint=f"Run `{hub.command(weights)}`.")
    return StableDiffusion(Stages(host.weights / weights, pipeline, title, host), without)


class StableDiffusion:
    """The whole pipeline, which is small enough to stay. without: parts that it has no files of."""

    def __init__(self, stages: Stages, without: tuple[str, ...] = ()) -> None:
        self._stages = stages
        self._pipeline = stages.part(*without, variant="fp16", use_safetensors=True)

    def __call__(self, request: TextToImage, run: Run) -> tuple[Image, ...]:
        """One picture."""
        options = StableDiffusionOptions.model_validate(dict(request.options))
        seed = secrets.randbelow(MOST_SEED) if options.seed is None else options.seed
        return (self._stages.run(lambda: self._drawn(request.prompt, options, seed, run)),)

    def _drawn(self, prompt: str, options: StableDiffusionOptions, seed: int, run: Run) -> Image:
        network = self._pipeline.unet
        width, height = sides(options.aspect_ratio, options.megapixels)
        blocks = [*network.down_blocks, network.mid_block, *network.up_blocks]
        with followed([block for block in blocks if block is not None], run, options.steps) as how:
            answer = self._pipeline(
                prompt, negative_prompt=options.negative_prompt, guidance_scale=options.guidance, width=width,
                height=height, output_type="np", generator=self._stages.generator(seed), **how,
            )  # fmt: skip
        return eight_bits(answer.images)
