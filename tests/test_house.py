"""The rules of the house that no linter knows, and a proof that the linters know theirs."""

import ast
import importlib
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from models.catalog import SPECS
from scenehf.cli import doctor
from scenehf.layers.engines import ENGINES
from scenehf.layers.planners import PLANNERS
from scenehf.worker import WORKFLOWS

ROOT = Path(__file__).parents[1]
FLOORS = ("models", "jobs", "scenehf")
TOP = {
    ".ci", ".env.example", ".gitignore", "LICENSE", "README.md", "app.py", "benchmarks", "docs", "jobs", "launch.sh",
    "models", "pyproject.toml", "requirements-dev.txt", "requirements.lock", "requirements.txt", "scenehf", "tests",
}  # fmt: skip
HEAVY = (
    "accelerate ai_edge_litert cv2 diffusers fal_client gguf google.genai gradio huggingface_hub numba onnxruntime "
    "openai patchmatch psd_tools pymatting ray replicate scipy skimage tifffile torch torchvision transformers"
).split()
LONGEST = 400  # lines
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS = {contract["id"]: contract for contract in PROJECT["tool"]["importlinter"]["contracts"]}


def tracked() -> list[Path]:
    """What belongs to the project: everything that git does not ignore."""
    listed = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def modules_in(folder: str) -> set[str]:
    found = (ROOT / folder).iterdir()
    return {child.stem for child in found if child.suffix == ".py" or (child / "__init__.py").is_file()} - {
        "__init__"
    }


# --- files -------------------------------------------------------------------------------------------------


def test_no_file_is_a_monster():
    code = [file for file in tracked() if file.suffix in {".py", ".sh", ".js", ".css", ".html", ".sql"}]
    long = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in code}
    assert {name: lines for name, lines in long.items() if lines > LONGEST} == {}


def test_the_top_level_holds_what_the_design_names():
    assert {file.relative_to(ROOT).parts[0] for file in tracked()} <= TOP


@pytest.mark.parametrize(
    "word", ["util", "utils", "helper", "helpers", "manager", "service", "handlers", "common", "misc"]
)
def test_every_module_has_a_name_of_its_own(word: str):
    assert [file for file in tracked() if word in file.with_suffix("").parts] == []


def test_no_name_of_a_module_hides_one_of_the_standard_library():
    top = {file.stem for file in ROOT.glob("*.py")} | set(FLOORS) | {"benchmarks"}
    assert top & sys.stdlib_module_names == set()


def test_tests_mirror_the_floors():
    strays = {
        file.relative_to(ROOT / "tests").parts[0]
        for file in tracked()
        if "tests" in file.parts[len(ROOT.parts) :]
    }
    assert strays <= {*FLOORS, "benchmarks", "guard", "conftest.py", "test_house.py", "test_launch.py"}


# --- registration ------------------------------------------------------------------------------------------


def test_every_model_is_in_the_catalog_and_every_line_has_its_file():
    files = modules_in("models/local") | (
        modules_in("models/cloud") if (ROOT / "models/cloud").is_dir() else set()
    )
    named = set(re.findall(r'load=_\w+\("(\w+)"[,)]', (ROOT / "models/catalog.py").read_text()))
    assert named == files
    assert len(SPECS) == len({spec.id for spec in SPECS}) >= len(files)
    for name in modules_in("models/local"):
        assert callable(importlib.import_module(f"models.local.{name}").load)


def test_every_engine_and_planner_is_registered():
    assert len(ENGINES) == len(modules_in("scenehf/layers/engines"))
    assert len(PLANNERS) == len(modules_in("scenehf/layers/planners"))


def test_every_job_kind_is_registered():
    defined = set()
    for file in (ROOT / "scenehf/workflows").glob("*.py"):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "KIND":
                defined.add(ast.literal_eval(node.value))
    assert defined == set(WORKFLOWS)
    assert defined


# --- weight ------------------------------------------------------------------------------------------------


def test_importing_the_house_stays_light():
    workflows = [f"scenehf.workflows.{name}" for name in sorted(modules_in("scenehf/workflows"))]
    wanted = ", ".join(
        ["models.catalog", "models.pool", "jobs.runner", "jobs.host", "scenehf.worker", *workflows]
    )
    code = f"import sys, {wanted}; print([name for name in {HEAVY} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.stdout.strip() == "[]", told.stderr


@pytest.mark.parametrize("package", doctor.FLOORS)
def test_versions_with_known_holes_are_not_installed(package: str):
    assert doctor._numbers(metadata.version(package)) >= doctor._numbers(doctor.FLOORS[package])


def test_the_sqlite_that_can_lose_its_log_is_not_used():
    from pysqlite3 import dbapi2

    assert dbapi2.sqlite_version_info >= (3, 51, 3) == doctor.WAL_IS_SAFE


def test_the_lock_pins_everything_that_is_asked_for():
    def names(file: str) -> set[str]:
        lines = (re.match(r"[\w.-]+", line) for line in (ROOT / file).read_text().splitlines())
        return {re.sub(r"[-_.]+", "-", found[0]).lower() for found in lines if found}

    assert names("requirements.txt") | names("requirements-dev.txt") <= names("requirements.lock")
    assert not [name for name in names("requirements.lock") if name.startswith(("nvidia", "cuda", "triton"))]


# --- the linters catch what they are there for -------------------------------------------------------------


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree with its settings, to break things in; git is asked for nothing."""
    root = tmp_path_factory.mktemp("tree")
    for part in FLOORS:
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "app.py"):
        shutil.copy(ROOT / file, root / file)
    return root


@pytest.fixture
def broken(copy: Path) -> Iterator["Broken"]:
    breaker = Broken(copy)
    yield breaker
    breaker.mend()


class Broken:
    """A tree with one line too many."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._before: dict[Path, str | None] = {}

    def add(self, module: str, line: str) -> Path:
        """Append `line` to `module`; made if it is not there."""
        file = self.root / (module.replace(".", "/") + ".py")
        if not file.exists() and (self.root / module.replace(".", "/")).is_dir():
            file = self.root / module.replace(".", "/") / "__init__.py"
        self._before[file] = file.read_text() if file.exists() else None
        file.write_text((self._before[file] or '"""New."""\n') + f"\n{line}\n")
        return file

    def mend(self) -> None:
        for file, text in self._before.items():
            if text is None:
                file.unlink()
            else:
                file.write_text(text)

    def contracts(self, *ids: str) -> "subprocess.CompletedProcess[str]":
        chosen = [word for name in ids for word in ("--contract", name)]
        command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache", *chosen]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)

    def ruff(self, file: Path) -> str:
        command = [
            str(Path(sys.executable).with_name("ruff")),
            "check",
            "--no-cache",
            "--output-format",
            "concise",
        ]
        return subprocess.run(
            [*command, str(file)], cwd=self.root, capture_output=True, text=True, check=False
        ).stdout


# One violation per line of "who may import whom": contract, the module, what it must not import.
VIOLATIONS = (
    ("floors", "models.requests", "jobs.job"),
    ("floors", "jobs.job", "models.requests"),
    ("floors", "models.spec", "scenehf.scene"),
    ("floors", "jobs.store", "scenehf.settings"),
    ("rooms", "scenehf.cli.models", "scenehf.ui.build"),
    ("rooms", "scenehf.ui.build", "scenehf.cli"),
    ("rooms", "scenehf.worker", "scenehf.cli"),
    ("rooms", "scenehf.workflows.actions", "scenehf.worker"),
    ("rooms", "scenehf.layers.plan", "scenehf.workflows.actions"),
    ("rooms", "scenehf.export.zip", "scenehf.layers.plan"),
    ("rooms", "scenehf.pixels.png", "scenehf.export.zip"),
    ("rooms", "scenehf.scene", "scenehf.pixels"),
    ("rooms", "scenehf.settings", "scenehf.errors"),
    ("rooms", "scenehf.instance", "scenehf.settings"),
    ("rooms", "scenehf.newroom", "scenehf.scene"),
    ("models", "models.redact", "models.errors"),
    ("models", "models.errors", "models.requests"),
    ("models", "models.requests", "models.spec"),
    ("models", "models.spec", "models.runtime.weights"),
    ("models", "models.runtime.weights", "models.local.face_detector"),
    ("models", "models.local.face_detector", "models.catalog"),
    ("models", "models.catalog", "models.pool"),
    ("models", "models.newroom", "models.errors"),
    ("gradio", "scenehf.workflows.actions", "gradio"),
    ("gradio", "scenehf.cli.doctor", "gradio"),
    ("gradio", "models.catalog", "gradio_client"),
    ("torch", "scenehf.layers.engines.local", "torch"),
    ("torch", "scenehf.ui.build", "transformers"),
    ("torch", "models.pool", "diffusers"),
    ("torch", "models.providers.fal", "torch"),
    ("torch", "jobs.host", "torch"),
    ("jobs", "jobs.job", "pydantic"),
    ("jobs", "jobs.preview", "PIL"),
    ("one-file-models", "models.local.face_detector", "models.local.person_matte"),
    ("one-file-models", "models.local.patchmatch", "models.local.saliency_cut"),
    ("models", "models.providers.fal", "models.cloud"),
    ("one-file-engines", "scenehf.layers.engines.second", "scenehf.layers.engines.local"),
    ("one-file-planners", "scenehf.layers.planners.second", "scenehf.layers.planners.offline"),
    ("one-file-tabs", "scenehf.ui.tabs.history", "scenehf.ui.tabs.layers"),
    ("one-file-verbs", "scenehf.cli.models", "scenehf.cli.jobs"),
)  # fmt: skip


@pytest.mark.parametrize(("contract", "module", "imported"), VIOLATIONS)
def test_a_contract_catches_its_violation(broken: Broken, contract: str, module: str, imported: str):
    broken.add(module, f"def reach() -> None:\n    import {imported}  # also inside a function")
    told = broken.contracts(contract)
    assert told.returncode == 1, told.stdout
    assert "1 broken" in told.stdout, told.stdout + told.stderr


def test_every_contract_is_proven_and_holds(broken: Broken):
    assert {contract for contract, _, _ in VIOLATIONS} == set(CONTRACTS)
    told = broken.contracts()
    assert told.returncode == 0, told.stdout


def test_gradio_is_forbidden_in_every_room_but_the_screens():
    rooms = {f"scenehf.{name}" for name in modules_in("scenehf")} - {"scenehf.ui", "scenehf.__main__"}
    assert set(CONTRACTS["gradio"]["source_modules"]) == {"models", "jobs"} | rooms


def test_torch_is_forbidden_everywhere_but_in_local_models_and_the_runtime():
    rest = {f"models.{name}" for name in modules_in("models")} - {"models.local", "models.runtime"}
    assert set(CONTRACTS["torch"]["source_modules"]) == {"jobs", "scenehf"} | rest


@pytest.mark.parametrize(
    ("module", "line", "rule"),
    [
        ("scenehf.scene", "import torch", "TID253"),
        ("models.local.face_detector", "import cv2", "TID253"),
        ("models.runtime.device", "from google import genai", "TID253"),
        ("scenehf.worker", "from . import scene", "TID252"),
        ("scenehf.worker", "import app", "TID251"),
        ("models.spec", 'import os\nHOME = os.environ["HOME"]', "TID251"),
        ("models.spec", 'import os\nHOME = os.getenv("HOME")', "TID251"),
        ("jobs.store", "import pickle", "TID251"),
        (
            "jobs.store",
            "def ask() -> None:\n    try:\n        ...\n    except Exception:\n        ...",
            "BLE001",
        ),
        ("jobs.store", 'import subprocess\nsubprocess.run("ls", shell=True)', "S602"),
        ("jobs.store", "def add(a, b):\n    return a + b", "ANN001"),
    ],
)
def test_ruff_catches_its_violation(broken: Broken, module: str, line: str, rule: str):
    assert rule in broken.ruff(broken.add(module, line))


def test_only_the_settings_read_the_environment():
    exempt = PROJECT["tool"]["ruff"]["lint"]["per-file-ignores"]
    assert [name for name, rules in exempt.items() if "TID251" in rules] == [
        "tests/**",
        "benchmarks/**",
        "scenehf/settings.py",
    ]


# --- the tests' own ground ---------------------------------------------------------------------------------


def test_no_test_reaches_the_network(network_guard: Path):
    code = "import socket\ntry: socket.create_connection(('192.0.2.1', 80), 1)\nexcept Exception: print('refused')"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert told.stdout == "refused\n"
    assert "192.0.2.1" in network_guard.read_text()
    network_guard.write_text("")


def test_every_heavy_library_is_banned_at_module_level():
    banned = set(PROJECT["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-module-level-imports"])
    assert {name.split(".")[0] for name in HEAVY} - {"gradio"} == banned
