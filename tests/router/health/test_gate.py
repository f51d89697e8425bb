"""A gate by examples, and that it never opens before anybody who closed it said so."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from turnout.health.gate import Gate


def test_it_is_closed_until_the_latest_time_that_anybody_named() -> None:
    gate = Gate()
    gate.limited(10.0, began=9.0, retry_after=5.0)
    gate.limited(11.0, began=9.0, retry_after=1.0)
    assert gate.opens_at == 15.0
    gate.close_until(20.0)
    assert gate.opens_at == 20.0


def test_without_a_time_it_closes_for_longer_each_time() -> None:
    gate, now, waits = Gate(), 0.0, []
    for _ in range(10):
        gate.limited(now, began=now, retry_after=None)
        waits.append(gate.opens_at - now)
        now = gate.opens_at
    assert waits == [0.25, 0.5, 1, 2, 4, 8, 16, 32, 60, 60]

    gate.answered(now)
    gate.limited(now, began=now, retry_after=None)
    assert gate.opens_at - now == 0.25


def test_attempts_that_were_under_way_together_are_told_the_same_thing_once() -> None:
    gate = Gate()
    for late in range(9):
        gate.limited(10.0 + late / 100, began=9.0, retry_after=None)
    assert gate.opens_at == 10.25
    assert gate.strikes == 1

    gate.answered(9.5)
    assert gate.strikes == 1, "it was sent before the gate closed"
    gate.answered(10.5)
    assert gate.strikes == 0


def test_what_closed_it_is_known() -> None:
    gate = Gate()
    gate.limited(0.0, began=0.0, retry_after=3.0, kind="overloaded")
    assert gate.kind == "overloaded"
    gate.limited(1.0, began=0.0, retry_after=3.0)
    assert gate.kind == "rate_limit"


@given(st.floats(-10, 1e9))
def test_a_wait_is_believed_for_an_hour_at_most_and_a_past_one_not_at_all(wait: float) -> None:
    gate = Gate()
    gate.limited(5.0, began=4.0, retry_after=wait)
    assert 5.0 <= gate.opens_at <= 3605.0


class GateModel(RuleBasedStateMachine):
    """A gate beside the list of all times that were named: it is open once all of them are past."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()
        self.now = 0.0
        self.named: list[float] = [0.0]
        self.strikes = 0
        self.closed_at: float | None = None

    @rule(seconds=st.floats(0, 40))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(age=st.floats(0, 5), wait=st.floats(0, 50))
    def asked_to_wait(self, age: float, wait: float) -> None:
        self.gate.limited(self.now, began=self.now - age, retry_after=wait)
        self.named.append(self.now + wait)
        self.closed_at = self.now

    @rule(age=st.floats(0, 5))
    def limited_without_a_time(self, age: float) -> None:
        self.gate.limited(self.now, began=self.now - age, retry_after=None)
        if self.closed_at is None or self.now - age >= self.closed_at:
            self.named.append(self.now + min(2**self.strikes / 4, 60))
            self.strikes += 1
            self.closed_at = self.now

    @rule(age=st.floats(0, 5))
    def answered(self, age: float) -> None:
        self.gate.answered(self.now - age)
        if self.closed_at is None or self.now - age >= self.closed_at:
            self.strikes = 0

    @invariant()
    def it_opens_at_the_latest_time_named(self) -> None:
        assert self.gate.opens_at == max(self.named)
        assert self.gate.strikes == self.strikes


TestGateModel = GateModel.TestCase
