"""Formats whose decoders have the longest record of memory errors are read by a process of their own: it sees one open
file, no keys and no folders of ours by name, has limits on memory, time and what it writes, and may crash.
"""

import json
import subprocess
import sys
import tempfile
import threading
from typing import BinaryIO

import numpy as np

from scenehf.errors import BadPicture
from scenehf.pixels.limits import Limits
from scenehf.scene import Pixels, Source

AT_ONCE = 2  # processes; more pictures wait
SECONDS, SECONDS_PER_MP = 20, 1.0  # of the processor, and twice that by the clock
BYTES, BYTES_PER_PIXEL = 2 << 30, 16  # of addresses: libraries map much that they never use
FILES = 64
HEADER = 4096  # bytes at the beginning of the answer that say what it is
BOOT = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from scenehf.pixels.apart import answer
answer(json.loads(sys.argv[2]))
"""
_turns = threading.BoundedSemaphore(AT_ONCE)


def belongs_apart(start: bytes) -> bool:
    """By its first bytes: TIFF, or a box file (HEIF, AVIF). Nothing else looks at such a file here."""
    return start[4:8] == b"ftyp" or start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read_apart(stream: BinaryIO, name: str, limits: Limits) -> Source:
    """The picture in `stream`, as `open_image` answers. Raises BadPicture."""
    asked = json.dumps({"name": name, "limits": vars(limits)})
    with _turns, tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as told:
        try:
            stream.fileno()
        except OSError:  # bytes in memory
            given.write(stream.read())
            given.seek(0)
            stream = given
        ended = _run([json.dumps(sys.path), asked], stream, told, limits)
        told.seek(0)
        about = json.loads(told.read(HEADER) or b"null") if ended == 0 else None
        if about is None:
            raise BadPicture(
                f"{name} could not be read safely; open it elsewhere and save it as PNG or JPEG."
            )
        if "refused" in about:
            raise BadPicture(about["refused"])
        shape = (int(about["height"]), int(about["width"]))
        pixels = _taken(told, (*shape, 3))
        alpha = _taken(told, shape) if about["alpha"] else None
    return Source(pixels, alpha, tuple(map(str, about["notices"])))


def _run(words: list[str], stream: BinaryIO, told: BinaryIO, limits: Limits) -> int | None:
    """The exit code of the process; None if it had to be killed."""
    command = [sys.executable, "-I", "-X", "utf8"]
    if sys.pycache_prefix:
        command += ["-X", f"pycache_prefix={sys.pycache_prefix}"]
    with subprocess.Popen(
        [*command, "-c", BOOT, *words], stdin=stream, stdout=told, stderr=subprocess.DEVNULL, env={}, cwd="/",
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            return process.wait(timeout=2 * _seconds(limits))
        except subprocess.TimeoutExpired:
            process.kill()
            return None


def _taken(told: BinaryIO, shape: tuple[int, ...]) -> Pixels:
    """An array of this shape from the file; BadPicture if it is not all there."""
    count = int(np.prod(shape))
    array = np.fromfile(told, np.uint8, count)
    if array.size != count:
        raise BadPicture("The picture could not be read to its end; save it as PNG or JPEG.")
    return array.reshape(shape)


def _seconds(limits: Limits) -> int:
    return round(SECONDS + SECONDS_PER_MP * limits.pixels / 1e6)


# --- inside that process ------------------------------------------------------------------------------------


def answer(asked: dict[str, object]) -> None:
    """Read standard input as a picture; write a header, then its pixels, to standard output."""
    limits = Limits(**asked["limits"])  # type: ignore[arg-type]
    _confine(limits)
    from scenehf.pixels.door import decoded

    try:
        source = decoded(sys.stdin.buffer, str(asked["name"]), limits)
    except BadPicture as refusal:
        _tell({"refused": str(refusal)})
        return
    width, height = source.size
    _tell({"width": width, "height": height, "alpha": source.alpha is not None, "notices": source.notices})
    for array in (source.pixels, source.alpha):
        if array is not None:
            np.ascontiguousarray(array).tofile(sys.stdout.buffer)
    sys.stdout.flush()


def _tell(header: dict[str, object]) -> None:
    sys.stdout.buffer.write(json.dumps(header).encode().ljust(HEADER))
    sys.stdout.buffer.flush()


def _confine(limits: Limits) -> None:
    """Set the limits for good. macOS has none on addresses; there the clock and the processor's time remain."""
    import resource

    most = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: _seconds(limits),
        resource.RLIMIT_FSIZE: HEADER + 4 * limits.pixels,
        resource.RLIMIT_NOFILE: FILES,
        resource.RLIMIT_AS: BYTES + BYTES_PER_PIXEL * limits.pixels,
    }
    for kind, value in most.items():
        try:
            resource.setrlimit(kind, (value, value))
        except (ValueError, OSError):  # a stricter one is in force, or the system has none of this kind
            continue
