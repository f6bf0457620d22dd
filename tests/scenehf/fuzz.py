"""Fuzzers guided by coverage (atheris), each a program of its own: python -m tests.scenehf.fuzz NAME SECONDS

What reads files of strangers may refuse them by its own error and by no other. A crash ends the program; the input that
did it lies in the folder then.
"""

import importlib
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["scenehf", "jobs", "zipfile", "PIL"]):
    from jobs.bundle import export_bundle, import_bundle
    from jobs.errors import BadBundle
    from jobs.store import Store
    from scenehf.errors import BadPicture
    from scenehf.layers.asking import _plan as plan_of
    from scenehf.layers.plan import Plan
    from scenehf.pixels import Limits
    from scenehf.pixels.door import decoded
    from scenehf.ui.guard.body import Judge, parsed
    from scenehf.ui.guard.refusal import Refused

SMALL = Limits(4_000_000, 4000, 1 << 20, ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"))


def picture(data: bytes) -> None:
    try:
        decoded(BytesIO(data), "x", SMALL)
    except BadPicture:
        pass


def plan(data: bytes) -> None:
    for read in (Plan.model_validate_json, lambda text: plan_of(text.decode(errors="replace"))):
        try:
            read(data)
        except ValueError:  # pydantic's own is one
            pass


def body(data: bytes) -> None:
    try:
        Judge(Path("/nowhere"), lambda _: False).files(parsed(data))
    except Refused:
        pass


def bundle(store: Store) -> Callable[[bytes], None]:
    file = store.root / "fuzzed.zip"

    def read(data: bytes) -> None:
        file.write_bytes(data)
        try:
            store.delete_job(import_bundle(store, file).id)
        except BadBundle:
            pass

    return read


def gguf(data: bytes) -> None:
    from models.errors import ModelError

    gguf_file = importlib.import_module("models.runtime.gguf").GgufFile
    with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
        file.write(data)
        file.flush()
        try:
            gguf_file(Path(file.name), "qwen2vl")
        except ModelError:
            pass


def seeds(name: str, corpus: Path, store: Store) -> None:
    """Good files to begin with."""
    from tests.scenehf.picture_files import hostile

    if name == "picture":
        for kind, data in hostile().items():
            if len(data) < 20_000:
                (corpus / kind).write_bytes(data)
    elif name == "bundle":
        job = store.create_job(
            "edit", {"plan": {"version": 1}}, title="x", assets=[("a.png", b"data", "image/png")]
        )
        export_bundle(store, job.id, corpus / "job.zip")
        store.delete_job(job.id)
    elif name == "plan":
        (corpus / "plan").write_text('{"version": 1, "scene": "x", "steps": []}')
        (corpus / "answer").write_text(
            '{"scene": "x", "objects": [{"name": "a", "description": "b", "box": [1, 2, 300, 400]}]}'
        )
    else:
        (corpus / "seed").write_text('{"data": [{"path": "x", "meta": {"_type": "gradio.FileData"}}]}')


def main() -> None:
    name, seconds = sys.argv[1], int(sys.argv[2])
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        store = Store(Path(folder) / "store", free_min=0, ballast=0)
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        seeds(name, corpus, store)
        target = (
            bundle(store)
            if name == "bundle"
            else {"picture": picture, "plan": plan, "body": body, "gguf": gguf}[name]
        )
        words = [
            sys.argv[0],
            str(corpus),
            f"-max_total_time={seconds}",
            "-max_len=20000",
            "-timeout=10",
            "-rss_limit_mb=3000",
        ]
        atheris.Setup(words, target)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
