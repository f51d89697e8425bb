"""An allowance that the simulator enforces, as hosts do: so many requests and tokens in so many seconds.

Requests and tokens are taken when a request is let in, tokens by what its answer will count; one that finds
too little of either takes nothing and is refused with a 429 that says how long to wait. Every answer tells
in its headers what is left. Faults of the script count as requests, and take no tokens.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal

from .counting import usage_of
from .quirks import Quirks
from .script import Reply
from .wires.base import Asked, counts


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a simulated provider allows."""

    requests: int | None = None
    """Requests in each period; None: any number."""
    tokens: int | None = None
    """Tokens of prompts and answers in each period; None: any number."""
    per: float = 60.0
    """The period, in seconds."""
    refill: Literal["continuous", "window"] = "continuous"
    """Whether what was used comes back steadily, or all at once when a period is over. A period begins with
    the first request after the last one's end."""
    headers: bool = True
    """Whether answers tell what is left."""
    each_key: bool = False
    """Whether every key has an allowance of its own."""
    pace: float = 1.0
    """How many of its seconds pass in one of ours, so that a test need not last for minutes."""


class Meter:
    """What is left of one thing that is allowed."""

    def __init__(self, limit: int, per: float, *, steady: bool) -> None:
        self.limit = limit
        self.left = float(limit)
        self.used = 0
        """All that was ever taken."""
        self._per = per
        self._steady = steady
        self._since: float | None = None
        self._granted = float(limit)

    def advance(self, now: float) -> None:
        """Give back what has come back since."""
        if self._since is None:
            self._since = now
        elif self._steady:
            back = (now - self._since) * self.limit / self._per
            self.left = min(self.left + back, self.limit)
            self._granted += back
            self._since = now
        elif now >= self._since + self._per:
            self.left = self.limit
            self._granted += self.limit
            self._since = now

    def take(self, amount: int) -> None:
        """Take so much."""
        self.left -= amount
        self.used += amount

    def reset(self, now: float) -> float:
        """Seconds until all of it is there again."""
        if self._since is None:
            return 0.0
        if self._steady:
            return (self.limit - self.left) * self._per / self.limit
        return max(self._since + self._per - now, 0.0)

    def wait(self, now: float, amount: int) -> float:
        """Seconds until there is so much; 0 where there is now."""
        if amount <= self.left:
            return 0.0
        return (amount - self.left) * self._per / self.limit if self._steady else self.reset(now)

    def granted(self, now: float) -> float:
        """All that there has been to take since the first request: more could not have been used."""
        self.advance(now)
        return self._granted


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request is let in, and the headers of its answer."""

    refused: str | None
    """Why it is not; None: it is let in."""
    headers: Mapping[str, str]


ALLOWED = Verdict(None, MappingProxyType({}))
"""Where nothing is limited."""


class Till:
    """Keeps an allowance, and counts what was used of it."""

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        self.admitted = 0
        """Requests that were let in."""
        self.refused = 0
        """Requests that were not."""
        self._meters: dict[str, dict[str, Meter]] = {}

    def used(self, unit: Literal["requests", "tokens"], now: float) -> float:
        """The share that was used, of all that there has been to use since the first request."""
        meters = [each[unit] for each in self._meters.values() if unit in each]
        granted = sum(meter.granted(now) for meter in meters)
        return self.total(unit) / granted if granted else 0.0

    def total(self, unit: Literal["requests", "tokens"]) -> int:
        """All that was used."""
        return sum(each[unit].used for each in self._meters.values() if unit in each)

    def judge(self, headers: Mapping[str, str], tokens: int, now: float, *, dialect: str = "") -> Verdict:
        """Let a request in that will take so many tokens, or refuse it."""
        meters = self._meters_of(headers)
        needs = {"requests": 1, "tokens": tokens}
        for meter in meters.values():
            meter.advance(now)
        waits = {unit: meter.wait(now, needs[unit]) for unit, meter in meters.items()}
        unit = max(waits, key=lambda name: waits[name], default="")
        if not unit or waits[unit] <= 0:
            self.admitted += 1
            for name, meter in meters.items():
                meter.take(needs[name])
            return Verdict(None, self._told(meters, now, dialect))
        self.refused += 1
        wait, meter = waits[unit], meters[unit]
        why = (
            f"Rate limit reached on {unit}: Limit {meter.limit}, Remaining {int(meter.left)}, Requested "
            f"{needs[unit]}. Please try again in {math.ceil(wait * 1000)}ms."
        )
        asked = {"retry-after": str(math.ceil(wait)), "retry-after-ms": str(math.ceil(wait * 1000))}
        return Verdict(why, {**self._told(meters, now, dialect), **asked})

    def _meters_of(self, headers: Mapping[str, str]) -> dict[str, Meter]:
        allowance = self.allowance
        key = headers.get("authorization") or headers.get("x-api-key") or "" if allowance.each_key else ""
        meters = self._meters.get(key)
        if meters is None:
            limits = {"requests": allowance.requests, "tokens": allowance.tokens}
            steady = allowance.refill == "continuous"
            meters = self._meters[key] = {
                unit: Meter(limit, allowance.per, steady=steady)
                for unit, limit in limits.items()
                if limit is not None
            }
        return meters

    def _told(self, meters: Mapping[str, Meter], now: float, dialect: str) -> dict[str, str]:
        """The headers that tell what is left."""
        told: dict[str, str] = {}
        for unit, meter in meters.items() if self.allowance.headers else ():
            left, reset = str(max(int(meter.left), 0)), meter.reset(now)
            if dialect == "anthropic":
                name = f"anthropic-ratelimit-{unit}-{{}}"
                moment = (datetime.now(UTC) + timedelta(seconds=reset)).isoformat(timespec="seconds")
                when = moment.replace("+00:00", "Z")
            else:
                name = f"x-ratelimit-{{}}-{unit}"
                when = f"{math.ceil(reset * 1000)}ms" if reset < 1 else f"{reset:.3f}s"
            facts = {"limit": str(meter.limit), "remaining": left, "reset": when}
            told |= {name.format(fact): value for fact, value in facts.items()}
        return told


def tokens_of(body: Mapping[str, Any], reply: Reply, row: Quirks | None) -> int:
    """What the answer to a request will count; `row` is None on wires other than Chat Completions."""
    if reply.status >= 400:
        return 0
    if isinstance(reply.usage, Mapping):
        return int(reply.usage.get("total_tokens") or 0)
    plain = reply.model_copy(update={"usage": None})
    if row is not None:
        usage = usage_of(body, plain, row, thinks=True) or {}
        return int(usage.get("total_tokens") or 0)
    found = counts(Asked("", "", {}, dict(body)), plain)
    return found.prompt + found.completion
