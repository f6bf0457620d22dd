"""Prompts to begin with. What stands in brackets is to be replaced."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Template:
    """For models that edit a picture, or for those that make one."""

    title: str
    text: str
    task: Literal["edit", "generate"]


TEMPLATES: tuple[Template, ...] = (
    Template(
        "Remove something",
        "Remove [the person on the left]. Continue the background behind it. Change nothing else.",
        "edit",
    ),
    Template(
        "Replace something",
        "Replace [the cup] with [a small vase of tulips]. Same light, same shadows. Change nothing else.",
        "edit",
    ),
    Template(
        "Change the background",
        "Put the subject in front of [a quiet beach at dusk]. Keep the subject, its pose and its size as "
        "they are.",
        "edit",
    ),
    Template(
        "Change the light",
        "Relight the scene as [late afternoon sun from the left]. Keep every object where it is.",
        "edit",
    ),
    Template(
        "Change the colour",
        "Make [the jacket] [dark green]. Keep its folds and its material. Change nothing else.",
        "edit",
    ),
    Template(
        "Change the writing",
        'Change the words on [the sign] to "[OPEN]", in the same lettering. Change nothing else.',
        "edit",
    ),
    Template(
        "Restyle",
        "Redraw this picture as [a watercolour with visible paper]. Keep the composition.",
        "edit",
    ),
    Template(
        "Restore an old photo",
        "Restore this photo: remove scratches, dust and stains. Keep the faces exactly as they are.",
        "edit",
    ),
    Template(
        "Join two pictures",
        "Put [the dog] of the second picture into the first one, [on the sofa], in the first one's light.",
        "edit",
    ),
    Template(
        "Photo",
        "A photo of [a street in the rain at night], [35 mm], [soft reflections], natural colours.",
        "generate",
    ),
    Template(
        "Product",
        "A product photo of [a ceramic teapot] on [pale linen], soft window light from the left, plain "
        "background.",
        "generate",
    ),
    Template(
        "Portrait",
        "A portrait of [an old fisherman], [three-quarter view], [overcast light], shallow depth of field.",
        "generate",
    ),
    Template(
        "Poster with words",
        'A poster for [a jazz evening]. At the top, in large plain letters: "[FRIDAY, 8 PM]". [Two '
        "colours], flat shapes.",
        "generate",
    ),
    Template(
        "Illustration",
        "An illustration of [a lighthouse on a cliff], [ink lines and flat colours], calm composition.",
        "generate",
    ),
)
