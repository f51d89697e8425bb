"""A retry budget: how much retries and hedges of all calls may add to a provider's traffic."""

from __future__ import annotations

from turnout.config.policies import RetryBudget as RetryBudgetSettings


class RetryBudget:
    """The budget of one provider, shared by all its targets."""

    def __init__(self, settings: RetryBudgetSettings) -> None:
        self.settings = settings

    def sent(self, now: float) -> None:
        """A call's first attempt at this provider: it adds to the budget."""
        raise NotImplementedError

    def take(self, now: float) -> bool:
        """Whether one more attempt may be made; it is taken from the budget."""
        raise NotImplementedError
