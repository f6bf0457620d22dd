"""Models that run through diffusers, with tiny pipelines of noise: sizes, seeds, progress, cancel, missing weights."""

import re

import numpy as np
import pytest

from benchmarks import tiny_pipelines
from benchmarks.silence import Silence
from models.catalog import SPECS
from models.errors import InvalidRequest, OutOfMemory, ResultInvalid, WeightsMissing
from models.local import flux2_klein, stable_diffusion, z_image_turbo
from models.local.flux2_klein import Flux2Klein
from models.local.stable_diffusion import StableDiffusion, StableDiffusionFirstOptions, StableDiffusionOptions
from models.local.z_image_turbo import ZImageTurbo
from models.requests import ImageEdit, TextToImage
from models.runtime.aspects import sides
from models.runtime.staged import Stages
from models.spec import Host

HERE = {spec.id: spec for spec in SPECS}


class Stop(BaseException):
    pass


class Heard(Silence):
    def __init__(self, last: str = "never") -> None:
        self.messages, self.fractions, self.pictures, self.lines, self.last = [], [], [], [], last

    def preview(self, image):
        self.pictures.append(image)

    def log(self, text):
        self.lines.append(text)

    def progress(self, fraction, message=""):
        self.messages.append(message)
        self.fractions.append(fraction)

    def check(self):
        if self.last in self.messages:
            raise Stop


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    return Host(weights=tmp_path_factory.mktemp("weights"))


def picture(width: int, height: int):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture(scope="module")
def klein(host):
    folder = host.weights / "klein"
    tiny_pipelines.flux2_klein(folder)
    return Flux2Klein(Stages(folder, "Flux2KleinPipeline", "FLUX.2 klein", host))


@pytest.fixture(scope="module")
def z_image(host):
    folder = host.weights / "z"
    tiny_pipelines.z_image(folder)
    return ZImageTurbo(Stages(folder, "ZImagePipeline", "Z-Image-Turbo", host))


@pytest.fixture(scope="module", params=["sdxl", "sd-1.5"])
def diffusion(request, host):
    folder = host.weights / request.param
    if request.param == "sdxl":
        tiny_pipelines.stable_diffusion_xl(folder)
        stages = Stages(folder, "StableDiffusionXLPipeline", "SDXL", host)
        return StableDiffusion(stages, StableDiffusionOptions)
    tiny_pipelines.stable_diffusion(folder)
    stages = Stages(folder, "StableDiffusionPipeline", "SD", host)
    return StableDiffusion(stages, StableDiffusionFirstOptions, ("safety_checker", "feature_extractor"))


@pytest.mark.parametrize("size", [(101, 67), (1, 1), (640, 9)])
def test_klein_edits_exact_sizes(klein, size):
    request = ImageEdit((picture(*size), picture(30, 50)), "make it red", None, {"seed": 1, "steps": 1})
    HERE["flux2-klein-4b"].check(request)
    (found,) = klein(request, Heard())
    assert found.shape == (size[1], size[0], 3) and found.dtype == np.uint8


def test_klein_keeps_what_the_mask_keeps_and_draws_the_same_from_the_same_seed(klein):
    source, mask = picture(80, 70), np.zeros((70, 80), np.float32)
    mask[10:30, 20:50] = 1
    asked = ImageEdit((source,), "make it red", mask, {"seed": 1, "steps": 2})
    (first,), (second,) = klein(asked, Heard()), klein(asked, Heard())
    assert np.array_equal(first, second)
    assert np.array_equal(first[mask == 0], source[mask == 0])
    assert not np.array_equal(first, source)


def test_klein_tells_how_far_it_is_and_ends_when_asked(klein):
    heard = Heard()
    klein(ImageEdit((picture(64, 20),), "x", None, {"steps": 2}), heard)
    messages = ["Reading the prompt", "Step 1 of 2", "Step 2 of 2", "Drawing the result"]
    assert list(dict.fromkeys(heard.messages)) == messages
    assert heard.fractions == sorted(heard.fractions)
    assert heard.pictures[0].size == (64, 20)
    with pytest.raises(Stop):
        klein(ImageEdit((picture(64, 64),), "x", None, {"steps": 3}), Heard(last="Step 2 of 3"))
    assert klein(ImageEdit((picture(64, 64),), "x", None, {"steps": 1}), Heard())


def test_a_preview_of_klein_is_what_its_pipeline_would_draw(klein):
    """With one step the first preview is of the result."""
    source = picture(96, 64)
    heard = Heard()
    (found,) = klein(ImageEdit((source,), "x", None, {"seed": 1, "steps": 1}), heard)
    assert np.array_equal(np.asarray(heard.pictures[0]), found)


def test_what_it_will_take_is_said_and_refused_where_the_device_lends_less(klein, monkeypatch):
    asked, heard = ImageEdit((picture(64, 64),), "x", None, {"steps": 1}), Heard()
    klein(asked, heard)
    assert any(re.fullmatch(r"FLUX\.2 klein takes about 0\.\d GB\.", line) for line in heard.lines)
    monkeypatch.setattr("models.runtime.staged.lendable_memory", lambda device: 1000)
    with pytest.raises(OutOfMemory, match=r"This machine lends 0\.0 GB"):
        klein(asked, Heard())


def test_running_out_of_memory_is_a_sentence(klein, monkeypatch):
    def short(*_, **__):
        raise RuntimeError("MPS backend out of memory")

    monkeypatch.setattr("models.local.flux2_klein.drawn", short)
    with pytest.raises(OutOfMemory, match="klein ran out of memory"):
        klein(ImageEdit((picture(64, 64),), "x", None, {"steps": 1}), Heard())


def test_z_image_makes_what_was_asked_for(z_image):
    asked = TextToImage("a cat", {"aspect_ratio": "3:2", "megapixels": 0.05, "steps": 2, "seed": 3})
    HERE["z-image-turbo"].check(asked)
    heard = Heard()
    (found,) = z_image(asked, heard)
    assert found.shape[1::-1] == sides("3:2", 0.05) == (272, 176)
    assert heard.messages[-1] == "Drawing the result"
    assert heard.pictures[0].size == (256, 168)
    assert np.array_equal(z_image(asked, Heard())[0], found)
    with pytest.raises(Stop):
        z_image(asked, Heard(last="Step 2 of 2"))


def test_a_prompt_that_is_not_read_whole_is_told(z_image):
    heard = Heard()
    z_image(TextToImage("a" * 600, {"megapixels": 0.05, "steps": 1}), heard)
    assert "The prompt has 600 tokens; this model reads the first 512." in heard.lines


# in a scheduler of diffusers
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_stable_diffusion_makes_what_was_asked_for(diffusion, monkeypatch):
    options = {"aspect_ratio": "9:16", "megapixels": 0.05, "steps": 2, "seed": 3, "negative_prompt": "blue"}
    asked = TextToImage("a cat", options)
    HERE["sdxl"].check(asked)
    heard = Heard()
    (found,) = diffusion(asked, heard)
    assert found.shape[1::-1] == sides("9:16", 0.05)
    assert heard.messages[-1] == "Drawing the result"
    assert heard.pictures[0].size == (136, 256)
    assert np.array_equal(diffusion(asked, Heard())[0], found)
    with pytest.raises(Stop):
        diffusion(asked, Heard(last="Step 2 of 2"))
    broken = diffusion._pipeline.unet.conv_out
    monkeypatch.setattr(broken, "forward", lambda sample: sample[:, :4] * np.nan)
    with pytest.raises(ResultInvalid, match="Try another seed"):
        diffusion(asked, Heard())


@pytest.mark.parametrize(
    ("load", "name"),
    [
        (flux2_klein.load, "flux2-klein-4b"),
        (z_image_turbo.load, "z-image-turbo"),
        (stable_diffusion.load, "sdxl"),
        (stable_diffusion.load_first, "sd-1.5"),
    ],
)
def test_without_weights_it_says_what_to_type(load, name, tmp_path):
    with pytest.raises(WeightsMissing, match=rf"Run `\./launch\.sh models pull {name}`"):
        load(Host(weights=tmp_path))


@pytest.mark.parametrize("ratio", ["1:1", "21:9", "9:16"])
@pytest.mark.parametrize("megapixels", [0.05, 1.0, 2.0])
def test_sides_are_whole_multiples_near_what_was_asked_for(ratio, megapixels):
    width, height = sides(ratio, megapixels)
    assert width % 16 == height % 16 == 0
    assert width * height == pytest.approx(megapixels * 1e6, rel=0.1)


def test_options_that_cannot_be_are_refused():
    with pytest.raises(InvalidRequest, match="Megapixels cannot be 9"):
        HERE["z-image-turbo"].check(TextToImage("a cat", {"megapixels": 9}))
