"""GGUF files: what they hold, tensor by tensor, and how a tensor gets into a network without a copy of the file.

Only the header is read; the tensors stay in a mapping of the file. On a CPU a network computes on that mapping, whose
pages the system may drop; elsewhere one tensor at a time is copied to the device. Layout of the format:
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from models.errors import WeightsDamaged

if TYPE_CHECKING:
    from torch import Tensor, nn

MAGIC = b"GGUF"
VERSIONS = (2, 3)
ALIGNMENT = 32
SCALARS = "BbHhIifxxxQqd"  # struct codes of value types 0 to 12; 7 is bool, 8 a text, 9 an array
BOOL, TEXT, ARRAY = 7, 8, 9
LONGEST_ARRAY = 64  # longer ones are vocabularies, which are not wanted
MOST_ENTRIES = 1 << 20  # of keys, of tensors, and of the bytes of a name
MOST_DIMENSIONS = 8
F32, F16, BF16 = 0, 1, 30  # GGML's numbers of types, as `gguf.GGMLQuantizationType` has them
COMPUTED = (2, 3, 6, 7, 8, 10, 11, 12, 13, 14, 20, 23)  # quantised types that diffusers can unpack


@dataclass(frozen=True)
class Stored:
    """A tensor as it lies in a file. kind: its GGML type; shape: of its values, rows first; start and bytes: where."""

    kind: int
    shape: tuple[int, ...]
    start: int
    bytes: int

    def resident(self, itemsize: int) -> int:
        """Bytes in memory, where plain numbers take `itemsize` each."""
        return math.prod(self.shape) * itemsize if self.kind in (F32, F16, BF16) else self.bytes


def damaged(file: Path, wrong: str) -> WeightsDamaged:
    """What to raise of a file of which something is wrong."""
    return WeightsDamaged(f"{file.name} {wrong}.", hint=f"Remove {file} and pull it again.")


class GgufFile:
    """An opened file. metadata: its keys without long arrays. Raises WeightsDamaged where the file is cut short, is
    none of these, or holds another architecture than the named one."""

    def __init__(self, path: Path, architecture: str) -> None:
        self.path, size = path, path.stat().st_size
        try:
            with path.open("rb") as stream:
                self.metadata, self.tensors = _header(stream, size)
        except (struct.error, OSError, OverflowError, ValueError, MemoryError) as error:
            raise damaged(path, f"is cut short or no GGUF file: {error}") from error
        found = self.metadata.get("general.architecture")
        if found != architecture:
            raise damaged(path, f"holds a network of the kind {found!r}, and {architecture!r} is needed")

    def number(self, key: str) -> Any:
        """The value of a key; raises WeightsDamaged if there is none."""
        if key not in self.metadata:
            raise damaged(self.path, f"does not tell its {key}")
        return self.metadata[key]

    def stored(self, name: str) -> Stored:
        """Where a tensor lies; raises WeightsDamaged if there is none of this name."""
        if name not in self.tensors:
            raise damaged(self.path, f"has no tensor {name}")
        return self.tensors[name]

    @cached_property
    def _mapping(self) -> "Tensor":
        import torch

        return torch.from_file(str(self.path), shared=False, size=self.path.stat().st_size, dtype=torch.uint8)

    def parameter(self, name: str, device: Any, dtype: Any) -> "nn.Parameter":
        """The tensor on a device. Plain numbers come in `dtype`; quantised ones stay as they are, uint8 with a
        `quant_type`, for `quantised` to compute with."""
        import gguf
        from diffusers.quantizers.gguf.utils import GGUFParameter
        from torch import nn

        stored = self.stored(name)
        raw = self._mapping[stored.start : stored.start + stored.bytes]
        plain = _plain(stored.kind)
        if plain is not None:
            values = raw.view(plain).view(stored.shape).to(device, dtype)
            return nn.Parameter(values, requires_grad=False)
        kind = gguf.GGMLQuantizationType(stored.kind)
        return GGUFParameter(raw.view(*stored.shape[:-1], -1).to(device), quant_type=kind)

    def values(self, name: str, device: Any, dtype: Any) -> "Tensor":
        """The tensor's numbers in `dtype`, whatever it is stored as."""
        from diffusers.quantizers.gguf.utils import dequantize_gguf_tensor

        return dequantize_gguf_tensor(self.parameter(name, device, dtype)).to(dtype)


def _plain(kind: int) -> Any:
    """The dtype of a type whose numbers are not quantised, else None."""
    import torch

    return {F32: torch.float32, F16: torch.float16, BF16: torch.bfloat16}.get(kind)


# --- into a network ---------------------------------------------------------------------------------------------


def place(network: "nn.Module", name: str, weight: "nn.Parameter", dtype: Any) -> None:
    """Put a weight where a network on the meta device has its parameter `name`. A linear layer whose weight is
    quantised becomes one that computes with such weights in `dtype`. Raises ValueError where it does not fit."""
    from diffusers.quantizers.gguf.utils import GGUFLinear
    from torch import nn

    owner, _, leaf = name.rpartition(".")
    layer = network.get_submodule(owner)
    wanted = getattr(layer, leaf).shape
    found = getattr(weight, "quant_shape", weight.shape)
    if tuple(wanted) != tuple(found):
        raise ValueError(f"its tensor {name} is {tuple(found)} and should be {tuple(wanted)}")
    if hasattr(weight, "quant_type"):
        if type(layer) is not nn.Linear:
            raise ValueError(f"its tensor {name} is quantised, and only those of linear layers may be")
        bias = layer.bias
        layer = GGUFLinear(layer.in_features, layer.out_features, False, compute_dtype=dtype, device="meta")
        layer.bias = bias
        network.set_submodule(owner, layer)
    setattr(layer, leaf, weight)


def missing(network: "nn.Module") -> Iterator[str]:
    """The names of parameters that no weight was put in place of."""
    return (name for name, weight in network.named_parameters() if weight.is_meta)


# --- the header -------------------------------------------------------------------------------------------------


def _header(stream: BinaryIO, size: int) -> tuple[dict[str, Any], dict[str, Stored]]:
    if stream.read(4) != MAGIC:
        raise ValueError("it does not begin like one")
    (version,) = _read(stream, "I")
    if version not in VERSIONS:
        raise ValueError(f"it is of version {version}")
    tensors, keys = _read(stream, "QQ")
    if max(tensors, keys) > MOST_ENTRIES:
        raise ValueError("its counts are absurd")
    metadata = {}
    for _ in range(keys):
        key = _text(stream)
        metadata[key] = _value(stream, *_read(stream, "I"))
    listed = [_entry(stream) for _ in range(tensors)]
    alignment = int(metadata.get("general.alignment", ALIGNMENT)) or ALIGNMENT
    begin = -(-stream.tell() // alignment) * alignment
    found = {
        name: Stored(kind, shape, begin + offset, _bytes(kind, shape)) for name, kind, shape, offset in listed
    }
    end = max((stored.start + stored.bytes for stored in found.values()), default=begin)
    if end > size:
        raise ValueError(f"it has {size:,} bytes and should have {end:,}")
    return metadata, found


def _read(stream: BinaryIO, code: str) -> tuple[Any, ...]:
    layout = struct.Struct("<" + code)
    return layout.unpack(stream.read(layout.size))


def _text(stream: BinaryIO) -> str:
    (length,) = _read(stream, "Q")
    if length > MOST_ENTRIES:
        raise ValueError("a text in it is absurdly long")
    return stream.read(length).decode()


def _value(stream: BinaryIO, kind: int) -> Any:
    if kind == TEXT:
        return _text(stream)
    if kind == ARRAY:
        return _array(stream)
    if kind == BOOL:
        return bool(_read(stream, "B")[0])
    if kind >= len(SCALARS):
        raise ValueError(f"it has a value of type {kind}")
    return _read(stream, SCALARS[kind])[0]


def _array(stream: BinaryIO) -> list[Any] | None:
    """A short array; None for a long one, which is passed over."""
    kind, count = _read(stream, "IQ")
    if count <= LONGEST_ARRAY:
        return [_value(stream, kind) for _ in range(count)]
    if kind == TEXT:
        for _ in range(count):
            (length,) = _read(stream, "Q")
            stream.seek(length, 1)
    elif kind == BOOL or (kind < len(SCALARS) and kind != ARRAY):
        width = 1 if kind == BOOL else struct.calcsize("<" + SCALARS[kind])
        stream.seek(count * width, 1)
    else:
        raise ValueError("it has an array of arrays")
    return None


def _entry(stream: BinaryIO) -> tuple[str, int, tuple[int, ...], int]:
    name = _text(stream)
    (dimensions,) = _read(stream, "I")
    if dimensions > MOST_DIMENSIONS:
        raise ValueError(f"{name} has {dimensions} dimensions")
    shape = _read(stream, f"{dimensions}Q")
    kind, offset = _read(stream, "IQ")
    return name, kind, tuple(reversed(shape)), offset


def _bytes(kind: int, shape: tuple[int, ...]) -> int:
    """The bytes of a tensor; raises ValueError for a type that nothing here computes with."""
    import gguf

    known = gguf.GGMLQuantizationType(kind)
    if kind not in (F32, F16, BF16, *COMPUTED):
        raise ValueError(f"it is quantised as {known.name}, which cannot be computed with")
    block, width = gguf.GGML_QUANT_SIZES[known]
    count = math.prod(shape)
    if count % block or (shape and shape[-1] % block):
        raise ValueError("a row of a tensor in it is no whole number of blocks")
    return count // int(block) * int(width)
