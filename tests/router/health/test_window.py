"""The user's numbers: never more in any minute, whatever minute is looked at, and all of it in the end."""

from __future__ import annotations

from copy import deepcopy

from hypothesis import given
from hypothesis import strategies as st

from turnout.health.window import Window

STEPS = st.lists(st.tuples(st.floats(0, 20), st.integers(1, 40), st.integers(0, 60)), max_size=60)


@given(requests=st.integers(1, 9), tokens=st.integers(1, 100), steps=STEPS)
def test_no_minute_holds_more_than_the_numbers(
    requests: int, tokens: int, steps: list[tuple[float, int, int]]
) -> None:
    window, now = Window(requests, tokens), 5.0
    taken: list[tuple[float, int]] = []
    for seconds, amount, _ in steps:
        now += seconds
        wait = window.wait(now, amount)
        if wait == 0:
            amount = min(amount, tokens)
            assert window.has_room(amount)
            window.take(now, amount)
            taken.append((now, amount))
        else:
            assert 0 < wait <= 60.5
            assert deepcopy(window).wait(now + wait, amount) == 0
    for moment, _ in taken:
        minute = [amount for other, amount in taken if moment <= other < moment + 60]
        assert len(minute) <= requests
        assert sum(minute) <= tokens


@given(steps=STEPS, sent=st.booleans())
def test_what_was_settled_or_released_leaves_nothing_behind(
    steps: list[tuple[float, int, int]], sent: bool
) -> None:
    window, now = Window(1000, 100), 5.0
    for seconds, amount, took in steps:
        slot = window.take(now, amount)
        now += seconds
        window.wait(now, 1)
        if sent:
            window.settle(now, slot, amount, took)
        else:
            window.release(now, slot, amount)
    assert window.held == 0
    assert window.tokens >= 0
    assert sent or (window.requests, window.tokens) == (0, 0)
    assert window.wait(now + 121, 100) == 0
    assert (window.requests, window.tokens) == (0, 0)


def test_what_has_no_number_is_never_waited_for() -> None:
    window = Window(None, None)
    for _ in range(1000):
        window.take(0.0, 10**9)
    assert window.has_room(10**9)
    assert window.wait(0.0, 10**9) == 0


def test_what_was_not_needed_can_be_used_at_once() -> None:
    window = Window(None, 100)
    slot = window.take(0.0, 100)
    assert window.wait(1.0, 1) > 58
    window.settle(1.0, slot, 100, 40)
    assert window.wait(1.0, 60) == 0
    assert window.wait(1.0, 61) > 58


def test_what_was_used_besides_counts_from_now() -> None:
    window = Window(None, 100)
    slot = window.take(0.0, 50)
    window.settle(30.0, slot, 50, 110)  # an answer that was longer than anybody thought
    assert window.tokens == 110
    assert window.wait(30.0, 1) > 30
    assert window.wait(61.0, 40) == 0
    assert window.wait(61.0, 41) > 29


def test_what_is_larger_than_the_limit_waits_for_all_of_it() -> None:
    window = Window(None, 10)
    assert window.wait(0.0, 11) == 0
    window.take(0.0, 11)
    assert window.wait(0.0, 1) == 60.5


def test_what_has_left_is_forgotten_although_nobody_asks_for_room() -> None:
    window = Window(10**9, None)
    for half in range(1200):
        window.take(half / 2, 1)
    assert window.requests <= 121
