"""Which sets of weights come from the model hub: repositories, files, licences. `hub` fetches and checks them."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class HubFile:
    """A file of a repository. becomes: the name that we keep it by -> the part of it that goes there as safetensors; ""
    is all of it, None the very bytes. bytes: about, where there is a choice."""

    path: str
    becomes: Mapping[str, str | None]
    bytes: int = 0


@dataclass(frozen=True)
class HubSet:
    """Files that belong together, in a folder of the set's name. repositories: the same files under every name that
    they have had. bytes: about, to be told before anything is fetched. choices: one of these is enough, by a name that
    a person types; the first is the one to take. needs: sets that this one is of no use without; they come with it."""

    name: str
    title: str
    licence: str
    repositories: tuple[str, ...]
    files: tuple[HubFile, ...]
    bytes: int
    choices: Mapping[str, HubFile] = field(default_factory=dict)
    needs: tuple[str, ...] = ()

    @property
    def kept(self) -> tuple[str, ...]:
        """The names of the files on this machine, but for those of which one is enough."""
        return tuple(name for file in self.files for name in file.becomes)


def as_it_is(path: str, size: int = 0) -> HubFile:
    """A file that is kept byte for byte, by its own name."""
    return HubFile(path, {path.rpartition("/")[2]: None}, size)


_PORTRAIT = "liveportrait/base_models"
_LIVEPORTRAIT = HubSet(
    name="liveportrait",
    title="LivePortrait",
    licence="MIT",
    repositories=("KwaiVGI/LivePortrait", "KlingTeam/LivePortrait"),
    files=(
        *(
            HubFile(f"{_PORTRAIT}/{name}.pth", {f"{name}.safetensors": ""})
            for name in (
                "appearance_feature_extractor",
                "motion_extractor",
                "warping_module",
                "spade_generator",
            )
        ),
        HubFile(
            "liveportrait/retargeting_models/stitching_retargeting_module.pth",
            {
                "stitching.safetensors": "retarget_shoulder",
                "lip.safetensors": "retarget_mouth",
                "eye.safetensors": "retarget_eye",
            },
        ),
    ),
    bytes=521_000_000,
)

# Qwen-Image-Edit: the transformer in one of several quantisations; what reads the prompt; pixels and words; few steps.
_QWEN_READER = HubSet(
    name="qwen2.5-vl-7b-gguf",
    title="Qwen2.5-VL 7B (reads the prompt)",
    licence="Apache-2.0",
    repositories=("unsloth/Qwen2.5-VL-7B-Instruct-GGUF",),
    files=(as_it_is("Qwen2.5-VL-7B-Instruct-Q4_K_M.gguf"), as_it_is("mmproj-BF16.gguf")),
    bytes=6_040_000_000,
)
_QWEN_PIXELS = HubSet(
    name="qwen-image-vae",
    title="Qwen-Image autoencoder and tokeniser",
    licence="Apache-2.0",
    repositories=("Qwen/Qwen-Image-Edit-2509",),
    files=(
        as_it_is("vae/config.json"),
        as_it_is("vae/diffusion_pytorch_model.safetensors"),
        as_it_is("tokenizer/vocab.json"),
        as_it_is("tokenizer/merges.txt"),
        as_it_is("tokenizer/tokenizer_config.json"),
    ),
    bytes=259_000_000,
)
_LIGHTNING_2509 = HubSet(
    name="qwen-edit-2509-lightning",
    title="Lightning for Qwen-Image-Edit-2509 (4 and 8 steps)",
    licence="Apache-2.0",
    repositories=("lightx2v/Qwen-Image-Lightning",),
    files=tuple(
        as_it_is(f"Qwen-Image-Edit-2509/Qwen-Image-Edit-2509-Lightning-{steps}steps-V1.0-bf16.safetensors")
        for steps in (4, 8)
    ),
    bytes=1_700_000_000,
)
_LIGHTNING_2511 = HubSet(
    name="qwen-edit-2511-lightning",
    title="Lightning for Qwen-Image-Edit-2511 (4 steps)",
    licence="Apache-2.0",
    repositories=("lightx2v/Qwen-Image-Edit-2511-Lightning",),
    files=(as_it_is("Qwen-Image-Edit-2511-Lightning-4steps-V1.0-bf16.safetensors"),),
    bytes=850_000_000,
)
_SIZES = {"Q5_K_S": 14.1, "Q2_K": 7.2, "Q4_K_M": 13.1, "Q8_0": 21.8}  # GB


def _qwen_edit(version: str, repository: str, file: str) -> HubSet:
    return HubSet(
        name=f"qwen-edit-{version}-gguf",
        title=f"Qwen-Image-Edit-{version}",
        licence="Apache-2.0",
        repositories=(repository,),
        files=(),
        bytes=int(_SIZES["Q5_K_S"] * 1e9),
        choices={
            name: as_it_is(file.format(name), int(gigabytes * 1e9)) for name, gigabytes in _SIZES.items()
        },
        needs=(_QWEN_READER.name, _QWEN_PIXELS.name, f"qwen-edit-{version}-lightning"),
    )


HUB: dict[str, HubSet] = {
    hub_set.name: hub_set
    for hub_set in (
        _LIVEPORTRAIT,
        _qwen_edit("2509", "QuantStack/Qwen-Image-Edit-2509-GGUF", "Qwen-Image-Edit-2509-{}.gguf"),
        _qwen_edit("2511", "unsloth/Qwen-Image-Edit-2511-GGUF", "qwen-image-edit-2511-{}.gguf"),
        _QWEN_READER,
        _QWEN_PIXELS,
        _LIGHTNING_2509,
        _LIGHTNING_2511,
    )
}
