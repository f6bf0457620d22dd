"""What the app writes down of itself."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from models.redact import MASK
from scenehf import logs

CANARY = "sk-CANARY-1234567890"
BYTES = 20_000  # of a file, so that few lines fill it
CODE = f"""
import logging, sys, threading, warnings
from scenehf import logs
from scenehf.settings import load
logs.BYTES = {BYTES}
logs.keep_log(load())
log = logging.getLogger("a.b")
log.info("it %s", "works")
log.error("with {CANARY}")
try:
    raise ValueError("{CANARY}")
except ValueError:
    log.exception("failed")
warnings.warn("careful")
print("printed {CANARY}")
thread = threading.Thread(target=lambda: 1 / 0, name="{CANARY}")
thread.start(); thread.join()
for number in range(int(sys.argv[1])):
    log.info("line %d %s", number, "x" * 1000)
raise RuntimeError("{CANARY}")
"""


@pytest.fixture
def ran(home: Path):
    def run(lines: int = 0) -> tuple[str, list[dict[str, str]]]:
        command = [sys.executable, "-c", CODE, str(lines)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        kept = (home / "logs" / logs.FILE).read_text().splitlines()
        return done.stdout + done.stderr, [json.loads(line) for line in kept]

    return run


def test_each_line_is_one_object_and_no_key_is_written_or_printed(ran):
    printed, kept = ran()
    assert [line["message"] for line in kept[:3]] == ["it works", f"with {MASK}", "failed"]
    assert set(kept[0]) == {"time", "level", "logger", "message", "thread"}
    assert (kept[0]["level"], kept[0]["logger"], kept[0]["time"][-1]) == ("INFO", "a.b", "Z")
    assert f"ValueError: {MASK}" in kept[2]["error"]
    assert any("careful" in line["message"] for line in kept)
    assert (
        f"printed {MASK}" in printed and f"RuntimeError: {MASK}" in printed and "ZeroDivisionError" in printed
    )
    assert "CANARY" not in printed + json.dumps(kept)


def test_the_files_do_not_grow_for_ever(ran, home: Path):
    ran(90)
    files = list((home / "logs").glob(f"{logs.FILE}*"))
    assert len(files) == 1 + logs.FILES
    assert all(file.stat().st_size <= BYTES for file in files)
