"""Finished jobs as files somewhere else."""

from pathlib import Path

import pytest

from jobs import archive
from jobs.archive import Archive
from jobs.bundle import import_bundle
from jobs.store import Store


@pytest.fixture
def succeed(store: Store):
    """Makes a job that succeeds, or has one succeed again."""

    def run(title: str = "", again: str = "") -> str:
        job_id = again or store.create_job("edit", {}, title=title, assets=[("a", title.encode(), "x/y")]).id
        if again:
            store.requeue(again)
        job = store.claim("me")
        assert job is not None and job.id == job_id
        store.finish_job(job.id, job.attempt, "succeeded")
        return job.id

    return run


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_what_succeeded_is_there_and_can_be_brought_back(store: Store, succeed, tmp_path: Path):
    folder = tmp_path / "bucket"
    jobs = [succeed("one"), succeed("two")]
    store.create_job("edit", {}, title="not done")
    archived = Archive(store, folder)
    assert (archived.sweep(), archived.sweep()) == (2, 0)
    assert files(folder) == sorted(f"{job}-1.zip" for job in jobs)
    with Store(tmp_path / "other", free_min=0, ballast=0) as other:
        for path in folder.rglob("*.zip"):
            import_bundle(other, path)
        assert {job.title for job in other.list_jobs()} == {"one", "two"}
    assert Archive(store, folder).sweep() == 0, "after a restart it is known what is there"
    assert list(store.files.temporary.iterdir()) == []


def test_a_job_that_was_run_again_replaces_its_file(store: Store, succeed, tmp_path: Path):
    archived = Archive(store, tmp_path / "bucket")
    job = succeed("one")
    archived.sweep()
    succeed(again=job)
    assert archived.sweep() == 1
    assert files(tmp_path / "bucket") == [f"{job}-2.zip"]


def test_a_place_that_is_not_there_stops_nothing(
    store: Store, succeed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(archive, "EVERY", 0.01)
    (tmp_path / "bucket").write_text("a file")
    archived = Archive(store, tmp_path / "bucket")
    archived.start()
    job = succeed("one")
    while "Could not archive" not in caplog.text:
        pass
    (tmp_path / "bucket").unlink()
    archived.stop()
    assert files(tmp_path / "bucket") == [f"{job}-1.zip"]
