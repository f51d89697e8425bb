"""All standings of a router, by target, kept for as long as what was said of them stays the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

from turnout.config.policies import RetryBudget as BudgetSettings
from turnout.config.policies import Switch
from turnout.config.settings import ChainNode, Node, PoolNode, ProviderSettings, Settings

from .breaker import Breaker
from .limiter import Limiter
from .retry_budget import RetryBudget
from .standing import Standing
from .turns import Turns

S = TypeVar("S", bound=Switch)
T = TypeVar("T")


class Board:
    """Makes standings and keeps them.

    Each part is kept by what it belongs to, together with the settings that it was made from: a router that
    is given new settings goes on with the state of all that did not change, and begins afresh with the rest.
    """

    def __init__(self) -> None:
        self._parts: dict[tuple[str, ...], tuple[object, Any]] = {}

    def standing(self, provider: str, model: str, settings: Settings) -> Standing:
        """The standing of a target under these settings."""
        own, defaults = settings.providers[provider], settings.defaults
        breaker = enabled(own.breaker, defaults.breaker)
        budget = enabled(own.retry_budget, defaults.retry_budget)

        def make() -> Standing:
            limiter, turns = self._limits(provider, model, own)
            return Standing(
                name=f"{provider}/{model}",
                breaker=None if breaker is None else Breaker(breaker),
                limiter=limiter,
                turns=turns,
                retry_budget=None if budget is None else self._retry_budget(provider, own, budget),
            )

        return self._kept(("standing", provider, model), (own, breaker, budget), make)

    def _retry_budget(self, provider: str, own: ProviderSettings, said: BudgetSettings) -> RetryBudget:
        return self._kept(("retry_budget", provider), (own, said), lambda: RetryBudget(said))

    def _limits(
        self, provider: str, model: str, own: ProviderSettings
    ) -> tuple[Limiter | None, Turns | None]:
        limits = own.limits
        if limits is None:
            return None, None
        owner = (provider, model) if limits.per == "model" else (provider,)
        places = limits.concurrency
        counted = limits.requests_per_minute or limits.tokens_per_minute or limits.adaptive
        return (
            self._kept(("limiter", *owner), own, lambda: Limiter(limits)) if counted else None,
            None if places is None else self._kept(("turns", *owner), own, lambda: Turns(places)),
        )

    def _kept(self, name: tuple[str, ...], said: object, make: Callable[[], T]) -> T:
        """The part of this name, made anew where other things are said of it than before."""
        known = self._parts.get(name)
        if known is None or known[0] != said:
            known = self._parts[name] = (said, make())
        return cast("T", known[1])


def has_policies(settings: Settings) -> bool:
    """Whether anything is configured that needs to know how targets fare."""
    defaults = settings.defaults
    return (
        any(enabled(said) is not None for said in (defaults.breaker, defaults.retry_budget, defaults.hedge))
        or any(
            provider.limits is not None
            or enabled(provider.breaker) is not None
            or enabled(provider.retry_budget) is not None
            for provider in settings.providers.values()
        )
        or any(
            enabled(route.hedge) is not None or pools_in(route.chain) for route in settings.routes.values()
        )
    )


def pools_in(nodes: Iterable[Node]) -> bool:
    """Whether there is a pool among nodes, or within them."""
    return any(
        isinstance(node, PoolNode) or (isinstance(node, ChainNode) and pools_in(node.chain)) for node in nodes
    )


def enabled(*sections: S | None) -> S | None:
    """The first section that says anything, unless it says that there is to be none."""
    section = next((section for section in sections if section is not None), None)
    return section if section is not None and section.enabled else None
