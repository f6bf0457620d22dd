"""Any colours -> sRGB by the profile that travels in the file."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageCms

Convert = Callable[[Image.Image], Image.Image]

_PROFILE_BYTES = 4 << 20  # larger ones are not display or press profiles
_SAME = 2  # levels: a profile that moves no colour further than this is sRGB under another name
_SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # ICC colour space -> Pillow mode


def to_srgb(profile: object, mode: str) -> tuple[Convert, str | None]:
    """(convert, notice): `convert` turns a band without alpha ("L", "RGB", "CMYK" or "LAB") into sRGB "RGB".

    profile: the ICC bytes of the file or None. A broken or unsuitable profile is ignored, with a notice.
    """
    if mode == "LAB":
        lab = ImageCms.buildTransform(
            ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB"
        )
        return lambda band: _applied(band, lab), "Its Lab colours were converted to sRGB."
    if not profile:
        return (
            _plain,
            "Its CMYK colours were converted to sRGB without a profile." if mode == "CMYK" else None,
        )
    try:
        transform, expects, name = _transform(profile, mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, KeyError):
        return _plain, "Its colour profile could not be used; the colours are shown as plain sRGB."
    if expects == "RGB" and _is_identity(transform):
        return _plain, None

    def convert(band: Image.Image) -> Image.Image:
        return _applied(band if band.mode == expects else band.convert(expects), transform)

    return convert, f"Its colours were converted from {name} to sRGB."


def _transform(profile: object, mode: str) -> tuple[ImageCms.ImageCmsTransform, str, str]:
    """(transform, the Pillow mode it reads, the profile's name). Raises one of the errors caught above."""
    if not isinstance(profile, bytes) or len(profile) > _PROFILE_BYTES:
        raise ValueError("no usable profile")
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    expects = _SPACES[source.profile.xcolor_space.strip()]
    if expects != mode and not (mode == "L" and expects == "RGB"):
        raise ValueError(f"a profile for {expects} in a picture of {mode}")
    target = ImageCms.createProfile("sRGB")
    transform = ImageCms.buildTransform(source, target, expects, "RGB", ImageCms.Intent.PERCEPTUAL)
    name = "".join(c for c in ImageCms.getProfileDescription(source) if c.isprintable()).strip()
    return transform, expects, name[:60] or "its own profile"


def _is_identity(transform: ImageCms.ImageCmsTransform) -> bool:
    """True if a lattice of 9 x 9 x 9 colours stays where it is, so that sRGB pictures keep their pixels."""
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    lattice = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)
    moved = np.asarray(_applied(Image.fromarray(lattice), transform))
    return int(np.abs(moved.astype(int) - lattice).max()) <= _SAME


def _applied(band: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    out = Image.new("RGB", band.size)
    transform.apply(band, out)
    return out


def _plain(band: Image.Image) -> Image.Image:
    return band.convert("RGB")
