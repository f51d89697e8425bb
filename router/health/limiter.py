"""How much a provider still allows in this minute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from turnout.config.policies import Limits


class Reservation(Protocol):
    """A part of the allowance that one attempt holds; exactly one of the two is called, once."""

    def settle(self, now: float, tokens: int | None) -> None:
        """The attempt took so many tokens; None: nobody knows, so the estimate stands."""
        ...

    def release(self, now: float) -> None:
        """Nothing was sent."""
        ...


class Limiter:
    """Requests and tokens of a minute, for a provider or one of its models."""

    def __init__(self, settings: Limits) -> None:
        self.settings = settings

    def reserve(self, now: float, tokens: int) -> Reservation | float:
        """A reservation, or the seconds until there may be one."""
        raise NotImplementedError

    def learn(self, now: float, headers: Mapping[str, str]) -> None:
        """Take note of what an answer's headers tell of what is left."""
        raise NotImplementedError
