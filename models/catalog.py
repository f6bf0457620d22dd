"""Every model, one entry each, in the order the screens show them.

A model's file is imported when it is loaded: listing the catalog costs nothing.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from models.cloud import hunyuan_image_3, qwen_image, qwen_image_edit, qwen_image_edit_plus, seedream_4
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
        id="expression-editor",
        title="Turning portrait (LivePortrait on Replicate)",
        where="replicate",
        accepts=PortraitRetarget,
        load=_cloud("expression_editor"),
        licence="MIT",
        url="https://replicate.com/fofr/expression-editor",
        memory=0,
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
        title="Remove and fill (PatchMatch)",
        where="local",
        accepts=(Inpainting, ImageEdit),
        load=_local("patchmatch"),
        licence="MIT",
        url="https://github.com/mauwii/PyPatchMatch",
        memory=200,
        images=(1, 1),
        mask="required",
        limits=Limits(prompt=(0, 0)),
        trained=False,
    ),
    _qwen_edit("2509", "load"),
    _qwen_edit("2511", "load_2511"),
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
        id="vertex-matting",
        title="Your Vertex endpoint",
        where="vertex",
        accepts=Matting,
        load=_cloud("vertex_matting"),
        licence="that of the model you deployed",
        url="https://cloud.google.com/vertex-ai/docs/predictions/get-online-predictions",
        memory=0,
    ),
    ModelSpec(
        id="qwen-image-edit",
        title="Qwen Image Edit",
        where="replicate",
        accepts=ImageEdit,
        load=_cloud("qwen_image_edit"),
        licence="Apache-2.0",
        url="https://replicate.com/qwen/qwen-image-edit",
        memory=0,
        options=qwen_image_edit.QwenImageEditOptions,
        images=(1, 1),
        mask="optional",
        limits=qwen_image_edit.LIMITS,
        priced=qwen_image_edit.MODEL,
    ),
    ModelSpec(
        id="qwen-image-edit-plus",
        title="Qwen Image Edit Plus",
        where="replicate",
        accepts=ImageEdit,
        load=_cloud("qwen_image_edit_plus"),
        licence="Apache-2.0",
        url="https://replicate.com/qwen/qwen-image-edit-plus",
        memory=0,
        options=qwen_image_edit_plus.QwenImageEditPlusOptions,
        images=(1, 3),
        mask="optional",
        limits=qwen_image_edit_plus.LIMITS,
        priced=qwen_image_edit_plus.MODEL,
    ),
    ModelSpec(
        id="qwen-image",
        title="Qwen Image",
        where="replicate",
        accepts=TextToImage,
        load=_cloud("qwen_image"),
        licence="Apache-2.0",
        url="https://replicate.com/qwen/qwen-image",
        memory=0,
        options=qwen_image.QwenImageOptions,
        size="choose",
        limits=qwen_image.LIMITS,
        priced=qwen_image.MODEL,
    ),
    ModelSpec(
        id="hunyuan-image-3",
        title="HunyuanImage 3",
        where="replicate",
        accepts=TextToImage,
        load=_cloud("hunyuan_image_3"),
        licence="Tencent Hunyuan Community",
        url="https://replicate.com/tencent/hunyuan-image-3",
        memory=0,
        options=hunyuan_image_3.HunyuanImage3Options,
        size="choose",
        limits=hunyuan_image_3.LIMITS,
        priced=hunyuan_image_3.MODEL,
    ),
    ModelSpec(
        id="seedream-4",
        title="Seedream 4",
        where="replicate",
        accepts=(TextToImage, ImageEdit),
        load=_cloud("seedream_4"),
        licence="terms of the service",
        url="https://replicate.com/bytedance/seedream-4",
        memory=0,
        options=seedream_4.Seedream4Options,
        size="both",
        images=(0, 10),
        mask="optional",
        limits=seedream_4.LIMITS,
        priced=seedream_4.MODEL,
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
