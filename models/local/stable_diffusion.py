"""Stable Diffusion XL and 1.5: pictures from words, and what many control nets are made for."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from models.errors import WeightsMissing
from models.requests import Image, Run, TextToImage
from models.runtime import hub
from models.runtime.aspects import Aspect, Megapixels, sides
from models.runtime.staged import TILE, Stages, drawn, followed, glimpse, read_whole, scaled
from models.spec import Host, Seeded, Size

XL, FIRST = "sdxl", "sd-1.5"
PARTS = ("unet", "text_encoder", "text_encoder_2", "vae")
TOKENS = 77  # of a prompt


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

    def pixels(self, images: Sequence[Size] = ()) -> int:
        """Of the result."""
        width, height = sides(self.aspect_ratio, self.megapixels)
        return width * height


class StableDiffusionFirstOptions(StableDiffusionOptions):
    """Of the first one, which was trained with a quarter of the pixels."""

    megapixels: Megapixels = 0.25


def load(host: Host) -> "StableDiffusion":
    """Stable Diffusion XL. Raises WeightsMissing, OutOfMemory."""
    stages = _stages(host, XL, "StableDiffusionXLPipeline", "Stable Diffusion XL")
    return StableDiffusion(stages, StableDiffusionOptions)


def load_first(host: Host) -> "StableDiffusion":
    """Stable Diffusion 1.5. Raises WeightsMissing, OutOfMemory."""
    stages = _stages(host, FIRST, "StableDiffusionPipeline", "Stable Diffusion 1.5")
    return StableDiffusion(
        stages, StableDiffusionFirstOptions, without=("safety_checker", "feature_extractor")
    )


def _stages(host: Host, weights: str, pipeline: str, title: str) -> Stages:
    if not hub.here(host.weights, weights):
        raise WeightsMissing(f"{title} is not here.", hint=f"Run `{hub.command(weights)}`.")
    return Stages(host.weights / weights, pipeline, title, host)


class StableDiffusion:
    """The whole pipeline, which is small enough to stay. without: parts that are not pulled."""

    def __init__(
        self, stages: Stages, options: type[StableDiffusionOptions], without: tuple[str, ...] = ()
    ) -> None:
        self._stages, self._options = stages, options
        self._takes = stages.afford((PARTS,), drawn=TILE * TILE)
        self._pipeline = stages.run(lambda: stages.part(*without, variant="fp16", use_safetensors=True))
        self._pipeline.scheduler = _euler(self._pipeline.scheduler.config)

    def __call__(self, request: TextToImage, run: Run) -> tuple[Image, ...]:
        """One picture."""
        options = self._options.model_validate(dict(request.options))
        run.log(self._takes)
        read_whole(self._pipeline.tokenizer, request.prompt, TOKENS, run)
        return (self._stages.run(lambda: self._drawn(request.prompt, options, run)),)

    def _drawn(self, prompt: str, options: StableDiffusionOptions, run: Run) -> Image:
        network, vae = self._pipeline.unet, self._pipeline.vae
        width, height = sides(options.aspect_ratio, options.megapixels)
        blocks = [*network.down_blocks, network.mid_block, *network.up_blocks]

        with followed(
            self._pipeline, blocks, run, options.steps, lambda heading: glimpse(vae, scaled(vae, heading))
        ):
            answer = self._pipeline(
                prompt, negative_prompt=options.negative_prompt, guidance_scale=options.guidance, width=width,
                height=height, num_inference_steps=options.steps, output_type="latent",
                generator=self._stages.generator(options.drawn_seed()),
            )  # fmt: skip
        return drawn(vae, scaled(vae, answer.images))


def _euler(config: Any) -> Any:
    """One step of the network for each step, and each tells where it is heading."""
    from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler

    return EulerDiscreteScheduler.from_config(config)
