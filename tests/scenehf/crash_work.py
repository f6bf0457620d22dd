"""Whole jobs on a machine that fails: killed again and again, or on a disk that is full.

python -m tests.scenehf.crash_work kill FOLDER KIND --kills 10
python -m tests.scenehf.crash_work full FOLDER KIND             as root, inside `unshare --mount`
"""

import argparse
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from jobs.host import Host
from jobs.job import Job
from jobs.runner import Runner
from jobs.store import Store
from models.spec import Access
from scenehf.pixels import decode_png, encode_png
from scenehf.worker import WORKFLOWS
from scenehf.workflows import actions, extract, gaze, make

UNITS = "tests.scenehf.crash_units:units"
ROOMS = (150, 400, 900, 2000)  # kB that are free when a job begins
PORTRAIT = "data/astronaut.png"  # in scikit-image's wheel
GRID = gaze.Params(grid=7, mobile=5, cell=96)
PATIENCE = 120.0  # seconds for one job


def open_store(data: Path) -> Store:
    return Store(data / "store", free_min=0, ballast=2 << 20)


def layers(store: Store) -> Job:
    """Four steps of 0.2 s, without anybody to ask."""
    picture = np.random.default_rng(1).integers(40, 160, (192, 256, 3), np.uint8)
    picture[0, 0] = 5  # quick, see tests/scenehf/ui/units.py
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return actions.create(store, file.getvalue(), "photo.png", params=extract.Params(headless=True))


def grid(store: Store) -> Job:
    import skimage

    return gaze.create(store, Path(skimage.__file__).parent / PORTRAIT, "portrait.png", params=GRID)


def pictures(store: Store) -> Job:
    """Three pictures by the model that needs no service and no weights."""
    photo, mask = (
        np.random.default_rng(1).integers(40, 160, (480, 640, 3), np.uint8),
        np.zeros((480, 640), np.uint8),
    )
    mask[120:360, 160:480] = 255
    asked = make.Asked(model="patchmatch", count=3)
    return make.create(store, asked, [(encode_png(photo), "photo.png")], encode_png(mask), access=Access())


MAKERS: dict[str, Callable[[Store], Job]] = {extract.KIND: layers, gaze.KIND: grid, make.KIND: pictures}


def work(data: Path) -> None:
    """An app without a screen: runs what is queued until somebody kills it."""
    store = open_store(data)
    Runner(store, WORKFLOWS, Host(UNITS)).start()
    print("working", flush=True)
    time.sleep(PATIENCE)


def ended(store: Store, job_id: str) -> Job:
    until = time.monotonic() + PATIENCE
    while (job := store.job(job_id)).state in ("queued", "running") and time.monotonic() < until:
        time.sleep(0.02)
    return job


def results(store: Store, job_id: str) -> dict[str, str]:
    """Pictures of the finished job, by the step that made them: name -> hash; of a PNG without what is written in it,
    such as the job. An export names its job; films and figures hold times."""
    chosen = {f"{step.key}/{step.attempt}/": f"{step.key}/" for step in store.chosen_steps(job_id)}
    found = {}
    for asset in store.assets(job_id):
        for prefix, plain in chosen.items():
            if asset.name.startswith(prefix) and asset.name.endswith((".png", ".webp", ".bin")):
                data = store.read(job_id, asset.name)
                pixels = decode_png(data).tobytes() if asset.name.endswith(".png") else data
                found[plain + asset.name.removeprefix(prefix)] = sha256(pixels).hexdigest()
    return found


def kill(data: Path, kind: str, kills: int, seed: int) -> dict[str, Any]:
    """Have the job made by workers that are killed at random; the same job undisturbed is what it is held against."""
    rng = random.Random(seed)
    with open_store(data) as store:
        calm = MAKERS[kind](store).id
        process = _started(data)
        began = time.monotonic()
        ended(store, calm)
        whole = time.monotonic() - began
        _killed(process)
        job = MAKERS[kind](store).id
        killed = 0
        while store.job(job).state in ("queued", "running"):
            process = _started(data)
            if killed < kills:
                time.sleep(rng.uniform(0, whole / 2))
                killed += 1
            else:
                ended(store, job)
            _killed(process)
        done = [step.key for step in store.steps(job) if step.state == "done"]
        return {
            "states": [store.job(calm).state, store.job(job).state],
            "killed": killed,
            "same": results(store, calm) == results(store, job) and bool(results(store, job)),
            "twice": sorted({key for key in done if done.count(key) > 1}),
            "unsound": [str(finding) for finding in store.verify()],
            "left_over": len(list((data / "store" / "tmp").iterdir())),
        }


def _started(data: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.scenehf.crash_work", "work", str(data), "-"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def _killed(process: "subprocess.Popen[str]") -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def full(data: Path, kind: str) -> dict[str, Any]:
    """The job on a small disk in memory that fills while it works, then again when there is room."""
    disk = data / "store"
    disk.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], check=True)
    report: dict[str, Any] = {"rooms": {}, "unsound": [], "left_over": []}
    with open_store(data) as store:
        runner = Runner(store, WORKFLOWS, Host(UNITS))
        runner.start()
        for room in ROOMS:
            job = MAKERS[kind](store).id
            store.request_pause(job)
            filler = disk / "filler"
            free = os.statvfs(disk)
            filler.write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - 1000 * room)))
            store.requeue(job)
            stopped = ended(store, job)
            error = stopped.error or next((step.error for step in store.steps(job) if step.error), None)
            filler.unlink()
            if stopped.state != "succeeded":
                store.requeue(job)
            again = ended(store, job)
            report["rooms"][room] = [stopped.state, (error or {}).get("kind"), again.state]
            report["unsound"] += [str(finding) for finding in store.verify()]
        runner.stop()
        store.gc(min_age=0)
        report["left_over"] = [path.name for path in (disk / "tmp").iterdir()]
    return report


def main() -> None:
    """Print the report as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("act", choices=("work", "kill", "full"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("kind")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.act == "work":
        work(args.folder)
    elif args.act == "kill":
        json.dump(kill(args.folder, args.kind, args.kills, args.seed), sys.stdout)
    else:
        json.dump(full(args.folder, args.kind), sys.stdout)


if __name__ == "__main__":
    main()
