"""A service that throws the key back at us, in every kind of answer: it is in no error, traceback, log, page of the
database or printed line."""

import logging
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobs.bundle import export_bundle
from jobs.paying import Paying
from jobs.store import Store
from models.errors import ProviderError
from models.providers.remote import drive
from models.redact import Redacting
from tests.models.providers.conftest import Serve
from tests.models.providers.loopback import Answer, Asked
from tests.models.providers.paid import KINDS_OF
from tests.models.providers.services import CANARY

pytestmark = pytest.mark.usefixtures("quick")
FORMS = (
    (
        400,
        "application/json",
        '{{"detail": "key {0}", "error": {{"message": "key {0}", "code": "{0}"}}, "id": "{0}"}}',
    ),
    (422, "application/json", '["{0}", {{"msg": "{0}"}}]'),
    (500, "text/html", "<html>{0}</html>"),
    (200, "application/json", '{{"id": 5, "key": "{0}"'),
    (200, "text/plain", "{0}"),
    (
        200,
        "application/json",
        '{{"id": "{0}", "request_id": "{0}", "response_url": "{1}/queue/{0}", '
        '"status_url": "{1}/queue/{0}", "cancel_url": "{1}/queue/{0}", "urls": {{"get": "{0}"}}}}',
    ),
)


class Echo:
    """The service itself, but what is asked by `path` is answered with the key."""

    def __init__(self, service: Any, path: str, form: tuple[int, str, str]) -> None:
        self._service, self._path, self._form = service, path, form
        self.jobs = 0

    @property
    def base(self) -> str:
        return str(self._service.base)

    @base.setter
    def base(self, url: str) -> None:
        self._service.base = url

    def answer(self, asked: Asked) -> Answer:
        if self._path not in asked.path:
            return self._service.answer(asked)
        status, kind, text = self._form
        return Answer(status, text.format(CANARY, self.base), {"content-type": kind, "x-request-id": CANARY})


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("replicate", "/files"),
        ("replicate", "/models/"),
        ("fal", "/birefnet"),
        ("google", ":generate"),
        ("openai", "/chat"),
    ],
)
def test_a_key_that_is_thrown_back_is_written_nowhere(
    served: Serve, store: Store, payer: Paying, tmp_path: Path, capfd: Any, name: str, path: str
):
    kind = KINDS_OF[name]
    file = logging.FileHandler(tmp_path / "app.log")
    file.addFilter(Redacting())
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(file)
    root.setLevel(logging.DEBUG)
    told = ""
    try:
        for number, form in enumerate(FORMS):
            provider = kind.make(served(Echo(kind.service(), path, form)).url)
            order = replace(kind.order, call=str(number), microusd=1)
            with pytest.raises(ProviderError) as caught:
                drive(provider, order, payer)
            logging.getLogger("scenehf").error("it failed", exc_info=caught.value)
            told += (
                "".join(traceback.format_exception(caught.value))
                + repr(caught.value)
                + str(vars(caught.value))
            )
    finally:
        root.removeHandler(file)
        root.setLevel(level)
        file.close()
    assert CANARY not in told and len(told) > 1000
    assert CANARY.encode() not in export_bundle(store, payer.job.id, tmp_path / "job.zip").read_bytes()
    files = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert {"store.db", "store.db-wal", "app.log"} <= {each.name for each in files}
    assert [each.name for each in files if CANARY.encode() in each.read_bytes()] == []
    printed = capfd.readouterr()
    assert CANARY not in printed.out + printed.err
