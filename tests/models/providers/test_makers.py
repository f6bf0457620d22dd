"""What the models that make pictures send to Replicate, field by field, and what they cost."""

import numpy as np
import pytest
from pydantic import SecretStr

from jobs.paying import Paying
from models.errors import InvalidRequest
from models.pool import Pool
from models.providers.prices import price
from models.requests import ImageEdit, TextToImage
from models.spec import Access, Host
from tests.models.providers.artist import Artist, scene
from tests.models.providers.services import CANARY

WIDE = scene(640, 400)
EDIT = {"go_fast": True, "output_format": "png", "prompt": "x"}
WORDS = EDIT | {
    "aspect_ratio": "16:9", "image_size": "optimize_for_quality", "num_inference_steps": 30, "guidance": 3.0,
    "enhance_prompt": False,
}  # fmt: skip
OWNERS = {
    "qwen-image-edit": "qwen/qwen-image-edit", "qwen-image-edit-plus": "qwen/qwen-image-edit-plus",
    "qwen-image": "qwen/qwen-image", "hunyuan-image-3": "tencent/hunyuan-image-3",
    "seedream-4": "bytedance/seedream-4",
}  # fmt: skip
SERIES = {"prompt": "x", "enhance_prompt": True, "sequential_image_generation": "disabled", "max_images": 1}


@pytest.fixture
def pool(served, quick, tmp_path):
    artist = Artist()
    access = Access(replicate=SecretStr(CANARY), addresses={"replicate": served(artist).url})
    return artist, Pool(Host(weights=tmp_path, access=access))


@pytest.mark.parametrize(
    ("model", "request_", "fields", "files"),
    [
        ("qwen-image-edit", ImageEdit((WIDE,), "x", options={"seed": 7}), EDIT | {"seed": 7}, {"image": 0}),
        ("qwen-image-edit", ImageEdit((WIDE,), "x", options={"go_fast": False}), EDIT | {"go_fast": False},
         {"image": 0}),
        ("qwen-image-edit-plus", ImageEdit((WIDE, WIDE, WIDE), "x"), EDIT | {"aspect_ratio": "match_input_image"},
         {"image": 3}),
        ("qwen-image", TextToImage("x"), WORDS, {}),
        ("qwen-image", TextToImage("x", {"steps": 8, "guidance": 4, "negative_prompt": "blur", "aspect_ratio": "1:1"}),
         WORDS | {"num_inference_steps": 8, "guidance": 4.0, "negative_prompt": "blur", "aspect_ratio": "1:1"}, {}),
        ("hunyuan-image-3", TextToImage("x", {"aspect_ratio": "9:21", "seed": 3}),
         EDIT | {"aspect_ratio": "9:21", "seed": 3}, {}),
        ("seedream-4", TextToImage("x"), SERIES | {"size": "2K", "aspect_ratio": "1:1"}, {}),
        ("seedream-4", TextToImage("x", {"size": "4K", "aspect_ratio": "21:9", "enhance_prompt": False}),
         SERIES | {"size": "4K", "aspect_ratio": "21:9", "enhance_prompt": False}, {}),
        ("seedream-4", ImageEdit((WIDE, WIDE), "x"), SERIES | {"size": "custom", "width": 2591, "height": 1619},
         {"image_input": 2}),
        ("seedream-4", ImageEdit((WIDE,), "x", options={"size": "1K"}),
         SERIES | {"size": "custom", "width": 1638, "height": 1024}, {"image_input": 1}),
        ("seedream-4", ImageEdit((WIDE,), "x", options={"size": "4K"}),
         SERIES | {"size": "custom", "width": 4096, "height": 2560}, {"image_input": 1}),
        ("seedream-4", ImageEdit((WIDE,), "x", options={"size": "custom", "width": 1500, "height": 4096}),
         SERIES | {"size": "custom", "width": 1500, "height": 4096}, {"image_input": 1}),
        ("seedream-4", ImageEdit((WIDE,), "x", options={"aspect_ratio": "1:1"}),
         SERIES | {"size": "2K", "aspect_ratio": "1:1"}, {"image_input": 1}),
    ],
)  # fmt: skip
def test_a_model_sends_what_its_service_takes(pool, payer: Paying, model, request_, fields, files):
    artist, models = pool
    (made,) = models(model, request_, payer)
    assert made.dtype == np.uint8
    assert made.ndim == 3
    (asked,) = artist.asked
    assert asked.pop("model") == OWNERS[model]
    sent = {field: asked.pop(field) for field in files}
    assert {field: len(value) if isinstance(value, list) else 0 for field, value in sent.items()} == files
    assert asked == fields
    (bill,) = payer.store.bills()
    assert (bill.state, bill.settled) == ("settled", price("replicate", OWNERS[model]).bound())


def test_a_series_is_paid_picture_by_picture(served, quick, tmp_path, payer: Paying):
    artist = Artist(outputs=3)
    access = Access(replicate=SecretStr(CANARY), addresses={"replicate": served(artist).url})
    series = {"sequential_image_generation": "auto", "max_images": 3}
    made = Pool(Host(weights=tmp_path, access=access))("seedream-4", TextToImage("x", series), payer)
    assert len(made) == 3
    (bill,) = payer.store.bills()
    assert (bill.reserved, bill.settled) == (90_000, 90_000)


def test_too_many_pictures_in_and_out_cost_nothing(pool, payer: Paying):
    artist, models = pool
    series = {"sequential_image_generation": "auto", "max_images": 15}
    with pytest.raises(InvalidRequest, match="at most 15 pictures together"):
        models("seedream-4", ImageEdit((WIDE,), "x", options=series), payer)
    assert artist.jobs == 0
    assert payer.store.bills() == []
