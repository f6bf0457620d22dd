"""Qwen-Image-Edit, a 20-billion-parameter editor, on machines with little memory.

The denoising transformer comes quantised (GGUF), what reads the prompt too. One network is in memory at a time, a third
of the transformer never is, and pictures keep their exact size. The stages are in `engine`.
"""

import secrets
from typing import TYPE_CHECKING

from models.local.qwen_edit_gguf.files import VERSIONS, found
from models.local.qwen_edit_gguf.kept import Kept
from models.local.qwen_edit_gguf.options import QwenEditOptions
from models.requests import Image, ImageEdit, Run
from models.runtime.device import best_device, computes_bfloat16, lendable_memory
from models.spec import MOST_SEED, Host

if TYPE_CHECKING:
    from models.local.qwen_edit_gguf.engine.edit import Editor


def load(host: Host) -> "QwenEdit":
    """Qwen-Image-Edit-2509; raises WeightsMissing."""
    return _loaded(host, "2509")


def load_2511(host: Host) -> "QwenEdit":
    """Qwen-Image-Edit-2511; raises WeightsMissing."""
    return _loaded(host, "2511")


def _loaded(host: Host, name: str) -> "QwenEdit":
    version = VERSIONS[name]
    files = found(host.weights, version)
    import torch

    from models.local.qwen_edit_gguf.engine.edit import Chip, Editor

    device = best_device() if host.device == "cpu" else host.device
    dtype = (
        torch.bfloat16 if computes_bfloat16(device) else torch.float32
    )  # float16 overflows in this network
    chip = Chip(torch.device(device), dtype, lendable_memory(device))
    return QwenEdit(Editor(files, version, chip, Kept(host.weights / version.weights / "kept")))


class QwenEdit:
    """A loaded model; its networks come and go with the stages of an edit."""

    def __init__(self, editor: "Editor") -> None:
        self._editor = editor

    def __call__(self, request: ImageEdit, run: Run) -> tuple[Image, ...]:
        """The first picture as the prompt says, as large as it came; or both side by side."""
        from models.local.qwen_edit_gguf.engine.edit import Edit

        options = QwenEditOptions.model_validate(dict(request.options))
        seed = secrets.randbelow(MOST_SEED) if options.seed is None else options.seed
        run.log(f"Seed {seed}")
        asked = Edit(request.images, request.prompt, request.mask, options, seed)
        return (self._editor(asked, run),)
