"""The fuzzers, as long as FUZZ_SECONDS says (60 for each); only with `pytest -m fuzz`."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = int(os.environ.get("FUZZ_SECONDS", "60"))
TARGETS = ["picture", "plan", "body", "bundle"]
if (ROOT / "models/runtime/gguf.py").exists():
    TARGETS.append("gguf")


@pytest.mark.fuzz
@pytest.mark.timeout(SECONDS + 300)
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="there is no atheris for this system")
@pytest.mark.parametrize("target", TARGETS)
def test_nothing_but_a_refusal_comes_of_any_file(target: str, tmp_path: Path):
    command = [sys.executable, "-m", "tests.scenehf.fuzz", target, str(SECONDS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Done " in done.stderr
