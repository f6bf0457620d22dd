import argparse
import json
import re
import shutil
import socket
from pathlib import Path

import pytest

from jobs.store import Store
from models.runtime.hub import HUB, RECORD, Record
from scenehf import instance
from scenehf.cli import doctor
from scenehf.settings import Settings, load


@pytest.fixture
def settings(furnished_home: Path) -> Settings:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return load(port=probe.getsockname()[1])


def examine(settings: Settings, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, str]]:
    code = doctor.run(argparse.Namespace(port=None), settings)
    lines = capsys.readouterr().out.splitlines()
    for line in lines:
        assert line.startswith("BAD") == (" Cure: " in line) or line.startswith(" - "), line
        assert len(line.replace(str(settings.data), "~")) < 240, "one line of a screen, or two"
    return code, {re.split(r"\s+", line[5:])[0]: line for line in lines}


def test_a_fit_machine(settings: Settings, capsys: pytest.CaptureFixture[str]):
    code, lines = examine(settings, capsys)
    assert list(lines) == [
        "Python", "Disk", "Memory", "Device", "Packages", "SQLite", "Weights", "Keys", "Privacy", "Sharing",
        "Port", "Store",
    ]  # fmt: skip
    assert {name for name, line in lines.items() if line.startswith("BAD")} <= {"Disk"}, lines
    assert code == (1 if any(line.startswith("BAD") for line in lines.values()) else 0)


def test_what_is_missing_is_named_with_its_cure(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    (settings.weights / "starter").unlink()
    monkeypatch.setitem(doctor.FLOORS, "gradio", "99.0")
    monkeypatch.setattr(doctor, "FREE_DISK", 1e18)
    monkeypatch.setattr(doctor, "FREE_MEMORY", 1e18)
    monkeypatch.setattr(doctor, "WAL_IS_SAFE", (99, 0, 0))
    monkeypatch.setenv("FAL_KEY", "CANARY")
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", settings.port))
        stranger.listen()
        code, lines = examine(load(port=settings.port), capsys)
    assert code == 1
    assert lines["Weights"].endswith("Cure: ./launch.sh models pull starter")
    assert "needed: gradio at least 99.0" in lines["Packages"]
    assert lines["Disk"].endswith("Cure: ./launch.sh jobs clean --hours 24")
    assert lines["Memory"].startswith(" - ") and "close other programs" in lines["Memory"]
    assert "a slower journal is used" in lines["SQLite"]
    assert lines["Port"].endswith(f"Cure: ./launch.sh --port {settings.port + 1}")
    assert "FAL_KEY" in lines["Keys"]
    assert "CANARY" not in "".join(lines.values())


def test_a_running_app_is_no_stranger(settings: Settings, capsys: pytest.CaptureFixture[str]):
    with instance.only_one(settings.data, settings.port), socket.socket() as app:
        app.bind(("127.0.0.1", settings.port))
        app.listen()
        _, lines = examine(settings, capsys)
    assert "this app runs there" in lines["Port"]


def test_a_damaged_store_is_found(settings: Settings, capsys: pytest.CaptureFixture[str]):
    examine(settings, capsys)
    shutil.rmtree(settings.store)
    settings.store.mkdir()
    (settings.store / "store.db").write_bytes(b"no database at all" * 1000)
    code, lines = examine(settings, capsys)
    assert code == 1
    assert lines["Store"].endswith(f"Cure: mv {settings.store} {settings.store}.damaged")


def test_what_a_newer_version_wrote_asks_for_an_update(
    settings: Settings, capsys: pytest.CaptureFixture[str]
):
    with Store(settings.store) as store, store.tx() as db:
        db.execute("PRAGMA user_version = 999")
    code, lines = examine(settings, capsys)
    assert code == 1
    assert lines["Store"].endswith("Cure: git pull && ./launch.sh")


def test_weights_that_were_pulled_and_are_not_whole_are_pulled_again(
    settings: Settings, capsys: pytest.CaptureFixture[str]
):
    pulled = settings.weights / "liveportrait"
    pulled.mkdir()
    record = Record("a/b", "5" * 40, "mit", {}, {name: {"bytes": 3} for name in HUB["liveportrait"].kept})
    (pulled / RECORD).write_text(json.dumps(vars(record)))
    assert examine(settings, capsys)[1]["Weights"].endswith("Cure: ./launch.sh models pull liveportrait")
    (pulled / RECORD).write_text("{")
    assert f"Cure: rm -r {pulled} && ./launch.sh models pull" in examine(settings, capsys)[1]["Weights"]


def test_what_others_can_read_and_reach_is_told(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    (settings.data / ".env").write_text("FAL_KEY=x")
    (settings.data / ".env").chmod(0o640)  # after the settings were read, as if it could not be changed
    _, lines = examine(settings.model_copy(update={"host": "0.0.0.0"}), capsys)
    assert lines["Privacy"].endswith(f"Cure: chmod go= {settings.data / '.env'}")
    assert "without a password" in lines["Sharing"]
