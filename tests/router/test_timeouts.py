"""Which limit of an attempt comes first, and what is said when it is past."""

from __future__ import annotations

from typing import Any

import pytest

from turnout import ChatCompletion, ManualClock, Message, Router
from turnout.pipeline import Call
from turnout.providers.errors import AttemptTimeoutError
from turnout.timeouts import Limits

pytestmark = pytest.mark.anyio


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
