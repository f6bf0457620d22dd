"""Tensors kept on the disk by what they were made from: modulation tables, embeddings of prompts. A cache: whatever
is wrong with it, the tensors are made again."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

MOST = 1_000_000_000  # bytes; the least recently used go first


class Kept:
    """A folder of such files. most: bytes that they may take together."""

    def __init__(self, folder: Path, most: int = MOST) -> None:
        self._folder, self._most = folder, most

    def find(self, made_from: Mapping[str, Any]) -> "dict[str, Tensor] | None":
        """What was kept, on the CPU, or None."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        file = self._file(made_from)
        try:
            tensors = dict(load_file(file))
            os.utime(file)
        except FileNotFoundError:
            return None
        except (SafetensorError, OSError):
            file.unlink(missing_ok=True)
            return None
        return tensors

    def keep(self, made_from: Mapping[str, Any], tensors: "Mapping[str, Tensor]") -> None:
        """Write them, whole or not at all; a full disk is no reason to fail."""
        from safetensors.torch import save_file

        plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".new-", dir=self._folder) as scratch:
                written = Path(scratch) / "tensors"
                save_file(plain, written)
                written.replace(self._file(made_from))
            self._prune()
        except OSError:
            return

    def _file(self, made_from: Mapping[str, Any]) -> Path:
        told = json.dumps(made_from, sort_keys=True).encode()
        return self._folder / f"{hashlib.sha256(told).hexdigest()}.safetensors"

    def _prune(self) -> None:
        files = sorted(self._folder.glob("*.safetensors"), key=lambda file: -file.stat().st_mtime)
        held = 0
        for file in files:
            held += file.stat().st_size
            if held > self._most:
                file.unlink(missing_ok=True)


def identity(file: Path) -> tuple[str, int, int]:
    """By what a large file is told apart without reading it."""
    stat = file.stat()
    return file.name, stat.st_size, stat.st_mtime_ns
