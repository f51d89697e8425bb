"""Targets that a policy turned away: the call goes on behind them, and comes back to one as its last hope."""

from __future__ import annotations

from typing import Any

import pytest

from turnout import (
    AllTargetsFailedError,
    ChatCompletion,
    InternalServerError,
    ManualClock,
    Message,
    ProviderError,
    RateLimitError,
)
from turnout.config.loading import parse_settings
from turnout.events import Events
from turnout.pipeline import Call
from turnout.policies.fallback import fallback
from turnout.promises import plans_of
from turnout.rejecting import TargetRejectedError

pytestmark = pytest.mark.anyio

Step = ProviderError | str


def call_over(*models: str, fallback_on: tuple[str, ...] = ("rate_limit",)) -> Call:
    provider = {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1"}
    route = {"chain": [f"a/{model}" for model in models], "fallback_on": list(fallback_on)}
    [plan] = plans_of(parse_settings({"providers": {"a": provider}, "routes": {"r": route}}, env={}), {})
    request = ChatCompletion(model="r", messages=[Message.user("Hi")])
    return Call(
        request, False, plan, plan.targets[0], "c", 60.0, 60.0, later=len(models) - 1, ahead=plan.targets[1:]
    )


def closed(seconds: float | None) -> TargetRejectedError:
    return TargetRejectedError("it is closed.", kind="overloaded", retry_after=seconds)


class Inner:
    """What stands below fallback: each model has its steps, one for each time that it is tried."""

    def __init__(self, **steps: list[Step]) -> None:
        self.steps = steps
        self.seen: list[str] = []

    async def __call__(self, call: Call) -> Any:
        model = call.target.target.model
        self.seen.append(f"{model}!" if call.forced else model)
        step = self.steps[model].pop(0)
        if isinstance(step, ProviderError):
            call.journal.errors.append(step)
            raise step
        return step


async def outcome(inner: Inner, call: Call) -> Any:
    return await fallback(ManualClock(), Events())(inner)(call)


async def test_a_call_goes_on_behind_it_whatever_the_route_says_of_kinds() -> None:
    inner = Inner(x=[closed(9.0)], y=["answer"])
    assert await outcome(inner, call_over("x", "y", fallback_on=())) == "answer"
    assert inner.seen == ["x", "y"]


async def test_the_one_that_recovers_soonest_is_the_last_hope() -> None:
    inner = Inner(x=[closed(9.0)], y=[closed(3.0), "answer"], z=[closed(None)])
    assert await outcome(inner, call_over("x", "y", "z")) == "answer"
    assert inner.seen == ["x", "y", "z", "y!"]


async def test_it_is_the_last_hope_of_a_single_target_too() -> None:
    inner = Inner(x=[closed(9.0), "answer"])
    assert await outcome(inner, call_over("x")) == "answer"
    assert inner.seen == ["x", "x!"]


async def test_it_is_tried_after_a_failure_of_the_others() -> None:
    inner = Inner(x=[closed(9.0), "answer"], y=[RateLimitError("Slow down.")])
    assert await outcome(inner, call_over("x", "y")) == "answer"
    assert inner.seen == ["x", "y", "x!"]


async def test_a_failure_that_ends_the_call_ends_it_for_them_too() -> None:
    inner = Inner(x=[closed(9.0)], y=[InternalServerError("No.")])
    with pytest.raises(InternalServerError):
        await outcome(inner, call_over("x", "y"))
    assert inner.seen == ["x", "y"]


async def test_each_is_a_hope_once_and_the_soonest_is_the_first() -> None:
    inner = Inner(x=[closed(9.0), closed(9.0)], y=[closed(3.0), closed(3.0)])
    with pytest.raises(AllTargetsFailedError) as caught:
        await outcome(inner, call_over("x", "y"))
    assert inner.seen == ["x", "y", "y!", "x!"]
    assert [type(error) for error in caught.value.errors] == [TargetRejectedError] * 4


async def test_a_hope_that_fails_leaves_the_next_one() -> None:
    inner = Inner(x=[closed(9.0), "answer"], y=[closed(3.0), RateLimitError("Slow down.")])
    assert await outcome(inner, call_over("x", "y")) == "answer"
    assert inner.seen == ["x", "y", "y!", "x!"]


async def test_alone_it_says_itself_why_it_is_closed() -> None:
    inner = Inner(x=[closed(9.0), closed(8.0)])
    with pytest.raises(TargetRejectedError) as caught:
        await outcome(inner, call_over("x"))
    assert (caught.value.retry_after, caught.value.kind) == (8.0, "overloaded")
