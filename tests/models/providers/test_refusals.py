"""What services answer, in words for the person: kind, status, id, whether it was charged, and what to do."""

import json
from typing import Any

import pytest

from models import errors
from models.errors import ModelGone, ProviderError
from models.providers import fal, google, openai, replicate
from models.providers.prices import known_price, price, prices

GONE = {"error": {"code": 404, "status": "NOT_FOUND", "message": "not found"}}


@pytest.mark.parametrize(
    ("made", "kind", "charged"),
    [
        (replicate.refusal(401, {}, b'{"detail": "no"}'), "KeyRefused", "no"),
        (replicate.refusal(402, {}, b'{"detail": "Insufficient credit"}'), "QuotaExceeded", "no"),
        (replicate.refusal(404, {}, b"{}"), "ModelGone", "no"),
        (replicate.refusal(422, {}, b'{"detail": "- input: prompt is required"}'), "BadInput", "no"),
        (replicate.refusal(422, {}, b'{"detail": "flagged as sensitive (E005)"}'), "ContentRefused", "no"),
        (replicate.refusal(429, {}, b'{"detail": "Your rate limit resets in ~30s"}'), "RateLimited", "no"),
        (replicate.refusal(400, {}, b'["a list"]'), "BadInput", "no"),
        (replicate.refusal(503, {}, b"<html>"), "Transient", "no"),
        (fal.refusal(401, {}, b"{}"), "KeyRefused", "no"),
        (fal.refusal(403, {}, b'{"detail": "User is locked. Reason: Exhausted balance."}'), "QuotaExceeded", "no"),
        (fal.refusal(404, {}, b"{}"), "ModelGone", "no"),
        (fal.refusal(429, {"retry-after": "7"}, b"{}"), "RateLimited", "no"),
        (fal.refusal(502, {}, b"<html>nginx"), "Transient", "no"),
        (fal._failure(422, {}, b'{"detail": [{"type": "content_policy_violation", "msg": "m"}]}'), "ContentRefused",
         "unknown"),
        (fal._failure(422, {}, b'{"detail": [{"type": "missing", "msg": "field required"}]}'), "BadInput", "unknown"),
        (fal._failure(500, {"x-fal-error-type": "runner_disconnected"}, b"{}"), "RemoteFailed", "no"),
        (fal._failure(499, {"x-fal-error-type": "client_cancelled"}, b"{}"), "RemoteCancelled", "unknown"),
        (google.refusal_of("m")(400, {}, json.dumps({"error": {"details": [{"reason": "API_KEY_INVALID"}]}}).encode()),
         "KeyRefused", "no"),
        (google.refusal_of("m")(403, {}, b"{}"), "KeyRefused", "no"),
        (google.refusal_of("m")(400, {}, b"null"), "BadInput", "no"),
        (google.refusal_of("imagen-3.0-capability-001")(404, {}, json.dumps(GONE).encode()), "ModelGone", "no"),
        (openai.refusal(429, {}, b'{"error": {"code": "insufficient_quota", "message": "m"}}'), "QuotaExceeded", "no"),
        (openai.refusal(429, {}, b'{"error": {"code": "rate_limit_exceeded"}}'), "RateLimited", "no"),
        (openai.refusal(400, {}, b'{"error": {"code": "moderation_blocked"}}'), "ContentRefused", "no"),
        (openai.refusal(400, {}, b'{"error": "a text"}'), "BadInput", "no"),
        (openai.refusal(401, {}, b'{"error": {"message": "Wrong key: sk-abcdef****wxyz"}}'), "KeyRefused", "no"),
    ],
)  # fmt: skip
def test_a_refusal_is_told_by_its_kind(made: ProviderError, kind: str, charged: str):
    assert (type(made).__name__, made.charged) == (kind, charged)
    assert made.hint and made.provider and made.status
    assert "sk-abcdef" not in str(made)


def test_services_that_name_a_time_are_believed():
    told: list[Any] = [
        replicate.refusal(429, {}, b'{"detail": "rate limit resets in ~30s"}'),
        fal.refusal(429, {"retry-after": "30"}, b"{}"),
        google.refusal_of("m")(429, {}, b'{"error": {"details": [{"retryDelay": "30s"}]}}'),
        openai.refusal(429, {"retry-after": "30"}, b"{}"),
    ]
    assert [error.retry_after for error in told] == [30.0] * 4


def test_a_retired_model_names_its_replacement():
    with pytest.raises(
        ModelGone, match=r"Google \(announced for 2026-08-17\)\. Use gemini-nano-banana-2\.1 instead"
    ):
        price("google", "imagen-3.0-capability-001")
    with pytest.raises(ModelGone, match="No price is known"):
        price("google", "gemini-99")
    retiring = price("google", "gemini-2.5-flash-image")
    assert (retiring.gone, retiring.replaced_by) == (False, "gemini-nano-banana-2.1")


def test_every_price_says_where_it_is_from():
    for row in prices():
        assert row.usd > 0 and row.source and row.as_of.year == 2026
        assert row.unit == "image" or row.usd_in > 0
        if row.replaced_by:
            assert row.retires and not price(row.provider, row.replaced_by).gone
    assert len({(row.provider, row.model) for row in prices()}) == len(prices())


def test_tokens_settle_exactly():
    row = known_price("google", "gemini-nano-banana-2.1")
    assert row is not None
    assert row.of_tokens(300, 0, 1120) == 300 * 1.5 + 1120 * 30 == 34_050
    assert row.bound(2) == 100_000


def test_every_kind_of_error_has_a_hint():
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ProviderError)
    ]
    assert len(kinds) >= 12
    assert all(kind.hint for kind in kinds)
