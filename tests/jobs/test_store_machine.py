"""The store against a model of it in a few dictionaries: any order of any acts leaves both saying the same."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from jobs.bundle import export_bundle, import_bundle
from jobs.errors import IllegalMove, LostLease, NoSuchAsset, NoSuchJob
from jobs.job import JOB_MOVES
from jobs.store import Store

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.sampled_from(["a.png", "b/1/c.json", "preview.bin"])
ends = st.sampled_from(["succeeded", "failed", "cancelled", "needs_review", "queued"])


class StoreMachine(RuleBasedStateMachine):
    """jobs: id -> what it should be. A run is (id, fence) of a claim."""

    ids, runs = Bundle("ids"), Bundle("runs")

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.store = Store(self.folder / "store", free_min=0, ballast=0)
        self.jobs: dict[str, dict[str, Any]] = {}

    @rule(target=ids, title=texts, data=st.binary(max_size=50), hold=st.booleans())
    def create(self, title: str, data: bytes, hold: bool) -> str:
        job = self.store.create_job(
            "edit", {"t": title}, title=title, assets=[("a.png", data, "image/png")], hold=hold
        )
        state = "needs_review" if hold else "queued"
        self.jobs[job.id] = {
            "state": state,
            "title": title,
            "attempt": 0,
            "assets": {"a.png": data},
            "visitor": "",
        }
        return job.id

    @rule(target=runs)
    def claim(self) -> tuple[str, int]:
        waiting = sorted(job for job, known in self.jobs.items() if known["state"] == "queued")
        job = self.store.claim("me", 9999)
        if not waiting:
            assert job is None
            return "", 0
        running = [known["visitor"] for known in self.jobs.values() if known["state"] == "running"]
        first = min(
            waiting, key=lambda each: (running.count(v) if (v := self.jobs[each]["visitor"]) else 0, each)
        )
        assert job is not None and job.id == first
        self.jobs[first].update(state="running", attempt=self.jobs[first]["attempt"] + 1)
        assert job.attempt == self.jobs[first]["attempt"]
        return first, job.attempt

    @rule(run=runs, name=names, data=st.binary(max_size=50))
    def save(self, run: tuple[str, int], name: str, data: bytes) -> None:
        job, fence = run
        if self._owns(run):
            self.store.put_assets(job, [(name, data, "x/y")], fence=fence)
            self.jobs[job]["assets"][name] = data
        elif job:
            with pytest.raises((LostLease, NoSuchJob)):
                self.store.put_assets(job, [(name, data, "x/y")], fence=fence)

    @rule(run=consumes(runs), state=ends)
    def finish(self, run: tuple[str, int], state: str) -> None:
        job, fence = run
        if self._owns(run):
            self.store.finish_job(job, fence, state, error={"kind": "x"} if state == "failed" else None)
            self.jobs[job]["state"] = state
        elif job:
            with pytest.raises((LostLease, NoSuchJob)):
                self.store.finish_job(job, fence, state)

    @rule(job=ids)
    def requeue(self, job: str) -> None:
        if job not in self.jobs:
            with pytest.raises(NoSuchJob):
                self.store.requeue(job)
        else:
            self.store.requeue(job)
            if self.jobs[job]["state"] not in ("queued", "running"):
                self.jobs[job]["state"] = "queued"

    @rule(job=ids)
    def cancel(self, job: str) -> None:
        if job in self.jobs:
            self.store.request_cancel(job)
            state = self.jobs[job]["state"]
            if state != "running" and "cancelled" in JOB_MOVES[state]:
                self.jobs[job]["state"] = "cancelled"

    @rule(job=ids, title=texts, visitor=st.sampled_from(["", "ann", "bob"]))
    def rename_and_claim_for(self, job: str, title: str, visitor: str) -> None:
        if job in self.jobs:
            self.store.set_title(job, title)
            self.store.claim_for(job, visitor)
            self.jobs[job].update(title=title, visitor=visitor)

    @rule(job=consumes(ids))
    def delete(self, job: str) -> None:
        if job not in self.jobs:
            with pytest.raises(NoSuchJob):
                self.store.delete_job(job)
        elif self.jobs[job]["state"] == "running":
            with pytest.raises(IllegalMove):
                self.store.delete_job(job)
        else:
            self.store.delete_job(job)
            del self.jobs[job]

    @rule(target=ids, job=ids)
    def copy_by_a_bundle(self, job: str) -> str:
        if job not in self.jobs:
            return job
        file = self.folder / "job.zip"
        copy = import_bundle(self.store, export_bundle(self.store, job, file)).id
        file.unlink()
        known = self.jobs[job]
        state = known["state"] if known["state"] in ("succeeded", "failed", "cancelled") else "needs_review"
        self.jobs[copy] = known | {"state": state, "assets": dict(known["assets"]), "visitor": ""}
        return copy

    @rule()
    def crash(self) -> None:
        """Everything that was running goes back to the queue."""
        self.store.close()
        self.store = Store(self.folder / "store", free_min=0, ballast=0)
        self.store.recover(everything=True)
        for known in self.jobs.values():
            if known["state"] == "running":
                known["state"] = "queued"

    @rule()
    def collect(self) -> None:
        self.store.gc(min_age=0)

    @invariant()
    def says_the_same(self) -> None:
        if not hasattr(self, "store"):
            return
        found = {job.id: job for job in self.store.list_jobs(1000)}
        assert found.keys() == self.jobs.keys()
        for job_id, known in self.jobs.items():
            job = found[job_id]
            assert (job.state, job.title, job.attempt) == (known["state"], known["title"], known["attempt"])
            assert {asset.name for asset in self.store.assets(job_id)} == known["assets"].keys()
        for visitor in ("ann", "bob"):
            mine = {job for job, known in self.jobs.items() if known["visitor"] == visitor}
            assert self.store.claimed([visitor]).keys() == mine
            assert self.store.foreign(list(self.jobs), [visitor]) == self.jobs.keys() - mine

    def teardown(self) -> None:
        if not hasattr(self, "store"):
            return
        for job_id, known in self.jobs.items():
            for name, data in known["assets"].items():
                assert self.store.read(job_id, name) == data
            with pytest.raises(NoSuchAsset):
                self.store.asset(job_id, "none")
        assert self.store.verify() == []
        self.store.close()
        shutil.rmtree(self.folder)

    def _owns(self, run: tuple[str, int]) -> bool:
        known = self.jobs.get(run[0])
        return known is not None and known["state"] == "running" and known["attempt"] == run[1]


quick = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestStore = StoreMachine.TestCase
TestStore.settings = quick


@pytest.mark.slow
@pytest.mark.timeout(1800)
class TestStoreAtLength(StoreMachine.TestCase):
    """The same for minutes."""

    settings = settings(quick, max_examples=400, stateful_step_count=80)
