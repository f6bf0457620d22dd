"""What a model refuses before it is loaded, and in which words."""

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
import pytest
from pydantic import Field

from models.catalog import SPECS
from models.errors import InvalidRequest
from models.requests import FaceDetection, ImageEdit, TextToImage
from models.spec import Host, Limits, ModelSpec, Seeded


class Few(Seeded):
    """Of a model that is only described."""

    steps: Annotated[int, Field(ge=1, le=50, title="Steps", description="How often it looks.")] = 8
    pace: Annotated[Literal["slow", "fast"], Field(title="Pace", description="How it goes.")] = "fast"


def never(_: Host):
    raise AssertionError("nothing is loaded to be refused")


EDITOR = ModelSpec(
    id="editor", title="Editor", where="local", accepts=(TextToImage, ImageEdit), load=never, licence="MIT", url="",
    memory=0, options=Few, images=(0, 2), mask="optional",
    limits=Limits(prompt=(1, 20), side=(4, 64), pixels=2000, ratio=8),
)  # fmt: skip
PICTURE = np.zeros((16, 24, 3), np.uint8)


def edit(*images: np.ndarray, prompt: str = "make it red", mask: np.ndarray | None = None, **options: object):
    return ImageEdit(images, prompt, mask, options)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (FaceDetection(PICTURE), "Editor answers TextToImage and ImageEdit, not FaceDetection."),
        (TextToImage("  \n"), "The prompt is empty."),
        (TextToImage("x" * 100_000), "has 100,000 characters, and Editor reads at most 20."),
        (TextToImage("a cat", {"colour": 1}), "Editor has no option 'colour'."),
        (TextToImage("a cat", {"steps": 51}), "Steps cannot be 51: it should be less than or equal to 50."),
        (TextToImage("a cat", {"steps": "many"}), "Steps cannot be 'many'"),
        (TextToImage("a cat", {"pace": "idle"}), "Pace cannot be 'idle': it should be 'slow' or 'fast'."),
        (TextToImage("a cat", {"seed": -1}), "Seed cannot be -1"),
        (edit(PICTURE[..., :1]), "8 bits in three colours"),
        (edit(PICTURE, PICTURE, PICTURE), "takes 0 to 2 pictures, not 3."),
        (edit(PICTURE[:3]), "A picture of 24 x 3 px does not fit: Editor takes sides of 4 to 64 px."),
        (edit(np.zeros((64, 64, 3), np.uint8)), "is too large: Editor takes 0.0 megapixels."),
        (edit(np.zeros((4, 60, 3), np.uint8)), "is too narrow: Editor takes up to 8 to 1."),
        (edit(PICTURE.astype(np.float32)), "8 bits in three colours"),
        (edit(PICTURE, mask=np.ones((16, 23), np.float32)), "differ in size"),
        (edit(PICTURE, mask=np.full((16, 24), np.nan, np.float32)), "from 0 to 1"),
        (edit(PICTURE, mask=np.zeros((16, 24), np.float32)), "The mask is empty."),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_in_a_sentence(request_: ImageEdit, words: str):
    with pytest.raises(InvalidRequest) as refused:
        EDITOR.check(request_)
    assert words in str(refused.value)


def test_what_can_work_is_let_in():
    EDITOR.check(TextToImage("a cat", {"steps": 50, "seed": None}))
    EDITOR.check(edit(PICTURE, mask=np.ones((16, 24), np.float32), seed=7))
    replace(EDITOR, limits=Limits(prompt=(0, 0))).check(edit(PICTURE, prompt=""))


def test_a_mask_is_asked_for_or_refused():
    with pytest.raises(InvalidRequest, match="needs a mask"):
        replace(EDITOR, mask="required").check(edit(PICTURE))
    with pytest.raises(InvalidRequest, match="takes no mask"):
        replace(EDITOR, mask="none").check(edit(PICTURE, mask=np.ones((16, 24), np.float32)))


MAKERS = [spec for spec in SPECS if {TextToImage, ImageEdit} & set(spec.tasks)]


@pytest.mark.parametrize("spec", MAKERS, ids=lambda spec: spec.id)
def test_every_option_of_the_catalog_can_be_drawn(spec: ModelSpec):
    spec.chosen({})
    for name, option in spec.options.model_fields.items():
        assert option.title, name
        assert option.description, name
        assert not option.is_required(), name
    shape = {"aspect_ratio", "size", "width", "height"} & set(spec.options.model_fields)
    assert not (spec.size == "preserve" and shape), "an edit keeps the size of its picture"
    if ImageEdit in spec.tasks:
        assert spec.images[1] >= 1
    if spec.where != "local":
        assert spec.priced
