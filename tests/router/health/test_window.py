"""A minute's allowance: never more in any minute, whatever minute is looked at, and all of it in the end."""

from __future__ import annotations

from copy import deepcopy

from hypothesis import given
from hypothesis import strategies as st

from turnout.health.window import Window

STEPS = st.lists(st.tuples(st.floats(0, 20), st.integers(1, 40), st.integers(-40, 20)), max_size=60)


@given(limit=st.integers(1, 100), steps=STEPS)
def test_no_minute_holds_more_than_the_limit(limit: int, steps: list[tuple[float, int, int]]) -> None:
    window, now = Window(limit), 5.0
    taken: list[tuple[float, int]] = []
    for seconds, amount, _ in steps:
        now += seconds
        wait = window.wait(now, amount)
        if wait == 0:
            amount = min(amount, limit)
            window.take(now, amount)
            taken.append((now, amount))
        else:
            assert 0 < wait <= 60.5
            assert deepcopy(window).wait(now + wait, amount) == 0
    for moment, _ in taken:
        assert sum(amount for other, amount in taken if moment <= other < moment + 60) <= limit


@given(steps=STEPS)
def test_corrections_leave_nothing_behind(steps: list[tuple[float, int, int]]) -> None:
    window, now = Window(100), 5.0
    for seconds, amount, by in steps:
        slot = window.take(now, amount)
        now += seconds
        window.wait(now, 1)
        window.correct(now, slot, max(by, -amount))
    assert window.used >= 0
    assert window.wait(now + 121, 100) == 0
    assert window.used == 0


def test_what_was_not_needed_can_be_used_at_once() -> None:
    window = Window(100)
    slot = window.take(0.0, 100)
    assert window.wait(1.0, 1) > 58
    window.correct(1.0, slot, -60)
    assert window.wait(1.0, 60) == 0
    assert window.wait(1.0, 61) > 58


def test_what_was_used_besides_counts_from_now() -> None:
    window = Window(100)
    slot = window.take(0.0, 50)
    window.correct(30.0, slot, 60)  # an answer that was longer than anybody thought
    assert window.used == 110
    assert window.wait(30.0, 1) > 30
    assert window.wait(61.0, 40) == 0
    assert window.wait(61.0, 41) > 29


def test_what_is_larger_than_the_limit_waits_for_all_of_it() -> None:
    window = Window(10)
    assert window.wait(0.0, 11) == 0
    window.take(0.0, 11)
    assert window.wait(0.0, 1) == 60.5


def test_what_has_left_is_forgotten_although_nobody_asks_for_room() -> None:
    window = Window(10**9)
    for half in range(1200):
        window.take(half / 2, 1)
    assert window.used <= 121
