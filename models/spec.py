"""A model unloaded: what it is, what it takes, and how to load it."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from models.errors import InvalidRequest
from models.requests import Alpha, Image, ImageEdit, Loaded, Request, TextToImage

Where = Literal["local", "replicate", "fal", "google", "openai", "vertex"]
Task: TypeAlias = type[Request[Any]]
SizePolicy: TypeAlias = Literal["preserve", "choose", "both"]
Size: TypeAlias = tuple[int, int]  # width, height in px
MOST_SEED = 2**31 - 1  # what every service and library takes
TITLES = {"replicate": "Replicate", "fal": "fal", "google": "Google", "openai": "OpenAI", "vertex": "Vertex"}


def title_of(service: str) -> str:
    """A service's name as people write it."""
    return TITLES.get(service, service)


@dataclass(frozen=True)
class Access:
    """How remote services are reached. Google: a key, or a service account's file with project and region (Vertex).
    vertex_endpoint: a person's own, reached with that account, see `providers.vertex`.

    openai_base_url: a server that speaks OpenAI's protocol. planner: another model that reads pictures, see `reader`.
    addresses: other servers in the place of a service's own, by its name.
    """

    replicate: SecretStr | None = None
    fal: SecretStr | None = None
    google: SecretStr | None = None
    google_account: Path | None = None
    google_project: str | None = None
    google_region: str | None = None
    vertex_endpoint: str | None = None
    openai: SecretStr | None = None
    openai_base_url: str | None = None
    planner: str | None = None
    addresses: Mapping[str, str] = field(default_factory=dict)

    def reader(self, service: Where, usual: str) -> str:
        """The model of a service that reads pictures: `planner`, where it can be one of the service's, or `usual`."""
        wanted = self.planner or usual
        if service == "openai" and self.openai_base_url:
            return wanted
        return wanted if wanted.startswith("gemini") == (service == "google") else usual


@dataclass(frozen=True)
class Host:
    """What `load` needs to know of the machine. device: "mps", "cuda" or "cpu"; weights: the folder of pulled files;
    access: keys, where remote models may be called."""

    weights: Path
    device: str = "cpu"
    threads: int = 2
    access: Access = Access()


class Options(BaseModel):
    """What a person can set of a model, beside words and pictures. From a subclass come the controls on the screen, the
    flags of the command line, the check before the call and what the API takes.

    Every field has a default, a title and a description, and is a bool, a Literal of strings, a text, or a number with
    both bounds. Names are the field's words: seed, steps, guidance, strength, negative_prompt, aspect_ratio.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    def results(self) -> int:
        """How many pictures one call makes at most: so many are paid for."""
        return 1

    def keeps_size(self) -> bool:
        """Whether what is made of a picture is to have its size: not where a person has chosen another one."""
        return True

    def looks_twice(self) -> bool:
        """Whether every step is made twice, for guidance."""
        return bool(getattr(self, "guidance", 1.0) > 1)

    def pixels(self, images: Sequence[Size] = ()) -> int | None:
        """How many pixels a picture has that is not to have the size of the first image, where that is known before."""
        return None


class Seeded(Options):
    """Of a model that makes the same picture from the same seed."""

    seed: Annotated[
        int | None,
        Field(ge=0, le=MOST_SEED, title="Seed", description="The same seed makes the same picture again."),
    ] = None

    def drawn_seed(self) -> int:
        """That seed, or one at random."""
        return secrets.randbelow(MOST_SEED) if self.seed is None else self.seed


@dataclass(frozen=True)
class Limits:
    """What a model takes. prompt: characters, least and most; (0, 0): it reads none. side: px of each side of an image,
    least and most. pixels: of one image at most. ratio: longer to shorter side at most. multiple: of px, what sides had
    better be, since the model cuts the rest away or squeezes it; not checked."""

    prompt: tuple[int, int] = (1, 10_000)
    side: tuple[int, int] = (1, 16384)
    pixels: int = 100_000_000
    ratio: float = 16384.0
    multiple: int = 1


@dataclass(frozen=True)
class Fit:
    """What a network can work on; larger pictures it works on smaller, and gives back as large as they came. most: px
    of the result; reference: px of what is only looked at; least: px of a side."""

    most: int
    reference: int
    least: int = 16


@dataclass(frozen=True)
class ModelSpec:
    """One line of the catalog. `load(host)` is where heavy imports live; memory in MB, when loaded.

    The rest is of models that make pictures. size: whether the answer keeps the first image's size, has one that is
    chosen by its options, or either. images: how many it takes, least and most. mask: whether only a part may change.
    terms: what a person has to agree to before using it, "" if nothing. priced: its name in prices.toml. trained:
    whether it learnt from pictures, which what it makes has to say. fit: of one that works on large pictures smaller.
    """

    id: str
    title: str
    where: Where
    accepts: Task | tuple[Task, ...]
    load: Callable[[Host], Loaded[Any, Any]]
    licence: str
    url: str
    memory: int
    weights: tuple[str, ...] = ()
    options: type[Options] = Options
    size: SizePolicy = "preserve"
    images: tuple[int, int] = (0, 0)
    mask: Literal["none", "optional", "required"] = "none"
    limits: Limits = Limits()
    terms: str = ""
    priced: str = ""
    trained: bool = True
    fit: Fit | None = None

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The kinds of request that it answers."""
        return self.accepts if isinstance(self.accepts, tuple) else (self.accepts,)

    def check(self, request: Request[Any]) -> None:
        """Refuse what cannot work before anything is loaded or spent: InvalidRequest, in one sentence."""
        if not isinstance(request, self.tasks):
            answers = " and ".join(task.__name__ for task in self.tasks)
            raise InvalidRequest(f"{self.title} answers {answers}, not {type(request).__name__}.")
        if isinstance(request, TextToImage):
            self.check_asked(request.prompt, request.options)
        elif isinstance(request, ImageEdit):
            count, masked = len(request.images), request.mask is not None
            self.check_asked(request.prompt, request.options, images=count, masked=masked)
            for image in request.images:
                self._check_image(image)
            if request.mask is not None:
                self._check_mask(request.mask, request.images[0])

    def check_asked(
        self, prompt: str, options: Mapping[str, Any], *, images: int = 0, masked: bool = False
    ) -> None:
        """The same as far as it can be told without the pictures. images: how many there are."""
        self._check_prompt(prompt)
        self.chosen(options)
        least, most = self.images
        if not least <= images <= most or (images == 0 and TextToImage not in self.tasks):
            if images == 0:
                raise InvalidRequest(f"{self.title} needs a picture.", hint="Add one first.")
            wanted = f"{least}" if least == most else f"{least} to {most}"
            noun = "picture" if most == 1 else "pictures"
            raise InvalidRequest(f"{self.title} takes {wanted if most else 'no'} {noun}, not {images}.")
        if self.mask == "required" and not masked:
            raise InvalidRequest(f"{self.title} needs a mask.", hint="Paint over what is to change.")
        if masked and (self.mask == "none" or not self.keeps_size(options, images=images)):
            raise InvalidRequest(
                f"{self.title} takes no mask here.", hint="A mask is of a picture that keeps its size."
            )

    def keeps_size(self, options: Mapping[str, Any], *, images: int) -> bool:
        """Whether what is made of so many pictures is to have the size of the first one."""
        return bool(images) and self.size != "choose" and self.chosen(options).keeps_size()

    def chosen(self, options: Mapping[str, Any]) -> Options:
        """The model's own options, checked and with their defaults; InvalidRequest."""
        try:
            return self.options.model_validate(dict(options))
        except ValidationError as error:
            raise InvalidRequest(self._complaint(error)) from None

    def _complaint(self, error: ValidationError) -> str:
        """What is wrong with the first option that is."""
        first = error.errors()[0]
        name = str(first["loc"][0])
        known = self.options.model_fields.get(name)
        if known is None:
            return f"{self.title} has no option {name!r}."
        reason = first["msg"].removeprefix("Input ").removeprefix("Value error, ")
        return f"{known.title or name} cannot be {first['input']!r}: it {reason}."

    def _check_prompt(self, prompt: str) -> None:
        least, most = self.limits.prompt
        if most == 0:
            return
        if len(prompt.strip()) < least:
            raise InvalidRequest("The prompt is empty.", hint="Say in words what you want to see.")
        if len(prompt) > most:
            raise InvalidRequest(
                f"The prompt has {len(prompt):,} characters, and {self.title} reads at most {most:,}.",
                hint="Shorten it.",
            )

    def _check_image(self, image: Image) -> None:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise InvalidRequest("An image is an array of 8 bits in three colours.")
        self._check_size(image.shape[1], image.shape[0])

    def _check_size(self, width: int, height: int) -> None:
        (least, most), size = self.limits.side, f"A picture of {width} x {height} px"
        if min(width, height) < least or max(width, height) > most:
            raise InvalidRequest(f"{size} does not fit: {self.title} takes sides of {least} to {most} px.")
        if width * height > self.limits.pixels:
            most_million = self.limits.pixels / 1e6
            raise InvalidRequest(f"{size} is too large: {self.title} takes {most_million:.1f} megapixels.")
        if max(width, height) > self.limits.ratio * min(width, height):
            raise InvalidRequest(
                f"{size} is too narrow: {self.title} takes up to {self.limits.ratio:g} to 1."
            )

    def _check_mask(self, mask: Alpha, image: Image) -> None:
        if mask.shape != image.shape[:2]:
            raise InvalidRequest("The mask and the first picture differ in size.")
        if not np.isfinite(mask).all() or mask.min() < 0 or mask.max() > 1:
            raise InvalidRequest("A mask holds values from 0 to 1.")
        if not mask.any():
            raise InvalidRequest("The mask is empty.", hint="Paint over what is to change.")
