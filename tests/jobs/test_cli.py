"""The verb `jobs`: what it prints, and its exit codes."""

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.lane import Lane
from jobs.store import Store
from scenehf.cli import jobs as verb
from scenehf.settings import Settings

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A data directory."""
    return tmp_path


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the verb: (exit code, what it printed, what it complained)."""

    def call(*words: str) -> tuple[int, str, str]:
        parser = argparse.ArgumentParser()
        verb.add(parser.add_subparsers())
        code = verb.run(parser.parse_args(["jobs", *words]), Settings(data=home))
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def filled(store: Store) -> Store:
    """Three jobs: done, failed and waiting."""
    done = store.create_job("layers.extract", {"plan": {"version": 1}}, title="a cup")
    job = store.claim("me")
    assert job is not None
    attempt = store.begin_step(job.id, job.attempt, "s1", 0, "cup", {}, "k").attempt
    store.end_step(
        job.id, job.attempt, "s1", attempt, "done", {}, [("s1/1/alpha.png", bytes(1500), "image/png")]
    )
    store.finish_job(done.id, job.attempt, "succeeded")
    store.create_job("layers.extract", {}, title="a temple")
    job = store.claim("me")
    assert job is not None
    error = {"kind": "X", "message": "It is too dark.", "hint": "Use another photo."}
    store.finish_job(job.id, job.attempt, "failed", error=error)
    store.create_job("layers.extract", {}, title="waiting", hold=True)
    return store


def test_list(run: Run, filled: Store):
    code, out, _ = run("list")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ["ID", "STATE", "KIND", "CHANGED", "TITLE"]
    assert [line.split()[1] for line in lines[1:]] == ["needs_review", "failed", "succeeded"]
    assert (
        len(
            {line.index(word) for line, word in zip(lines[1:], ["waiting", "a temple", "a cup"], strict=True)}
        )
        == 1
    )
    assert "and 2 more" in run("list", "--limit", "1")[1]
    assert len(run("list", "--state", "failed")[1].splitlines()) == 2
    assert "a cup" in run("list", "--search", "CUP")[1]
    assert run("list", "--search", "zebra")[1] == "No such jobs.\n"


def test_an_empty_store(run: Run):
    assert run("list") == (0, "No jobs.\n", "")
    assert run("verify") == (0, "All is well.\n", "")


def test_show(run: Run, filled: Store):
    _, failed, done = filled.list_jobs()
    code, out, _ = run("show", done.id[-8:])
    assert code == 0
    for words in ("a cup", "succeeded", "s1/1/alpha.png  1.5 kB  image/png", "*  s1   1    done"):
        assert words in out, out
    assert "It is too dark. Use another photo." in run("show", failed.id)[1]
    code, out, err = run("show", "nope")
    assert (code, out) == (2, "")
    assert err.startswith("There is no job 'nope'.")


def test_status(run: Run, filled: Store):
    code, out, _ = run("status")
    assert code == 0
    assert "succeeded      1" in out and "nobody: start the app" in out and str(filled.root) in out
    lane = Lane(filled.root)
    assert lane.acquire()
    assert "process " in run("status")[1]
    lane.release()


def test_export_import_and_clean(run: Run, filled: Store, tmp_path: Path):
    done = filled.list_jobs(state="succeeded")[0]
    out = tmp_path / "out.zip"
    assert run("export", done.id, "--out", str(out))[1].startswith(f"Wrote {out}")
    assert run("import", str(out))[0] == 0
    assert len(filled.list_jobs(state="succeeded")) == 2
    assert run("export", done.id, "--out", str(tmp_path / "no" / "x.zip"))[0] == 2
    assert run("import", str(tmp_path / "absent.zip"))[0] == 2
    assert run("clean", "--hours", "1")[1].startswith("Deleted 0 jobs")
    assert run("clean", "--job", done.id)[1].startswith("Deleted 1 job, freed")
    assert run("clean", "--all")[1].startswith("Deleted 3 jobs, freed")
    assert run("list")[1] == "No jobs.\n"


def test_verify_names_what_is_damaged(run: Run, filled: Store):
    done = filled.list_jobs(state="succeeded")[0]
    filled.path(done.id, "s1/1/alpha.png").write_bytes(b"?")
    code, out, _ = run("verify")
    assert code == 1
    assert "asset-damaged" in out and f"{done.id} s1/1/alpha.png" in out
    filled.close()
    filled.file.write_bytes(b"gone" * 1000)
    code, _, err = run("verify")
    assert code == 1
    assert "is damaged" in err


def test_clean_needs_to_know_what(run: Run):
    with pytest.raises(SystemExit):
        run("clean")
    with pytest.raises(SystemExit):
        run("clean", "--all", "--hours", "1")
