"""What a gaze grid becomes on disk: a folder that is a web page, its zip, a contact sheet and a film.

Takes finished bytes and cells in the order wanted; which cell is where is decided by scenehf.gaze.
"""

import base64
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from scenehf.errors import CannotExport
from scenehf.export import appearing
from scenehf.scene import Pixels

ZIP = "site.zip"
_PACKED = {".webp", ".jpg", ".mp4"}  # deflating these again saves nothing
_DEFLATE = 1  # of 9: base64 shrinks to its three quarters at any level
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # the date of every file in a zip, so that the same site is the same bytes
_GROUND = 240  # grey behind cut-outs, in formats without transparency
_CONTACT_QUALITY = 85  # JPEG
_FPS = 30
_CRF = 20  # x264's constant quality; lower is better
# Without these a player guesses the colours; `bitexact` keeps the encoder's version out of the file.
_COLOURS = [
    "-vf", "scale=out_color_matrix=bt709:out_range=tv",
    "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "iec61966-2-1", "-color_range", "tv",
]  # fmt: skip
_PLAIN = ["-movflags", "+faststart", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-f", "mp4"]


def write(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    """Write the files and a zip of them into `folder`; returns the names, the zip's last.

    Every file appears whole or not at all; the same files make the same zip.
    """
    for name, data in files.items():
        with appearing(folder / name) as part:
            part.write_bytes(data)
    with appearing(folder / ZIP) as part, zipfile.ZipFile(part, "w") as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _EARLIEST)
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # the same on every system
            entry.compress_type = zipfile.ZIP_STORED if Path(name).suffix in _PACKED else zipfile.ZIP_DEFLATED
            archive.writestr(entry, data, compresslevel=_DEFLATE)
    return [*files, ZIP]


def script(value: Any) -> bytes:
    """A script that leaves `value` under its own address: pages opened from a disk load scripts, not JSON."""
    text = json.dumps(value, separators=(",", ":"))
    return f"(globalThis.gazePortraitFiles ??= {{}})[document.currentScript.src] = {text};\n".encode()


def cells_script(cells: Sequence[bytes]) -> bytes:
    """The same of encoded cells, row by row, as base64."""
    return script([base64.b64encode(cell).decode() for cell in cells])


def contact(rows: Sequence[Sequence[Pixels]], side: int) -> bytes:
    """A JPEG of cells, uint8 RGB or straight RGBA of one size, each scaled to `side` px on its longer side."""
    height, width = rows[0][0].shape[:2]
    scale = side / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    sheet = Image.new("RGB", (size[0] * len(rows[0]), size[1] * len(rows)))
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            small = Image.fromarray(_opaque(cell)).resize(size, Image.Resampling.BOX, reducing_gap=2.0)
            sheet.paste(small, (x * size[0], y * size[1]))
    file = BytesIO()
    sheet.save(file, "JPEG", quality=_CONTACT_QUALITY)
    return file.getvalue()


def write_film(path: Path, frames: Iterable[Pixels], size: tuple[int, int]) -> None:
    """An H.264 MP4 of frames, uint8 RGB or straight RGBA, all of `size` (width, height). Raises CannotExport.

    H.264 halves colours, so odd sides get one more line, a copy of the last.
    """
    import imageio_ffmpeg

    even = size[0] + size[0] % 2, size[1] + size[1] % 2
    quality = ["-crf", str(_CRF), "-preset", "veryfast"]
    with appearing(path) as part:
        try:
            film = imageio_ffmpeg.write_frames(
                str(part), even, fps=_FPS, codec="libx264", pix_fmt_in="rgb24", pix_fmt_out="yuv420p", quality=None,
                macro_block_size=2, ffmpeg_log_level="error", output_params=[*quality, *_COLOURS, *_PLAIN],
            )  # fmt: skip
            film.send(None)
            try:
                for frame in frames:
                    missing = ((0, even[1] - frame.shape[0]), (0, even[0] - frame.shape[1]), (0, 0))
                    film.send(np.ascontiguousarray(np.pad(_opaque(frame), missing, "edge")))
            finally:
                film.close()
        except (OSError, RuntimeError) as error:
            raise CannotExport("The film could not be made: ffmpeg does not run on this machine.") from error


def _opaque(pixels: Pixels) -> Pixels:
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[..., 3:].astype(np.uint16)
    colour = pixels[..., :3].astype(np.uint16)
    return ((colour * alpha + _GROUND * (255 - alpha) + 127) // 255).astype(np.uint8)
