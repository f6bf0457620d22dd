"""Crashes of every kind: short forms always, long ones with `pytest -m crash`.

Each harness is a program of its own (it forks, mounts, or runs under strace) and prints what it found.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.jobs.crash_full import can_mount

ROOT = Path(__file__).parents[2]
MUTANTS = ("no-fsync", "no-dir-fsync", "normal")
long = [pytest.mark.crash, pytest.mark.timeout(1800)]


def run(harness: str, folder: Path, *options: object) -> dict[str, Any]:
    """The report of one harness."""
    command = [sys.executable, "-m", f"tests.jobs.crash_{harness}", str(folder / harness), *map(str, options)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    print(done.stdout[:2000])
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize("kills", [20, pytest.param(1000, marks=long)])
def test_kill_9_loses_nothing_and_shows_nothing_half_written(tmp_path: Path, kills: int):
    report = run("kill", tmp_path, "--kills", kills)
    assert (report["lost"], report["half"], report["errors"]) == ([], [], [])
    assert report["facts"] > 5 * kills
    assert report["reopen_ms_p99"] < 500


@pytest.mark.parametrize("states", [40, pytest.param(1000, marks=long)])
def test_a_power_cut_loses_nothing(tmp_path: Path, states: int):
    report = run("power", tmp_path, "--states", states, "--rounds", 8 if states < 100 else 16)
    assert (report["bad"], report["lost"], report["unsound"]) == (0, [], [])
    assert report["facts"] > 20 * states


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_store_that_does_not_sync_is_caught(tmp_path: Path, mutant: str):
    assert run("power", tmp_path, "--states", 20, "--rounds", 5, "--mutant", mutant)["bad"] > 4


KINDS = [
    pytest.param(
        "bytes", marks=pytest.mark.skipif(not can_mount(), reason="only root may mount a small disk")
    ),
    pytest.param(
        "inodes", marks=pytest.mark.skipif(not can_mount(), reason="only root may mount a small disk")
    ),
    "limit",
]


@pytest.mark.parametrize("kind", KINDS if not os.environ.get("CI") or can_mount() else ["limit"])
def test_a_full_disk_loses_nothing_and_can_be_cleaned(tmp_path: Path, kind: str):
    report = run("full", tmp_path, "--kind", kind)
    assert report["said"].startswith("The disk is full")
    assert (report["lost"], report["unsound"], report["left_over"], report["listed"]) == (0, [], 0, True)
    assert report["steps"] > 10
    if kind != "limit":
        assert (report["cleaned"], report["usable"]) == (1, "queued")
        assert report["free"] > 20_000_000


@pytest.mark.parametrize(("jobs", "kills"), [(25, 12), pytest.param(200, 150, marks=long)])
def test_racing_workers_do_every_step_once(tmp_path: Path, jobs: int, kills: int):
    report = run("race", tmp_path, "--jobs", jobs, "--kills", kills)
    assert report["counts"] == {"succeeded": jobs}
    assert (report["strangers"], report["unsound"], report["errors"]) == (0, [], [])
    assert report["refused"] > 0


def test_a_store_without_the_fence_is_caught(tmp_path: Path):
    """A zombie has to wake up at the wrong moment, which is likely in one race and all but sure in four."""
    options = ("--jobs", 40, "--kills", 12, "--mutant", "no-fence", "--seed")
    assert any(run("race", tmp_path, *options, seed)["strangers"] for seed in range(1, 5))


@pytest.mark.parametrize("points", [7, pytest.param(250, marks=long)])
def test_a_failing_disk_gives_typed_errors_and_loses_nothing(tmp_path: Path, points: int):
    report = run("ioerr", tmp_path, "--points", points)
    assert (report["bad"], report["untyped"]) == ([], [])
    assert report["errors"] > points / 4


@pytest.mark.parametrize("kills", [8, pytest.param(100, marks=long)])
def test_a_migration_that_is_killed_is_whole_or_has_not_begun(tmp_path: Path, kills: int):
    report = run("migrate", tmp_path, "--kills", kills)
    assert (report["between"], report["unsound"]) == ([], [])
    assert report["old"] + report["new"] == kills
    if kills >= 100:
        assert report["old"] and report["new"], "some came before, some after"
