"""Where weights come from is not trusted: a hub that lies in any way is refused, and no file is run as code."""

import ast
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.errors import DownloadFailed
from models.runtime.hub import HUB, Record
from models.runtime.weights import WEIGHTS
from tests.models.hub_server import REVISION, Answer, Hub

ROOT = Path(__file__).parents[2]
SET = HUB["liveportrait"]
OFFICIAL = SET.repositories[0]
FILE = SET.files[0].path
FORMATS = (".safetensors", ".gguf", ".onnx", ".tflite", ".json", ".txt")  # what is kept on this machine


class Lying(Hub):
    """A hub whose files are not what it told of. how: in which way."""

    def __init__(self, how: str) -> None:
        files = {file.path: b"weights " * 1000 for file in SET.files}
        super().__init__(OFFICIAL, files | {"modeling.py": b"raise SystemExit", "pytorch_model.bin": b"x"})
        self.how = how
        self.RequestHandlerClass = Bent

    def about(self) -> dict[str, object]:
        told = super().about()
        if self.how == "no revision":
            told["sha"] = "main"
        if self.how == "a hash that is a path":
            told["siblings"][0]["lfs"]["sha256"] = "../../../../escaped"
        return told


class Bent(Answer):
    server: Lying

    def _send(self, data: bytes, kind: str, body: bool, extra: object = None) -> None:
        if kind != "application/octet-stream" or not body:
            super()._send(data, kind, body, extra)
            return
        how = self.server.how
        if how == "to a file" or how == "to somewhere else":
            self.send_response(302)
            self.send_header(
                "Location", "file:///etc/passwd" if how == "to a file" else f"{self.server.url}/secret"
            )
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif how == "short":
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
        elif how == "shorter than told":
            super()._send(data[:-1], kind, body, extra)
        elif how == "ten times as long":
            super()._send(data * 10, kind, body, extra)
        elif how == "one byte":
            super()._send(data[:-1] + b"!", kind, body, extra)
        else:
            super()._send(data, kind, body, extra)


@pytest.fixture
def hub(request: pytest.FixtureRequest) -> Iterator[Lying]:
    with Lying(request.param) as hub:
        thread = threading.Thread(target=hub.serve_forever, daemon=True)
        thread.start()
        yield hub
        hub.shutdown()
        thread.join()


LIES = ("ten times as long", "to a file", "a hash that is a path")
MORE_LIES = ("one byte", "short", "shorter than told", "to somewhere else", "no revision")


@pytest.mark.parametrize(
    "hub", [*LIES, *(pytest.param(lie, marks=pytest.mark.slow) for lie in MORE_LIES)], indirect=True
)
def test_a_hub_that_lies_is_refused_in_a_sentence(hub: Lying, home: Path, tmp_path: Path):
    surroundings = os.environ | {
        "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path / "hf"),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ['PYTHONPATH']}",
    }  # fmt: skip
    told = subprocess.run(
        [sys.executable, "-m", "scenehf", "models", "pull", "liveportrait"],
        capture_output=True, text=True, env=surroundings, cwd=tmp_path, check=False, timeout=120,
    )  # fmt: skip
    assert (told.returncode, len(told.stderr.splitlines())) == (1, 1), told.stderr
    assert not list((home / "weights").rglob("*.safetensors"))
    assert not list(tmp_path.rglob("*escaped*"))
    assert not [line for line in hub.asked if line.endswith((".py", ".bin"))]
    assert all(f"/resolve/{REVISION}/" in line for line in hub.asked if "/resolve/" in line)


def test_a_record_holds_a_revision_and_hashes_or_is_none():
    whole = {"sha256": "a" * 64, "bytes": 7}
    assert Record("a/b", REVISION, "mit", {"x": whole}, {"x": whole})
    for revision in ("main", "v1.0", "", "5" * 39, "5" * 40 + "\n", "../" * 10):
        with pytest.raises(DownloadFailed, match="cannot be held"):
            Record("a/b", revision, "mit", {"x": whole})
    for entry in (
        {"sha256": "../x", "bytes": 7},
        {"sha256": "A" * 64, "bytes": 7},
        {"sha256": None, "bytes": 7},
        {"bytes": 7},
    ):
        with pytest.raises(DownloadFailed, match="cannot be held"):
            Record("a/b", REVISION, "mit", {"x": entry})


def test_what_is_kept_is_no_code():
    kept = [name for hub_set in HUB.values() for name in hub_set.kept]
    kept += [file.name for weight_set in WEIGHTS.values() for file in weight_set.files]
    assert kept and [name for name in kept if not name.endswith(FORMATS)] == []


# --- what the code may not do -------------------------------------------------------------------------------

PRODUCT = [
    ROOT / "app.py",
    *(file for floor in ("models", "jobs", "scenehf") for file in (ROOT / floor).rglob("*.py")),
]
UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
RUNNERS = {"eval", "exec", "compile", "__import__"}


def told_by(call: ast.Call, name: str) -> object:
    """The constant that a keyword is given, None without it."""
    return next((ast.literal_eval(word.value) for word in call.keywords if word.arg == name), None)


def faults(tree: ast.AST) -> Iterator[str]:
    """What of this code may run what is in a file. torch's own unpickler is allowed tensors alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in node.names]
            )
            taken = {alias.name for alias in node.names}
            if UNPICKLERS & {name.split(".")[0] for name in names} and taken != {"UnpicklingError"}:
                yield f"{node.lineno}: imports {names[0]}"
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        owner = getattr(getattr(node.func, "value", None), "id", "")
        if isinstance(node.func, ast.Name) and name in RUNNERS:
            yield f"{node.lineno}: {name}()"
        if (owner, name) == ("torch", "load") and told_by(node, "weights_only") is not True:
            yield f"{node.lineno}: torch.load without weights_only=True"
        if (owner, name) in (("yaml", "load"), ("yaml", "unsafe_load"), ("torch", "package")):
            yield f"{node.lineno}: {owner}.{name}"
        if (
            owner in ("Image", "Picture")
            and name == "open"
            and not any(w.arg == "formats" for w in node.keywords)
        ):
            yield f"{node.lineno}: opens a picture of any format"
        if name == "from_pretrained" and told_by(node, "local_files_only") is not True:
            yield f"{node.lineno}: from_pretrained of something that was not pulled"
        for word in node.keywords:
            if word.arg in ("trust_remote_code", "allow_pickle", "shell") and ast.literal_eval(word.value):
                yield f"{node.lineno}: {word.arg}"


@pytest.mark.parametrize("file", PRODUCT, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_file_is_run_as_code(file: Path):
    assert list(faults(ast.parse(file.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle", "from joblib import load", "import marshal", "torch.load(x)", "np.load(x, allow_pickle=True)",
        "torch.load(x, weights_only=False)", "yaml.load(x)", "eval(x)", "exec(x)", "run(x, shell=True)",
        "AutoModel.from_pretrained('a/b')", "from_pretrained(x, local_files_only=True, trust_remote_code=True)",
        "Image.open(x)",
    ],
)  # fmt: skip
def test_each_of_these_is_caught(line: str):
    assert list(faults(ast.parse(line)))
