"""An attempt is one line of the ledger; a trace is what a call took altogether."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from turnout.accounting import Attempt, AttemptError, Trace
from turnout.providers.chat import CompletionTokensDetails, Cost, Usage
from turnout.providers.errors import RateLimitError, UnsupportedError

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def attempt(**facts: Any) -> Attempt:
    """An attempt with what the test is about."""
    base = {"target": "a/m", "provider": "a", "model": "m", "outcome": "ok", "started_at": NOON}
    return Attempt.model_validate(base | facts)


def cost(amount: str, basis: str = "priced", price: str | None = "row") -> Cost:
    return Cost.model_validate({"amount": amount, "basis": basis, "price": price})


def test_a_providers_error_leaves_its_facts() -> None:
    error = RateLimitError(
        "slow down", provider="a", model="m", status=429, code="too_fast", request_id="r1", retry_after=2.0
    )
    assert AttemptError.of(error) == AttemptError(
        kind="rate_limit", message="slow down", status=429, code="too_fast", request_id="r1"
    )


def test_a_target_that_cannot_say_the_request_leaves_its_facts_too() -> None:
    error = UnsupportedError("no audio here", field="audio", provider="a", model="m")
    assert AttemptError.of(error) == AttemptError(kind="unsupported", message="no audio here")


def test_an_attempt_is_frozen_and_its_cost_unknown_until_told() -> None:
    one = attempt()
    assert one.cost.amount is None
    assert one.cost.basis == "unknown"
    with pytest.raises(ValidationError):
        one.__setattr__("seconds", 1.0)


@pytest.mark.parametrize(
    ("outcome", "sent"),
    [("ok", True), ("failed", True), ("cancelled", True), ("rejected", False), ("skipped", False)],
)
def test_only_what_was_sent_can_cost_something_unknown(outcome: str, sent: bool) -> None:
    one = attempt(outcome=outcome)
    assert one.sent is sent
    assert one.cost_unknown is sent
    assert not attempt(outcome=outcome, cost=cost("0")).cost_unknown


def test_a_trace_adds_up_failed_attempts_too() -> None:
    failed = attempt(
        outcome="failed",
        usage=Usage(prompt_tokens=10, completion_tokens=2, total_tokens=12),
        cost=cost("0.1"),
        seconds=1.0,
    )
    late = attempt(
        target="b/n",
        usage=Usage(prompt_tokens=10, completion_tokens=5, total_tokens=15),
        cost=cost("0.2", price="other row"),
        started_at=NOON + timedelta(seconds=3),
        seconds=2.0,
        number=2,
    )
    trace = Trace(route="assistant", call_id="c1", attempts=(failed, late))
    assert trace.usage is not None
    assert (trace.usage.prompt_tokens, trace.usage.completion_tokens, trace.usage.total_tokens) == (20, 7, 27)
    assert trace.cost == cost("0.3", price="other row; row")
    assert trace.seconds == 5.0
    assert trace.unknown_cost_attempts == 0


def test_a_trace_says_how_many_costs_it_does_not_know() -> None:
    trace = Trace(attempts=(attempt(outcome="failed"), attempt(cost=cost("0.2")), attempt(outcome="skipped")))
    assert trace.cost.amount == Decimal("0.2")
    assert trace.unknown_cost_attempts == 1


@pytest.mark.parametrize(
    ("bases", "weakest"),
    [
        (["reported"], "reported"),
        (["reported", "priced"], "priced"),
        (["estimated", "priced", "reported"], "estimated"),
    ],
)
def test_a_sum_is_as_good_as_its_weakest_part(bases: list[str], weakest: str) -> None:
    trace = Trace(attempts=tuple(attempt(cost=cost("1", basis, None)) for basis in bases))
    assert (trace.cost.basis, trace.cost.price) == (weakest, None)


def test_a_trace_of_nothing_knows_nothing() -> None:
    empty = Trace()
    assert empty.usage is None
    assert empty.cost.amount is None
    assert empty.seconds == 0.0


def test_predicted_tokens_are_summed_too() -> None:
    guess = Usage(
        prompt_tokens=1,
        completion_tokens=9,
        total_tokens=10,
        completion_tokens_details=CompletionTokensDetails(
            accepted_prediction_tokens=4, rejected_prediction_tokens=3, reasoning_tokens=1
        ),
    )
    usage = Trace(attempts=(attempt(usage=guess), attempt(usage=guess))).usage
    assert usage is not None
    details = usage.completion_tokens_details
    assert details is not None
    assert (details.accepted_prediction_tokens, details.rejected_prediction_tokens) == (8, 6)
    assert details.reasoning_tokens == 2
