"""The denoising transformer from a GGUF file or safetensors, without the third of it that only looks at the timestep.

Modulation (img_mod, txt_mod) takes 6.8 of the 20.4 billion parameters and depends on nothing but the timestep. For each
step of the schedule its answers are computed once, block by block, and kept: 35 MB for eight steps. The parameters
themselves are never all in memory, and after the first time not read at all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate import init_empty_weights
from diffusers.models.transformers.transformer_qwenimage import QwenImageTransformer2DModel
from torch import Tensor, nn

from models.local.qwen_edit_gguf.engine import lightning
from models.local.qwen_edit_gguf.kept import Kept, identity
from models.local.qwen_edit_gguf.memory import STREAMS, modulates
from models.runtime import tensors
from models.runtime.tensors import TensorFile, damaged

MARKER = "__index_timestep_zero__"  # an empty tensor that some files of the 2511 kind carry


@dataclass(eq=False)
class Clock:
    """Which step of the schedule it is: what the tables are looked up by."""

    step: int = 0


class Table(nn.Module):
    """Modulation as computed beforehand. rows: (steps, rows, 6 * width)."""

    def __init__(self, rows: Tensor, clock: Clock) -> None:
        super().__init__()
        self.rows = nn.Buffer(rows)
        self._clock = clock

    def forward(self, _: Tensor) -> Tensor:
        """That of the current step."""
        return self.rows[self._clock.step]


@dataclass(eq=False)
class Denoiser:
    """A loaded transformer and the clock of its tables."""

    network: nn.Module
    clock: Clock

    def __call__(
        self,
        step: int,
        latents: Tensor,
        timestep: Tensor,
        embeds: Tensor,
        shapes: Sequence[tuple[int, int, int]],
    ) -> Tensor:
        """The velocity (1, tokens, channels). timestep: in [0, 1]; shapes: (1, rows, columns) of the result and the
        references, in tokens."""
        self.clock.step = step
        answer: Tensor = self.network(
            hidden_states=latents,
            timestep=timestep,
            encoder_hidden_states=embeds,
            img_shapes=[list(shapes)],
            return_dict=False,
        )[0]
        return answer


def configured(file: TensorFile, *, zero_cond_t: bool) -> QwenImageTransformer2DModel:
    """The network that the file's tensors belong to, empty."""
    width = file.stored("img_in.weight").shape[0]
    head = file.stored("transformer_blocks.0.attn.norm_q.weight").shape[0]
    channels = file.stored("img_in.weight").shape[1]
    blocks = {name.split(".")[1] for name in file.tensors if name.startswith("transformer_blocks.")}
    with init_empty_weights():
        return QwenImageTransformer2DModel(
            in_channels=channels,
            out_channels=file.stored("proj_out.weight").shape[0] // 4,
            num_layers=len(blocks),
            attention_head_dim=head,
            num_attention_heads=width // head,
            joint_attention_dim=file.stored("txt_in.weight").shape[1],
            zero_cond_t=zero_cond_t,
        ).eval()


def load(
    file: TensorFile,
    timesteps: Sequence[float],
    *,
    zero_cond_t: bool,
    change: Path | None,
    device: torch.device,
    dtype: torch.dtype,
    kept: Kept,
    tick: Callable[[], None],
) -> Denoiser:
    """The transformer for these timesteps (1000 is noise, 0 the picture). change: a Lightning file. `tick` is called
    for every block."""
    network = configured(file, zero_cond_t=zero_cond_t)
    changes = lightning.read(change, lambda layer: not modulates(layer), device, dtype) if change else {}
    loader = _Loader(file, network, changes, device, dtype)
    blocks = len(network.transformer_blocks)
    loader.fill(
        [name for name in file.tensors if not name.startswith("transformer_blocks.") and name != MARKER]
    )
    made_from = {
        "file": identity(file.path), "change": identity(change) if change else None, "timesteps": list(timesteps),
        "zero_cond_t": zero_cond_t, "dtype": str(dtype), "device": device.type,
    }  # fmt: skip
    tables = kept.find(made_from)
    if tables is None:
        modulating = lightning.read(change, modulates, device, dtype) if change else {}
        tables = _baked(replace(loader, changes=modulating), timesteps, tick)
        del modulating
        kept.keep(made_from, tables)
    clock = Clock()
    for block in range(blocks):
        tick()
        prefix = f"transformer_blocks.{block}."
        for stream in STREAMS:
            table = Table(tables[prefix + stream].to(device, dtype), clock)
            network.set_submodule(prefix + stream, table)
        loader.fill([name for name in file.tensors if name.startswith(prefix) and not modulates(name)])
    if left := next(tensors.missing(network), None):
        raise damaged(file.path, f"has no tensor {left}")
    return Denoiser(network, clock)


@dataclass(eq=False)
class _Loader:
    file: TensorFile
    network: nn.Module
    changes: Mapping[str, lightning.Change]
    device: torch.device
    dtype: torch.dtype

    def fill(self, names: Sequence[str]) -> None:
        """Put these tensors into the network, and beside the layers what changes them."""
        name = ""
        try:
            for name in names:
                weight = self.file.parameter(name, self.device, self.dtype)
                tensors.place(self.network, name, weight, self.dtype)
            for layer in dict.fromkeys(name.rpartition(".")[0] for name in names):
                lightning.apply(self.network, layer, self.changes.get(layer))
        except AttributeError:
            raise damaged(self.file.path, f"holds a tensor {name}, which has no place") from None
        except ValueError as error:
            raise damaged(self.file.path, f"does not fit: {error}") from None


def _baked(loader: _Loader, timesteps: Sequence[float], tick: Callable[[], None]) -> dict[str, Tensor]:
    """What every block's modulation answers at every timestep; its weights are in memory one layer at a time."""
    network, tables = loader.network, {}
    states = [_time(loader, timestep) for timestep in timesteps]
    for block in range(len(network.transformer_blocks)):
        tick()
        for stream in STREAMS:
            name = f"transformer_blocks.{block}.{stream}"
            layer = _plain(loader, f"{name}.1")
            rows = [states_of(stream, state) for state in states]
            tables[name] = torch.stack([layer(nn.functional.silu(row)) for row in rows])
            del layer  # or the next one would be unpacked beside it
    return tables


def states_of(stream: str, state: Tensor) -> Tensor:
    """What a stream's modulation sees: the text's never the time of the references, which is the second row."""
    return state if stream == "img_mod" else state[:1]


def _time(loader: _Loader, timestep: float) -> Tensor:
    """(1 or 2, width): the embedding of a timestep, and of zero where the network wants that for the references."""
    network = loader.network
    scaled = torch.tensor([timestep], device=loader.device).to(loader.dtype) / 1000
    if network.zero_cond_t:
        scaled = torch.cat([scaled, scaled * 0])
    states: Tensor = network.time_text_embed(scaled, torch.empty(0, device=loader.device, dtype=loader.dtype))
    return states


def _plain(loader: _Loader, name: str) -> nn.Module:
    """A linear layer of the file with its numbers unpacked, so that many timesteps pay for that once."""
    weight, bias = (
        loader.file.values(f"{name}.{part}", loader.device, loader.dtype) for part in ("weight", "bias")
    )
    layer: nn.Module = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    layer.weight, layer.bias = (nn.Parameter(part, requires_grad=False) for part in (weight, bias))
    change = loader.changes.get(name)
    return lightning.Changed(layer, change) if change else layer
