"""A retry budget: how much retries and hedges of all calls may add to a provider's traffic.

Each first attempt adds `ratio` to it, each second `per_second`; each further attempt takes one. So of a
provider that fails every attempt no more is asked, over any time, than its first attempts, their `ratio`,
`per_second` for each second, and what had been saved up before that. A new budget holds what ten seconds of
`per_second` are worth, and ten attempts, or those ten seconds' worth, are the most that is ever saved up.
"""

from __future__ import annotations

from turnout.config.policies import RetryBudget as RetryBudgetSettings

_RESERVE = 10.0  # seconds of `per_second` that may be saved up
_LEAST_CAP = 10.0  # attempts
_ROUNDING = 1e-9  # ten tenths make one


class RetryBudget:
    """The budget of one provider, shared by all its targets."""

    __slots__ = ("_at", "_left", "_ratio", "cap", "settings")

    def __init__(self, settings: RetryBudgetSettings) -> None:
        self.settings = settings
        reserve = settings.per_second * _RESERVE
        self.cap = max(reserve, _LEAST_CAP)
        """Attempts that can be saved up."""
        self._left = reserve
        self._ratio = settings.ratio
        self._at: float | None = None  # up to when `per_second` has been added

    def sent(self, now: float) -> None:
        """A call's first attempt at this provider: it adds to the budget."""
        if self._at is None:
            self._at = now
        # seconds are added when they are asked for: as nothing is taken in between, it makes no difference
        left = self._left + self._ratio
        self._left = left if left < self.cap else self.cap

    def left(self, now: float) -> float:
        """How many further attempts may be made."""
        at, self._at = self._at, now
        if at is not None and now > at:
            self._left = min(self._left + (now - at) * self.settings.per_second, self.cap)
        return self._left

    def take(self, now: float) -> bool:
        """Whether one more attempt may be made; it is taken from the budget."""
        if self.left(now) < 1.0 - _ROUNDING:
            return False
        self._left = max(self._left - 1.0, 0.0)
        return True
