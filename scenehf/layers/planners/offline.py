"""The planner that needs no network: faces, people and salient objects, front to back.

Every proposal is cut out once, with the same request that the extraction will make, so that its box is tight
and what cannot be cut out is not proposed.
"""

from dataclasses import dataclass

import numpy as np

from models.pool import Pool
from models.requests import Box, Face, FaceDetection, Image, Mask, MaskGeneration, Matting, Run, ScoredMask
from scenehf.layers.plan import ExtractStep, Plan, arrange
from scenehf.layers.prior import person_prior

MOST_SUBJECTS = 4
LEAST_SCORE = 0.62  # of a verified mask: what scores less is background more often than an object
SMALLEST = 0.004  # share of the picture
SAME = 0.5  # share of the smaller of two masks that the other covers: one subject
SIZE_BONUS = 0.1  # power of the area: twice the size makes up for 7 % of score
SURVEY_SIDE = 1024  # px: what a planner needs to see
# A person around a face, in faces: half a face of hair above, shoulders to both sides, down to the waist.
FACE_TO_PERSON = (-1.0, -0.6, 2.0, 4.0)


@dataclass(frozen=True, eq=False)
class Subject:
    """Something worth a layer. mask, box: in pixels of the survey; score: of the cut, salience: of
    the proposal, both in [0, 1]; faces: which of the
    faces found it holds."""

    mask: Mask
    box: Box
    score: float
    salience: float
    faces: frozenset[int]

    @property
    def worth(self) -> float:
        """For choosing between a part and the whole: cut well, salient, and rather large."""
        return float(self.score * self.salience * self.mask.mean() ** SIZE_BONUS)

    @property
    def is_person(self) -> bool:
        """People are what has a face."""
        return bool(self.faces)


def propose(image: Image, pool: Pool, run: Run) -> Plan:
    """Find subjects and put them in order. No subjects: a plan without steps."""
    survey = _survey(image)
    run.progress(0.0, "Looking for faces and people")
    faces = pool("face-detector", FaceDetection(survey), run)
    people = pool("person-matte", Matting(survey), run)
    run.progress(0.1, "Looking for what stands out")
    found = pool("saliency-cut", MaskGeneration(survey, prior=people), run)
    boxes = [(box, 1.0) for box in _person_boxes(faces, found, survey)]
    boxes += [(mask.box, mask.score) for mask in found]
    tried: list[Subject] = []
    for number, (box, salience) in enumerate(boxes):
        run.check()
        run.progress(0.2 + 0.8 * number / len(boxes), "Trying the cuts")
        subject = _verified(survey, box, salience, faces, pool, run)
        if subject:
            tried.append(subject)
    return _plan(_front_to_back(_distinct(tried)), survey)


def _distinct(tried: list[Subject]) -> list[Subject]:
    """The best of those that are the same, people first, at most MOST_SUBJECTS."""
    kept: list[Subject] = []
    for subject in sorted(tried, key=lambda one: (-one.is_person, -one.worth)):
        known = any(subject.faces & other.faces or _same(subject.mask, other.mask) for other in kept)
        if not known:
            kept.append(subject)
    return kept[:MOST_SUBJECTS]


def _survey(image: Image) -> Image:
    import cv2

    scale = SURVEY_SIDE / max(image.shape[:2])
    if scale >= 1:
        return image
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    result: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return result


def _person_boxes(faces: tuple[Face, ...], found: tuple[ScoredMask, ...], image: Image) -> list[Box]:
    """One box per face: the found mask around it, cut at halfway to the next face, or else a torso's worth."""
    height, width = image.shape[:2]
    boxes = []
    for face in faces[:MOST_SUBJECTS]:
        around = [mask for mask in found if _covers(mask.mask, face)]
        middle = (face.box[0] + face.box[2]) / 2
        if around:
            others = [(other.box[0] + other.box[2]) / 2 for other in faces if other is not face]
            shared = [x for x in others if around[0].box[0] < x < around[0].box[2]]
            left = max(((x + middle) / 2 for x in shared if x < middle), default=0.0)
            right = min(((x + middle) / 2 for x in shared if x > middle), default=float(width))
            x0, y0, x1, y1 = around[0].box
            boxes.append((max(x0, left), y0, min(x1, right), y1))
        else:
            side = face.box[2] - face.box[0]
            a, b, c, d = (share * side for share in FACE_TO_PERSON)
            x, y = face.box[0], face.box[1]
            boxes.append(
                (max(0.0, x + a), max(0.0, y + b), min(float(width), x + c), min(float(height), y + d))
            )
    return boxes


def _verified(
    image: Image, box: Box, salience: float, faces: tuple[Face, ...], pool: Pool, run: Run
) -> Subject | None:
    """The subject in a box as the engine will cut it, or None if that finds nothing to trust."""
    prior = person_prior(image, box, pool, run)
    found = pool("saliency-cut", MaskGeneration(image, box=box, prior=prior), run)
    if not found or found[0].mask.mean() < SMALLEST:
        return None
    mask = found[0]
    held = frozenset(number for number, face in enumerate(faces) if _covers(mask.mask, face))
    if mask.score < LEAST_SCORE and not held:
        return None
    return Subject(mask.mask, mask.box, mask.score, salience, held)


def _covers(mask: Mask, face: Face) -> bool:
    x0, y0, x1, y1 = (max(0, round(edge)) for edge in face.box)
    part = mask[y0:y1, x0:x1]
    return bool(part.size and part.mean() > 0.5)


def _same(a: Mask, b: Mask) -> bool:
    return bool((a & b).sum() > SAME * min(a.sum(), b.sum()))


def _front_to_back(subjects: list[Subject]) -> list[Subject]:
    """What stands lower in the picture is nearer; of two that end at the frame, the smaller is in front."""
    return sorted(subjects, key=lambda subject: (-round(subject.box[3], -1), int(subject.mask.sum())))


def _plan(subjects: list[Subject], image: Image) -> Plan:
    height, width = image.shape[:2]
    steps = []
    counts = {"person": 0, "object": 0}
    for number, subject in enumerate(subjects):
        kind = "person" if subject.is_person else "object"
        counts[kind] += 1
        name = kind if counts[kind] == 1 else f"{kind} {counts[kind]}"
        x0, y0, x1, y1 = (float(edge) for edge in np.array(subject.box) / (width, height, width, height))
        step_id = f"s{number + 1}"
        steps.append(ExtractStep(id=step_id, name=name, z=len(subjects) - number, box=(x0, y0, x1, y1)))
    return arrange(_scene(counts), list(steps))


def _scene(counts: dict[str, int]) -> str:
    """One sentence: what was found."""
    words = [
        f"{count} {noun if count == 1 else plural}"
        for noun, plural, count in (
            ("person", "people", counts["person"]),
            ("object", "objects", counts["object"]),
        )
        if count
    ]
    return f"{' and '.join(words)} before a background" if words else "nothing stands out from the background"
