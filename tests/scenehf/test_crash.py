"""Every workflow on a machine that fails, and the app over a data directory that is not as it should be."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs.store import Store
from scenehf.cli import main
from scenehf.worker import WORKFLOWS
from tests.jobs.crash_full import can_mount
from tests.scenehf.crash_work import MAKERS, ROOMS

ROOT = Path(__file__).parents[2]
AS_ROOT = pytest.mark.skipif(not can_mount(), reason="only root may mount a small disk")
MADE_HERE = sorted(MAKERS)


def run(*words: object, inside: tuple[str, ...] = ()) -> dict[str, Any]:
    command = [*inside, sys.executable, "-m", "tests.scenehf.crash_work", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_no_workflow_is_left_out():
    assert set(MAKERS) == set(WORKFLOWS)


@pytest.mark.crash
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", MADE_HERE)
def test_a_job_that_is_killed_again_and_again_comes_to_the_same(furnished_home: Path, kind: str):
    report = run("kill", furnished_home, kind, "--kills", 12)
    assert report["states"] == ["succeeded", "succeeded"]
    assert report["killed"] >= 3
    assert report["same"]
    assert (report["twice"], report["unsound"], report["left_over"]) == ([], [], 0)


@pytest.mark.crash
@AS_ROOT
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", MADE_HERE)
def test_a_disk_that_fills_stops_a_job_with_a_sentence_and_it_goes_on_later(furnished_home: Path, kind: str):
    report = run("full", furnished_home, kind, inside=("unshare", "--mount"))
    stopped = [outcome for outcome in report["rooms"].values() if outcome[0] != "succeeded"]
    assert len(report["rooms"]) == len(ROOMS) and stopped
    assert {kind for _, kind, _ in stopped} == {"StoreFull"}
    assert {again for _, _, again in report["rooms"].values()} == {"succeeded"}
    assert (report["unsound"], report["left_over"]) == ([], [])


READ_ONLY = """
mount -t tmpfs tmpfs "$1" && cp -r "$2/." "$1" && mount -o remount,ro "$1" && shift 2 && exec "$@"
"""


@AS_ROOT
@pytest.mark.parametrize(
    "words",
    [
        ("app.py", "--no-browser"),
        pytest.param(("-m", "scenehf", "jobs", "list"), marks=pytest.mark.slow),
        pytest.param(("-m", "scenehf", "doctor"), marks=pytest.mark.slow),
    ],
)
def test_a_data_directory_that_is_read_only_is_one_sentence(tmp_path: Path, words: tuple[str, ...]):
    with Store(tmp_path / "data" / "store", free_min=0, ballast=0):
        pass
    data = tmp_path / "mounted"
    data.mkdir()
    shell = ("unshare", "--mount", "bash", "-c", READ_ONLY, "-", str(data), str(tmp_path / "data"))
    command = [*shell, sys.executable, *words, "--data", str(data)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr + done.stdout
    told = [line for line in (done.stderr + done.stdout).splitlines() if "ead-only" in line]
    assert told, done.stderr


def test_a_damaged_file_is_named_and_other_jobs_stay_usable(home: Path, capsys: pytest.CaptureFixture[str]):
    with Store(home / "store", free_min=0, ballast=0) as store:
        jobs = [
            store.create_job("edit", {}, title=name, assets=[("a.png", name.encode() * 100, "image/png")])
            for name in ("whole", "hurt")
        ]
        hurt = store.path(jobs[1].id, "a.png")
        data = bytearray(hurt.read_bytes())
        data[50] ^= 1
        hurt.chmod(0o600)
        hurt.write_bytes(data)
        (finding,) = store.verify()
        assert (finding.kind, jobs[1].id in finding.subject) == ("asset-damaged", True)
        assert store.read(jobs[0].id, "a.png") == b"whole" * 100
    code, told = main(["jobs", "verify"]), capsys.readouterr().out
    assert (code, jobs[1].id in told, jobs[0].id in told) == (1, True, False)
