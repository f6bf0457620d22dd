"""A store in an empty folder, closed afterwards, with no demands on the disk."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobs.job import Job
from jobs.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A fresh store."""
    with Store(tmp_path / "store", free_min=0, ballast=0) as fresh:
        yield fresh


@pytest.fixture
def running(store: Store) -> Callable[[], Job]:
    """Makes a job that runs; its `attempt` is the fence."""

    def make() -> Job:
        created = store.create_job("edit", {})
        job = store.claim("me")
        assert job is not None and job.id == created.id
        return job

    return make
