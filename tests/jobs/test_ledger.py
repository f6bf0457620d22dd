"""Money: caps hold under any number of threads, and what is known of a paid call survives a kill at every move."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from jobs.context import Context
from jobs.errors import IllegalMove, LostLease, NoSuchBill, SpendCap
from jobs.job import BILL_MOVES, Bill, Job
from jobs.ledger import DOLLAR, Caps, dollars
from jobs.paying import Paying
from jobs.store import Store

CENT = DOLLAR // 100
FREE = Caps()
DAY = 86_400.0


def reserve(store: Store, job: Job, cents: int = 3, call: str = "c", caps: Caps = FREE) -> Bill:
    return store.reserve(job.id, job.attempt, "s1", 1, call, "fake", cents * CENT, caps)


def paying(store: Store, job: Job, caps: Caps = FREE) -> Paying:
    step = store.begin_step(job.id, job.attempt, "s1", 1, "cup", {}, "in")
    return Paying(Context(store, job), step, caps)


@pytest.mark.parametrize("cap", ["run", "day", "month"])
def test_of_twenty_threads_exactly_three_stay_under_the_cap(
    store: Store, running: Callable[[], Job], cap: str
):
    job, caps = running(), Caps(**{cap: 10 * CENT})
    together = threading.Barrier(20)

    def one(number: int) -> bool:
        together.wait()
        try:
            reserve(store, job, 3, f"call{number}", caps)
        except SpendCap:
            return False
        return True

    with ThreadPoolExecutor(20) as threads:
        passed = sum(threads.map(one, range(20)))
    assert passed == 3
    assert len(store.bills()) == 3
    assert store.spent().day == store.spent().month == 9 * CENT


def test_a_cap_says_what_it_is_about(store: Store, running: Callable[[], Job]):
    job = running()
    reserve(store, job, 9)
    with pytest.raises(SpendCap, match=r"may cost \$0\.03, but today \$0\.09 of \$0\.10 is spent.*Raise"):
        reserve(store, job, 3, "other", Caps(day=10 * CENT))


def test_a_runs_cap_is_of_one_job_alone(store: Store, running: Callable[[], Job]):
    caps = Caps(run=5 * CENT)
    reserve(store, running(), 4, caps=caps)
    job = running()
    reserve(store, job, 4, caps=caps)
    with pytest.raises(SpendCap, match="for this job"):
        reserve(store, job, 4, "again", caps)


def test_what_turned_out_cheaper_makes_room_and_what_is_uncertain_does_not(
    store: Store, running: Callable[[], Job]
):
    job = running()
    dear, free, lost = (reserve(store, job, 3, call) for call in "abc")
    for state in ("submitting", "submitted", "remote_done"):
        store.move_bill(dear.id, state)
    store.move_bill(dear.id, "settled", microusd=CENT)
    store.move_bill(free.id, "released")
    for state in ("submitting", "uncertain"):
        store.move_bill(lost.id, state)
    assert store.spent() == type(store.spent())(day=4 * CENT, month=4 * CENT, uncertain=1)
    store.move_bill(lost.id, "settled")
    assert store.bill(lost.id).settled == 3 * CENT


def test_yesterday_counts_for_the_month_alone(store: Store, running: Callable[[], Job]):
    reserve(store, running())
    noon = datetime(2026, 3, 15, 12).timestamp()
    with store.tx() as db:
        db.execute("UPDATE spend SET created = ?", (noon,))
    assert (store.spent(noon).day, store.spent(noon).month) == (3 * CENT, 3 * CENT)
    assert (store.spent(noon + DAY).day, store.spent(noon + DAY).month) == (0, 3 * CENT)
    assert store.spent(noon + 31 * DAY).month == 0


def test_asking_the_same_again_goes_on_with_the_open_call(store: Store, running: Callable[[], Job]):
    job = running()
    bill = reserve(store, job, 3, caps=Caps(day=3 * CENT))
    for state in ("submitting", "submitted", "remote_done"):
        assert reserve(store, job, 3, caps=Caps(day=3 * CENT)).id == bill.id
        store.move_bill(bill.id, state, remote={state: 1})
    store.move_bill(bill.id, "settled", remote={"kept": 1})
    again = reserve(store, job)
    assert (again.id, again.remote["submitted"]) == (bill.id, 1)
    assert reserve(store, job, call="d").id != bill.id


@pytest.mark.parametrize("end", ["released", "settled"])
def test_a_call_that_came_to_nothing_is_over(store: Store, running: Callable[[], Job], end: str):
    job = running()
    bill = reserve(store, job)
    store.move_bill(bill.id, "submitting")
    for state in ("submitted", "remote_done", "settled") if end == "settled" else ("released",):
        store.move_bill(bill.id, state)
    assert reserve(store, job).id != bill.id


def test_only_the_owner_of_a_job_spends_but_anybody_may_say_what_became_of_it(
    store: Store, running: Callable[[], Job]
):
    job = running()
    pay = paying(store, job)
    bill, late = pay.reserve("a", "fake", CENT), pay.reserve("b", "fake", CENT)
    pay.move(bill.id, "submitting")
    store.recover(everything=True)
    assert store.step(job.id, "s1", 1).state == "unknown"
    with pytest.raises(LostLease):
        pay.reserve("c", "fake", CENT)
    with pytest.raises(LostLease):
        pay.move(late.id, "submitting")
    assert pay.move(bill.id, "submitted", remote={"id": "r1"}).remote == {"id": "r1"}


def test_a_result_is_kept_before_its_bill_is_settled(store: Store, running: Callable[[], Job]):
    pay = paying(store, running())
    bill = pay.reserve("a", "fake", CENT)
    assert pay.kept(bill.id) == []
    pictures = [str(number).encode() for number in range(12)]
    pay.keep(bill.id, [(picture, "image/png") for picture in pictures])
    assert pay.kept(bill.id) == pictures
    pay.note(bill.id, {"more": 1})
    assert store.bill(bill.id).remote == {"more": 1}
    assert not pay.cancelled()
    store.request_cancel(pay.job.id)
    assert pay.cancelled()


def test_every_move_is_told_and_no_other_is_possible(store: Store, running: Callable[[], Job]):
    job = running()
    bill = reserve(store, job)
    with pytest.raises(IllegalMove):
        store.move_bill(bill.id, "settled")
    store.move_bill(bill.id, "released")
    told = [event.data for event in store.events(job.id) if event.type == "spend"]
    assert [(one["state"], one["microusd"]) for one in told] == [("reserved", 3 * CENT), ("released", 0)]
    assert BILL_MOVES.keys() == {"reserved", "submitting", "submitted", "remote_done", "uncertain"}
    with pytest.raises(NoSuchBill):
        store.bill("nobody")
    assert [store.bills(job.id, "s1", ["released"]), store.bills(job.id, "s2")] == [
        [store.bill(bill.id)],
        [],
    ]


ROAD = ("reserved", "submitting", "submitted", "remote_done", "settled")
KILLED = """
import os, signal, sys
from pathlib import Path
from jobs.ledger import Caps
from jobs.store import Store
store = Store(Path(sys.argv[1]), free_min=0, ballast=0)
for state in {road}:
    job = store.create_job("edit", {{}}, title=state)
    job = store.claim("me")
    bill = store.reserve(job.id, job.attempt, "s1", 1, "c", "fake", 30_000, Caps())
    for each in {road}[1 : {road}.index(state) + 1]:
        store.move_bill(bill.id, each, remote={{each: state}})
    print(bill.id, state, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_after_any_move_finds_the_bill_where_it_was(tmp_path: Path):
    code = KILLED.format(road=ROAD)
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "s")], capture_output=True, text=True, check=False
    )
    assert told.returncode == -9, told.stderr
    with Store(tmp_path / "s", free_min=0, ballast=0) as store:
        for line in told.stdout.splitlines():
            bill_id, state = line.split()
            bill = store.bill(bill_id)
            assert bill.state == state
            assert bill.remote == dict.fromkeys(ROAD[1 : ROAD.index(state) + 1], state)
        assert store.spent().day == len(ROAD) * 3 * CENT


def test_a_kill_at_any_moment_loses_no_move(tmp_path: Path):
    """Killed from outside while it moves bills as fast as it can: every acknowledged move is there."""
    code = KILLED.format(road=ROAD).replace("os.kill", "store.close; 'again'; os.kill")
    code = code.replace(f"for state in {ROAD}:", f"for state in {ROAD} * 1000:")
    for moment in (0.03, 0.09):
        root = tmp_path / str(moment)
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(root)], stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert child.stdout is not None
        lines = [child.stdout.readline()]
        time.sleep(moment)
        child.kill()
        lines += child.stdout.readlines()
        child.wait()
        with Store(root, free_min=0, ballast=0) as store:
            for bill_id, state in (line.split() for line in lines if line.endswith("\n")):
                assert store.bill(bill_id).state == state


@pytest.mark.parametrize(
    ("microusd", "words"),
    [(0, "$0.00"), (20_000, "$0.02"), (33_600, "$0.0336"), (1_500, "$0.0015"), (1_234_567, "$1.23")],
)
def test_amounts_are_said_as_people_say_them(microusd: int, words: str):
    assert dollars(microusd) == words
