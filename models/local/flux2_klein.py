"""FLUX.2 klein 4B: edits in four steps, under a licence that lets one do anything with them.

What reads the prompt (8 GB) and what paints (8 GB) are in memory one after the other. The pipeline cuts pictures to
multiples of 16 px and shrinks those above a megapixel: it never gets such (see `models.runtime.frames`).
"""

from typing import TYPE_CHECKING, Annotated, Any

from PIL import Image as Pictures
from pydantic import Field

from models.errors import WeightsMissing
from models.requests import Image, ImageEdit, Run
from models.runtime import hub
from models.runtime.device import release
from models.runtime.frames import MULTIPLE, Frame, brought_back, framed
from models.runtime.staged import Stages, drawn, followed, glimpse, read_whole
from models.spec import Fit, Host, Seeded

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "flux2-klein-4b"
FIT = Fit(most=1024 * 1024, reference=1024 * 1024, least=64)  # what the pipeline takes as it is
READER, PAINTER = ("text_encoder", "tokenizer"), ("transformer", "vae")
TOKENS = 512  # of a prompt
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
        frame, seed = framed(request.images, FIT), options.drawn_seed()
        width, height = frame.size
        seen = sum(shown.shape[0] * shown.shape[1] for shown in (frame.padded, *frame.references))
        run.log(self._stages.afford((READER, PAINTER), drawn=width * height, seen=seen))
        found = self._stages.run(lambda: self._drawn(frame, request.prompt, options.steps, seed, run))
        return (brought_back(found, frame, request.mask),)

    def _drawn(self, frame: Frame, prompt: str, steps: int, seed: int, run: Run) -> Image:
        run.progress(0.0, "Reading the prompt")
        embeds = self._read(prompt, run)
        release(self._stages.device)
        run.check()
        pipeline = self._stages.part(*READER)
        pipeline.image_processor.check_image_input = _any_shape
        (width, height), vae = frame.size, pipeline.vae
        blocks = [*pipeline.transformer.transformer_blocks, *pipeline.transformer.single_transformer_blocks]

        def paint(heading: "Tensor") -> Pictures.Image:
            whole = glimpse(vae, _unpacked(vae, heading, width, height))
            rows, columns = frame.small.shape[:2]
            edge = (columns * whole.width / width, rows * whole.height / height)
            return whole.crop((0, 0, max(1, round(edge[0])), max(1, round(edge[1]))))

        with followed(pipeline, blocks, run, steps, paint, READ):
            answer = pipeline(
                image=[Pictures.fromarray(picture) for picture in frame.references],
                prompt_embeds=embeds, width=width, height=height, num_inference_steps=steps, guidance_scale=1.0,
                output_type="latent", generator=self._stages.generator(seed),
            )  # fmt: skip
        return drawn(vae, answer.images)

    def _read(self, prompt: str, run: Run) -> "Tensor":
        """The prompt's embeddings; what reads it is gone afterwards."""
        reader = self._stages.part(*PAINTER)
        read_whole(reader.tokenizer, prompt, TOKENS, run)
        embeds: Tensor
        embeds, _ = reader.encode_prompt(prompt=prompt, device=self._stages.device)
        return embeds


def _any_shape(image: Pictures.Image) -> Pictures.Image:
    """In place of a check that refuses what is narrower than 8 to 1, which this network can paint."""
    return image


def _unpacked(vae: Any, tokens: "Tensor", width: int, height: int) -> "Tensor":
    """(1, channels, rows, columns) as the autoencoder takes them, of tokens (1, count, 4 * channels) in the order of
    lines: squares of two by two latents, normalised, as diffusers' pipeline has them."""
    rows, columns = height // MULTIPLE, width // MULTIPLE
    lines = tokens.transpose(1, 2).reshape(1, -1, rows, columns)
    normal = vae.bn
    deviation = (normal.running_var + vae.config.batch_norm_eps).sqrt()
    lines = lines * deviation.view(1, -1, 1, 1).to(lines) + normal.running_mean.view(1, -1, 1, 1).to(lines)
    squares = lines.view(1, -1, 2, 2, rows, columns).permute(0, 1, 4, 2, 5, 3)
    return squares.reshape(1, -1, 2 * rows, 2 * columns)
