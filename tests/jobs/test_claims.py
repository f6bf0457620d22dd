"""Whose a job is: claims, what is foreign, and that nobody waits behind one visitor's many jobs."""

import pytest

from jobs.errors import NoSuchJob
from jobs.store import Store


def test_a_job_is_its_visitors_and_an_unclaimed_one_the_owners(store: Store):
    mine, theirs, owners = (store.create_job("edit", {}).id for _ in range(3))
    store.claim_for(mine, "me")
    store.claim_for(theirs, "them")
    asked = [mine, theirs, owners, "0" * 28]
    assert store.foreign(asked, ["me", "me elsewhere"]) == {theirs, owners}
    assert store.foreign(asked, []) == {mine, theirs, owners}
    assert store.foreign([], ["me"]) == set()
    assert store.claimed(["me", "them", ""]) == {theirs: "queued", mine: "queued"}
    store.request_cancel(theirs)
    assert store.strangers() == [theirs]
    with pytest.raises(NoSuchJob):
        store.claim_for("nothing", "me")


def test_whoever_has_fewer_running_comes_first(store: Store):
    def made(visitor: str) -> str:
        job = store.create_job("edit", {}).id
        store.claim_for(job, visitor)
        return job

    greedy = [made("greedy") for _ in range(3)]
    modest, owners = made("modest"), made("")

    def next_one() -> str | None:
        job = store.claim("me")
        return job and job.id

    assert [next_one() for _ in range(6)] == [greedy[0], modest, owners, greedy[1], greedy[2], None]
