"""The app as a process: killed in the middle of a job, stopped politely, started again."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from playwright.sync_api import expect

from jobs.store import Store
from tests.scenehf.ui.conftest import SLOW, eventually
from tests.scenehf.ui.steps import give, job_of, log_lines, run, wait_for

ROOT = Path(__file__).parents[3]

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def start(tmp_path) -> Iterator[Start]:
    """Starts a Python process in the checkout and waits until it says that it serves."""
    running: list[subprocess.Popen[str]] = []

    def begin(*words: object, wait: bool = True) -> subprocess.Popen[str]:
        command = [sys.executable, *map(str, words)]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(ROOT)])
        }
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert not wait or any("http://127.0.0.1" in line and "mcp" not in line for line in process.stdout)
        return process

    yield begin
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.slow
def test_a_killed_app_resumes_and_the_page_catches_up(new_page, start, port, photos, home, trouble):
    words = ("-m", "tests.scenehf.ui.serve", port, home)
    process = start(*words)
    page = new_page(f"http://127.0.0.1:{port}")
    give(page, photos[SLOW])
    run(page)
    expect(page.locator(".shf-card").first.locator(".shf-badge")).to_have_text("Done")
    job = job_of(page)
    trouble.expected = ("Failed to load resource",)
    process.kill()
    process.wait()
    expect(page.get_by_role("alert").filter(has_text="does not answer")).to_be_visible(timeout=15_000)
    start(*words)
    page.get_by_text("does not answer").wait_for(state="hidden")
    wait_for(page, "Needs review")
    expect(page.locator(".shf-lines div").last).to_contain_text("Waiting for you.")
    with Store(home / "store") as store:
        events = store.events(job, limit=5000)
        said = [event.data["text"] for event in events if event.type == "log"]
        assert [step.attempt for step in store.steps(job) if step.key == "s1"] == [1], "done once"
    assert [line for line in log_lines(page) if line in said] == said


def test_ctrl_c_ends_the_app_soon_and_the_next_start_goes_on(start, port, furnished_home, photo_path):
    words = ("app.py", "--port", port, "--no-browser", "--data", furnished_home)
    process = start(*words)
    client = Client(f"http://127.0.0.1:{port}", verbose=False)
    job = client.predict(handle_file(photo_path("coffee")), "cup", api_name="/jobs_create")["job"]
    with Store(furnished_home / "store") as store:
        eventually(lambda: store.job(job).state in ("running", "needs_review"), 30)
        if store.job(job).state == "needs_review":  # the plan was quick: let it run
            client.submit(job, api_name="/run")
            eventually(lambda: store.job(job).state == "running")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert store.job(job).state == "queued"
        before = store.last_seq()
        start(*words, wait=False)
        eventually(lambda: "running" in [e.data.get("state") for e in store.events(job, before)], 20)
