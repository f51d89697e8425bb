"""A retry budget by examples, and that nobody ever gets more out of it than went in."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from turnout.config.policies import RetryBudget as RetryBudgetSettings
from turnout.health.retry_budget import RetryBudget


def granted(budget: RetryBudget, now: float, asked: int = 1000) -> int:
    """How many of so many further attempts are allowed."""
    return sum(budget.take(now) for _ in range(asked))


@pytest.mark.parametrize(("ratio", "first", "further"), [(0.2, 5, 1), (0.2, 49, 9), (0.1, 10, 1), (1, 3, 3)])
def test_a_share_of_the_first_attempts_may_be_made_again(ratio: float, first: int, further: int) -> None:
    budget = RetryBudget(RetryBudgetSettings(ratio=ratio, per_second=0))
    for _ in range(first):
        budget.sent(0.0)
    assert granted(budget, 0.0) == further


def test_little_traffic_can_be_tried_again_too() -> None:
    budget = RetryBudget(RetryBudgetSettings())
    assert granted(budget, 5.0) == 30
    assert granted(budget, 7.0) == 6
    assert granted(budget, 7.1) == 0
    assert granted(budget, 999.0) == 30, "no more than that is saved up"


def test_healthy_traffic_saves_up_no_storm() -> None:
    budget = RetryBudget(RetryBudgetSettings(per_second=0))
    for _ in range(10_000):
        budget.sent(0.0)
    assert granted(budget, 0.0) == 10


def test_none_is_none() -> None:
    budget = RetryBudget(RetryBudgetSettings(ratio=0, per_second=0))
    budget.sent(0.0)
    assert granted(budget, 1e6) == 0


class BudgetModel(RuleBasedStateMachine):
    """A budget beside an account that adds every second and every first attempt when they happen."""

    @initialize(
        ratio=st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0]), per_second=st.sampled_from([0.0, 0.25, 3.0])
    )
    def begin(self, ratio: float, per_second: float) -> None:
        self.said = RetryBudgetSettings(ratio=ratio, per_second=per_second)
        self.budget = RetryBudget(self.said)
        self.now = 50.0
        self.budget.take(self.now)  # from here on, seconds count
        self.left = self.reserve = self.budget.left(self.now)
        self.firsts = self.taken = 0
        self.began = self.now

    @rule(seconds=st.sampled_from([0.0, 0.125, 0.5, 4.0, 60.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.left = min(self.left + seconds * self.said.per_second, self.budget.cap)

    @rule(times=st.integers(1, 12))
    def first_attempts(self, times: int) -> None:
        for _ in range(times):
            self.budget.sent(self.now)
            self.left = min(self.left + self.said.ratio, self.budget.cap)
            self.firsts += 1

    @rule(times=st.integers(1, 12))
    def further_attempts(self, times: int) -> None:
        for _ in range(times):
            taken = self.budget.take(self.now)
            assert taken == (self.left >= 1 - 1e-6) or abs(self.left - 1) < 1e-6
            self.left -= taken
            self.taken += taken

    @invariant()
    def it_is_never_overdrawn(self) -> None:
        if not hasattr(self, "budget"):
            return
        assert self.left >= -1e-6
        assert self.budget.left(self.now) == pytest.approx(self.left, abs=1e-6)
        put_in = self.reserve + self.firsts * self.said.ratio
        assert self.taken <= put_in + (self.now - self.began) * self.said.per_second + 1e-6


TestBudgetModel = BudgetModel.TestCase
