"""What an edit will take, said before it runs, and which quantisation fits this machine.

Sums over the headers of the files, and what computing takes beside the weights, measured at the published width (see
benchmarks/qwen_edit.py, which holds this against the truth). No network is loaded for it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

from models.errors import OutOfMemory
from models.local.qwen_edit_gguf.files import Files
from models.local.qwen_edit_gguf.options import QwenEditOptions
from models.runtime.attention import SCORES
from models.runtime.device import SPARED
from models.runtime.frames import MULTIPLE, Frame
from models.runtime.gguf import GgufFile
from models.runtime.tensors import WIDTHS, Shards, TensorFile, listed

Stage: TypeAlias = Literal["text", "encode", "load", "denoise", "decode"]
ARCHITECTURE, TEXT_KIND, VISION_KIND = "qwen_image", "qwen2vl", "clip"
STREAMS = ("img_mod", "txt_mod")
OUTSIDE = ("token_embd.", "output.")  # rows of the one are read from the file, the other is not used
PIXELS = "diffusion_pytorch_model.safetensors"
KERNEL = 5  # dimensions of a convolution over a film, of which one frame is kept
SMALLER = ("Q4_K_M", "Q2_K")

# Measured at the published width
STATES = 13  # tensors of all tokens by width that a block holds at once
READING = 20  # the same of what reads the prompt
HALF = 2  # bytes of a number as it is unpacked, before it is one that is computed with
UNPACKING = {8: 2, 10: 5, 12: 5}  # bytes for each number while it is unpacked, by its type: Q8_0, Q2_K, Q4_K
MOST_UNPACKING = 7  # of all other types, whose bits lie in two places
SCORE_SHARE = 3  # of the scores of a portion of attention: they exist in several kinds of numbers
TILE = 256 * 256  # px of what the autoencoder works on at once
TILE_NUMBERS, WHOLE_NUMBERS = 2_560, 12  # for each px of that, as a CPU draws it, and of the picture

# For the way from 0 to 1
MOST_WORDS, HEAD_TOKENS, PICTURE_TOKENS, CHARACTERS = 1024, 80, 200, 3.0
ENCODING, DECODING = 2_500_000, 5_000_000  # operations for each px
LOADING = 300  # as many operations take as long as a byte from the disk


@dataclass(frozen=True)
class Plan:
    """What will be done and what it takes. stages: bytes at the peak of each; roomy: everything may stay in memory
    together; blocks: of the transformer; spans: where on the way from 0 to 1 each stage lies; advice: what to choose if
    it does not work."""

    quantisation: str
    stages: Mapping[Stage, int]
    roomy: bool
    blocks: int
    spans: Mapping[Stage, tuple[float, float]]
    told: str
    advice: str

    @property
    def peak(self) -> int:
        """Bytes."""
        return max(self.stages.values())

    def span(self, stage: Stage) -> tuple[float, float]:
        """Where a stage begins and ends, as shares of the whole."""
        return self.spans[stage]


def planned(
    files: Files, frame: Frame, prompt: str, options: QwenEditOptions, device: str, lent: int, itemsize: int
) -> Plan:
    """The largest quantisation that fits what the device lends, in bytes. itemsize: of a number that is computed with.
    Raises OutOfMemory with the numbers where none does."""
    most = int(SPARED * lent)
    works = [Work(files, name, frame, prompt, options, device, itemsize) for name in files.transformers]
    for work in sorted(works, key=lambda work: -work.stored):
        found = work.plan(most)
        if found.peak <= most:
            return found
    raise OutOfMemory(
        f"{found.told} This machine lends {lent / 1e9:.1f} GB, and {most / 1e9:.1f} GB of that may be used.",
        hint=found.advice,
    )


@dataclass(frozen=True, eq=False)
class Work:
    """One edit with one quantisation."""

    files: Files
    quantisation: str
    frame: Frame
    prompt: str
    options: QwenEditOptions
    device: str
    itemsize: int

    def plan(self, most: int) -> Plan:
        """What it takes; roomy: whether all of it stays below `most` bytes together."""
        weights, text, pixels = self._painter_bytes(), self._reader_bytes(), self._pixel_bytes()
        painting = weights + self._states()
        roomy = text + max(painting, weights + pixels) <= most
        stages: dict[Stage, int] = {
            "text": text,
            "encode": pixels,
            "load": max(weights, self._unpacked(self._painter, modulates)),
            "denoise": painting,
            "decode": pixels + (weights if roomy else 0),
        }
        told = (
            f"{self.quantisation} takes about {max(stages.values()) / 1e9:.1f} GB: "
            f"{text / 1e9:.1f} to read the prompt, {stages['denoise'] / 1e9:.1f} to paint, "
            f"{stages['decode'] / 1e9:.1f} for the result."
        )
        return Plan(
            self.quantisation,
            stages,
            roomy=roomy,
            blocks=self._blocks,
            spans=_spans(self._effort(weights)),
            told=told,
            advice=self._advice(),
        )

    @cached_property
    def _painter(self) -> TensorFile:
        return painter(self.files.transformers[self.quantisation])

    @property
    def stored(self) -> int:
        """Bytes of the transformer on the disk."""
        return sum(stored.bytes for stored in self._painter.tensors.values())

    @cached_property
    def _width(self) -> int:
        return self._painter.stored("img_in.weight").shape[0]

    @cached_property
    def _blocks(self) -> int:
        names = (name.split(".") for name in self._painter.tensors)
        return len({parts[1] for parts in names if parts[0] == "transformer_blocks"})

    @cached_property
    def _tokens(self) -> tuple[int, int]:
        """Of pictures, result and references; and of words."""
        pictures = [self.frame.padded, *self.frame.references]
        seen = sum(picture.shape[0] * picture.shape[1] // MULTIPLE**2 for picture in pictures)
        said = min(MOST_WORDS, math.ceil(len(self.prompt) / CHARACTERS))
        return seen, said + PICTURE_TOKENS * len(self.frame.references)

    def _painter_bytes(self) -> int:
        """The weights without modulation, what Lightning adds to them, and the tables."""
        weights = sum(
            stored.resident(self.itemsize)
            for name, stored in self._painter.tensors.items()
            if not modulates(name)
        )
        if self.options.lightning:
            added = listed(self.files.change(self.options.steps))
            weights += sum(
                stored.resident(self.itemsize) for name, stored in added.items() if not modulates(name)
            )
        return weights + self.options.steps * self._blocks * len(STREAMS) * 6 * self._width * self.itemsize

    def _states(self) -> int:
        """What a block holds beside its weights."""
        tokens = sum(self._tokens)
        scores = SCORE_SHARE * SCORES if self.device == "mps" else 0
        return STATES * self._width * tokens * self.itemsize + scores + self._unpacked(self._painter)

    def _unpacked(
        self, file: TensorFile, wanted: Callable[[str], bool] = lambda name: not modulates(name)
    ) -> int:
        """The largest layer on its way from its quantised form."""
        sizes = [
            math.prod(stored.shape) * max(UNPACKING.get(stored.kind, MOST_UNPACKING), HALF + self.itemsize)
            for name, stored in file.tensors.items()
            if wanted(name) and not name.startswith(OUTSIDE) and stored.kind not in WIDTHS
        ]
        return max(sizes, default=0)

    def _reader_bytes(self) -> int:
        """What reads the prompt: its layers, the vision part in plain numbers, and its states."""
        language, sight = GgufFile(self.files.text, TEXT_KIND), GgufFile(self.files.vision, VISION_KIND)
        weights = sum(
            stored.resident(self.itemsize)
            for file in (language, sight)
            for name, stored in file.tensors.items()
            if not name.startswith(OUTSIDE)
        )
        width = language.stored("token_embd.weight").shape[1]
        states = READING * width * (self._tokens[1] + HEAD_TOKENS) * self.itemsize
        return weights + states + self._unpacked(language)

    def _pixel_bytes(self) -> int:
        """The autoencoder at work on a tile, and the whole picture."""
        weights = sum(
            stored.resident(self.itemsize) // (stored.shape[2] if len(stored.shape) == KERNEL else 1)
            for stored in listed(self.files.pixels / PIXELS).values()
        )
        pixels = self.frame.padded.shape[0] * self.frame.padded.shape[1]
        numbers = TILE_NUMBERS * min(pixels, TILE) + WHOLE_NUMBERS * pixels
        return int(weights + numbers * self.itemsize)

    def _effort(self, weights: int) -> dict[Stage, float]:
        """Floating point operations of each stage, or what takes about as long."""
        pictures, words = self._tokens
        rounds = 2 if self.options.looks_twice() else 1
        numbers = sum(
            math.prod(stored.shape) for name, stored in self._painter.tensors.items() if not modulates(name)
        )
        tokens = pictures + words
        step = 2 * numbers * tokens + 4 * tokens**2 * self._width * self._blocks
        reader = self.files.text.stat().st_size * 2  # two numbers to a byte
        pixels = sum(picture.shape[0] * picture.shape[1] for picture in self.frame.references)
        drawn = self.frame.padded.shape[0] * self.frame.padded.shape[1]
        return {
            "text": 2.0 * reader * (words + HEAD_TOKENS) * rounds + LOADING * reader,
            "encode": float(ENCODING * pixels),
            "load": float(LOADING * weights),
            "denoise": float(self.options.steps * rounds * step),
            "decode": float(DECODING * drawn),
        }

    def _advice(self) -> str:
        smaller = [name for name in SMALLER if name not in self.files.transformers]
        pull = f", or pull a smaller one with `--quant {smaller[0]}`" if smaller else ""
        return f"Use a smaller picture, or fewer{pull}."


def painter(path: Path) -> TensorFile:
    """The transformer's file, or the folder of its parts."""
    return Shards(path) if path.is_dir() else GgufFile(path, ARCHITECTURE)


def modulates(name: str) -> bool:
    """Whether a layer or a tensor belongs to what tables replace."""
    return any(f".{stream}." in name for stream in STREAMS)


def _spans(effort: Mapping[Stage, float]) -> dict[Stage, tuple[float, float]]:
    whole, begun, spans = sum(effort.values()), 0.0, {}
    for stage, share in effort.items():
        spans[stage] = (begun, begun + share / whole)
        begun += share / whole
    return spans
