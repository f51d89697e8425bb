"""When one target is tried again, how long the wait is, and where it ends."""

from __future__ import annotations

import dataclasses
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout import ChatCompletion, ManualClock, Message, ProviderError, RateLimitError, Router
from turnout.config.policies import Breaker as BreakerSettings
from turnout.config.policies import Retry
from turnout.config.policies import RetryBudget as RetryBudgetSettings
from turnout.config.sections import RETRY_ON
from turnout.events import Events
from turnout.health.breaker import Breaker
from turnout.health.gate import Gate
from turnout.health.retry_budget import RetryBudget
from turnout.health.standing import Standing
from turnout.pipeline import DEADLINE, SHARE, Call, Handler, Reply
from turnout.policies.retry import Decision, ceiling, longest_pause, retry
from turnout.providers.errors import BY_KIND, BadRequestError, InternalServerError
from turnout.rejecting import TargetRejectedError
from turnout.testing import Reply as ScriptedReply
from turnout.testing import Simulator

pytestmark = pytest.mark.anyio


def call_with(settings: Retry, *, max_attempts: int = 20, deadline: float = 100.0, later: int = 0) -> Call:
    """A call to one target that is tried as `settings` say."""
    config = {
        "providers": {"a": {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1"}},
        "routes": {"r": {"chain": ["a/m"], "retry": settings.model_dump(), "max_attempts": max_attempts}},
    }
    plan = Router(config, env={})._snapshot.planner.plan("r")
    return Call(
        request=ChatCompletion(model="r", messages=[Message.user("Hi")]),
        streaming=False,
        plan=plan,
        target=plan.targets[0],
        id="c",
        deadline=deadline,
        ends_at=deadline,
        later=later,
    )


def failing(errors: list[ProviderError]) -> Handler:
    """A handler that raises one error after another, then answers."""

    async def handler(call: Call) -> Any:
        call.journal.sent += 1
        if errors:
            raise errors.pop(0)
        return "the answer"

    return handler


async def run(call: Call, errors: list[ProviderError], clock: ManualClock) -> Reply:
    layer = retry(clock, Random(1), Events())
    return await layer(failing(errors))(call)


@pytest.mark.parametrize("kind", BY_KIND)
async def test_only_the_kinds_that_are_named_are_tried_again(kind: str) -> None:
    clock = ManualClock()
    error = BY_KIND[kind]("No.")  # type: ignore[index]
    if kind in RETRY_ON:
        assert await run(call_with(Retry()), [error], clock) == "the answer"
        assert len(clock.sleeps) == 1
    else:
        with pytest.raises(type(error)):
            await run(call_with(Retry()), [error], clock)
        assert clock.sleeps == []


@pytest.mark.parametrize("attempts", [1, 2, 5])
async def test_a_target_is_tried_so_often_and_no_more(attempts: int) -> None:
    call = call_with(Retry(attempts=attempts))
    errors: list[ProviderError] = [InternalServerError(str(number)) for number in range(9)]

    with pytest.raises(InternalServerError, match=f"^{attempts - 1} "):
        await run(call, errors, ManualClock())

    assert call.journal.sent == attempts


async def test_a_retry_never_takes_the_attempt_of_a_target_still_to_come() -> None:
    call = call_with(Retry(attempts=5), max_attempts=4, later=2)

    with pytest.raises(InternalServerError):
        await run(call, [InternalServerError("no") for _ in range(9)], ManualClock())

    assert call.journal.sent == 2


async def test_what_the_model_wrote_wrong_gets_one_more_try() -> None:
    clock = ManualClock()
    bad = [BadRequestError("Unreadable tool call.", model_output=True) for _ in range(9)]
    call = call_with(Retry(attempts=5))

    with pytest.raises(BadRequestError):
        await run(call, list[ProviderError](bad), clock)

    assert call.journal.sent == 2


@pytest.mark.parametrize("code", [DEADLINE, SHARE])
async def test_time_that_is_used_up_is_not_spent_again(code: str) -> None:
    call = call_with(Retry(attempts=5))

    with pytest.raises(ProviderError):
        await run(call, [BY_KIND["timeout"]("late", code=code)], ManualClock())

    assert call.journal.sent == 1


@pytest.mark.parametrize(
    ("wait", "deadline", "kept"),
    [(0.0, 100, True), (20, 100, True), (20.5, 100, False), (6, 10, False), (5, 10, True)],
)
async def test_a_servers_wait_is_kept_up_to_a_limit_and_half_of_what_is_left(
    wait: float, deadline: float, kept: bool
) -> None:
    clock = ManualClock()
    call = call_with(Retry(), deadline=deadline)
    error = RateLimitError("Slow down.", retry_after=wait)
    if kept:
        await run(call, [error], clock)
        assert clock.sleeps == [wait]
    else:
        with pytest.raises(RateLimitError):
            await run(call, [error], clock)
        assert clock.sleeps == []


async def test_nothing_is_tried_again_after_the_deadline() -> None:
    clock = ManualClock()
    clock.advance(100)

    with pytest.raises(InternalServerError):
        await run(call_with(Retry()), [InternalServerError("no")], clock)


@given(
    base=st.floats(0, 10),
    factor=st.floats(1, 1e300),
    cap=st.floats(0, 60),
    tries=st.integers(1, 20),
    seed=st.integers(),
    deadline=st.floats(0.1, 300),
)
def test_backoff_is_drawn_below_its_ceiling_and_half_of_what_is_left(
    base: float, factor: float, cap: float, tries: int, seed: int, deadline: float
) -> None:
    settings = Retry(base=base, factor=factor, cap=cap, attempts=20)
    error = InternalServerError("no")
    wait = Decision(call_with(settings, deadline=deadline), ManualClock(), Random(seed)).wait(
        error, tries=tries
    )

    assert 0 <= wait <= min(ceiling(settings, error, tries), deadline / 2)
    assert ceiling(settings, error, tries) <= cap
    assert ceiling(settings, error, tries) <= longest_pause(settings, tries)


def test_the_ceiling_doubles_up_to_its_cap_and_starts_higher_for_rate_limits() -> None:
    server, limited = InternalServerError("no"), RateLimitError("no")

    assert [ceiling(Retry(), server, tries) for tries in range(1, 8)] == [0.25, 0.5, 1, 2, 4, 8, 8]
    assert [ceiling(Retry(), limited, tries) for tries in range(1, 6)] == [1, 2, 4, 8, 8]


def with_standing(call: Call, **parts: Any) -> Call:
    """The call, aimed at the same target with something known of it."""
    target = dataclasses.replace(call.target, standing=Standing(name="a/m", **parts))
    return call.aimed(target, call.later)


async def test_what_a_policy_turned_away_is_not_tried_again() -> None:
    call = call_with(Retry(attempts=5))
    with pytest.raises(TargetRejectedError):
        await run(call, [TargetRejectedError("closed.", kind="rate_limit", retry_after=1.0)], ManualClock())
    assert call.journal.sent == 1


async def test_a_target_whose_breaker_opened_is_left_alone() -> None:
    breaker = Breaker(BreakerSettings(failures=1))
    permit = breaker.admit(0.0, Random(1))
    assert permit is not None
    permit.failed(0.0)
    call = with_standing(call_with(Retry(attempts=5)), breaker=breaker)

    with pytest.raises(InternalServerError):
        await run(call, [InternalServerError("no")], ManualClock())
    assert call.journal.sent == 1


@pytest.mark.parametrize(("closed_for", "kept"), [(3.0, True), (20.0, True), (20.5, False)])
async def test_a_closed_gate_is_waited_for_like_a_server(closed_for: float, kept: bool) -> None:
    clock = ManualClock()
    gate = Gate()
    gate.close_until(closed_for)
    call = with_standing(call_with(Retry(base=0)), gate=gate)
    if kept:
        assert await run(call, [InternalServerError("no")], clock) == "the answer"
        assert clock.sleeps == [closed_for]
    else:
        with pytest.raises(InternalServerError):
            await run(call, [InternalServerError("no")], clock)
        assert clock.sleeps == []


async def test_those_who_wait_for_a_gate_do_not_all_go_at_the_moment_it_opens() -> None:
    waits = []
    for seed in range(20):
        clock, gate = ManualClock(), Gate()
        gate.limited(0.0, began=0.0, retry_after=None)
        call = with_standing(call_with(Retry()), gate=gate)
        await retry(clock, Random(seed), Events())(failing([RateLimitError("Slow down.")]))(call)
        waits += clock.sleeps
    assert len(set(waits)) == 20
    assert 0.25 <= min(waits) <= max(waits) <= 1.25


async def test_the_longer_wait_of_gate_and_server_is_kept() -> None:
    for closed_for in (1.0, 4.0):
        clock, gate = ManualClock(), Gate()
        gate.close_until(closed_for)
        call = with_standing(call_with(Retry()), gate=gate)
        await run(call, [RateLimitError("Slow down.", retry_after=2.0)], clock)
        assert clock.sleeps == [max(closed_for, 2.0)]


async def test_retries_take_from_the_budget_until_it_is_empty() -> None:
    budget = RetryBudget(RetryBudgetSettings(ratio=0, per_second=0.3))  # holds three at first
    call = with_standing(call_with(Retry(attempts=20, base=0)), retry_budget=budget)
    clock = ManualClock()

    with pytest.raises(InternalServerError, match=r"^3 "):
        await run(call, [InternalServerError(str(number)) for number in range(9)], clock)

    assert call.journal.sent == 4
    assert len(clock.sleeps) == 3, "nobody waits for a try that will not be made"


async def test_only_the_first_attempt_of_a_call_adds_to_the_budget() -> None:
    budget = RetryBudget(RetryBudgetSettings(ratio=1, per_second=0))
    call = with_standing(call_with(Retry(attempts=3)), retry_budget=budget)

    await run(call, [InternalServerError("no")], ManualClock())
    assert call.journal.sent == 2
    assert budget.left(0.0) == 0, "one for the first attempt, less one for the retry"


async def test_an_attempt_that_was_not_sent_adds_nothing_to_the_budget() -> None:
    async def unsent(call: Call) -> Any:
        raise TargetRejectedError("closed.", kind="rate_limit")

    budget = RetryBudget(RetryBudgetSettings(ratio=1, per_second=0))
    call = with_standing(call_with(Retry()), retry_budget=budget)
    with pytest.raises(TargetRejectedError):
        await retry(ManualClock(), Random(1), Events())(unsent)(call)
    assert budget.left(0.0) == 0


async def test_an_outage_costs_no_more_than_the_budget_allows(hello: list[dict[str, Any]]) -> None:
    down = [ScriptedReply(status=500)]
    async with Simulator({"x": down, "x2": down}) as simulator:
        provider = {"dialect": "openai", "base_url": simulator.url, "api_key": "k"}
        settings = {
            "providers": {"a": {**provider, "retry_budget": {"ratio": 0.2, "per_second": 0}}, "b": provider},
            "routes": {"r": ["a/x", "a/x2", "b/y"], "once": {"chain": ["a/y"], "retry": {"attempts": 1}}},
            "defaults": {"retry": {"base": "1ms"}},
        }

        def asked() -> int:
            """How often the models that are down were asked for."""
            return sum(request.model in ("x", "x2") for request in simulator.requests)

        async with Router(settings, env={}, clock=ManualClock(), seed=1) as router:
            for _ in range(50):
                await router.complete(model="r", messages=hello)
            assert asked() == 50 + 50 + 10, "each model once a call, and retries for a fifth of the calls"

            for _ in range(10):  # traffic of a route that never tries again counts as well
                await router.complete(model="once", messages=hello)
            await router.complete(model="r", messages=hello)
            assert asked() == 110 + 2 + 1, "one retry: the fourth attempt is kept for b/y"


async def test_the_same_seed_draws_the_same_waits() -> None:
    waits = []
    for _ in range(2):
        clock = ManualClock()
        errors: list[ProviderError] = [InternalServerError("no") for _ in range(4)]
        await run(call_with(Retry(attempts=5)), errors, clock)
        waits.append(clock.sleeps)

    assert waits[0] == waits[1]
    assert len(set(waits[0])) == 4
