"""The one door: every kind of picture arrives upright, in sRGB, 8 bit, with its alpha apart."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from scenehf.errors import BadPicture
from scenehf.pixels import HOME, PUBLIC, Limits, open_image
from tests.scenehf.picture_files import chunk, encode, heic, noise, png, png16, swapped_profile

LOSSLESS = {"PNG": {}, "BMP": {}, "TIFF": {"compression": "tiff_lzw"}, "WEBP": {"lossless": True}}


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """TIFF, HEIF and AVIF go to a process of their own, which runs the same code; see `test_pixels_apart`."""
    monkeypatch.setattr("scenehf.pixels.door.belongs_apart", lambda start: False)


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_keep_every_pixel(kind: str, tmp_path: Path) -> None:
    picture = noise()
    data = encode(picture, kind, **LOSSLESS[kind])
    source = open_image(data)
    assert np.array_equal(source.pixels, np.asarray(picture))
    assert source.alpha is None and source.notices == () and source.size == (64, 48)
    path = tmp_path / "picture"
    path.write_bytes(data)
    assert np.array_equal(open_image(path).pixels, source.pixels)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF", "GIF", "HEIF"])
def test_lossy_formats_are_close(kind: str, astronaut: np.ndarray) -> None:
    picture = Image.fromarray(astronaut)
    source = open_image(
        heic(picture, quality=95)
        if kind == "HEIF"
        else encode(picture, kind, **({} if kind == "GIF" else {"quality": 95}))
    )
    assert source.pixels.shape == astronaut.shape
    assert np.abs(source.pixels.astype(int) - astronaut).mean() < (12 if kind == "GIF" else 4)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(kind: str, orientation: int) -> None:
    # Four flat quarters survive JPEG and name every one of the eight ways to lie.
    quarters = np.kron(
        np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8),
        np.ones((16, 32, 1), np.uint8),
    )
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(quarters)
    options = {"quality": 100} if kind in ("JPEG", "WEBP", "AVIF") else {}
    data = encode(picture, kind, exif=exif, **options)
    picture.getexif()[0x0112] = orientation
    upright = np.asarray(ImageOps.exif_transpose(picture))
    pixels = open_image(data).pixels
    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright)[8::16, 8::16].max() <= 8


def test_an_unknown_orientation_is_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 99
    assert open_image(encode(noise(), "PNG", exif=exif)).size == (64, 48)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits_are_rounded(channels: int) -> None:
    values = np.random.default_rng(1).integers(0, 65536, (40, 50, channels)).astype(np.uint16)
    values[0, :8] = np.array([0, 1, 128, 129, 255, 256, 65406, 65535])[:, None]
    source = open_image(png16(values))
    golden = np.rint(values / 257.0)
    colours = golden[..., :1] if channels < 3 else golden[..., :3]
    assert np.array_equal(source.pixels, np.broadcast_to(colours, (40, 50, 3)))
    assert (source.alpha is None) == (channels in (1, 3))
    if source.alpha is not None:
        assert np.array_equal(source.alpha, golden[..., -1])
    assert source.notices == ("Its 16 bits per channel were rounded to 8.",)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bit_tiff_is_rounded(
    order: str, compression: str | None, channels: int, tmp_path: Path
) -> None:
    import tifffile

    values = np.random.default_rng(2).integers(0, 65536, (20, 30, channels)).astype(np.uint16)
    path = tmp_path / "deep.tiff"
    tifffile.imwrite(
        path,
        values[..., 0] if channels == 1 else values,
        byteorder=order,
        compression=compression,
        photometric="minisblack" if channels == 1 else "rgb",
        extrasamples=["unassalpha"] if channels == 4 else None,
    )
    for given in (path, path.read_bytes()):
        source = open_image(given)
        golden = np.rint(values / 257.0)
        assert np.array_equal(source.pixels, np.broadcast_to(golden[..., :3], (20, 30, 3)))
        assert channels < 4 or np.array_equal(source.alpha, golden[..., 3])


def test_white_may_be_zero_in_grey_tiff(tmp_path: Path) -> None:
    import tifffile

    values = np.linspace(0, 65535, 30).astype(np.uint16).reshape(5, 6)
    tifffile.imwrite(tmp_path / "turned.tiff", values, photometric="miniswhite")
    assert np.array_equal(open_image(tmp_path / "turned.tiff").pixels[..., 0], 255 - np.rint(values / 257.0))


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("grey", [False, True])
def test_a_transparent_colour_becomes_alpha(deep: bool, grey: bool) -> None:
    values = np.full((4, 4, 1 if grey else 3), 300 if deep else 30, np.uint16)
    values[1, 1] = 301 if deep else 31
    key = chunk(b"tRNS", struct.pack(f">{values.shape[2]}H", *[301 if deep else 31] * values.shape[2]))
    if deep:
        data = png16(values, extra=key)
    else:
        data = encode(
            Image.fromarray(values[..., 0].astype(np.uint8) if grey else values.astype(np.uint8)),
            "PNG",
            transparency=31 if grey else (31,) * 3,
        )
    source = open_image(data)
    expected = np.full((4, 4), 255)
    expected[1, 1] = 0
    assert np.array_equal(source.alpha, expected)


def test_floats_and_wide_integers_are_refused(tmp_path: Path) -> None:
    for mode in ("F", "I"):
        Image.new(mode, (8, 8)).save(tmp_path / "values.tiff")
        with pytest.raises(BadPicture, match="values, not colours"):
            open_image(tmp_path / "values.tiff")


def test_a_profile_moves_colours_to_srgb() -> None:
    picture = noise()
    source = open_image(encode(picture, "PNG", icc_profile=swapped_profile()))
    swapped = np.asarray(picture)[..., [1, 0, 2]]
    assert np.abs(source.pixels.astype(int) - swapped).max() <= 2
    assert source.notices and "converted from" in source.notices[0]


def test_the_srgb_profile_keeps_every_pixel() -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = open_image(encode(noise(), "PNG", icc_profile=profile))
    assert np.array_equal(source.pixels, np.asarray(noise())) and source.notices == ()


def test_alpha_stays_out_of_the_profile() -> None:
    picture = noise()
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    source = open_image(encode(picture, "PNG", icc_profile=swapped_profile()))
    assert np.array_equal(source.alpha, np.asarray(picture)[..., 3])
    assert np.abs(source.pixels.astype(int) - np.asarray(picture)[..., [1, 0, 2]]).max() <= 2


@pytest.mark.parametrize("profile", [b"\0" * 128, bytes(range(256)) * 20, b"x"])
def test_a_broken_profile_is_ignored_with_a_notice(profile: bytes) -> None:
    source = open_image(encode(noise(), "PNG", icc_profile=profile))
    assert np.array_equal(source.pixels, np.asarray(noise()))
    assert source.notices == ("Its colour profile could not be used; the colours are shown as plain sRGB.",)


def test_cmyk() -> None:
    inks = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    for data in (encode(inks, "TIFF"), encode(inks, "JPEG", quality=100)):
        source = open_image(data)
        assert np.abs(source.pixels.astype(int) - [255, 0, 0]).max() <= 3
        assert source.notices == ("Its CMYK colours were converted to sRGB without a profile.",)


def test_alpha_is_kept_apart_and_straight() -> None:
    rgba = np.random.default_rng(5).integers(0, 256, (30, 20, 4), dtype=np.uint8)
    rgba[:10, :, 3] = 0
    for kind in ("PNG", "TIFF"):
        source = open_image(encode(Image.fromarray(rgba), kind))
        assert np.array_equal(source.pixels, rgba[..., :3]) and np.array_equal(source.alpha, rgba[..., 3])
    opaque = Image.fromarray(rgba)
    opaque.putalpha(255)
    assert open_image(encode(opaque, "PNG")).alpha is None


def test_palettes_and_grey() -> None:
    palette = noise().quantize(16)
    source = open_image(encode(palette, "PNG"))
    assert np.array_equal(source.pixels, np.asarray(palette.convert("RGB"))) and source.alpha is None
    clear = open_image(encode(palette, "PNG", transparency=bytes([0, 128] + [255] * 14)))
    indices = np.asarray(palette)
    assert np.array_equal(clear.pixels, source.pixels)
    assert np.array_equal(clear.alpha, np.where(indices == 0, 0, np.where(indices == 1, 128, 255)))
    for mode in ("1", "L", "LA"):
        grey = noise().convert("L").convert(mode)
        data = encode(grey, "PNG")
        assert np.array_equal(open_image(data).pixels, np.asarray(grey.convert("L").convert("RGB")))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF", "TIFF"])
def test_the_first_of_several_pictures_is_used(kind: str) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "lime", "blue")]
    source = open_image(encode(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert np.abs(source.pixels.astype(int) - [255, 0, 0]).max() <= 3
    assert len(source.notices) == 1 and source.notices[0].endswith("the first one is used.")


def test_a_phone_photo_with_a_second_picture_behind_it_is_silent() -> None:
    source = open_image(encode(noise(), "MPO", save_all=True, append_images=[noise()]))
    assert source.size == (64, 48) and source.notices == ()


def test_large_webp_is_read_by_the_lean_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    rgba = np.random.default_rng(6).integers(0, 256, (40, 30, 4), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    for image in (Image.fromarray(rgba), Image.fromarray(rgba[..., :3])):
        data = encode(image, "WEBP", lossless=True, exact=True, exif=exif)
        usual = open_image(data)
        with monkeypatch.context() as patch:
            patch.setattr("scenehf.pixels.reading._LEAN_WEBP", 0)
            lean = open_image(data)
            with pytest.raises(BadPicture, match="damaged"):
                open_image(data[: len(data) // 2])
        assert np.array_equal(lean.pixels, usual.pixels) and lean.size == (40, 30)
        assert (lean.alpha is None) == (usual.alpha is None)


def test_limits_are_checked_on_the_header() -> None:
    limits = Limits(pixels=1000, side=100, bytes=10_000, formats=HOME.formats)
    assert open_image(png(40, 25), limits).size == (40, 25)
    for data, sentence in (
        (png(41, 25), "41 x 25"),
        (png(101, 1), "the limit is 100 per side"),
        (bytes(10_001), "MB"),
    ):
        with pytest.raises(BadPicture, match=sentence):
            open_image(data, limits)
    with pytest.raises(BadPicture, match="megapixels"):
        open_image(png(10_001, 10_000, depth=1, colour=0, data=b""))
    with pytest.raises(BadPicture, match="40"):
        open_image(png(8000, 5001, depth=1, colour=0, data=b""), PUBLIC)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"%PDF-1.4\n", "a PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "PostScript"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "SVG"),
        (b"8BPS\0\1" + bytes(100), "Photoshop"),
        (b"hello, this is text\n", "text"),
        (bytes(range(256)), "not a picture"),
        (b"", "empty"),
    ],
)
def test_what_is_no_picture_is_refused_in_a_sentence(data: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "thing.dat"
    path.write_bytes(data)
    for given, name in ((data, "This file"), (path, "thing.dat")):
        with pytest.raises(BadPicture, match=says) as caught:
            open_image(given)
        sentence = str(caught.value)
        assert sentence.startswith(name) and sentence.endswith(".") and "\n" not in sentence


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.png", Path("/dev/zero"), Path("a\0b")):
        with pytest.raises(BadPicture):
            open_image(path)
