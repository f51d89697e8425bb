"""What all calls know of one target together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .gate import Gate
from .hedges import HedgeShare
from .in_flight import InFlight
from .latency import Latency

if TYPE_CHECKING:
    from .breaker import Breaker
    from .keys import KeyRing
    from .limiter import Limiter
    from .retry_budget import RetryBudget
    from .turns import Turns


@dataclass(slots=True, eq=False)
class Standing:
    """The state of a target, which lives as long as its settings stay; parts that are not used are None."""

    name: str
    """`provider/model`."""
    breaker: Breaker | None = None
    limiter: Limiter | None = None
    """What the provider, or this model of it, allows in a minute."""
    turns: Turns | None = None
    """How many attempts the same may have at a time."""
    retry_budget: RetryBudget | None = None
    """Shared by all targets of the provider."""
    keys: KeyRing | None = None
    """None where the provider has a single key."""
    gate: Gate = field(default_factory=Gate)
    """Closed as long as a rate limit holds."""
    in_flight: InFlight = field(default_factory=InFlight)
    latency: Latency = field(default_factory=Latency)
    hedges: HedgeShare = field(default_factory=HedgeShare)
    """How much of its traffic may still be hedged after a time that was learned."""

    def waits(self, now: float) -> float:
        """Seconds until an attempt may pass gate and breaker and has a key; 0 where it may now."""
        wait = self.gate.opens_at - now
        if self.keys is not None and (until := self.keys.waits(now)) > wait:
            wait = until
        if self.breaker is not None and (until := self.breaker.waits(now)) > wait:
            wait = until
        return wait if wait > 0.0 else 0.0
