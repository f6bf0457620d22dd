"""Every model, one entry each, in the order the screens show them.

`load` functions import their own file: listing the catalog costs nothing.
"""

from typing import Any

from models.requests import FaceDetection, Inpainting, Loaded, MaskGeneration, Matting
from models.spec import Host, ModelSpec

MEDIAPIPE = "https://github.com/google-ai-edge/mediapipe"


def _person_matte(host: Host) -> Loaded[Any, Any]:
    from models.local.person_matte import load

    return load(host)


def _face_detector(host: Host) -> Loaded[Any, Any]:
    from models.local.face_detector import load

    return load(host)


def _saliency_cut(host: Host) -> Loaded[Any, Any]:
    from models.local.saliency_cut import load

    return load(host)


def _closed_form(host: Host) -> Loaded[Any, Any]:
    from models.local.closed_form import load

    return load(host)


def _patchmatch(host: Host) -> Loaded[Any, Any]:
    from models.local.patchmatch import load

    return load(host)


SPECS: tuple[ModelSpec, ...] = (
    ModelSpec(
        id="person-matte",
        title="Person segmenter",
        where="local",
        accepts=Matting,
        load=_person_matte,
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
        load=_face_detector,
        licence="Apache-2.0",
        url=MEDIAPIPE,
        memory=10,
        weights=("starter",),
    ),
    ModelSpec(
        id="saliency-cut",
        title="Saliency and graph cuts",
        where="local",
        accepts=MaskGeneration,
        load=_saliency_cut,
        licence="MIT",
        url="",
        memory=100,
    ),
    ModelSpec(
        id="closed-form",
        title="Closed-form matting",
        where="local",
        accepts=Matting,
        load=_closed_form,
        licence="MIT",
        url="https://doi.org/10.1109/TPAMI.2007.1177",
        memory=100,
    ),
    ModelSpec(
        id="patchmatch",
        title="PatchMatch inpainting",
        where="local",
        accepts=Inpainting,
        load=_patchmatch,
        licence="MIT",
        url="https://github.com/mauwii/PyPatchMatch",
        memory=200,
    ),
)
