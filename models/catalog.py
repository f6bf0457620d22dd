"""Every model, one entry each, in the order the screens show them.

A model's file is imported when it is loaded: listing the catalog costs nothing.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from models.local import flux2_klein, stable_diffusion, z_image_turbo
from models.local.qwen_edit_gguf.options import QwenEditOptions
from models.requests import (
    FaceDetection,
    FaceLandmarks,
    ImageEdit,
    ImageTextToText,
    Inpainting,
    Loaded,
    MaskGeneration,
    Matting,
    PortraitRetarget,
    TextToImage,
)
from models.spec import Host, Limits, ModelSpec

MEDIAPIPE = "https://github.com/google-ai-edge/mediapipe"


def _local(name: str, entry: str = "load") -> Callable[[Host], Loaded[Any, Any]]:
    def load(host: Host) -> Loaded[Any, Any]:
        model: Loaded[Any, Any] = getattr(import_module(f"models.local.{name}"), entry)(host)
        return model

    return load


def _qwen_edit(version: str, entry: str) -> ModelSpec:
    return ModelSpec(
        id=f"qwen-edit-{version}-gguf",
        title=f"Qwen-Image-Edit {version} (this machine)",
        where="local",
        accepts=ImageEdit,
        load=_local("qwen_edit_gguf", entry),
        licence="Apache-2.0",
        url=f"https://huggingface.co/Qwen/Qwen-Image-Edit-{version}",
        memory=12000,
        weights=(f"qwen-edit-{version}-gguf",),
        options=QwenEditOptions,
        images=(1, 3),
        mask="optional",
        limits=Limits(prompt=(1, 8000), side=(1, 8192), ratio=8192),
    )


def _cloud(name: str) -> Callable[[Host], Loaded[Any, Any]]:
    def load(host: Host) -> Loaded[Any, Any]:
        model: Loaded[Any, Any] = import_module(f"models.cloud.{name}").load(host)
        return model

    return load


SPECS: tuple[ModelSpec, ...] = (
    ModelSpec(
        id="person-matte",
        title="Person segmenter",
        where="local",
        accepts=Matting,
        load=_local("person_matte"),
        licence="Apache-2.0",
        url=MEDIAPIPE,
        memory=20,
        weights=("starter",),
    ),
    ModelSpec(
        id="face-detector",
        title="Face detector",
        where="local",
        accepts=FaceDetection,
        load=_local("face_detector"),
        licence="Apache-2.0",
        url=MEDIAPIPE,
        memory=10,
        weights=("starter",),
    ),
    ModelSpec(
        id="face-mesh",
        title="Face landmarks",
        where="local",
        accepts=FaceLandmarks,
        load=_local("face_mesh"),
        licence="Apache-2.0",
        url=MEDIAPIPE,
        memory=30,
        weights=("starter",),
    ),
    ModelSpec(
        id="mesh-portrait",
        title="Turning portrait (mesh)",
        where="local",
        accepts=PortraitRetarget,
        load=_local("mesh_portrait"),
        licence="MIT",
        url="",
        memory=200,
    ),
    ModelSpec(
        id="liveportrait",
        title="Turning portrait (LivePortrait)",
        where="local",
        accepts=PortraitRetarget,
        load=_local("liveportrait"),
        licence="MIT",
        url="https://huggingface.co/KwaiVGI/LivePortrait",
        memory=3000,
        weights=("liveportrait",),
    ),
    ModelSpec(
        id="saliency-cut",
        title="Saliency and graph cuts",
        where="local",
        accepts=MaskGeneration,
        load=_local("saliency_cut"),
        licence="MIT",
        url="",
        memory=100,
    ),
    ModelSpec(
        id="closed-form",
        title="Closed-form matting",
        where="local",
        accepts=Matting,
        load=_local("closed_form"),
        licence="MIT",
        url="https://doi.org/10.1109/TPAMI.2007.1177",
        memory=100,
    ),
    ModelSpec(
        id="patchmatch",
        title="PatchMatch inpainting",
        where="local",
        accepts=Inpainting,
        load=_local("patchmatch"),
        licence="MIT",
        url="https://github.com/mauwii/PyPatchMatch",
        memory=200,
    ),
    _qwen_edit("2509", "load"),
    _qwen_edit("2511", "load_2511"),
    ModelSpec(
        id="flux2-klein-4b",
        title="FLUX.2 klein 4B (this machine)",
        where="local",
        accepts=ImageEdit,
        load=_local("flux2_klein"),
        licence="Apache-2.0",
        url="https://huggingface.co/black-forest-labs/FLUX.2-klein-4B",
        memory=10000,
        weights=(flux2_klein.WEIGHTS,),
        options=flux2_klein.Flux2KleinOptions,
        images=(1, 4),
        mask="optional",
        limits=Limits(prompt=(1, 4000), side=(1, 8192), ratio=8192),
    ),
    ModelSpec(
        id="z-image-turbo",
        title="Z-Image-Turbo (this machine)",
        where="local",
        accepts=TextToImage,
        load=_local("z_image_turbo"),
        licence="Apache-2.0",
        url="https://huggingface.co/Tongyi-MAI/Z-Image-Turbo",
        memory=14000,
        weights=(z_image_turbo.WEIGHTS,),
        options=z_image_turbo.ZImageTurboOptions,
        size="choose",
        limits=Limits(prompt=(1, 4000)),
    ),
    ModelSpec(
        id="sdxl",
        title="Stable Diffusion XL (this machine)",
        where="local",
        accepts=TextToImage,
        load=_local("stable_diffusion"),
        licence="OpenRAIL++-M",
        url="https://huggingface.co/stabilityai/stable-diffusion-xl-base-1.0",
        memory=9000,
        weights=(stable_diffusion.XL,),
        options=stable_diffusion.StableDiffusionOptions,
        size="choose",
        limits=Limits(prompt=(1, 2000)),
    ),
    ModelSpec(
        id="sd-1.5",
        title="Stable Diffusion 1.5 (this machine)",
        where="local",
        accepts=TextToImage,
        load=_local("stable_diffusion", "load_first"),
        licence="OpenRAIL-M",
        url="https://huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5",
        memory=4000,
        weights=(stable_diffusion.FIRST,),
        options=stable_diffusion.StableDiffusionFirstOptions,
        size="choose",
        limits=Limits(prompt=(1, 2000)),
    ),
    ModelSpec(
        id="fal-birefnet",
        title="BiRefNet (fal)",
        where="fal",
        accepts=Matting,
        load=_cloud("fal_birefnet"),
        licence="MIT",
        url="https://fal.ai/models/fal-ai/birefnet/v2",
        memory=0,
    ),
    ModelSpec(
        id="fal-bria",
        title="Bria RMBG (fal)",
        where="fal",
        accepts=Matting,
        load=_cloud("fal_bria"),
        licence="terms of the service",
        url="https://fal.ai/models/fal-ai/bria/background/remove",
        memory=0,
    ),
    ModelSpec(
        id="google-image",
        title="Gemini Nano Banana 2.1",
        where="google",
        accepts=ImageEdit,
        load=_cloud("google_image"),
        licence="terms of the service",
        url="https://ai.google.dev/gemini-api/docs/image-generation",
        memory=0,
        images=(1, 14),
        mask="optional",
        priced="gemini-nano-banana-2.1",
    ),
    ModelSpec(
        id="gemini-planner",
        title="Gemini 3.8 Flash",
        where="google",
        accepts=ImageTextToText,
        load=_cloud("gemini_planner"),
        licence="terms of the service",
        url="https://ai.google.dev/gemini-api/docs/models",
        memory=0,
    ),
    ModelSpec(
        id="openai-planner",
        title="GPT-6 Luna",
        where="openai",
        accepts=ImageTextToText,
        load=_cloud("openai_planner"),
        licence="terms of the service",
        url="https://platform.openai.com/docs/models",
        memory=0,
    ),
)
