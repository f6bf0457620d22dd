"""A recipe written into a file comes back whole, in three formats; other programs find what they look for."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from models.catalog import SPECS
from models.requests import ImageEdit, TextToImage
from models.spec import ModelSpec
from scenehf.studio.controls import controls
from scenehf.studio.metadata import JPEG_TEXT, SOURCES, read, write
from scenehf.studio.recipe import Given, Recipe, parameters, source_of

PIXELS = np.arange(24 * 16 * 3, dtype=np.uint16).astype(np.uint8).reshape(16, 24, 3)
KINDS = ("png", "jpeg", "webp")
MAKERS = [spec for spec in SPECS if {TextToImage, ImageEdit} & set(spec.tasks)]


def recipe(**changes: object) -> Recipe:
    usual = {
        "model": "qwen-image", "prompt": 'a cat, "sitting" <there> & 日本語\nsecond line',
        "options": {"seed": 42, "steps": 8, "guidance": 3.5, "negative_prompt": "blur, text", "go_fast": True},
        "images": (Given(name="a photo.jpg", width=24, height=16, sha256="ab" * 32),),
        "mask": "cd" * 32, "width": 24, "height": 16, "job": "0123456789ab",
    }  # fmt: skip
    return Recipe.model_validate(usual | changes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [3, 4])
def test_a_recipe_comes_back_whole(kind, channels):
    pixels = np.dstack([PIXELS, PIXELS[..., :1]])[..., :channels]
    written = write(np.ascontiguousarray(pixels), recipe(), kind)
    assert written.sidecar is None
    assert read(written.data) == recipe()
    with Image.open(io.BytesIO(written.data)) as picture:
        assert picture.format.lower() == kind
        assert picture.size == (24, 16)
        if kind == "png":
            assert np.array_equal(np.asarray(picture), pixels)


text = st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=200)


@settings(max_examples=60)
@given(prompt=text, negative=text, seed=st.integers(0, 2**31 - 1), guidance=st.floats(0, 30), name=text)
def test_any_words_come_back_from_any_format(prompt, negative, seed, guidance, name):
    options = {"seed": seed, "guidance": guidance, "negative_prompt": negative}
    given_ = Given(name=name[:200], width=1, height=1, sha256="0" * 64)
    asked = recipe(prompt=prompt, options=options, images=(given_,))
    for kind in KINDS:
        assert read(write(PIXELS, asked, kind).data) == asked


@pytest.mark.parametrize("spec", MAKERS, ids=lambda spec: spec.id)
def test_every_control_of_every_model_comes_back(spec: ModelSpec):
    changed: dict[str, object] = {}
    for control in controls(spec.options):
        if control.kind == "choice":
            changed[control.name] = control.choices[-1]
        elif control.kind == "flag":
            changed[control.name] = not control.default
        elif control.kind == "text":
            changed[control.name] = "something, else"
        else:
            changed[control.name] = control.most
    options = spec.chosen(changed).model_dump()
    asked = recipe(model=spec.id, options=options, source=source_of(spec, 1))
    for kind in KINDS:
        again = read(write(PIXELS, asked, kind).data)
        assert again is not None
        assert spec.chosen(again.options) == spec.chosen(changed)


@pytest.mark.parametrize("kind", KINDS)
def test_other_programs_find_what_they_look_for(kind):
    with Image.open(io.BytesIO(write(PIXELS, recipe(), kind).data)) as picture:
        if kind == "png":
            told = picture.info["parameters"]
        else:
            comment = picture.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment]
            assert comment[:8] == b"UNICODE\0"
            told = comment[8:].decode("utf-16-be")
        xmp = picture.info["xmp"]
    assert told == parameters(recipe())
    assert told == (
        'a cat, "sitting" <there> & 日本語\nsecond line\nNegative prompt: blur, text\n'
        "Steps: 8, CFG scale: 3.5, Seed: 42, Size: 24x16, Model: qwen-image, go_fast: True, Version: SceneHF"
    )
    assert f'Iptc4xmpExt:DigitalSourceType="{SOURCES}trainedAlgorithmicMedia"'.encode() in xmp


def test_what_made_it_is_said_as_it_is():
    kinds = {spec.id: source_of(spec, spec.images[1]) for spec in MAKERS}
    assert kinds["qwen-image"] == kinds["hunyuan-image-3"] == "trainedAlgorithmicMedia"
    assert kinds["qwen-image-edit"] == kinds["seedream-4"] == "compositeWithTrainedAlgorithmicMedia"
    assert kinds["patchmatch"] == "algorithmicallyEnhanced"


def test_what_a_jpeg_cannot_hold_lies_beside_it(tmp_path: Path):
    long = recipe(prompt="x" * 100_000)
    assert read(write(PIXELS, long, "png").data) == long
    assert read(write(PIXELS, long, "webp").data) == long
    written = write(PIXELS, long, "jpeg")
    assert written.sidecar is not None
    assert read(written.data) is None
    assert read(written.sidecar) == long
    (tmp_path / "a.jpg").write_bytes(written.data)
    (tmp_path / "a.json").write_bytes(written.sidecar)
    assert read(tmp_path / "a.jpg") == long == read(tmp_path / "a.json")
    just = recipe(prompt="x" * (JPEG_TEXT - 400))
    assert write(PIXELS, just, "jpeg").sidecar is None


@pytest.mark.parametrize(
    "data", [b"", b"{", b"{}", b"\x89PNG\r\n\x1a\n", b"GIF89a", b'{"model": "x", "evil": 1}']
)
def test_a_file_without_a_recipe_has_none(data: bytes):
    assert read(data) is None


def test_a_picture_without_a_recipe_claims_nothing():
    data = write(PIXELS, None, "png").data
    assert read(data) is None
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.info == {}
