"""What all calls know of one target together."""

from __future__ import annotations

from dataclasses import dataclass, field

from .breaker import Breaker
from .calibration import Calibration
from .gate import Gate
from .in_flight import InFlight
from .keys import KeyRing
from .latency import Latency
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
    """Shared by all targets of the provider; None where it has a single key."""
    gate: Gate = field(default_factory=Gate)
    """Closed as long as a rate limit holds."""
    in_flight: InFlight = field(default_factory=InFlight)
    latency: Latency = field(default_factory=Latency)
    calibration: Calibration = field(default_factory=Calibration)

    def waits(self, now: float) -> float:
        """Seconds until an attempt may pass gate and breaker; 0 where it may now."""
        wait = max(self.gate.opens_at - now, 0.0)
        return wait if self.breaker is None else max(wait, self.breaker.waits(now))
