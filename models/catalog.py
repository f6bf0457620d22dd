"""Every model, one entry each, in the order the screens show them.

A model's file is imported when it is loaded: listing the catalog costs nothing.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from models.requests import (
    FaceDetection,
    FaceLandmarks,
    Inpainting,
    Loaded,
    MaskGeneration,
    Matting,
    PortraitRetarget,
)
from models.spec import Host, ModelSpec

MEDIAPIPE = "https://github.com/google-ai-edge/mediapipe"


def _local(name: str) -> Callable[[Host], Loaded[Any, Any]]:
    def load(host: Host) -> Loaded[Any, Any]:
        model: Loaded[Any, Any] = import_module(f"models.local.{name}").load(host)
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
)
