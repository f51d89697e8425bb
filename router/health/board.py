"""All standings of a router, by target, kept for as long as what was said of them stays the same.

What few routers use is imported where the first of its kind is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import SecretStr

from turnout.config.policies import Breaker as BreakerSettings
from turnout.config.policies import RetryBudget as BudgetSettings
from turnout.config.policies import Switch
from turnout.config.settings import ChainNode, KeyNode, Node, PoolNode, ProviderSettings, Settings

from .calibration import Calibration
from .gate import Gate

if TYPE_CHECKING:
    from .breaker import Breaker
    from .keys import KeyRing
    from .limiter import Limiter
    from .retry_budget import RetryBudget
    from .standing import Standing
    from .turns import Turns

S = TypeVar("S", bound=Switch)
T = TypeVar("T")
_Name = tuple[str | SecretStr, ...]
_OF_A_KEY = ("key", "isolation", "gate")  # parts in whose names a key comes third
_MOST = 20_000  # parts that are kept; callers may name any model of a provider


class Board:
    """Makes standings and keeps them.

    Each part is kept by what it belongs to, together with the settings that it was made from: a router that
    is given new settings goes on with the state of all that did not change, and begins afresh with the rest.
    Of the keys of a provider with several, each has its own state: adding one or taking one out leaves the
    others, and all the rest, as they are.
    """

    def __init__(self) -> None:
        self._parts: dict[_Name, tuple[object, Any]] = {}

    def handed_on(self, settings: Settings) -> Board:
        """A board for other settings; the parts of providers and keys that are gone are left behind."""
        keys: dict[object, set[SecretStr]] = {
            provider: {node.key for node in said.api_keys} for provider, said in settings.providers.items()
        }
        board = Board()
        board._parts = {
            name: part
            for name, part in self._parts.items()
            if name[1] in keys and (name[0] not in _OF_A_KEY or name[2] in keys[name[1]])
        }
        return board

    def standing(self, provider: str, model: str, settings: Settings) -> Standing:
        """The standing of a target under these settings."""
        said, defaults = settings.providers[provider], settings.defaults
        own = _apart_from_keys(said)
        breaker = enabled(own.breaker, defaults.breaker)
        budget = enabled(own.retry_budget, defaults.retry_budget)

        def make() -> Standing:
            from .standing import Standing

            limiter, turns = self._limits(provider, model, own)
            return Standing(
                name=f"{provider}/{model}",
                breaker=None if breaker is None else _breaker(breaker),
                limiter=limiter,
                turns=turns,
                retry_budget=None if budget is None else self._retry_budget(provider, own, budget),
            )

        standing = self._kept(("standing", provider, model), (own, breaker, budget), make)
        nodes = said.keys_in_use
        if len(nodes) < 2:
            return standing
        return self._kept(
            ("keyed", provider, model),
            (standing, nodes),
            lambda: replace(standing, keys=self._ring(provider, model, own, nodes)),
        )

    def calibration(self, provider: str, model: str, settings: Settings) -> Calibration:
        """What was learned of how a target counts; a target that no policy asks about has this as well."""
        own = settings.providers[provider]
        said = (own.preset, own.dialect, own.base_url)
        return self._kept(("calibration", provider, model), said, Calibration)

    def _ring(
        self, provider: str, model: str, own: ProviderSettings, nodes: Mapping[int, KeyNode]
    ) -> KeyRing:
        from .keys import Isolation, Key, KeyRing

        return KeyRing(
            Key(
                place,
                node.weight,
                isolation=self._kept(("key", provider, node.key), own, Isolation),
                isolation_here=self._kept(("isolation", provider, node.key, model), own, Isolation),
                gate=self._kept(("gate", provider, node.key, model), own, Gate),
            )
            for place, node in nodes.items()
        )

    def _retry_budget(self, provider: str, own: ProviderSettings, said: BudgetSettings) -> RetryBudget:
        from .retry_budget import RetryBudget

        return self._kept(("retry_budget", provider), (own, said), lambda: RetryBudget(said))

    def _limits(
        self, provider: str, model: str, own: ProviderSettings
    ) -> tuple[Limiter | None, Turns | None]:
        limits = own.limits
        if limits is None:
            return None, None
        from .limiter import Limiter
        from .turns import Turns
        from .window import Window

        owner = (provider, model) if limits.per == "model" else (provider,)
        places = limits.concurrency
        requests, tokens = limits.requests_per_minute, limits.tokens_per_minute
        window = limiter = turns = None
        if requests or tokens:
            window = self._kept(("window", *owner), own, lambda: Window(requests, tokens))
        if window is not None or limits.adaptive:
            limiter = self._kept(("limiter", provider, model), own, lambda: Limiter(limits, window))
        if places is not None:
            turns = self._kept(("turns", *owner), own, lambda: Turns(places, limits.max_wait))
        return limiter, turns

    def _kept(self, name: _Name, said: object, make: Callable[[], T]) -> T:
        """The part of this name, made anew where other things are said of it than before."""
        known = self._parts.get(name)
        if known is None or known[0] != said:
            known = (said, make())
        else:
            del self._parts[name]  # and to the end, so that what nobody asks for comes to the front
        self._parts[name] = known
        while len(self._parts) > _MOST:
            del self._parts[next(iter(self._parts))]
        return cast("T", known[1])


def _breaker(said: BreakerSettings) -> Breaker:
    from .breaker import Breaker

    return Breaker(said)


def _apart_from_keys(said: ProviderSettings) -> ProviderSettings:
    """What is said of a provider but for its several keys.

    With them the headers of an answer tell what is left to one key, and say nothing of the next.
    """
    if not said.api_keys:
        return said
    changes: dict[str, Any] = {"api_keys": ()}
    if said.limits is not None and len(said.keys_in_use) > 1:
        changes["limits"] = said.limits.model_copy(update={"adaptive": False})
    return said.model_copy(update=changes)


def has_policies(settings: Settings) -> bool:
    """Whether anything is configured that needs to know how targets fare."""
    defaults = settings.defaults
    return (
        any(enabled(said) is not None for said in (defaults.breaker, defaults.retry_budget, defaults.hedge))
        or any(
            provider.limits is not None
            or enabled(provider.breaker) is not None
            or enabled(provider.retry_budget) is not None
            or len(provider.keys_in_use) > 1
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
