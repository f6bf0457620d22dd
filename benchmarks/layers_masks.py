"""How well subjects are found and cut out: every segmentation figure, from one default run of the local engine.

    python -m benchmarks.layers_masks [--weights DIR] [--quick]

Rows: the single-subject composites with their boxes, with boxes whose edges are off by up to 10 %, and with no
hint (the offline planner proposes; its frontmost layer counts); two stacked subjects (LayerD cost with boxes);
the six photos as they are. Each beside its floor, its target, and plain OpenCV in the same run.
"""

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import metrics, peers
from benchmarks.composites import Composite, Sheet, bounding_box, jittered, natural, singles, stacks
from benchmarks.silence import Silence
from benchmarks.starter import add_weights, starter
from models.local.saliency_cut import REVIEW_BELOW
from models.pool import Pool
from models.spec import Host
from scenehf.layers.engines import ENGINES, Cut, Engine, ExtractTask, PlateTask
from scenehf.layers.foreground import estimate
from scenehf.layers.planners import PLANNERS

Alpha = NDArray[np.floating[Any]]
Box = tuple[float, float, float, float]
BAD = 0.8  # soft IoU below which a mask is bad: what review has to catch


@dataclass
class Row:
    """One row of the table: soft IoU and SAD per case, ours and OpenCV's; confidence and seconds, ours."""

    name: str
    iou: list[float] = field(default_factory=list)
    sad: list[float] = field(default_factory=list)
    peer_iou: list[float] = field(default_factory=list)
    peer_sad: list[float] = field(default_factory=list)
    confidence: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, truth: Alpha, ours: Alpha, peer: Alpha, confidence: float, seconds: float) -> None:
        """One case."""
        self.iou.append(metrics.soft_iou(ours, truth))
        self.sad.append(metrics.sad(ours, truth))
        self.peer_iou.append(metrics.soft_iou(peer, truth))
        self.peer_sad.append(metrics.sad(peer, truth))
        self.confidence.append(confidence)
        self.seconds.append(seconds)

    def __str__(self) -> str:
        ours, peer = np.mean(self.sad), np.mean(self.peer_sad)
        return (
            f"{self.name:34s} soft IoU {np.mean(self.iou):.3f}  SAD {ours:5.2f}   "
            f"OpenCV {np.mean(self.peer_iou):.3f} {peer:6.2f}   error ratio {peer / ours:5.1f}x   "
            f"{np.mean(self.seconds):.1f} s"
        )


def local_engine(weights: Path) -> tuple[Engine, Pool]:
    """The engine of this computer over the models in `weights`."""
    pool = Pool(Host(weights=weights))
    return ENGINES["local"].build(pool), pool


def extracted(engine: Engine, task: ExtractTask) -> tuple[Cut, float]:
    """A cut and the seconds it took."""
    started = time.perf_counter()
    cut = engine.extract(task, Silence())
    return cut, time.perf_counter() - started


def with_boxes(engine: Engine, cases: tuple[Composite, ...], seeds: tuple[int, ...] = ()) -> Row:
    """The composites with their boxes, or, given seeds, with boxes off by up to 10 %."""
    row = Row("composites, boxes off by 10 %" if seeds else "composites with boxes")
    for number, case in enumerate(cases):
        boxes = [jittered(case.box(), 100 * seed + number) for seed in seeds] or [case.box()]
        for box in boxes:
            cut, seconds = extracted(engine, ExtractTask(case.image, box=box))
            peer = peers.grabcut_box(case.image, box)
            row.add(case.sheets[0].alpha, cut.alpha, peer, cut.confidence or 0, seconds)
    return row


def without_hint(engine: Engine, pool: Pool, cases: tuple[Composite, ...]) -> Row:
    """The composites with nothing but the picture: the plan's frontmost layer against the truth."""
    row = Row("composites, no hint")
    for case in cases:
        started = time.perf_counter()
        plan = PLANNERS["offline"].propose(case.image, pool, Silence())
        alpha, confidence = np.zeros(case.image.shape[:2], np.float32), 0.0
        height, width = alpha.shape
        boxes = [
            (step.box[0] * width, step.box[1] * height, step.box[2] * width, step.box[3] * height)
            for step in plan.extractions
            if step.box
        ]
        if boxes:
            cut = engine.extract(ExtractTask(case.image, box=boxes[0], avoid=tuple(boxes[1:])), Silence())
            alpha, confidence = cut.alpha, cut.confidence or 0.0
        seconds = time.perf_counter() - started
        row.add(case.sheets[0].alpha, alpha, peers.grabcut_saliency(case.image), confidence, seconds)
    return row


def photos(engine: Engine) -> Row:
    """The six photos with the boxes of their reference masks, which are hand-hinted and no exact truth."""
    row = Row("photos with boxes")
    for photo in natural():
        box = bounding_box(photo.mask)
        cut, seconds = extracted(engine, ExtractTask(photo.image, box=box))
        peer = peers.grabcut_box(photo.image, box)
        row.add(photo.mask.astype(np.float64), cut.alpha, peer, cut.confidence or 0, seconds)
    return row


def stacked(
    engine: Engine, cases: tuple[Composite, ...], on_plate: bool = False
) -> tuple[Row, list[float], list[float]]:
    """Two stacked subjects: the visible parts as a row, and the LayerD costs of ours and of OpenCV.

    on_plate: the second subject is cut out of the picture from which the first has been painted away.
    """
    row, ours, theirs = Row("visible parts of stacked subjects"), [], []
    for case in cases:
        boxes = (case.box(0), case.box(1))
        front, seconds = extracted(engine, ExtractTask(case.image, box=boxes[0], avoid=(boxes[1],)))
        if on_plate:
            seen = engine.plate(PlateTask(case.image, (front.alpha,)), Silence()).image
            task = ExtractTask(seen, box=boxes[1])
        else:
            seen = case.image
            task = ExtractTask(seen, box=boxes[1], avoid=(boxes[0],), taken=front.alpha > 0.5)
        back, more = extracted(engine, task)
        plain = [peers.grabcut_box(case.image, boxes[0])]
        plain.append(peers.grabcut_box(case.image, boxes[1], plain[0] > 0.5))
        cuts = ((case.image, front, seconds), (seen, back, more))
        for index, (_, cut, spent) in enumerate(cuts):
            row.add(case.visible(index), cut.alpha, plain[index], cut.confidence or 0, spent)
        plate = engine.plate(PlateTask(case.image, (front.alpha, back.alpha)), Silence()).image
        ours.append(
            _cost(case, plate, [(estimate(image, cut.alpha)[0], cut.alpha) for image, cut, _ in cuts])
        )
        hole = np.maximum(*plain) > 0.01
        theirs.append(_cost(case, peers.telea(case.image, hole), [(case.image, alpha) for alpha in plain]))
    return row, ours, theirs


def _cost(case: Composite, plate: NDArray[np.uint8], front: list[tuple[NDArray[np.uint8], Alpha]]) -> float:
    truth = [_sheet(case.plate / 255.0, np.ones(case.image.shape[:2]))]
    truth += [_rgba(sheet) for sheet in reversed(case.sheets)]
    found = [_sheet(plate / 255.0, np.ones(case.image.shape[:2]))]
    found += [_sheet(colour / 255.0, alpha) for colour, alpha in reversed(front)]
    return metrics.stack_cost(found, truth)


def _rgba(sheet: Sheet) -> Alpha:
    return _sheet(sheet.colour, sheet.alpha)


def _sheet(colour: Alpha, alpha: Alpha) -> Alpha:
    return np.dstack([colour, alpha])


def review(rows: list[Row]) -> str:
    """Does a confidence below the threshold find the bad masks?"""
    iou, confidence = (np.concatenate([getattr(row, name) for row in rows]) for name in ("iou", "confidence"))
    bad, flagged = iou < BAD, confidence < REVIEW_BELOW
    ranks = [np.argsort(np.argsort(values)) for values in (iou, confidence)]
    return (
        f"review below {REVIEW_BELOW}: {len(iou)} masks, {bad.sum()} bad, {(bad & flagged).sum()} of them flagged "
        f"(catch {(bad & flagged).sum() / max(1, bad.sum()):.2f}), {flagged.sum()} flagged "
        f"(precision {(bad & flagged).sum() / max(1, flagged.sum()):.2f}), "
        f"rank correlation {np.corrcoef(*ranks)[0, 1]:.2f}"
    )


def _wrong(case: Composite) -> Box:
    """A box that misses all but a corner of the subject."""
    x0, y0, _, _ = case.box()
    return 0, 0, x0 + 20, y0 + 20


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_weights(parser)
    parser.add_argument("--quick", action="store_true", help="three composites and two stacks")
    chosen = parser.parse_args()
    engine, pool = local_engine(starter(parser, chosen.weights))
    single, double = (singles()[:3], stacks()[:2]) if chosen.quick else (singles(), stacks())
    boxes, sloppy = with_boxes(engine, single), with_boxes(engine, single, (1, 2))
    print(boxes, "\n   floor .963 / 2.3, target .975 / 1.5")
    print(sloppy, "\n   floor .911, target .94")
    blind = without_hint(engine, pool, single)
    print(blind, "\n   floor .904 / 6.1, target .93 / 4")
    visible, ours, theirs = stacked(engine, double)
    print(visible)
    print(
        f"{'stacked subjects, LayerD cost':34s} {np.mean(ours):.4f}   OpenCV {np.mean(theirs):.4f}   "
        f"ratio {np.mean(theirs) / np.mean(ours):.2f}x\n   floor .0727, target .060"
    )
    _, painted, _ = stacked(engine, double, on_plate=True)
    print(f"{'the same, the second on a plate':34s} {np.mean(painted):.4f}")
    seen = photos(engine)
    print(seen)
    misled = Row("boxes beside the subject")
    for case in single:
        cut, seconds = extracted(engine, ExtractTask(case.image, box=_wrong(case)))
        misled.add(case.sheets[0].alpha, cut.alpha, cut.alpha, cut.confidence or 0, seconds)
    print(review([boxes, sloppy, visible, seen, misled]))


if __name__ == "__main__":
    main()
