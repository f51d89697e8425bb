"""Which limit of an attempt comes first, and what is said when it is past."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from turnout import ChatCompletion, ManualClock, Message, Router, RouterClosedError
from turnout.pipeline import Call
from turnout.providers.errors import AttemptTimeoutError, ConnectionFailedError
from turnout.timeouts import Limits

pytestmark = pytest.mark.anyio


class Patient:
    """A connection that takes note of how long it may wait."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def within(self, seconds: float) -> AbstractContextManager[None]:
        self.seconds.append(seconds)
        return nullcontext()

    def cut(self) -> bool:
        return True


def limits(clock: ManualClock, *, deadline: float, later: int = 0, **timeouts: Any) -> Limits:
    """The limits of an attempt that begins now, with so many targets still to come."""
    settings = {
        "providers": {"a": {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1"}},
        "routes": {"r": {"chain": [{"target": "a/m", "timeouts": timeouts}, "a/n", "a/o"]}},
    }
    plan = Router(settings, env={})._snapshot.planner.plan("r")
    request = ChatCompletion(model="r", messages=[Message.user("Hi")])
    return Limits(Call(request, False, plan, plan.targets[0], "c", deadline, deadline, later=later), clock)


@pytest.mark.parametrize(
    ("given", "passed", "code"),
    [
        ({"deadline": 10}, 10, "deadline"),
        ({"deadline": 100, "first_token": "5s"}, 5, "first_token_timeout"),
        ({"deadline": 100, "attempt": "4s"}, 4, "attempt_timeout"),
        ({"deadline": 30, "later": 1}, 20, "deadline_share"),
        ({"deadline": 30, "later": 2}, 15, "deadline_share"),
    ],
)
async def test_the_first_limit_ends_an_answer_that_does_not_begin(
    given: dict[str, Any], passed: float, code: str
) -> None:
    clock = ManualClock()
    waiting = limits(clock, **given)
    clock.advance(passed - 0.001)
    waiting.until_begun()
    clock.advance(0.002)

    with pytest.raises(AttemptTimeoutError) as caught:
        waiting.until_begun()
    assert caught.value.code == code
    assert str(waiting.late()) == str(caught.value)


@pytest.mark.parametrize(
    ("given", "passed", "committed", "code"),
    [
        ({"deadline": 30, "later": 1}, 20, False, "deadline_share"),
        ({"deadline": 30, "later": 1}, 30, True, "deadline"),
        ({"deadline": 30, "attempt": "25s"}, 25, True, "attempt_timeout"),
    ],
)
async def test_once_an_answer_has_begun_its_target_need_not_share(
    given: dict[str, Any], passed: float, committed: bool, code: str
) -> None:
    clock = ManualClock()
    waiting = limits(clock, **given)
    clock.advance(passed - 0.001)
    waiting.until_next(committed=committed)
    clock.advance(0.002)
    with pytest.raises(AttemptTimeoutError) as caught:
        waiting.until_next(committed=committed)
    assert caught.value.code == code


async def test_silence_is_told_from_the_other_limits() -> None:
    waiting = limits(ManualClock(), deadline=100, idle="3s")
    waiting.until_next(committed=True)
    late = waiting.nothing_came(committed=True)
    assert isinstance(late, AttemptTimeoutError)
    assert late.code == "idle_timeout"


async def test_who_keeps_the_time_is_told_what_is_left() -> None:
    clock, keeper = ManualClock(), Patient()
    waiting = limits(clock, deadline=30, later=1, idle="3s")
    waiting.keeper = keeper
    waiting.until_begun()
    clock.advance(5)
    waiting.until_next(committed=False)
    waiting.until_next(committed=True, at_most=1)
    clock.advance(14)
    waiting.until_next(committed=False)
    waiting.within(0.5)
    assert keeper.seconds == [20, 3, 1, 1, 0.5]


async def test_an_attempt_that_is_cut_waits_for_nothing_more() -> None:
    waiting = limits(ManualClock(), deadline=30)
    assert not waiting.cut()
    assert isinstance(waiting.late(), RouterClosedError)
    waiting.keeper = Patient()
    assert waiting.cut()
    with pytest.raises(RouterClosedError):
        waiting.until_begun()
    with pytest.raises(ConnectionFailedError):
        waiting.until_next(committed=True)
