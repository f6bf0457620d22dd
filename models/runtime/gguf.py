"""GGUF files: quantised tensors, and what they belong to. Only the header is read here.

Layout of the format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import math
import struct
from pathlib import Path
from typing import Any, BinaryIO

from models.runtime.tensors import WIDTHS, Stored, TensorFile, damaged

MAGIC = b"GGUF"
PREFIX = "model.diffusion_model."  # what some files have before every name
VERSIONS = (2, 3)
ALIGNMENT = 32
SCALARS = "BbHhIifxxxQqd"  # struct codes of value types 0 to 12; 7 is bool, 8 a text, 9 an array
BOOL, TEXT, ARRAY = 7, 8, 9
LONGEST_ARRAY = 64  # longer ones are vocabularies, which are not wanted
MOST_ENTRIES = 1 << 20  # of keys, of tensors, and of the bytes of a name
MOST_DIMENSIONS = 8
COMPUTED = (2, 3, 6, 7, 8, 10, 11, 12, 13, 14, 20, 23)  # quantised types that diffusers can unpack


class GgufFile(TensorFile):
    """An opened file. metadata: its keys without long arrays. Raises WeightsDamaged where the file is cut short, is
    none of these, or holds another architecture than the named one."""

    def __init__(self, path: Path, architecture: str) -> None:
        size = path.stat().st_size
        try:
            with path.open("rb") as stream:
                self.metadata, tensors = _header(stream, path, size)
        except (struct.error, OSError, OverflowError, ValueError, MemoryError) as error:
            raise damaged(path, f"is cut short or no GGUF file: {error}") from error
        found = self.metadata.get("general.architecture")
        if found != architecture:
            raise damaged(path, f"holds a network of the kind {found!r}, and {architecture!r} is needed")
        super().__init__(path, tensors)

    def number(self, key: str) -> Any:
        """The value of a key; raises WeightsDamaged if there is none."""
        if key not in self.metadata:
            raise damaged(self.path, f"does not tell its {key}")
        return self.metadata[key]


def _header(stream: BinaryIO, path: Path, size: int) -> tuple[dict[str, Any], dict[str, Stored]]:
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
        name: Stored(path, kind, shape, begin + offset, _bytes(kind, shape))
        for name, kind, shape, offset in listed
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
    name = _text(stream).removeprefix(PREFIX)
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
    if kind not in (*WIDTHS, *COMPUTED):
        raise ValueError(f"it is quantised as {known.name}, which cannot be computed with")
    block, width = gguf.GGML_QUANT_SIZES[known]
    count = math.prod(shape)
    if count % block or (shape and shape[-1] % block):
        raise ValueError("a row of a tensor in it is no whole number of blocks")
    return count // int(block) * int(width)
