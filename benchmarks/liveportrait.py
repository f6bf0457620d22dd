"""LivePortrait against its bars: `python -m benchmarks.liveportrait [--weights DIR] [--frames N] [--device cuda]`.

The networks run with stand-in weights (see `benchmarks.standin`): what is said of them is how fast and how large, never
how good a portrait looks. The peer is a straightforward loop over the same networks: float32, one frame at a time,
everything done again for each. Keyframes and detail transfer are judged on the mesh engine's cells, which are real.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable, Sequence
from types import MethodType

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.gaze import photo, prepared
from benchmarks.silence import SILENT
from benchmarks.standin import standin
from benchmarks.starter import add_weights, starter
from models.local.liveportrait import between, build
from models.local.liveportrait.detail import Detail
from models.local.liveportrait.networks.chip import Chip, placed
from models.pool import Pool
from models.requests import Image, Pose
from models.spec import Host
from scenehf.gaze import grid, judge
from scenehf.gaze.prepare import Portrait

FASTER = 2.0  # than the peer
REBUILT = 34.0  # dB, median over the cells between keyframes
SHARPER = 2.0
OVERSHOOT = 8.0  # levels beyond what is around: a halo would be tens
BLUR = 1.6  # px: about as soft as LivePortrait's cells are
GPU_MILLISECONDS = 6.0  # a frame on an H200
SIZE = 512


def keypoints(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(1, 21, 3) and (count, 21, 3): some places and ways to move them. Time does not depend on where they are."""
    rng = np.random.default_rng(0)
    source = rng.uniform(-0.5, 0.5, (1, 21, 3)).astype(np.float32)
    moved = source + rng.normal(0, 0.03, (count, 21, 3)).astype(np.float32)
    return torch.from_numpy(source), torch.from_numpy(moved)


def seconds_each(runs: Sequence[Callable[[], object]], frames: int, device: str) -> list[float]:
    """Median seconds of each, the first time not counted. In turn, so that what else the machine does slows all."""
    for run in runs:
        run()
    taken: list[list[float]] = [[] for _ in runs]
    for _ in range(frames):
        for run, seconds in zip(runs, taken, strict=True):
            _settle(device)
            started = time.perf_counter()
            run()
            _settle(device)
            seconds.append(time.perf_counter() - started)
    return [float(np.median(seconds)) for seconds in taken]


def _settle(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def ours(device: str) -> tuple[Callable[[], object], Chip]:
    """A batch as the engine paints it, and the networks."""
    chip = placed(standin, device)
    source, driving = keypoints(chip.batch)
    kept = chip.source(chip.encoded(torch.rand(1, 3, 256, 256))[0], source)
    return lambda: chip.painted(kept, driving), chip


def peer(device: str) -> Callable[[], object]:
    """A frame of a straightforward loop."""
    appearance, warping, generator = (
        build(name, standin(name)).to(device)
        for name in ("appearance_feature_extractor", "warping_module", "spade_generator")
    )
    mask = warping.dense_motion_network.mask
    mask.forward = MethodType(nn.Conv3d.forward, mask)  # one sum, not the more exact and slower one of ours
    source, driving = (points.to(device) for points in keypoints(1))
    with torch.inference_mode():
        feature = appearance(torch.rand(1, 3, 256, 256, device=device))

    def paint() -> object:
        with torch.inference_mode():
            return generator(warping(feature, source, driving)[0])

    return paint


def throughput(frames: int, device: str) -> int:
    """Print seconds a frame of ours and of the peer; returns the misses."""
    paint, chip = ours(device)
    paint()
    peak = memory(device)
    batch, theirs = seconds_each([paint, peer(device)], frames, device)
    mine = batch / chip.batch
    ratio = theirs / mine
    held = ratio >= FASTER
    print(
        f"networks (stand-in weights) on {device}: {mine * 1e3:.1f} ms a frame in {chip.dtype}, batch {chip.batch}; "
        f"float32 one by one {theirs * 1e3:.1f} ms\n"
        f"  ratio {ratio:.2f}   >= {FASTER}   {'pass' if held else 'miss'}   peak memory {peak:.0f} MB"
    )
    missed = int(not held)
    if device == "cuda":
        held = mine * 1e3 <= GPU_MILLISECONDS
        print(f"  <= {GPU_MILLISECONDS} ms a frame   {'pass' if held else 'miss'}")
        missed += int(not held)
    return missed


def memory(device: str) -> float:
    """The most MB held so far: of the device, or of this process."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 if sys.platform != "darwin" else 1024**2)


# --- keyframes -----------------------------------------------------------------------------------------------


def mesh_cells(portrait: Portrait, pool: Pool, poses: list[Pose]) -> list[Image]:
    """The mesh engine's cells of these poses."""
    return list(pool("mesh-portrait", portrait.request(poses), SILENT))


def keyframes(portrait: Portrait, pool: Pool) -> int:
    """Print how well 64 keyframes give the other cells of a 30 x 30 grid again."""
    poses = grid.poses(grid.DESKTOP)
    cells = dict(zip(poses.values(), mesh_cells(portrait, pool, list(poses.values())), strict=True))
    drawn: list[Pose] = []

    def draw(pose: Pose) -> Image:
        drawn.append(pose)
        return cells[pose]

    started = time.perf_counter()
    rebuilt = between.cells(list(poses.values()), draw, SILENT)
    found = [
        (pose, judge.psnr(cell, cells[pose])) for pose, cell in zip(poses.values(), rebuilt, strict=True)
    ]
    taken = time.perf_counter() - started
    keys = set(drawn)
    errors = np.array([psnr for pose, psnr in found if pose not in keys])
    median = float(np.median(errors))
    held = median >= REBUILT
    print(
        f"keyframes: {len(errors)} cells from {len(keys)}: {median:.1f} dB median, {errors.min():.1f} least, "
        f"{taken / len(errors) * 1e3:.0f} ms a cell   >= {REBUILT} dB   {'pass' if held else 'miss'}"
    )
    return int(not held)


# --- detail --------------------------------------------------------------------------------------------------


def detail(portrait: Portrait, pool: Pool) -> int:
    """Print how much sharper detail transfer makes blurred cells of the mesh engine, and whether edges get halos."""
    poses = [grid.pose((row, column), grid.DESKTOP) for row in (0, 7, 15, 22, 29) for column in (0, 15, 29)]
    truth = mesh_cells(portrait, pool, poses)
    source = portrait.image
    transfer = Detail(source, blurred(source))
    x0, y0, x1, y1 = (int(edge) for edge in portrait.face.box)
    face = np.s_[y0:y1, x0:x1]
    gains, beyond, taken = [], [], []
    for cell in truth:
        soft = blurred(cell)
        started = time.perf_counter()
        found = np.clip(transfer.added(soft, transfer.origins(soft)) + 0.5, 0, 255).astype(np.uint8)
        taken.append(time.perf_counter() - started)
        gains.append(sharpness(found[face]) / sharpness(soft[face]))
        beyond.append(overshoot(found[face], cell[face]))
    gain, halo = float(np.median(gains)), float(np.median(beyond))
    held = [gain >= SHARPER, halo <= OVERSHOOT]
    print(
        f"detail: face {gain:.2f} times as sharp (least {min(gains):.2f})   >= {SHARPER}   "
        f"{'pass' if held[0] else 'miss'}\n"
        f"  99.9 % of it within {halo:.1f} levels of what is around in the true cell   <= {OVERSHOOT}   "
        f"{'pass' if held[1] else 'miss'}   {np.median(taken) * 1e3:.0f} ms a cell"
    )
    return held.count(False)


def blurred(image: Image) -> Image:
    """As soft as a network would draw it."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), BLUR), np.uint8)


def sharpness(image: Image) -> float:
    """Variance of the Laplacian."""
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


def overshoot(found: Image, truth: Image) -> float:
    """By how many levels the picture leaves the range of the true one around each place (5 x 5 px): a halo is light
    or dark where nothing near is."""
    around = np.ones((5, 5), np.uint8)
    low = cv2.erode(truth, around).astype(np.float32)
    high = cv2.dilate(truth, around).astype(np.float32)
    outside: NDArray[np.float32] = np.maximum(np.maximum(found - high, low - found), 0)
    return float(np.percentile(outside, 99.9))


def main() -> None:
    """Print every row; the exit status is 1 if a bar was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_weights(parser)
    parser.add_argument("--frames", type=int, default=9, help="frames (batches) that are timed")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda", "mps"))
    parser.add_argument("--networks", action="store_true", help="the networks alone")
    asked = parser.parse_args()
    pool = None if asked.networks else Pool(Host(weights=starter(parser, asked.weights)))
    missed = throughput(asked.frames, asked.device)
    if pool:
        portrait = prepared(photo("astronaut"), SIZE, pool)
        missed += keyframes(portrait, pool) + detail(portrait, pool)
    print(f"\n{missed} bars missed")
    sys.exit(int(missed > 0))


if __name__ == "__main__":
    main()
