"""FLUX.2 klein 4B: edits in four steps, under a licence that lets one do anything with them.

What reads the prompt (8 GB) and what paints (8 GB) are in memory one after the other. The pipeline cuts pictures to
multiples of 16 px and shrinks those above a megapixel: it never gets such (see `models.runtime.frames`).
"""

import secrets
from typing import Annotated, Any

from PIL import Image as Pictures
from pydantic import Field

from models.errors import WeightsMissing
from models.requests import Image, ImageEdit, Run
from models.runtime import hub
from models.runtime.device import release
from models.runtime.frames import Fit, Frame, brought_back, framed
from models.runtime.staged import Stages, eight_bits, followed
from models.spec import MOST_SEED, Host, Seeded

WEIGHTS = "flux2-klein-4b"
FIT = Fit(most=1024 * 1024, reference=1024 * 1024, least=64)  # what the pipeline takes as it is
READ = 0.15  # of the whole time, about, goes to the prompt


class Flux2KleinOptions(Seeded):
    """Of FLUX.2 klein, which is distilled: it knows no guidance."""

    steps: Annotated[
        int, Field(ge=1, le=16, title="Steps", description="It was made for 4; more change little.")
    ] = 4


def load(host: Host) -> "Flux2Klein":
    """Raises WeightsMissing."""
    if not hub.here(host.weights, WEIGHTS):
        raise WeightsMissing("FLUX.2 klein is not here.", hint=f"Run `{hub.command(WEIGHTS)}`.")
    return Flux2Klein(Stages(host.weights / WEIGHTS, "Flux2KleinPipeline", "FLUX.2 klein", host))


class Flux2Klein:
    """Stateless but for the folder: its networks come and go."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages

    def __call__(self, request: ImageEdit, run: Run) -> tuple[Image, ...]:
        """The first picture as the prompt says, as large as it came; the others are looked at."""
        options = Flux2KleinOptions.model_validate(dict(request.options))
        seed = secrets.randbelow(MOST_SEED) if options.seed is None else options.seed
        frame = framed(request.images, FIT)
        drawn = self._stages.run(lambda: self._drawn(frame, request.prompt, options.steps, seed, run))
        return (brought_back(drawn, frame, request.mask),)

    def _drawn(self, frame: Frame, prompt: str, steps: int, seed: int, run: Run) -> Image:
        run.progress(0.0, "Reading the prompt")
        embeds = self._read(prompt)
        release(self._stages.device)
        run.check()
        pipeline = self._stages.part("text_encoder", "tokenizer")
        pipeline.image_processor.check_image_input = lambda image: (
            image
        )  # it refuses what is narrower than 8 to 1
        width, height = frame.size
        painter = pipeline.transformer
        blocks = [*painter.transformer_blocks, *painter.single_transformer_blocks]
        with followed(blocks, run, steps, low=READ) as how:
            answer = pipeline(
                image=[Pictures.fromarray(picture) for picture in frame.references],
                prompt_embeds=embeds, width=width, height=height, guidance_scale=1.0, output_type="np",
                generator=self._stages.generator(seed), **how,
            )  # fmt: skip
        return eight_bits(answer.images)

    def _read(self, prompt: str) -> Any:
        """The prompt's embeddings; what reads it is gone afterwards."""
        reader = self._stages.part("transformer", "vae")
        embeds, _ = reader.encode_prompt(prompt=prompt, device=self._stages.device)
        return embeds
