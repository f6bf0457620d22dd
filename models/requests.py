"""The words of a request: the class is the task and carries the type of its result.

Pixel conventions, everywhere in this package:
    image   uint8 array (height, width, 3), sRGB, upright
    alpha   float32 array (height, width), range [0, 1]
    mask    bool array (height, width)
    box     (x0, y0, x1, y1) in pixels of the image, origin top left, x1 and y1 exclusive
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8]
Alpha: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]
Box: TypeAlias = tuple[float, float, float, float]

Result = TypeVar("Result")
ResultOut = TypeVar("ResultOut", covariant=True)
Asked = TypeVar("Asked", contravariant=True)


class Run(Protocol):
    """How a model speaks while it works. `jobs.context.Context` fits it; so does any small stand-in."""

    def progress(self, fraction: float, message: str = "") -> None:
        """Report work done, `fraction` in [0, 1]."""

    def preview(self, image: Any) -> None:
        """Show an intermediate picture: a `PIL.Image.Image`."""

    def log(self, text: str) -> None:
        """Add one line to the log."""

    def check(self) -> None:
        """Raise (a BaseException) if the person cancelled. Called between units of work."""

    def remember(self, key: str, value: Any) -> None:
        """Keep a JSON value durably, to find it again after a crash."""

    def recall(self, key: str) -> Any:
        """The value kept under `key`, or None."""


BillState: TypeAlias = Literal[
    "reserved", "submitting", "submitted", "remote_done", "settled", "released", "uncertain"
]


class Bill(Protocol):
    """One paid call as the ledger knows it. reserved: its upper bound in millionths of a US dollar. remote: JSON."""

    @property
    def id(self) -> str:
        """Its name in the ledger."""

    @property
    def state(self) -> BillState:
        """How far the call has come, durably."""

    @property
    def reserved(self) -> int:
        """The upper bound."""

    @property
    def remote(self) -> dict[str, Any]:
        """What is known of the call: what was asked, the service's ids, its results."""


@runtime_checkable
class Payer(Run, Protocol):
    """A run that may spend money. Every change is durable when its method returns. `jobs.paying.Paying` fits it."""

    def reserve(self, call: str, provider: str, microusd: int) -> Bill:
        """Promise up to `microusd`, or return the bill that an earlier run left open for this call."""

    def move(
        self,
        bill_id: str,
        state: BillState,
        *,
        remote: dict[str, Any] | None = None,
        microusd: int | None = None,
    ) -> Bill:
        """The bill's next state; `remote` is merged, `microusd` is what a settled call cost."""

    def note(self, bill_id: str, remote: dict[str, Any]) -> Bill:
        """Keep more of what is known of a call."""

    def keep(self, bill_id: str, results: Sequence[tuple[bytes, str]]) -> None:
        """Put the results (bytes, media type) on the disk, all or none."""

    def kept(self, bill_id: str) -> list[bytes]:
        """The results that were kept, [] if there are none."""

    def cancelled(self) -> bool:
        """Whether a person wants the work to end for good, when `check` raised."""


class Request(Generic[Result]):
    """Base of all requests; `Result` is what the model answers with."""


class Loaded(Protocol[Asked, ResultOut]):
    """A model in memory: a callable, no base class."""

    def __call__(self, request: Asked, run: Run) -> ResultOut:
        """Answer one request."""


@dataclass(frozen=True, eq=False)
class Matting(Request[Alpha]):
    """Find alpha. Without a trimap: of the people in the image. With one: of what it marks.

    trimap: float32 (height, width); 1 surely foreground, 0 surely background, 0.5 to be found.
    """

    image: Image
    trimap: Alpha | None = None


@dataclass(frozen=True, eq=False)
class Inpainting(Request[Image]):
    """Fill the True pixels of `mask`; all others come back byte-identical."""

    image: Image
    mask: Mask


@dataclass(frozen=True, eq=False)
class TextToImage(Request[tuple[Image, ...]]):
    """Make pictures from words. options: by the names of the model's own `Options`; what is absent takes its default.
    call: tells several paid calls of one step apart."""

    prompt: str
    options: Mapping[str, Any] = field(default_factory=dict)
    call: str = "1"


@dataclass(frozen=True, eq=False)
class ImageEdit(Request[tuple[Image, ...]]):
    """Redraw the first of `images` as the prompt says; the others are looked at. The answers show the first one's
    frame, at whatever size the model works at; whoever asked brings them back to its own.

    mask: float32 (height, width) of the first image, 1 may change, 0 stays; a model may use it, or leave it to whoever
    lays the answer over the image. options, call: as of TextToImage.
    """

    images: tuple[Image, ...]
    prompt: str
    mask: Alpha | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    call: str = "1"


@dataclass(frozen=True, eq=False)
class ImageTextToText(Request[str]):
    """Ask about an image. schema: JSON schema of the answer, which is JSON text that nobody has checked. system: what
    holds whatever the picture says. call: tells several paid calls of one step apart. model: another one of the same
    service, by the name that it has there."""

    image: Image
    prompt: str
    system: str
    schema: dict[str, Any]
    call: str = "1"
    model: str = ""


@dataclass(frozen=True)
class Face:
    """One face: its box, score in [0, 1] and six key points (right eye, left eye, nose tip, mouth,
    right ear, left ear; right and left are the person's own), in pixels."""

    box: Box
    score: float
    keypoints: tuple[tuple[float, float], ...]


@dataclass(frozen=True, eq=False)
class FaceDetection(Request[tuple[Face, ...]]):
    """Find faces, largest first."""

    image: Image


@dataclass(frozen=True, eq=False)
class FaceMesh:
    """The landmarks of one face. points: float32 (478, 3), x and y in pixels of the image, z in the same unit,
    growing away from the viewer; numbered as in MediaPipe's face mesh, the irises last (468 and 473 are their
    centres). box bounds the points; score in [0, 1]: how surely there is a face.
    """

    box: Box
    score: float
    points: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FaceLandmarks(Request[tuple[FaceMesh, ...]]):
    """Find the landmarks of these faces, in their order; one that turns out to be no face is left out."""

    image: Image
    faces: tuple[Face, ...]


@dataclass(frozen=True)
class Pose:
    """Where a portrait should look. Degrees relative to the source: +yaw turns to the picture's right, +pitch up,
    +roll clockwise. pupil_x, pupil_y in [-1, 1]: +1 looks to the picture's right, and up."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    pupil_x: float = 0.0
    pupil_y: float = 0.0


@dataclass(frozen=True)
class Calibration:
    """By how much an engine turns a face, and moves its irises sideways, further than it should: what is asked for
    is divided by this."""

    yaw: float = 1.0
    pitch: float = 1.0
    gaze: float = 1.0


@dataclass(frozen=True, eq=False)
class PortraitRetarget(Request[Iterator[Image]]):
    """Turn the head and the eyes of a portrait: one cell per pose, in the order of the poses, made as it is taken.

    points: float32 (478, 3), the landmarks of the face that turns (`FaceMesh.points`). size: longer side of a
    cell in px; the other side keeps the image's shape. alpha: float32 (height, width), what belongs to the person;
    with it the background stands still. cutout: cells are uint8 (height, width, 4), the person alone (needs alpha);
    otherwise (height, width, 3). fast: an engine that is slow may draw keyframes and carry the others between them.
    expression: what else the face is to do in every cell, by the engine's own names of controls; {} leaves it be.
    """

    image: Image
    points: NDArray[np.float32]
    poses: Sequence[Pose]
    size: int
    alpha: Alpha | None = None
    cutout: bool = False
    calibration: Calibration = Calibration()
    fast: bool = False
    expression: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ScoredMask:
    """One candidate mask. `score`: higher is more trustworthy, on the model's own scale."""

    mask: Mask
    score: float
    box: Box


@dataclass(frozen=True, eq=False)
class MaskGeneration(Request[tuple[ScoredMask, ...]]):
    """Find the object that the hints mean, best candidate first; without hints, every salient object.

    box: where it is. points: (x, y, label) with label 1 keep / 0 drop. avoid: boxes of neighbours that are
    not part of it. keep, drop: pixels that surely are / are not part of it. prior: float32 (height, width)
    probability that a pixel is foreground, for example from a person segmenter. base: a mask to refine.
    """

    image: Image
    box: Box | None = None
    points: tuple[tuple[float, float, int], ...] = ()
    avoid: tuple[Box, ...] = ()
    keep: Mask | None = None
    drop: Mask | None = None
    prior: Alpha | None = None
    base: Mask | None = None
