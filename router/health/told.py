"""What a provider's own headers tell of one allowance, and what may be left of it by now.

A header says what was left when the provider let that request in, which is a while ago: others that were
sent meanwhile are not in it. So what is left now is at least that, less all that was heard of since the
request began; or what was left by an earlier header, less what this one took; and it is never more than the
header says. What has been sent and not heard of yet is subtracted by whoever asks.

How an allowance comes back is told by `reset`, which means one of two things: the end of a window that stays
where it is, or the time at which a bucket that refills steadily will be full. As long as nobody knows,
nothing comes back before that time. A time that moves on while requests are made, before it has come, can
only be a bucket's; then what is left grows with the clock, at the pace that the headers tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from turnout.providers.rate_limits import Reading, Unit

_STEADY = 1.5  # seconds that a reset may move by rounding alone
_PRECISE = 2.0  # seconds that a reset must be away for its pace to be believed
_PERIOD = 60.0
_LATE = "anthropic-"  # where answers are counted as they are written; others count what is asked for

Sums = tuple[int, int, int, int, int, int]
"""What was heard of, as allowances count it, each by its `place`: requests, tokens of prompts, of answers, of
those answers that have ended; prompts and answers, prompts and answers that have ended."""
_PLACES: Mapping[Unit, int] = MappingProxyType({"requests": 0, "prompt": 1, "answer": 2, "tokens": 4})


class Told:
    """One allowance of a provider, as its headers tell it."""

    __slots__ = (
        "_basis", "_charged", "_charged_at", "_counts_from", "_earliest", "_latest", "_pace",
        "_refilled_at", "_since", "continuous", "heard", "late", "left", "limit", "place", "resets_at",
        "unit",
    )  # fmt: skip

    def __init__(self, name: str, unit: Unit) -> None:
        self.unit = unit
        """What it is an allowance of."""
        self.limit = 0.0
        """The whole allowance."""
        self.left = 0.0
        """What is left by now at least, as far as has been heard."""
        self.heard = False
        """Whether any header has told of it."""
        self.resets_at: float | None = None
        """When all of it will be back; None where all of it is."""
        self.continuous = False
        """Whether it comes back steadily, rather than all at once."""
        self.late = name.startswith(_LATE)
        """Whether answers are taken from it when they are done, and not when they are asked for."""
        self.place = _PLACES[unit] + (self.late and unit in ("answer", "tokens"))
        """Where `Sums` tell what it counts."""
        self._basis: object = None  # the request whose header `left` goes back to,
        self._counts_from = float("-inf")  # and since when others that were heard of are subtracted from it
        self._charged = 0.0  # what was taken that the reset which is expected knows nothing of
        self._charged_at = float("-inf")
        self._pace = 0.0
        self._since = 0.0
        self._refilled_at = float("-inf")
        self._earliest = self._latest = float("-inf")  # between which a reset lies that was told

    def share(self, requests: int, prompt: int, answer: int) -> int:
        """How much of an attempt, or of several, this allowance counts."""
        unit = self.unit
        if unit == "requests":
            return requests
        if unit == "prompt":
            return prompt
        return answer if unit == "answer" else prompt + answer

    def wait(self, now: float, amount: int, unheard: int) -> float:
        """Seconds until there may be so much besides what is unheard of; 0 where there is now."""
        lacking = min(amount, self.limit) + unheard - self.left
        if lacking <= 0:
            return 0.0
        self._advance(now)
        lacking = min(amount, self.limit) + unheard - self.left
        if lacking <= 0:
            return 0.0
        waits = [] if self.resets_at is None else [self.resets_at - now]
        if self.continuous and self._pace > 0:
            waits.append(lacking / self._pace)
        return min(waits, default=_PERIOD)

    def hear(
        self, now: float, request: object, started: float, reading: Reading, amount: int, since: int
    ) -> None:
        """Take note of the answer to a request of this `amount` that began at `started`.

        `since` is what other requests took that were heard of between its beginning and now.
        """
        self._advance(now)
        reset, remaining = reading.reset, reading.remaining
        if reset is not None and started + reset <= self._refilled_at + _STEADY and not self.continuous:
            self.charge(now, amount)  # it tells of a time before all of it came back
            return
        self.limit = max(self.limit if reading.limit is None else reading.limit, remaining)
        self._count(now, request, started, remaining, amount, since)
        self.heard = True
        self._since = now
        if started > self._charged_at:
            self._charged = 0.0
        if reset is None:
            self._comes_back(now + reading.span)
            return
        self._moved(now, started + reset, now + reset)
        if self.continuous and reset >= _PRECISE:
            self._pace = (self.limit - remaining) / reset
        if self.resets_at is None or now + reset > self.resets_at or self.continuous:
            self.resets_at = now + reset

    def _count(
        self, now: float, request: object, started: float, remaining: float, amount: int, since: int
    ) -> None:
        """Set what is left to the best that is certain."""
        if not self.heard or remaining - since >= self.left - amount:
            self.left = remaining - since
            self._basis, self._counts_from = request, started
        else:
            self.left -= amount
        if self.left > remaining:
            self.left = remaining
            self._basis, self._counts_from = request, now

    def settle(self, now: float, request: object, heard_at: float, by: int) -> None:
        """A request that was heard of took so much more than was thought, or less."""
        if by > 0:
            self.charge(now, by)
        elif request is not self._basis and heard_at > self._counts_from:
            self._advance(now)
            self.left = min(self.left - by, self.limit)

    def charge(self, now: float, amount: int) -> None:
        """Take what an attempt cost of which no header tells."""
        self._advance(now)
        self.left = max(self.left - amount, 0.0)
        self._charged += amount
        self._charged_at = now
        self._comes_back(now + _PERIOD)

    def _comes_back(self, moment: float) -> None:
        """Expect all of it then, where nothing better is known."""
        if self.resets_at is None and self.left < self.limit:
            self.resets_at = moment

    def _moved(self, now: float, earliest: float, latest: float) -> None:
        """See whether the reset has moved on before it came."""
        if now >= self._earliest:  # the one that was remembered has come
            self._earliest, self._latest = earliest, latest
        elif earliest > self._latest + _STEADY:
            self.continuous = True
            self._earliest, self._latest = earliest, latest

    def _advance(self, now: float) -> None:
        """Add what has come back since."""
        if self.continuous and now > self._since:
            self.left = min(self.left + self._pace * (now - self._since), self.limit)
            self._since = now
        if self.resets_at is not None and now >= self.resets_at:
            self._refilled_at, self.resets_at = self.resets_at, None
            self.left = max(self.limit - self._charged, 0.0)
            self._basis, self._counts_from = None, now
            self._charged = 0.0
            self._comes_back(now + _PERIOD)
