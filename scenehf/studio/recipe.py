"""The recipe of one picture: everything that made it, as one frozen value that travels inside its file."""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from models.requests import ImageEdit
from models.spec import ModelSpec

APP = "SceneHF"
MOST_PROMPT = 1_000_000  # characters of what is read from a stranger's file

# https://cv.iptc.org/newscodes/digitalsourcetype/: made from words; a person's picture with parts made by a trained
# model; a person's picture altered by an algorithm that has learnt from no pictures.
Source: TypeAlias = Literal[
    "trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "algorithmicallyEnhanced"
]
Value: TypeAlias = bool | int | float | Annotated[str, Field(max_length=MOST_PROMPT)] | None


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Given(_Strict):
    """A picture that went in. sha256: of its pixels as the store keeps them, by which it is found again."""

    name: Annotated[str, Field(max_length=200)]
    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Recipe(_Strict):
    """What made one picture. options: all of the model's, seed included. images: what went in, in order. mask: sha256
    of the mask, "" without one. width, height: of the result in px. job: where it was made."""

    version: Literal[1] = 1
    model: Annotated[str, Field(max_length=100)]
    prompt: Annotated[str, Field(max_length=MOST_PROMPT)] = ""
    options: dict[str, Value] = {}
    images: Annotated[tuple[Given, ...], Field(max_length=32)] = ()
    mask: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")] = ""
    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]
    source: Source = "trainedAlgorithmicMedia"
    job: Annotated[str, Field(pattern="^[0-9a-f]{0,64}$")] = ""


def source_of(spec: ModelSpec, images: int) -> Source:
    """What kind of picture this model makes of so many."""
    if not images or ImageEdit not in spec.tasks:
        return "trainedAlgorithmicMedia"
    return "compositeWithTrainedAlgorithmicMedia" if spec.trained else "algorithmicallyEnhanced"


def parameters(recipe: Recipe) -> str:
    """The recipe as the text that A1111 began and that other programs read: prompt, negative prompt, and one line of
    names and values."""
    options = dict(recipe.options)
    lines = [recipe.prompt] if recipe.prompt else []
    if negative := options.pop("negative_prompt", None):
        lines.append(f"Negative prompt: {negative}")
    named = {"steps": "Steps", "guidance": "CFG scale", "seed": "Seed", "strength": "Denoising strength"}
    pairs = [(word, options.pop(name)) for name, word in named.items() if options.get(name) is not None]
    pairs += [("Size", f"{recipe.width}x{recipe.height}"), ("Model", recipe.model)]
    pairs += [(name, value) for name, value in options.items() if value not in (None, "") and name != "seed"]
    told = ", ".join(f"{word}: {_quoted(value)}" for word, value in (*pairs, ("Version", APP)))
    return "\n".join([*lines, told])


def _quoted(value: Value) -> str:
    """A value in which a comma would end it is put in quotes."""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f'"{text}"' if "," in text or "\n" in text else text
