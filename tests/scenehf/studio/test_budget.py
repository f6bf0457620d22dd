"""How much work a picture is."""

import pytest

from models.spec import Size
from scenehf.studio.budget import compute, effort
from scenehf.workflows.make import MAKERS

SQUARE = (1000, 1000)
QWEN, KLEIN, CLOUD = MAKERS["qwen-edit-2511-gguf"], MAKERS["flux2-klein-4b"], MAKERS["qwen-image-edit"]


def test_every_picture_that_is_looked_at_takes_time_but_is_not_drawn():
    one, two = ([SQUARE] * count for count in (1, 2))
    assert compute(QWEN, {}, one) == compute(QWEN, {}, two) == 4
    assert (effort(QWEN, {}, one), effort(QWEN, {}, two)) == (8, 12)


def test_guidance_looks_twice_where_there_is_any():
    steps = {"steps": 20}
    assert effort(QWEN, steps | {"guidance": 4.0}, [SQUARE]) == 2 * effort(
        QWEN, steps | {"guidance": 1.0}, [SQUARE]
    )
    assert effort(QWEN, {"steps": 8, "guidance": 4.0}, [SQUARE]) == 16, "Lightning knows none"
    assert compute(QWEN, steps, [SQUARE]) == 20


@pytest.mark.parametrize(("spec", "most"), [(QWEN, 1328 * 1328), (KLEIN, 1024 * 1024)])
def test_a_huge_picture_is_as_much_work_as_it_is_worked_on(spec, most):
    huge = [(8192, 8192), (8192, 8192)]
    assert compute(spec, {"steps": 4}, huge) == pytest.approx(most * 4 / 1e6)
    assert effort(spec, {"steps": 4}, huge) == pytest.approx((2 * most + 1024 * 1024) * 4 / 1e6)


@pytest.mark.parametrize(("second", "wide"), [((500, 1000), 1500), ((2000, 500), 5000), ((1, 8192), 1001)])
def test_side_by_side_all_are_drawn_as_high_as_the_first(second: Size, wide: int):
    pixels = min(wide * 1000, 1328 * 1328)
    joined = {"references": "joined"}
    assert compute(QWEN, joined, [SQUARE, second]) == pytest.approx(pixels * 4 / 1e6)
    assert effort(QWEN, joined, [SQUARE, second]) == pytest.approx(2 * pixels * 4 / 1e6)


def test_where_nothing_is_known_every_picture_takes_as_long():
    assert (compute(CLOUD, {}, [SQUARE]), effort(CLOUD, {}, [SQUARE])) == (None, 1)
    assert compute(QWEN, {"references": "joined"}, []) is None, "nothing chosen yet"


def test_without_steps_the_pixels_count():
    fill = MAKERS["patchmatch"]
    assert compute(fill, {}, [SQUARE]) is None
    assert effort(fill, {}, [(2000, 1000)]) == 2 * effort(fill, {}, [SQUARE])
