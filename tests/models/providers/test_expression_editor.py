"""A portrait that a service turns, with the real SDK: what is asked for which pose, and what is paid for a cell."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from jobs.paying import Paying
from jobs.store import Store
from models.cloud import expression_editor
from models.errors import InvalidRequest, Uncertain
from models.requests import PortraitRetarget, Pose
from models.spec import Access, Host
from tests.models.providers.loopback import Fault, Loopback, Service
from tests.models.providers.paid import KEY
from tests.models.providers.services import ReplicateService

Serve = Callable[[Service], Loopback]
LOOKS = [
    Pose(),
    Pose(yaw=10, pitch=8, pupil_x=1, pupil_y=1),
    Pose(yaw=-40, pitch=-40, pupil_x=-2, pupil_y=-2),
]
ASKED = PortraitRetarget(np.full((48, 36, 3), 90, np.uint8), np.zeros((478, 3), np.float32), LOOKS, 24)
pytestmark = pytest.mark.usefixtures("quick")


def loaded(server: Loopback, tmp_path: Any) -> expression_editor.ExpressionEditor:
    access = Access(replicate=KEY, addresses={"replicate": server.url})
    return expression_editor.load(Host(weights=tmp_path, access=access))


def test_poses_are_asked_for_in_its_own_words_and_paid_for_by_the_cell(
    served: Serve, store: Store, payer: Paying, tmp_path: Any
):
    server = served(ReplicateService())
    cells = loaded(server, tmp_path)(ASKED, payer)
    assert server.seen == [], "nothing is paid for before a cell is taken"
    assert [cell.shape for cell in cells] == [(24, 18, 3)] * 3
    made = [each.json() for each in server.seen if each.path == "/v1/predictions" and each.method == "POST"]
    assert {one["version"] for one in made} == {expression_editor.VERSION}
    names = ("rotate_yaw", "rotate_pitch", "pupil_x", "pupil_y")
    assert [[one["input"][name] for name in names] for one in made] == [
        [0, 0, 0, 0], [10, -8, 15, 15], [-20, 20, -15, -15]
    ]  # fmt: skip
    assert {(bill.state, bill.reserved, bill.settled) for bill in store.bills()} == {
        ("settled", 10_000, 10_000)
    }
    assert len(list(loaded(server, tmp_path)(ASKED, payer))) == 3
    assert server.service.jobs == 3, "they are on the disk"


def test_a_lost_cell_is_written_off_and_never_sent_again_by_itself(
    served: Serve, store: Store, payer: Paying, tmp_path: Any
):
    server = served(ReplicateService())
    server.faults.append(Fault("POST", "/v1/predictions$", "reset", "before"))
    with pytest.raises(Uncertain, match="counts as spent"):
        next(loaded(server, tmp_path)(ASKED, payer))
    assert (server.service.jobs, store.bills()[0].state) == (0, "settled")
    server.faults.append(Fault("POST", "/v1/predictions$", "reset", "after"))
    assert next(loaded(server, tmp_path)(replace(ASKED, poses=LOOKS[1:]), payer)).shape == (24, 18, 3)
    assert server.service.jobs == 1, "the service was asked for what it had made"


def test_a_person_alone_is_not_its_business(served: Serve, payer: Paying, tmp_path: Any):
    with pytest.raises(InvalidRequest, match="whole picture"):
        loaded(served(ReplicateService()), tmp_path)(replace(ASKED, cutout=True), payer)
