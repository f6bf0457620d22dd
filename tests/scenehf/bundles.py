"""A job written to a bundle and read back, for the tests of every job kind."""

import time
from dataclasses import replace
from pathlib import Path

from jobs.bundle import export_bundle, import_bundle
from jobs.job import Job
from jobs.store import Store
from scenehf.workflows.extract import EXPORT


def comes_back_whole(store: Store, job_id: str, folder: Path) -> Job:
    """Its copy in the same store: everything is as it was, and running it again finds nothing left to do."""
    copy = import_bundle(store, export_bundle(store, job_id, folder / "job.zip"))

    def facts(one: str) -> tuple[object, ...]:
        job = replace(store.job(one), id="", updated=0.0)
        steps = [replace(step, job_id="") for step in store.steps(one)]
        assets = [replace(asset, job_id="") for asset in store.assets(one)]
        return job, steps, assets

    assert facts(copy.id) == facts(job_id)
    before = store.steps(copy.id)
    store.requeue(copy.id)
    until = time.monotonic() + 60
    while store.job(copy.id).state in ("queued", "running"):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert store.job(copy.id).state == "succeeded", store.events(copy.id)[-3:]
    # The files of an export name the job, so they are written anew.
    again, was = (
        {(step.key, step.attempt) for step in each if step.key != EXPORT}
        for each in (store.steps(copy.id), before)
    )
    assert again == was
    return copy
