"""When one target is tried again, how long the wait is, and where it ends."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout import ChatCompletion, ManualClock, Message, ProviderError, RateLimitError, Router
from turnout.config.policies import Retry
from turnout.config.sections import RETRY_ON
from turnout.events import Events
from turnout.pipeline import DEADLINE, SHARE, Call, Handler, Reply
from turnout.policies.retry import Decision, ceiling, longest_pause, retry
from turnout.providers.errors import BY_KIND, BadRequestError, InternalServerError

pytestmark = pytest.mark.anyio


def call_with(settings: Retry, *, max_attempts: int = 20, deadline: float = 100.0, later: int = 0) -> Call:
    """A call to one target that is tried as `settings` say."""
    config = {
        "providers": {"a": {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1"}},
        "routes": {"r": {"chain": ["a/m"], "retry": settings.model_dump(), "max_attempts": max_attempts}},
    }
    plan = Router(config, env={})._planner.plan("r")
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


async def test_the_same_seed_draws_the_same_waits() -> None:
    waits = []
    for _ in range(2):
        clock = ManualClock()
        errors: list[ProviderError] = [InternalServerError("no") for _ in range(4)]
        await run(call_with(Retry(attempts=5)), errors, clock)
        waits.append(clock.sleeps)

    assert waits[0] == waits[1]
    assert len(set(waits[0])) == 4
