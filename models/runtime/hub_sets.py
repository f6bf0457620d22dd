"""Which sets of weights come from the model hub: repositories, files, licences. `hub` fetches and checks them."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class HubFile:
    """A file of a repository. becomes: the name that we keep it by -> the part of it that goes there as safetensors; ""
    is all of it, None the very bytes. bytes, memory: about, on the disk and at work, where there is a choice."""

    path: str
    becomes: Mapping[str, str | None]
    bytes: int = 0
    memory: int = 0


@dataclass(frozen=True)
class HubSet:
    """Files that belong together, in a folder of the set's name. repositories: the same files under every name that
    they have had. bytes: about, to be told before anything is fetched. choices: one of these is enough, by a name that
    a person types; the first is the one to take. needs: sets that this one is of no use without; they come with it.
    patterns: of paths; all that the repository has of these are kept too, in its own folders, as they are."""

    name: str
    title: str
    licence: str
    repositories: tuple[str, ...]
    files: tuple[HubFile, ...]
    bytes: int
    choices: Mapping[str, HubFile] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()

    @property
    def kept(self) -> tuple[str, ...]:
        """The names of the files on this machine, but for those of which one is enough."""
        return tuple(name for file in self.files for name in file.becomes)


def as_it_is(path: str, size: int = 0, memory: int = 0) -> HubFile:
    """A file that is kept byte for byte, by its own name."""
    return HubFile(path, {path.rpartition("/")[2]: None}, size, memory)


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
# GB of the file, and of memory at a megapixel (see benchmarks/qwen_edit.py); the first is recommended
_SIZES = {"Q5_K_S": (14.1, 11.7), "Q2_K": (7.2, 7.1), "Q4_K_M": (13.1, 11.3), "Q8_0": (21.8, 16.8)}


def _qwen_edit(version: str, repository: str, file: str) -> HubSet:
    return HubSet(
        name=f"qwen-edit-{version}-gguf",
        title=f"Qwen-Image-Edit-{version}",
        licence="Apache-2.0",
        repositories=(repository,),
        files=(),
        bytes=int(_SIZES["Q5_K_S"][0] * 1e9),
        choices={
            name: as_it_is(file.format(name), *(int(gigabytes * 1e9) for gigabytes in both))
            for name, both in _SIZES.items()
        },
        needs=(_QWEN_READER.name, _QWEN_PIXELS.name, f"qwen-edit-{version}-lightning"),
    )


def _qwen_whole(version: str) -> HubSet:
    return HubSet(
        name=f"qwen-edit-{version}-bf16",
        title=f"Qwen-Image-Edit-{version} in bfloat16 (for GPUs of 48 GB)",
        licence="Apache-2.0",
        repositories=(f"Qwen/Qwen-Image-Edit-{version}",),
        files=(),
        bytes=40_900_000_000,
        needs=(_QWEN_READER.name, _QWEN_PIXELS.name, f"qwen-edit-{version}-lightning"),
        patterns=("transformer/*.safetensors",),
    )


_PARTS = ("model_index.json", "scheduler/*.json", "tokenizer*/*", "*/config.json")


def _pipeline(
    name: str, title: str, licence: str, repository: str, gigabytes: float, *weights: str
) -> HubSet:
    """A pipeline in the layout of diffusers. weights: patterns of the files with the numbers."""
    return HubSet(
        name=name,
        title=title,
        licence=licence,
        repositories=(repository,),
        files=(),
        bytes=int(gigabytes * 1e9),
        patterns=(*_PARTS, *weights),
    )


_WHOLE = tuple(
    f"{part}/{file}"
    for part in ("transformer", "text_encoder", "vae")
    for file in ("*.safetensors", "*.safetensors.index.json", "generation_config.json")
)
_HALVES = tuple(f"{part}/*.fp16.safetensors" for part in ("unet", "text_encoder", "text_encoder_2", "vae"))


HUB: dict[str, HubSet] = {
    hub_set.name: hub_set
    for hub_set in (
        _LIVEPORTRAIT,
        _qwen_edit("2509", "QuantStack/Qwen-Image-Edit-2509-GGUF", "Qwen-Image-Edit-2509-{}.gguf"),
        _qwen_edit("2511", "unsloth/Qwen-Image-Edit-2511-GGUF", "qwen-image-edit-2511-{}.gguf"),
        _qwen_whole("2509"),
        _qwen_whole("2511"),
        _QWEN_READER,
        _QWEN_PIXELS,
        _LIGHTNING_2509,
        _LIGHTNING_2511,
        _pipeline(
            "flux2-klein-4b",
            "FLUX.2 klein 4B",
            "Apache-2.0",
            "black-forest-labs/FLUX.2-klein-4B",
            16.0,
            *_WHOLE,
        ),
        _pipeline("z-image-turbo", "Z-Image-Turbo", "Apache-2.0", "Tongyi-MAI/Z-Image-Turbo", 33.0, *_WHOLE),
        _pipeline(
            "sdxl",
            "Stable Diffusion XL",
            "OpenRAIL++-M",
            "stabilityai/stable-diffusion-xl-base-1.0",
            6.9,
            *_HALVES,
        ),
        _pipeline(
            "sd-1.5",
            "Stable Diffusion 1.5",
            "OpenRAIL-M",
            "stable-diffusion-v1-5/stable-diffusion-v1-5",
            2.7,
            *_HALVES,
        ),
    )
}
