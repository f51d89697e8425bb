"""A breaker: leaves a target alone for a while, since it keeps failing."""

from __future__ import annotations

from random import Random
from typing import Protocol

from turnout.config.policies import Breaker as BreakerSettings


class Permit(Protocol):
    """One attempt that was let through; exactly one of the three is called, once."""

    def succeeded(self, now: float) -> None:
        """The target answered."""
        ...

    def failed(self, now: float) -> None:
        """The target failed in a way that counts against it."""
        ...

    def released(self, now: float) -> None:
        """The attempt was given up and says nothing of the target."""
        ...


class Breaker:
    """The state of one target's breaker."""

    def __init__(self, settings: BreakerSettings) -> None:
        self.settings = settings

    def admit(self, now: float, random: Random, *, forced: bool = False) -> Permit | None:
        """A permit for one attempt, or None where it is turned away; `forced` lets it through in any case."""
        raise NotImplementedError

    def waits(self, now: float) -> float:
        """Seconds until an attempt may pass; 0 where it may now."""
        raise NotImplementedError
