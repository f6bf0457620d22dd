"""The seam between a plan and whatever carries it out: local nets, classical cuts, or a remote service.

An engine answers three questions about pixels and knows nothing of jobs, plans or files. Adding one is a file
here and a line in `ENGINES`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Literal, Protocol

from models.pool import Pool
from models.requests import Alpha, Box, Image, Mask, Run
from models.spec import Where

Hint = Literal["box", "points", "strokes", "prompt"]


@dataclass(frozen=True, eq=False)
class ExtractTask:
    """Cut one object out of `image`.

    box, points: where it is, in pixels (points carry 1 keep / 0 drop). avoid: boxes of the other objects.
    taken: pixels that already belong to layers in front. keep, drop: brush strokes. base: alpha of an earlier
    attempt, to be refined. prompt: what it is, for engines that read.
    """

    image: Image
    box: Box | None = None
    points: tuple[tuple[float, float, int], ...] = ()
    avoid: tuple[Box, ...] = ()
    taken: Mask | None = None
    keep: Mask | None = None
    drop: Mask | None = None
    base: Alpha | None = None
    prompt: str = ""


@dataclass(frozen=True, eq=False)
class Cut:
    """An object found. alpha: float32 (height, width) at the size of the task's image. confidence: 0..1 on the
    engine's own scale, or None where it has no opinion; below review_below a person should look. measure: what that
    scale is: how far several methods agree, or how much of what a service drew looks like the photo."""

    alpha: Alpha
    confidence: float | None = None
    review_below: float = 0.5
    measure: Literal["confidence", "likeness"] = "confidence"


@dataclass(frozen=True, eq=False)
class PlateTask:
    """Continue the background where `alphas` (each float32, height x width) covered it."""

    image: Image
    alphas: tuple[Alpha, ...]
    prompt: str = ""


@dataclass(frozen=True, eq=False)
class Plate:
    """A picture without the removed objects: uint8 (height, width, 3), and the hole that was painted."""

    image: Image
    hole: Mask


class Engine(Protocol):
    """A way to split a picture."""

    def extract(self, task: ExtractTask, run: Run) -> Cut:
        """Find the object of the task."""

    def plate(self, task: PlateTask, run: Run) -> Plate:
        """Paint the removed objects out."""

    def remove_background(self, task: ExtractTask, run: Run) -> Cut:
        """Cut again inside the earlier attempt's alpha (`task.base`), dropping the background left in it."""


@dataclass(frozen=True)
class EngineSpec:
    """An engine not yet built. where: "local" work goes to the worker process, "cloud" stays in the runner's
    thread. retries_with: the inputs that change its answer, in the order a person would try them. service: whose key a
    cloud engine needs; prices: the model of the price list behind each paid act (extract, plate). billed: how it is
    paid for, where no act has a price."""

    id: str
    title: str
    where: Literal["local", "cloud"]
    retries_with: tuple[Hint, ...]
    build: Callable[[Pool], Engine]
    service: Where | None = None
    prices: Mapping[str, str] = field(default_factory=dict)
    billed: str = ""


def _engine(name: str) -> Callable[[Pool], Engine]:
    def build(pool: Pool) -> Engine:
        engine: Engine = import_module(f"scenehf.layers.engines.{name}").build(pool)
        return engine

    return build


ENGINES: dict[str, EngineSpec] = {
    spec.id: spec
    for spec in (
        EngineSpec(
            id="local",
            title="This computer",
            where="local",
            retries_with=("box", "points", "strokes"),
            build=_engine("local"),
        ),
        EngineSpec(
            id="google",
            title="Google (Nano Banana)",
            where="cloud",
            retries_with=("prompt", "box", "strokes"),
            build=_engine("google"),
            service="google",
            prices={"extract": "gemini-nano-banana-2.1", "plate": "gemini-nano-banana-2.1"},
        ),
        EngineSpec(
            id="fal",
            title="fal (BiRefNet)",
            where="cloud",
            retries_with=("box", "strokes"),
            build=_engine("fal"),
            service="fal",
            prices={"extract": "fal-ai/birefnet/v2"},
        ),
        EngineSpec(
            id="fal-bria",
            title="fal (Bria)",
            where="cloud",
            retries_with=("box", "strokes"),
            build=_engine("fal_bria"),
            service="fal",
            prices={"extract": "fal-ai/bria/background/remove"},
        ),
        EngineSpec(
            id="vertex",
            title="Your Vertex endpoint",
            where="cloud",
            retries_with=("box", "strokes"),
            build=_engine("vertex"),
            service="vertex",
            billed="by the hour",
        ),
    )
}
