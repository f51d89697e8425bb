"""While plenty is left nobody looks closely, and a closer look would have said the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.policies import Limits
from turnout.health.limiter import Limiter, Reservation

FULL = 1000
UNITS = st.lists(
    st.sampled_from(["requests", "tokens", "tokens-prompt", "tokens-generated"]), unique=True, min_size=1
)
LATE = [f"anthropic-ratelimit-{unit}" for unit in ("requests", "tokens", "input-tokens", "output-tokens")]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["whole", "begin", "end", "fail", "leave"]),
        st.integers(0, 60),
        st.integers(0, 60),
        st.integers(0, 40),
    ),
    max_size=40,
)


def told(names: list[str], remaining: float | str, limit: int = FULL) -> dict[str, str]:
    """The headers of hosts that write what they tell of at the end of a name, or before it."""
    found: dict[str, str] = {}
    for name in names:
        if name.startswith("anthropic"):
            found |= {f"{name}-limit": str(limit), f"{name}-remaining": str(remaining)}
        else:
            found |= {
                f"x-ratelimit-limit-{name}": str(limit),
                f"x-ratelimit-remaining-{name}": str(remaining),
            }
    return found


def taken(limiter: Limiter, now: float, prompt: int, answer: int) -> Reservation:
    one = Reservation(limiter, prompt, answer)
    assert one.take_at_once(now) or not one.take(now)
    return one


def left(limiter: Limiter) -> dict[str, float]:
    assert limiter.listener is not None
    return limiter.listener.left


@given(
    units=UNITS, late=st.booleans(), steps=STEPS, asked=st.tuples(st.integers(0, 600), st.integers(0, 600))
)
def test_a_closer_look_finds_room_as_well(
    units: list[str], late: bool, steps: list[tuple[str, int, int, int]], asked: tuple[int, int]
) -> None:
    names = LATE if late else units
    limiter, begun, now = Limiter(Limits()), list[Reservation](), 100.0
    listener = limiter.listener
    assert listener is not None
    for what, prompt, answer, more in steps:
        now += 0.01
        one = Reservation(limiter, prompt, answer + more)
        if not one.take_at_once(now):
            continue
        headers = told(names, min(left(limiter).values(), default=FULL))
        if what == "begin":
            one.heard(now, headers)
            begun.append(one)
        elif what == "whole":
            one.answered(now, headers, None, prompt, answer)
        elif what == "fail":
            one.settle(now, prompt, 0)
        else:
            one.release(now)
            if begun and what == "end":
                begun.pop().settle(now, prompt, answer)
        if listener.has_room(now, *asked):
            assert limiter.soonest(now, *asked) == 0
            ahead = [sum(pair) for pair in zip(listener.ahead, (1, *asked), strict=True)]
            for name, known in listener._told.items():
                assert left(limiter)[name] >= known.share(*ahead)


def test_answers_that_are_counted_late_are_counted_once() -> None:
    limiter = Limiter(Limits())
    output, both = "anthropic-ratelimit-output-tokens", "anthropic-ratelimit-tokens"
    stream = taken(limiter, 100.0, 10, 90)
    stream.heard(100.0, {**told([output], FULL), **told([both], FULL - 10)})
    for number in range(3):
        one = taken(limiter, 100.1, 10, 50)
        headers = {**told([output], FULL - 20 * number), **told([both], FULL - 20 - 30 * number)}
        one.answered(100.1, headers, None, 10, 20)
    known = {f"{output}-remaining": FULL - 3 * 20, f"{both}-remaining": FULL - 10 - 3 * 30}
    assert left(limiter) == known
    stream.settle(100.2, 10, 40)
    assert left(limiter) == {name: value - 40 for name, value in known.items()}


@pytest.mark.parametrize("said", ["nan", "?", "-1"])
def test_a_header_that_says_nothing_takes_nothing_back(said: str) -> None:
    limiter = Limiter(Limits())
    taken(limiter, 100.0, 10, 0).answered(100.0, told(["tokens"], FULL - 10), None, 10, 0)
    for _ in range(2):
        taken(limiter, 100.1, 10, 0).answered(100.1, told(["tokens"], said), None, 10, 0)
    assert left(limiter) == {"x-ratelimit-remaining-tokens": FULL - 30}
