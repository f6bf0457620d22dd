"""The law of money, with the real SDKs: whatever breaks, and whenever the program is killed, a click is one remote job
at most, the cap holds, and a finished picture is recovered or its call is `uncertain`."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.models.providers import paid

ROOT = Path(__file__).parents[3]


def run(name: str, *how: str) -> list[dict[str, Any]]:
    """The cases of one provider, each in processes of its own."""
    command = [sys.executable, "-m", "tests.models.providers.paid", name, *how]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert paid.CANARY not in done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


# One that is polled and can be looked up, and one whose answer holds the result; the others in longer runs.
@pytest.mark.parametrize(
    "name",
    ["replicate", "google", *(pytest.param(each, marks=pytest.mark.slow) for each in ("fal", "openai"))],
)
def test_a_click_is_paid_once_whatever_happens(name: str):
    cases = run(name)
    assert {one["case"]: one["wrong"] for one in cases if one["wrong"]} == {}
    assert len(cases) >= len(paid.KILLS) + len(paid.LEAST)
    assert sum(one["killed"] for one in cases) >= 4


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", paid.KINDS_OF)
def test_every_fault_with_every_kill(name: str):
    cases = run(name, "all")
    assert {one["case"]: one["wrong"] for one in cases if one["wrong"]} == {}


@pytest.mark.parametrize(
    ("mutant", "name"),
    [
        ("blind", "fal"),
        ("resending", "replicate"),
        pytest.param("resending", "google", marks=pytest.mark.slow),
    ],
)
def test_sending_again_blindly_is_caught(mutant: str, name: str):
    wrong = [one["wrong"] for one in run(name, mutant)]
    assert any("remote jobs" in words for words in wrong)
