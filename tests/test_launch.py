"""`launch.sh` in a copy of the checkout whose `.venv/bin/python` is this Python and writes down how it is called."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("app.py", "launch.sh", "models", "jobs", "scenehf", "requirements.txt", "requirements-dev.txt")
WORDS = ("awk", "bash", "cat", "cksum", "df", "dirname", "id", "rm", "sh", "sysctl", "uname")


def program(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@dataclass
class Checkout:
    root: Path
    home: Path

    @property
    def bin(self) -> Path:
        """Comes first in PATH."""
        return self.root.parent / "bin"

    def command(self, *argv: str) -> list[str]:
        return [str(self.root / "launch.sh"), *argv]

    def env(self, path: str | None = None) -> dict[str, str]:
        return os.environ | {"PATH": path or f"{self.bin}{os.pathsep}{os.environ['PATH']}"}

    def run(
        self, *argv: str, cwd: Path | None = None, path: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*argv), capture_output=True, text=True, check=False, cwd=cwd, env=self.env(path)
        )

    def calls(self) -> list[str]:
        """The arguments of every Python that was started so far."""
        log = self.root.parent / "calls"
        return log.read_text().splitlines() if log.exists() else []

    def files(self) -> set[Path]:
        found = {file.relative_to(self.root) for file in self.root.rglob("*")}
        return {file for file in found if file.parts[0] != ".venv"}

    def make_venv(self) -> None:
        """pip is only written down: the packages, and their bytecode, are those of this Python."""
        cache = ROOT / ".venv" / ".cache"
        cache.mkdir(parents=True, exist_ok=True)
        calls = self.root.parent / "calls"
        program(
            self.root / ".venv" / "bin" / "python",
            f'echo "$*" >>"{calls}"\ncase "$*" in "-m pip"* | "-m uv"* | "-m pytest"*) exit 0 ;; esac\n'
            f'exec "{sys.executable}" "$@"',
        )
        (self.root / ".venv" / ".cache").symlink_to(cache)


@pytest.fixture
def checkout(tmp_path: Path, furnished_home: Path) -> Checkout:
    """Set up once, so that `.venv` is stamped."""
    root = tmp_path / "a checkout"
    root.mkdir()
    for part in (*PARTS, "requirements.lock"):
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, root / part)
    checkout = Checkout(root, furnished_home)
    checkout.bin.mkdir()
    checkout.make_venv()
    assert checkout.run("models", "list").returncode == 0
    assert any(call.startswith("-m uv pip install") for call in checkout.calls())
    (tmp_path / "calls").unlink()
    return checkout


def test_a_second_start_installs_nothing(checkout: Checkout):
    told = checkout.run("models", "list")
    assert told.returncode == 0
    assert told.stderr == ""
    assert [call for call in checkout.calls() if call != "-c "] == ["-m scenehf models list"]


@pytest.mark.parametrize("changed", ["requirements.txt", "requirements.lock"])
def test_changed_requirements_are_installed(checkout: Checkout, changed: str):
    with (checkout.root / changed).open("a") as file:
        file.write("\n# changed\n")
    assert checkout.run("models", "list").returncode == 0
    _, uv = [call for call in checkout.calls() if "pip" in call]  # the first fetches uv itself
    assert f"-r {checkout.root}/requirements.txt -c {checkout.root}/requirements.lock" in uv
    assert checkout.run("models", "list").returncode == 0
    assert len([call for call in checkout.calls() if "pip" in call]) == 2


@pytest.mark.parametrize("missing", ["-m uv", "-m pip install --disable-pip-version-check --quiet uv"])
def test_pip_goes_on_where_uv_gets_nowhere(checkout: Checkout, missing: str):
    (checkout.root / "requirements.lock").write_text("# changed\n")
    python = checkout.root / ".venv" / "bin" / "python"
    body = python.read_text().partition("\n")[2]
    program(
        python,
        f'case "$*" in "{missing}"*) echo "$*" >>"{checkout.root.parent}/calls"; exit 1 ;; esac\n{body}',
    )
    assert checkout.run("models", "list").returncode == 0
    assert [call for call in checkout.calls() if call.startswith("-m pip")][-1].startswith(
        "-m pip install --disable-pip-version-check --no-compile -r"
    )


def test_a_failed_installation_is_tried_again(checkout: Checkout):
    (checkout.root / "requirements.lock").write_text("# changed\n")
    program(checkout.root / ".venv" / "bin" / "python", 'case "$*" in "-m pip"* | "-m uv"*) exit 1 ;; esac')
    for _ in range(2):
        told = checkout.run("models", "list")
        assert told.returncode == 1
        assert "could not be installed" in told.stderr


def test_nothing_is_written_into_the_checkout(checkout: Checkout):
    before = checkout.files()
    checkout.run("models", "list")
    checkout.run("jobs", "list")
    assert checkout.files() == before


def test_callers_folders_do_not_shadow_ours(checkout: Checkout, tmp_path: Path):
    for package in ("models", "jobs", "scenehf", "numpy"):
        (tmp_path / "there" / package).mkdir(parents=True)
        (tmp_path / "there" / package / "__init__.py").write_text("raise SystemExit('the wrong one')")
    assert checkout.run("models", "list", cwd=tmp_path / "there").returncode == 0


def test_starter_weights_are_asked_for_where_the_data_is(checkout: Checkout, tmp_path: Path):
    data = tmp_path / "some data"
    (data / "weights").mkdir(parents=True)
    (data / "weights" / "starter").symlink_to((checkout.home / "weights" / "starter").resolve())
    told = checkout.run("layers", "no-such-photo.png", "--out", "o", "--data", str(data), cwd=tmp_path)
    assert f"-m scenehf models pull starter --quiet --data {data}" in checkout.calls()
    assert told.returncode == 2, told.stderr
    assert len(told.stderr.splitlines()) == 1


@pytest.fixture
def bare(checkout: Checkout) -> Checkout:
    """A machine without Python: only the words that launch.sh itself uses."""
    shutil.rmtree(checkout.root / ".venv")
    for word in WORDS:
        if found := shutil.which(word):
            (checkout.bin / word).symlink_to(found)
    return checkout


def test_a_machine_without_python_is_told_what_to_get(bare: Checkout):
    program(bare.bin / "python3", "exit 1")  # too old: it fails the version test
    told = bare.run("doctor", path=str(bare.bin))
    assert told.returncode == 1
    assert "Python 3.11, 3.12 or 3.13 is needed" in told.stderr
    assert "install" in told.stderr


def test_too_little_disk_is_told_before_anything_is_made(bare: Checkout):
    (bare.bin / "df").unlink()
    program(bare.bin / "df", "echo head; echo /dev/x 99 99 2097152 9% /")
    told = bare.run("doctor", path=str(bare.bin))
    assert told.returncode == 1
    assert "needs about 10 GB" in told.stderr
    assert "has 2 GB free" in told.stderr
    assert not (bare.root / ".venv").exists()


def test_an_unknown_verb_is_refused_at_once(checkout: Checkout):
    told = checkout.run("paint")
    assert told.returncode == 1
    assert told.stderr.splitlines()[-1] == "There is no verb `paint`."
    assert "./launch.sh doctor" in checkout.run("--help").stdout
    assert checkout.calls() == []


def test_the_test_verb_runs_every_step_and_fails_if_one_did(checkout: Checkout):
    for name, code in (("ruff", 1), ("mypy", 0), ("lint-imports", 1)):
        program(checkout.root / ".venv" / "bin" / name, f"exit {code}")
    for name in ("chromium", "strace"):
        program(checkout.bin / name, "exit 0")
    told = checkout.run("test", "tests/jobs", "-x")
    assert told.returncode == 1
    failed = told.stderr.split("Failed:")[1].split("\n")
    assert [line.split()[0] for line in failed if line.strip()] == ["ruff", "ruff", "lint-imports"]
    assert checkout.calls()[-1] == "-m pytest -n 2 --dist loadfile tests/jobs -x"
    assert [call for call in checkout.calls() if "pip install" in call and "requirements-dev.txt" in call]


def test_missing_system_packages_are_named(bare: Checkout):
    bare.make_venv()
    (bare.bin / "id").unlink()
    program(bare.bin / "id", "echo 1000")
    told = bare.run("test", path=str(bare.bin))
    if sys.platform == "linux":
        assert told.returncode == 1
        assert told.stderr.endswith("please install them: chromium strace\n")


# --- the app -----------------------------------------------------------------------------------------------


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class App:
    """The app as a process, ready to answer."""

    def __init__(self, checkout: Checkout, *flags: str) -> None:
        self.process = subprocess.Popen(
            checkout.command("--no-browser", *flags),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=checkout.env(),
            start_new_session=True,
        )

    def wait_until_ready(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("Ready: "):
                return line.removeprefix("Ready: ").strip()
        pytest.fail(f"the app did not start: {self.process.communicate()[1]}")

    def stop(self, how: signal.Signals) -> float:
        """Seconds until the process is gone; the signal goes to all of its group, as Ctrl+C does."""
        started = time.monotonic()
        os.killpg(self.process.pid, how)
        self.process.communicate(timeout=20)
        return time.monotonic() - started


@pytest.fixture
def apps() -> Iterator[list[App]]:
    started: list[App] = []
    yield started
    for app in started:
        if app.process.poll() is None:
            os.killpg(app.process.pid, signal.SIGKILL)
        app.process.communicate()


@pytest.mark.timeout(300)  # three starts of the app, each with all its imports
def test_the_app_serves_this_machine_refuses_a_taken_port_and_stops_in_time(
    checkout: Checkout, port: int, apps: list[App]
):
    apps.append(first := App(checkout, "--port", str(port)))
    url = first.wait_until_ready()
    assert url == f"http://127.0.0.1:{port}/"
    with urllib.request.urlopen(url) as page:
        assert page.status == 200

    refused = checkout.run("--no-browser", "--port", str(port))
    assert refused.returncode == 1
    assert f"Port {port} is held by process {first.process.pid} (" in refused.stderr
    assert "--takeover" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert first.process.poll() is None

    apps.append(second := App(checkout, "--port", str(port), "--takeover"))
    assert second.wait_until_ready() == url
    assert first.process.wait(10) == 0
    assert second.stop(signal.SIGINT) < 5
    assert second.process.returncode == 130  # what a shell expects after Ctrl+C
    assert not list(checkout.home.glob("app-*.json"))
