"""Z-Image-Turbo: pictures from words in eight steps, under a licence that lets one do anything with them.

What reads the prompt (8 GB) and what paints (12 GB) are in memory one after the other.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from models.errors import WeightsMissing
from models.requests import Image, Run, TextToImage
from models.runtime import hub
from models.runtime.aspects import Aspect, Megapixels, sides
from models.runtime.device import release
from models.runtime.staged import Stages, drawn, followed, glimpse, read_whole, scaled
from models.spec import Host, Seeded, Size

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "z-image-turbo"
READER, PAINTER = ("text_encoder", "tokenizer"), ("transformer", "vae")
TOKENS = 512  # of a prompt
READ = 0.15  # of the whole time, about, goes to the prompt


class ZImageTurboOptions(Seeded):
    """Of Z-Image-Turbo, which is distilled: it knows no guidance."""

    aspect_ratio: Aspect = "1:1"
    megapixels: Megapixels = 1.0
    steps: Annotated[
        int, Field(ge=1, le=20, title="Steps", description="It was made for 8; more change little.")
    ] = 8

    def pixels(self, images: Sequence[Size] = ()) -> int:
        """Of the result."""
        width, height = sides(self.aspect_ratio, self.megapixels)
        return width * height


def load(host: Host) -> "ZImageTurbo":
    """Raises WeightsMissing."""
    if not hub.here(host.weights, WEIGHTS):
        raise WeightsMissing("Z-Image-Turbo is not here.", hint=f"Run `{hub.command(WEIGHTS)}`.")
    return ZImageTurbo(Stages(host.weights / WEIGHTS, "ZImagePipeline", "Z-Image-Turbo", host))


class ZImageTurbo:
    """Stateless but for the folder: its networks come and go."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages

    def __call__(self, request: TextToImage, run: Run) -> tuple[Image, ...]:
        """One picture."""
        options = ZImageTurboOptions.model_validate(dict(request.options))
        pixels = options.pixels()
        run.log(self._stages.afford((READER, PAINTER), drawn=pixels, seen=pixels))
        return (self._stages.run(lambda: self._drawn(request.prompt, options, run)),)

    def _drawn(self, prompt: str, options: ZImageTurboOptions, run: Run) -> Image:
        run.progress(0.0, "Reading the prompt")
        embeds = self._read(prompt, run)
        release(self._stages.device)
        run.check()
        pipeline = self._stages.part(*READER)
        vae, (width, height) = pipeline.vae, sides(options.aspect_ratio, options.megapixels)

        with followed(
            pipeline, pipeline.transformer.layers, run, options.steps,
            lambda heading: glimpse(vae, scaled(vae, heading)), READ,
        ):  # fmt: skip
            answer = pipeline(
                prompt_embeds=embeds, width=width, height=height, num_inference_steps=options.steps,
                guidance_scale=0.0, output_type="latent", generator=self._stages.generator(options.drawn_seed()),
            )  # fmt: skip
        return drawn(vae, scaled(vae, answer.images))

    def _read(self, prompt: str, run: Run) -> "list[Tensor]":
        """The prompt's embeddings; what reads it is gone afterwards."""
        reader = self._stages.part(*PAINTER)
        read_whole(reader.tokenizer, prompt, TOKENS, run)
        embeds: list[Tensor]
        embeds, _ = reader.encode_prompt(prompt, self._stages.device, do_classifier_free_guidance=False)
        return embeds
