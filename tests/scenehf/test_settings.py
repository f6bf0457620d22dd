import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.ledger import Caps
from scenehf import settings
from scenehf.settings import BadSettings, Settings, load


@pytest.fixture(autouse=True)
def _own_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`load` tells child processes of the data directory; no test may leave that behind."""
    for name in (
        "SCENEHF_HOME",
        "SCENEHF_SHARE",
        "GRADIO_SERVER_NAME",
        "SCENEHF_HOST",
        "GRADIO_TEMP_DIR",
        "GRADIO_RUN_HISTORY",
    ):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(settings, "CHECKOUT", tmp_path / "checkout")
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    (tmp_path / "checkout").mkdir()


def test_without_anything_the_data_directory_is_in_the_home_of_the_person(tmp_path: Path):
    assert load().data == tmp_path / "person" / ".scenehf"
    assert load().port == 7860
    assert not load().public
    assert load().keys_found() == ()


def test_the_data_directory_is_private(tmp_path: Path):
    folder = load(data=tmp_path / "d").data
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {child.name for child in folder.iterdir()} == {"store", "weights", "logs", "tmp-7860"}
    assert all(child.stat().st_mode & 0o777 == 0o700 for child in folder.iterdir())


def test_flags_win_over_the_environment_which_wins_over_the_nearer_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    data = tmp_path / "d"
    data.mkdir()
    (tmp_path / "checkout" / ".env").write_text(
        f"SCENEHF_HOME={data}\nSCENEHF_PORT=1001\nFAL_KEY=far\nHF_TOKEN=far\n"
    )
    assert (load().data, load().port) == (data, 1001)
    (data / ".env").write_text("SCENEHF_PORT=1002\nFAL_KEY=near\n")
    found = load()
    assert found.port == 1002
    assert found.fal_key is not None
    assert found.fal_key.get_secret_value() == "near"
    assert found.keys_found() == ("FAL_KEY", "HF_TOKEN")
    monkeypatch.setenv("SCENEHF_PORT", "1003")
    assert load().port == 1003
    assert load(port=1004).port == 1004
    assert load(data=tmp_path / "other").data == tmp_path / "other"


def test_an_empty_line_of_the_example_file_is_no_key(tmp_path: Path):
    (tmp_path / "checkout" / ".env").write_text((Path(__file__).parents[2] / ".env.example").read_text())
    assert load().keys_found() == ()
    assert load().port == 7860


def test_keys_are_never_printed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-CANARY")
    monkeypatch.setenv("REPLICATE_API_TOKEN", "r8-CANARY")
    found = load()
    assert found.keys_found() == ("REPLICATE_API_TOKEN", "OPENAI_API_KEY")
    assert "CANARY" not in repr(found)
    assert "CANARY" not in found.model_dump_json()


@pytest.mark.parametrize(("name", "flags"), [("SPACE_ID", {}), (None, {"share": True})])
def test_a_space_and_a_share_link_are_public(monkeypatch: pytest.MonkeyPatch, name: str | None, flags: dict):
    if name:
        monkeypatch.setenv(name, "someone/scenehf")
    assert load(**flags).public


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "here.example"])
def test_an_address_that_others_reach_is_public(monkeypatch: pytest.MonkeyPatch, host: str):
    assert load(host=host).public
    monkeypatch.setenv("SCENEHF_HOST", "")
    monkeypatch.setenv("GRADIO_SERVER_NAME", host)
    assert load().public
    for own in ("127.0.0.1", "localhost", "::1", "127.0.0.2"):
        assert not load(host=own).public


def test_whoever_reads_the_settings_again_knows_that_strangers_come(monkeypatch: pytest.MonkeyPatch):
    """The workflows do, and use no key of the owner's then."""
    assert not Settings().public
    load(share=True)
    assert Settings().public


def test_strangers_cost_nothing_unless_the_owner_says_so(monkeypatch: pytest.MonkeyPatch):
    assert load().caps().day == 5_000_000
    assert load(share=True).caps() == Caps(0, 0, 0)
    monkeypatch.setenv("SCENEHF_CAP_DAY", "2")
    assert load(share=True).caps() == Caps(0, 2_000_000, 0)


def test_a_login_has_a_name_and_a_password(monkeypatch: pytest.MonkeyPatch):
    assert load().account() is None
    assert load(auth="me:pass:word").account() == ("me", "pass:word")
    assert "word" not in repr(load(auth="me:pass:word"))
    for bad in ("me", "me:short", ":password"):
        with pytest.raises(BadSettings, match="write NAME:PASSWORD"):
            load(auth=bad)


def test_names_come_with_commas(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SCENEHF_NAMES", "a.example, B.example")
    monkeypatch.setenv("SPACE_HOST", "me-it.hf.space,other.example")
    assert load().reached_as == ("a.example", "b.example", "me-it.hf.space", "other.example")


def test_what_was_open_to_others_is_closed(tmp_path: Path):
    data = tmp_path / "d"
    data.mkdir(mode=0o755)
    for file in (data / ".env", tmp_path / "checkout" / ".env"):
        file.write_text("FAL_KEY=x\n")
        file.chmod(0o644)
    load(data=data)
    assert data.stat().st_mode & 0o777 == 0o700
    assert (data / ".env").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "checkout" / ".env").stat().st_mode & 0o777 == 0o600


def test_bad_values_are_told_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadSettings, match=r"cannot be used.*--data DIR"):
        load(data=tmp_path / "file" / "d")
    monkeypatch.setenv("SCENEHF_PORT", "many")
    with pytest.raises(BadSettings, match=r"^The setting port cannot be used: .*integer.*\.$"):
        load()


def test_a_child_process_finds_the_same_data_directory(tmp_path: Path):
    load(data=tmp_path / "d")
    code = "from scenehf.settings import Settings; print(Settings().data)"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    assert told.stdout.strip() == str(tmp_path / "d") == os.environ["SCENEHF_HOME"]


def test_apps_side_by_side_share_everything_but_their_uploads(tmp_path: Path):
    first, second = (load(data=tmp_path, port=port) for port in (7860, 7861))
    assert (first.store, first.weights, first.logs) == (second.store, second.weights, second.logs)
    assert first.uploads != second.uploads


def test_settings_do_not_change():
    with pytest.raises(ValueError, match="frozen"):
        Settings().port = 1
