"""Every figure of layer extraction from one default run: `python -m benchmarks.layers [--quick]`.

The pictures of `benchmarks.composites` go through the same job that a person runs (store, runner, worker process),
and what is judged are the files that the export wrote. Rows:

    boxes      each subject with its exact box            jitter   the same boxes, every edge off by up to 10 %
    no hint    the offline planner finds the subject; of its layers the one that fits the truth best is judged
    stacks     two subjects, both with boxes              natural  the six photos as they are, with boxes
    peer       OpenCV's GrabCut from the box, feathered edge, Telea plate: what a weekend script does

`big` runs one 16 megapixel extraction and its plate, and reads the peak memory of the worker process.
"""

import argparse
import io
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks import metrics, peers
from benchmarks.composites import (
    CANVAS,
    Composite,
    bounding_box,
    jittered,
    natural,
    photo,
    reference,
    singles,
    stacks,
)
from benchmarks.starter import add_weights, starter
from scenehf.layers.plan import ExtractStep, Plan, arrange, separated
from scenehf.pixels import decode_png
from scenehf.settings import load
from scenehf.worker import Services, build
from scenehf.workflows import actions
from scenehf.workflows.extract import EXPORT, ExportOrder, Params
from scenehf.workflows.making import asset_name

Floats = NDArray[np.float64]
Box = tuple[float, float, float, float]
SOFT = (0.05, 0.95)  # alpha between these counts as edge


@dataclass(frozen=True, eq=False)
class Taken:
    """What one job wrote. layers, clean: (height, width, 4) in 0..1, front to back; plate (height, width, 3) uint8.
    seconds: of every step. off: largest difference of the recomposed files from the source, of 255."""

    layers: list[Floats]
    clean: list[Floats]
    plate: NDArray[np.uint8]
    seconds: dict[str, float]
    flagged: list[str]
    off: float


def take_apart(services: Services, image: NDArray[np.uint8], boxes: Sequence[Box]) -> Taken:
    """Run the job on `image` and read back its files. boxes: front to back, in pixels; none: the planner decides."""
    height, width = image.shape[:2]
    plan = _plan(boxes, width, height) if boxes else None
    order = ExportOrder(formats=("png",))
    params = Params(plan=plan, headless=True, confirmed=True, export=order)
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", compress_level=1)
    store = services.store
    job = actions.create(store, stream.getvalue(), "benchmark.png", params=params)
    while store.job(job.id).state in ("queued", "running"):
        time.sleep(0.05)
    if store.job(job.id).state != "succeeded":
        raise RuntimeError(store.job(job.id).error)
    prefix = asset_name(EXPORT, actions.chosen(store, job.id, EXPORT).attempt, "")
    written = {a.name.removeprefix(prefix): a.name for a in store.assets(job.id) if a.name.startswith(prefix)}
    files = {name: store.read(job.id, full) for name, full in written.items()}
    report = json.loads(files["report.json"])
    layers = [decode_png(data) / 255 for name, data in sorted(files.items()) if name.startswith("layers/")]
    clean = []
    for row in report["scene"]["layers"]:
        step = actions.chosen(store, job.id, row["id"])
        cut = decode_png(store.read(job.id, asset_name(step.key, step.attempt, "cut.png"))) / 255
        sheet = np.zeros((height, width, 4))
        sheet[row["y"] : row["y"] + cut.shape[0], row["x"] : row["x"] + cut.shape[1]] = cut
        clean.append(sheet)
    plate = decode_png(files["plate.png"])
    seconds = {step["id"]: step["seconds"] for step in report["steps"]}
    off = _recomposition(layers, plate, image)
    store.delete_job(job.id)
    return Taken(layers, clean, plate, seconds, report["needs_review"], off)


def _plan(boxes: Sequence[Box], width: int, height: int) -> Plan:
    scale = np.array([width, height, width, height])
    steps = [
        ExtractStep(
            id=f"s{n}", name=f"Subject {n}", z=1, box=tuple(np.clip(np.array(box) / scale, 0, 1).tolist())
        )
        for n, box in enumerate(boxes, 1)
    ]
    return separated(arrange("", list(steps)))


def _recomposition(layers: list[Floats], plate: NDArray[np.uint8], source: NDArray[np.uint8]) -> float:
    """Source-over of the written files, back to front, in float64 on sRGB values."""
    canvas = plate.astype(np.float64)
    for layer in reversed(layers):
        canvas = layer[..., 3:] * layer[..., :3] * 255 + (1 - layer[..., 3:]) * canvas
    return float(np.abs(canvas - source).max())


def peer(case: Composite) -> tuple[Floats, NDArray[np.uint8]]:
    """(alpha, plate) of the plain OpenCV recipe."""
    alpha = peers.grabcut_box(case.image, case.box())
    hole = cv2.dilate((alpha > 0.01).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    return alpha.astype(np.float64), peers.telea(case.image, hole)


class Table:
    """Prints rows as they come: figure, floor, target, and whether they are met."""

    def row(self, name: str, value: float, floor: float, target: float, more: str = "") -> None:
        """Larger is better when the target is above the floor."""
        sign = 1 if target > floor else -1
        grade = (
            "target" if sign * (value - target) >= 0 else "floor" if sign * (value - floor) >= 0 else "MISSED"
        )
        print(f"{name:38s} {value:9.4g}   floor {floor:g}, target {target:g}: {grade:7s} {more}", flush=True)


def judge_singles(services: Services, table: Table, offs: list[float]) -> None:
    """Boxes, plates, edges and the peer; then jitter; then no hint."""
    cases = singles()
    exact = [take_apart(services, case.image, [case.box()]) for case in cases]
    offs += [taken.off for taken in exact]
    fits = [
        metrics.soft_iou(t.layers[0][..., 3], c.sheets[0].alpha) for t, c in zip(exact, cases, strict=True)
    ]
    sads = [metrics.sad(t.layers[0][..., 3], c.sheets[0].alpha) for t, c in zip(exact, cases, strict=True)]
    others = [peer(case) for case in cases]
    rival = [metrics.soft_iou(alpha, c.sheets[0].alpha) for (alpha, _), c in zip(others, cases, strict=True)]
    rival_sad = np.mean(
        [metrics.sad(alpha, c.sheets[0].alpha) for (alpha, _), c in zip(others, cases, strict=True)]
    )
    table.row("boxes: soft IoU", np.mean(fits), 0.963, 0.975, f"peer {np.mean(rival):.3f}  {_short(fits)}")
    ratio = f"peer {rival_sad:.2f}, ours is {np.mean(sads) / rival_sad:.2f} of it"
    table.row("boxes: SAD", np.mean(sads), 2.3, 1.5, ratio)
    judge_plates(table, exact, [plate for _, plate in others])
    steps = [t.seconds["s1"] for t in exact]
    plates = [seconds for t in exact for name, seconds in t.seconds.items() if name != "s1"]
    table.row("768 px: s per extraction (median)", np.median(steps), 5, 3, f"max {max(steps):.1f}")
    table.row("768 px: s per plate (median)", np.median(plates), 5, 3, f"max {max(plates):.1f}")
    sloppy = [take_apart(services, c.image, [jittered(c.box(), n)]) for n, c in enumerate(cases)]
    fits = [
        metrics.soft_iou(t.layers[0][..., 3], c.sheets[0].alpha) if t.layers else 0.0
        for t, c in zip(sloppy, cases, strict=True)
    ]
    table.row("boxes off by 10 %: soft IoU", np.mean(fits), 0.911, 0.94, _short(fits))
    judge_found(services, table, offs)


def judge_found(services: Services, table: Table, offs: list[float]) -> None:
    """No hint: the planner's layers; the best fitting one is the subject."""
    fits, sads, counts = [], [], []
    for case in singles():
        taken = take_apart(services, case.image, [])
        truth = case.sheets[0].alpha
        candidates = [layer[..., 3] for layer in taken.layers] or [np.zeros_like(truth)]
        best = max(candidates, key=lambda alpha: metrics.soft_iou(alpha, truth))
        fits.append(metrics.soft_iou(best, truth))
        sads.append(metrics.sad(best, truth))
        counts.append(len(taken.layers))
        offs.append(taken.off)
    table.row("no hint: soft IoU", np.mean(fits), 0.904, 0.93, f"{_short(fits)}  layers {counts}")
    table.row("no hint: SAD", np.mean(sads), 6.1, 4)


def judge_plates(table: Table, taken: list[Taken], rivals: list[NDArray[np.uint8]]) -> None:
    """Texture inside the true hole, and colours of the clean edges."""
    rows, rival, edges, seen, raw = [], [], [], [], []
    for result, case, other in zip(taken, singles(), rivals, strict=True):
        sheet = case.sheets[0]
        hole = cv2.dilate((sheet.alpha > 0.01).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        for plate, found in ((result.plate, rows), (other, rival)):
            found.append(
                (
                    metrics.patch_swd(plate, case.plate, hole),
                    metrics.gradient_ratio(plate, case.plate, hole),
                    metrics.psnr(plate, case.plate, hole),
                )
            )
        clean = result.clean[0]
        edges.append(metrics.edge_colour_error(clean[..., :3], sheet.colour, sheet.alpha))
        shown = np.where(clean[..., 3] > 0.02, sheet.alpha, 0)
        seen.append(metrics.edge_colour_error(clean[..., :3], sheet.colour, shown))
        raw.append(metrics.edge_colour_error(case.image / 255, sheet.colour, sheet.alpha))
    swd, gradient, decibel = np.mean(rows, axis=0)
    swd_r, gradient_r, decibel_r = np.mean(rival, axis=0)
    table.row("plate: patch SWD", swd, 222, 200, f"peer {swd_r:.0f}")
    table.row(
        "plate: |gradient ratio - 1|",
        abs(gradient - 1),
        0.1,
        0.05,
        f"ratio {gradient:.3f}, peer {gradient_r:.2f}",
    )
    table.row("plate: hole PSNR, dB", decibel, 14.8, 15.5, f"peer {decibel_r:.1f}")
    table.row("edge colour error (clean)", np.mean(edges), 0.060, 0.05, f"raw pixels {np.mean(raw):.3f}")
    table.row("  of it where the layer shows", np.mean(seen), 0.060, 0.05)


def _fit(taken: Taken, case: Composite) -> float:
    """Soft IoU of the first layer with the first subject; 0 without a layer."""
    return metrics.soft_iou(taken.layers[0][..., 3], case.sheets[0].alpha) if taken.layers else 0.0


def judge_stacks(services: Services, table: Table, offs: list[float]) -> None:
    """Two subjects: LayerD's alignment cost of plate, back layer and front layer."""
    costs = []
    for case in stacks():
        taken = take_apart(services, case.image, [case.box(0), case.box(1)])
        solid = np.ones((*taken.plate.shape[:2], 1))
        mine = [np.dstack([taken.plate / 255, solid]), *reversed(taken.layers)]
        truth = [np.dstack([case.plate / 255, solid])]
        truth += [np.dstack([sheet.colour, sheet.alpha]) for sheet in reversed(case.sheets)]
        costs.append(metrics.stack_cost(mine, truth))
        offs.append(taken.off)
    table.row("two stacked subjects: LayerD cost", np.mean(costs), 0.0727, 0.060, _short(costs))


def judge_natural(services: Services, offs: list[float]) -> None:
    """The photos themselves; reference masks are hand-hinted, so this row has no bar."""
    fits = []
    for picture in natural():
        taken = take_apart(services, picture.image, [bounding_box(picture.mask)])
        fits.append(metrics.iou(taken.layers[0][..., 3], picture.mask.astype(float)) if taken.layers else 0.0)
        offs.append(taken.off)
    print(f"{'natural photos: IoU':38s} {np.mean(fits):9.4g}   {_short(fits)}", flush=True)


def judge_big(services: Services, table: Table) -> None:
    """Sixteen megapixels: the astronaut, 4000 px square, more than half of it subject."""
    small, mask = photo("astronaut"), reference("astronaut")
    image = cv2.resize(small, (4000, 4000), interpolation=cv2.INTER_CUBIC)
    box = tuple(edge * 4000 / small.shape[0] for edge in bounding_box(mask))
    taken = take_apart(services, image, [box])
    status = Path(f"/proc/{services.host.pid}/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1e6
    table.row("16 MP: s, extraction", taken.seconds["s1"], 35, 15)
    table.row("16 MP: s, plate", max(s for n, s in taken.seconds.items() if n != "s1"), 35, 15)
    table.row("16 MP: GB, worker's peak", peak, 3.2, 1.5, f"recomposition {taken.off:.2f}")


def _short(values: Sequence[float]) -> str:
    return " ".join(f"{value:.3f}" for value in values)


def main() -> None:
    """Print the table; --quick leaves out the 16 megapixel row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="leave out the 16 megapixel row")
    add_weights(parser)
    args = parser.parse_args()
    print(f"{CANVAS[0]} x {CANVAS[1]} px, {len(singles())} single and {len(stacks())} stacked composites")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "weights").symlink_to(starter(parser, args.weights).resolve())
        with build(load(SCENEHF_HOME=Path(folder))) as services:
            table, offs = Table(), list[float]()
            if not args.quick:
                judge_big(services, table)
            take_apart(services, singles()[0].image, [singles()[0].box()])  # loads the models
            judge_singles(services, table, offs)
            judge_stacks(services, table, offs)
            judge_natural(services, offs)
            table.row("recomposition: largest of 255", max(offs), 2, 2)


if __name__ == "__main__":
    main()
