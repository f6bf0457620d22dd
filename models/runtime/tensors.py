"""Files of tensors, and how a tensor gets into a network without a copy of the file.

What a CPU computes with as it is stored stays in a mapping of the file, whose pages the system may drop. What has to be
converted, or goes to another device, is read one tensor at a time: pages of a mapping would stay beside the copy.
`gguf` has the files of quantised tensors; here are safetensors.
"""

import json
import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import WeightsDamaged

if TYPE_CHECKING:
    from torch import Tensor, nn

F32, F16, BF16 = 0, 1, 30  # GGML's numbers of types, as `gguf.GGMLQuantizationType` has them
KINDS = {"F32": F32, "F16": F16, "BF16": BF16}  # by safetensors' names
WIDTHS = {F32: 4, F16: 2, BF16: 2}  # bytes
LONGEST_HEADER = 1 << 25


@dataclass(frozen=True)
class Stored:
    """A tensor as it lies in a file. kind: its GGML type; shape: of its values, rows first; start and bytes: where."""

    file: Path
    kind: int
    shape: tuple[int, ...]
    start: int
    bytes: int

    def resident(self, itemsize: int) -> int:
        """Bytes in memory, where plain numbers take `itemsize` each."""
        return math.prod(self.shape) * itemsize if self.kind in WIDTHS else self.bytes


def damaged(file: Path, wrong: str) -> WeightsDamaged:
    """What to raise of a file of which something is wrong."""
    return WeightsDamaged(f"{file.name} {wrong}.", hint=f"Remove {file} and pull it again.")


class TensorFile:
    """Tensors by name. path: a file, or the folder of several."""

    def __init__(self, path: Path, tensors: Mapping[str, Stored]) -> None:
        self.path, self.tensors = path, tensors
        self._mappings: dict[Path, Tensor] = {}

    def stored(self, name: str) -> Stored:
        """Where a tensor lies; raises WeightsDamaged if there is none of this name."""
        if name not in self.tensors:
            raise damaged(self.path, f"has no tensor {name}")
        return self.tensors[name]

    def parameter(self, name: str, device: Any, dtype: Any) -> "nn.Parameter":
        """The tensor on a device. Plain numbers come in `dtype`; quantised ones stay as they are, uint8 with a
        `quant_type`, for layers that compute with such (see `place`)."""
        import torch

        stored = self.stored(name)
        stays = torch.device(device).type == "cpu" and _plain(stored.kind) in (None, dtype)
        return _parameter(stored, self._mapped(stored) if stays else _read(stored), device, dtype)

    def values(self, name: str, device: Any, dtype: Any) -> "Tensor":
        """The tensor's numbers in `dtype`, whatever it is stored as."""
        from diffusers.quantizers.gguf.utils import dequantize_gguf_tensor

        stored = self.stored(name)
        return dequantize_gguf_tensor(_parameter(stored, _read(stored), device, dtype)).to(dtype)

    def _mapped(self, stored: Stored) -> "Tensor":
        import torch

        file = stored.file
        if file not in self._mappings:
            size = file.stat().st_size
            self._mappings[file] = torch.from_file(str(file), shared=False, size=size, dtype=torch.uint8)
        return self._mappings[file][stored.start : stored.start + stored.bytes]


class Shards(TensorFile):
    """All safetensors of a folder as one. Raises WeightsDamaged."""

    def __init__(self, folder: Path) -> None:
        tensors: dict[str, Stored] = {}
        for file in sorted(folder.glob("*.safetensors")):
            tensors |= listed(file)
        super().__init__(folder, tensors)


def listed(file: Path) -> dict[str, Stored]:
    """What a safetensors file holds, from its header. Raises WeightsDamaged."""
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            told = json.loads(stream.read(min(length, LONGEST_HEADER)))
        found = {}
        for name, entry in told.items():
            if name != "__metadata__":
                begin, end = entry["data_offsets"]
                start, shape, kind = 8 + length + begin, tuple(entry["shape"]), KINDS[entry["dtype"]]
                if start + math.prod(shape) * WIDTHS[kind] > size:
                    raise ValueError("it ends too early")
                found[name] = Stored(file, kind, shape, start, end - begin)
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(file, f"is cut short or no safetensors file: {error}") from error
    return found


def _read(stored: Stored) -> "Tensor":
    """uint8 (bytes,): a tensor's bytes in memory of their own."""
    import numpy as np
    import torch

    return torch.from_numpy(np.fromfile(stored.file, np.uint8, stored.bytes, offset=stored.start))


def _parameter(stored: Stored, raw: "Tensor", device: Any, dtype: Any) -> "nn.Parameter":
    """Of a tensor's bytes; see `TensorFile.parameter`."""
    import gguf
    from diffusers.quantizers.gguf.utils import GGUFParameter
    from torch import nn

    plain = _plain(stored.kind)
    if plain is not None:
        values = raw.view(plain).view(stored.shape).to(device, dtype)
        return nn.Parameter(values, requires_grad=False)
    kind = gguf.GGMLQuantizationType(stored.kind)
    return GGUFParameter(raw.view(*stored.shape[:-1], -1).to(device), quant_type=kind)


def _plain(kind: int) -> Any:
    """The dtype of a type whose numbers are not quantised, else None."""
    import torch

    return {F32: torch.float32, F16: torch.float16, BF16: torch.bfloat16}.get(kind)


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
