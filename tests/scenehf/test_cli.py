"""The verbs as a person runs them: in a process, from some other folder."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scenehf.cli import VERBS, app_settings, main

ROOT = Path(__file__).parents[2]


def verb(*argv: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    env = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ['PYTHONPATH']}", "PYTHONSAFEPATH": "1"}
    return subprocess.run(
        [sys.executable, "-m", "scenehf", *argv],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=env,
        check=False,
    )


def test_weights_are_listed_and_verified(furnished_home: Path, tmp_path: Path):
    told = verb("models", "list", cwd=tmp_path)
    assert told.returncode == 0
    assert told.stdout.splitlines()[1].split()[-2:] == ["Apache-2.0", "present"]
    told = verb("models", "verify", cwd=tmp_path)
    assert (told.returncode, told.stdout) == (0, "5 files, all as recorded.\n")


def test_missing_weights_are_listed_with_their_cure(home: Path, tmp_path: Path):
    assert "missing" in verb("models", "list", cwd=tmp_path).stdout
    told = verb("models", "verify", cwd=tmp_path)
    assert told.returncode == 1
    assert told.stdout.count("missing. Cure: ./launch.sh models pull starter") == 5


def test_pulling_what_is_here_is_offline(furnished_home: Path, tmp_path: Path):
    told = verb("models", "pull", "starter", cwd=tmp_path)
    assert told.returncode == 0
    assert told.stdout.endswith("already here\n")
    assert verb("models", "pull", "starter", "--quiet", cwd=tmp_path).stdout == ""


def test_a_failed_pull_is_one_sentence(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "empty"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    told = verb("models", "pull", "starter", cwd=tmp_path)
    assert told.returncode == 1
    assert told.stderr.startswith("pip could not fetch mediapipe==0.10.21: ")
    assert len(told.stderr.splitlines()) == 1


@pytest.mark.parametrize("argv", [("models", "list", "--data", "d"), ("models", "--data=d", "list")])
def test_the_data_directory_can_be_named_anywhere_after_the_verb(
    argv: tuple[str, ...], home: Path, tmp_path: Path
):
    assert verb(*argv, cwd=tmp_path).returncode == 0
    assert (tmp_path / "d" / "weights").is_dir()
    assert list(home.iterdir()) == []


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = capsys.readouterr().out
    assert all(f"\n    {name} " in listed for name in VERBS)


def test_every_verb_has_its_file():
    files = {file.stem for file in (ROOT / "scenehf" / "cli").glob("*.py")} - {"__init__"}
    assert files == set(VERBS)
    for name in VERBS:
        module = importlib.import_module(f"scenehf.cli.{name}")
        assert callable(module.add)
        assert callable(module.run)


def test_a_data_directory_that_cannot_be_used_is_one_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("")
    told = verb("models", "list", "--data", "file/d", cwd=tmp_path)
    assert told.returncode == 1
    assert "Choose another with --data DIR." in told.stderr
    assert len(told.stderr.splitlines()) == 1


def test_flags_of_the_app(home: Path, tmp_path: Path):
    settings, takeover = app_settings(
        ["--port", "8000", "--no-browser", "--data", str(tmp_path / "d"), "--takeover"]
    )
    assert (settings.port, settings.browser, settings.data, takeover) == (8000, False, tmp_path / "d", True)
    settings, takeover = app_settings([])
    assert (settings.port, settings.browser, settings.share, takeover) == (7860, True, False, False)
    with pytest.raises(SystemExit):
        app_settings(["--porte", "1"])
