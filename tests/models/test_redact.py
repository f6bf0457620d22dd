"""No key in anything that is written down."""

import io
import logging

import pytest

from models import redact
from models.errors import ProviderError
from models.redact import MASK, Redacting, conceal, redacted

CANARY = "canary-5d1f:canary-9c2e"


@pytest.mark.parametrize(
    "text",
    [
        CANARY, "canary-9c2e", "Bearer abcdefghijklmnop", "Key abcdefghijkl:mnop", "r8_abcdefghij", "sk-abc*****xyz",
        "hf_abcdefghij", "AIzaSyabcdefghij", "ya29.abc-def", f"data:image/png;base64,{'A' * 60}",
        "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
    ],
)  # fmt: skip
def test_keys_and_what_looks_like_one_are_hidden(text: str):
    conceal(CANARY)
    found = redacted(f"before {text} after")
    assert found.startswith("before ") and found.endswith(" after") and MASK in found
    assert text not in found


def test_no_number_of_visitors_makes_redaction_slow_or_forgetful():
    for number in range(3 * redact.MOST):
        conceal(f"visitor-{number}")
        if number % 100 == 0:
            conceal(CANARY)  # as whoever uses a key does
    assert len(redact._known) <= redact.MOST
    assert redacted(f"visitor-{number} {CANARY}") == f"{MASK} {MASK}"


def test_words_stay():
    assert (
        redacted("The key of the picture is bearer of news.") == "The key of the picture is bearer of news."
    )


def test_an_error_never_holds_a_key():
    conceal(CANARY)
    assert CANARY not in str(ProviderError(f"bad key {CANARY}", provider="it"))


def test_logs_and_their_tracebacks_hold_no_key():
    conceal(CANARY)
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.addFilter(Redacting())
    log = logging.getLogger("test.redact")
    log.propagate = False
    log.addHandler(handler)
    try:
        raise ValueError(f"inner {CANARY}")
    except ValueError as inner:
        try:
            raise RuntimeError("outer") from inner
        except RuntimeError:
            log.exception("it %s failed", CANARY)
    log.warning("%s %d", CANARY)
    log.removeHandler(handler)
    written = out.getvalue()
    assert "outer" in written and "inner" in written and written.count(MASK) == 2
    assert "canary" not in written
