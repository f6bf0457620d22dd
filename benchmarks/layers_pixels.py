"""How good the pixels of layers are: mattes, edge colours, plates, recomposition, time and memory.

    python -m benchmarks.layers_pixels [--weights DIR] [--quick] [--large]

Mattes are found from true masks and from masks jittered by about 2 px, beside pymatting in the same run. All
other quality rows come from one default run of the local engine: boxes in, its own masks. Plates are compared
with OpenCV (Telea, Navier-Stokes) and with PatchMatch as it comes. Time and memory are of a child process that
does one step, mask given: alpha, clean colours, plate, recomposition. --large adds 16 megapixels.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import metrics
from benchmarks.composites import Composite, photo, reference, singles, stacks
from benchmarks.layers_masks import local_engine
from benchmarks.silence import Silence
from benchmarks.starter import add_weights, starter
from models.local.closed_form.pyramid import solve
from models.local.patchmatch.fill import RADIUS, fill
from models.requests import Alpha, Image, Mask
from scenehf.layers import foreground, recompose
from scenehf.layers.engines import ExtractTask
from scenehf.layers.trimap import hole_around, trimap
from scenehf.scene import Layer

JITTER = 2.0  # px
STEPS = {"astronaut, 56 % hole": "worst", "coffee on gravel, 22 % hole": "usual"}


def jittered_mask(alpha: NDArray[np.floating[Any]], seed: int) -> Mask:
    """The true mask with its edge moved by smooth noise of about JITTER pixels, as a graph cut errs."""
    noise = np.random.default_rng(seed).standard_normal(alpha.shape).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 6)
    inside = (alpha > 0.5).astype(np.uint8)
    signed = cv2.distanceTransform(inside, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    return signed + JITTER * noise / noise.std() > 0


def matting(cases: tuple[Composite, ...], jitter: bool) -> tuple[float, float, float, float]:
    """SAD and seconds, ours and pymatting's, mean over the cases."""
    from pymatting import estimate_alpha_cf

    rows = []
    for seed, case in enumerate(cases):
        truth = case.sheets[0].alpha
        band = trimap(jittered_mask(truth, seed) if jitter else truth > 0.5)
        started = time.perf_counter()
        ours = solve(case.image, band, Silence())
        between = time.perf_counter()
        theirs = estimate_alpha_cf(case.image / 255, band.astype(np.float64))
        ended = time.perf_counter()
        rows.append(
            (metrics.sad(ours, truth), metrics.sad(theirs, truth), between - started, ended - between)
        )
    a, b, c, d = np.mean(rows, axis=0)
    return float(a), float(b), float(c), float(d)


def cut_out(weights: Path, cases: tuple[Composite, ...]) -> list[tuple[Alpha, ...]]:
    """The alphas of every case's subjects, front to back, as the local engine finds them from their boxes."""
    engine, _ = local_engine(weights)
    found = []
    for case in cases:
        boxes = [case.box(index) for index in range(len(case.sheets))]
        alphas: list[Alpha] = []
        for index, box in enumerate(boxes):
            taken = alphas[0] > 0.5 if alphas else None
            avoid = tuple(boxes[:index] + boxes[index + 1 :])
            alphas.append(
                engine.extract(ExtractTask(case.image, box=box, avoid=avoid, taken=taken), Silence()).alpha
            )
        found.append(tuple(alphas))
    return found


def edge_colours(cases: tuple[Composite, ...], alphas: list[tuple[Alpha, ...]]) -> tuple[float, float, float]:
    """Edge colour error of our clean colours, of pymatting's, and of the photo's raw pixels."""
    from pymatting import estimate_foreground_ml

    rows = []
    for case, (alpha, *_) in zip(cases, alphas, strict=True):
        truth, opacity = case.sheets[0].colour, case.sheets[0].alpha
        raw = case.image / 255
        ours = foreground.estimate(case.image, alpha)[0] / 255
        theirs = estimate_foreground_ml(raw, alpha.astype(np.float64))
        rows.append([metrics.edge_colour_error(colours, truth, opacity) for colours in (ours, theirs, raw)])
    a, b, c = np.mean(rows, axis=0)
    return float(a), float(b), float(c)


def plate_scores(plate: Image, case: Composite, hole: Mask) -> tuple[float, float, float]:
    """(patch SWD, gradient ratio, PSNR in dB) inside the hole."""
    return (
        metrics.patch_swd(plate, case.plate, hole),
        metrics.gradient_ratio(plate, case.plate, hole),
        metrics.psnr(plate, case.plate, hole),
    )


def painters() -> dict[str, Any]:
    """Ours and the others: (image, mask) -> plate."""
    from patchmatch import patch_match

    return {
        "ours": lambda image, hole: fill(image, hole, Silence()),
        f"PatchMatch, radius {RADIUS}": lambda image, hole: patch_match.inpaint(
            image, hole, patch_size=RADIUS
        ),
        "Navier-Stokes": lambda image, hole: cv2.inpaint(image, hole.astype(np.uint8), 3, cv2.INPAINT_NS),
        "Telea": lambda image, hole: cv2.inpaint(image, hole.astype(np.uint8), 3, cv2.INPAINT_TELEA),
    }


def plates(cases: tuple[Composite, ...], alphas: list[tuple[Alpha, ...]]) -> dict[str, NDArray[np.float64]]:
    """Per painter: mean SWD, gradient ratio, PSNR, seconds."""
    table = {}
    for name, paint in painters().items():
        rows = []
        for case, found in zip(cases, alphas, strict=True):
            hole = hole_around(found)
            started = time.perf_counter()
            plate = paint(case.image, hole)
            seconds = time.perf_counter() - started
            rows.append((*plate_scores(np.where(hole[..., None], plate, case.image), case, hole), seconds))
        table[name] = np.mean(rows, axis=0)
    return table


def recomposed(case: Composite, alphas: tuple[Alpha, ...]) -> recompose.Recomposed:
    """The whole chain for one case: clean colours, plate, exact layers."""
    layers = [layer_of(case.image, alpha, z) for z, alpha in enumerate(reversed(alphas), 1)][::-1]
    return recompose.faithful(case.image, fill(case.image, hole_around(alphas), Silence()), layers)


def layer_of(image: Image, alpha: Alpha, z: int = 1) -> Layer:
    """A full-canvas layer in clean colours."""
    front, _ = foreground.estimate(image, alpha)
    return Layer(f"s{z}", "subject", z, np.dstack([front, np.rint(255 * alpha).astype(np.uint8)]), 0, 0)


def worst_difference(result: recompose.Recomposed) -> float:
    """Composited here, from the written bytes, in float64: max absolute difference to the source, of 255."""
    canvas = result.scene.plate / 255
    for layer in reversed(result.scene.layers):
        alpha = layer.pixels[..., 3:] / 255
        canvas = alpha * (layer.pixels[..., :3] / 255) + (1 - alpha) * canvas
    return float(255 * np.abs(canvas - result.scene.source / 255).max())


def step(which: str, side: int) -> dict[str, float]:
    """One step with the mask given, timed; run in a process of its own, for its peak memory."""
    if which == "worst":
        image, mask = photo("astronaut"), reference("astronaut")
    else:
        case = singles()[2]
        image, mask = case.image[:, 128:640], case.sheets[0].alpha[:, 128:640] > 0.5
    image = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
    mask = cv2.resize(mask.astype(np.uint8), (side, side), interpolation=cv2.INTER_LINEAR) > 0
    marks = [(time.perf_counter(), time.process_time())]
    alpha = solve(image, trimap(mask), Silence())
    marks.append((time.perf_counter(), time.process_time()))
    layer = layer_of(image, alpha)
    marks.append((time.perf_counter(), time.process_time()))
    plate = fill(image, hole_around([alpha]), Silence())
    marks.append((time.perf_counter(), time.process_time()))
    result = recompose.faithful(image, plate, [layer])
    marks.append((time.perf_counter(), time.process_time()))
    wall, cpu = np.diff(np.array(marks), axis=0).T
    parts = dict(zip(("alpha", "colours", "plate", "recomposition"), map(float, wall), strict=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return parts | {
        "wall": float(wall.sum()),
        "cpu": float(cpu.sum()),
        "peak": peak / 1e9,
        "error": result.max_error,
    }


def in_child(which: str, side: int) -> dict[str, float]:
    """`step` in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.layers_pixels", "--step", which, "--side", str(side)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def report(weights: Path, quick: bool, large: bool) -> None:
    """Print the table."""
    single, double = (singles()[:3], stacks()[:1]) if quick else (singles(), stacks())
    matting(single[:1], jitter=False)  # compiles pymatting
    for jitter in (False, True):
        ours, theirs, seconds, their_seconds = matting(single, jitter)
        name = f"matte, mask {'off by 2 px' if jitter else 'exact'}"
        print(f"{name:34s} SAD {ours:.3f}   pymatting {theirs:.3f}   ratio {theirs / ours:.2f}x")
        print(f"{'':34s} {seconds:.2f} s   pymatting {their_seconds:.2f} s")
    alphas = cut_out(weights, single)
    clean, ml, raw = edge_colours(single, alphas)
    print(
        f"{'edge colour error, clean export':34s} {clean:.4f}   pymatting {ml:.4f}, raw pixels {raw:.4f}   ratio "
        f"{raw / clean:.1f}x\n   floor .060, target .05"
    )
    both, found = single + double, alphas + cut_out(weights, double)
    for name, part in (("one subject", slice(0, len(single))), ("all", slice(None))):
        for painter, (swd, ratio, psnr, seconds) in plates(both[part], found[part]).items():
            row = f"plate, {name}: {painter}"
            print(f"{row:34s} SWD {swd:3.0f}  gradients {ratio:.3f}  {psnr:.2f} dB  {seconds:.2f} s")
    print("   floor 222 / .9-1.1 / 14.8 dB, target 200 / .95-1.05 / 15.5 dB")
    results = [recomposed(case, cut) for case, cut in zip(both, found, strict=True)]
    print(
        f"{'recomposition, every pixel':34s} max {max(map(worst_difference, results)):.3f}/255, mean "
        f"{np.mean([result.mean_error for result in results]):.3f}/255, alpha raised on "
        f"{100 * np.mean([result.raised for result in results]):.2f} % of pixels\n   target max 2/255"
    )
    for side in (768, 4000) if large else (768,):
        for name, which in STEPS.items():
            figures = in_child(which, side)
            parts = ", ".join(
                f"{part} {figures[part]:.1f}" for part in ("alpha", "colours", "plate", "recomposition")
            )
            print(
                f"one step, {side} px, {name}: {figures['wall']:.1f} s ({parts}; {figures['cpu']:.1f} s of CPU), "
                f"peak {figures['peak']:.2f} GB"
            )
        print("   floor " + ("5 s, target 3 s" if side == 768 else "35 s, 3.2 GB, target 15 s, 1.5 GB"))


def main() -> None:
    """Print the table, or be the child that does one step."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_weights(parser)
    parser.add_argument("--quick", action="store_true", help="three composites and one stack")
    parser.add_argument("--large", action="store_true", help="also time 16 megapixels")
    parser.add_argument("--step", choices=list(STEPS.values()), help=argparse.SUPPRESS)
    parser.add_argument("--side", type=int, default=768, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.step:
        print(json.dumps(step(chosen.step, chosen.side)))
    else:
        report(starter(parser, chosen.weights), chosen.quick, chosen.large)


if __name__ == "__main__":
    main()
