"""The user's own numbers for a minute, counted exactly to the slot and never in our favour."""

from __future__ import annotations

from collections import deque
from math import inf

from .turns import Line

_SLOTS = 120  # parts that a period is counted in; half a second of a minute


class Slot:
    """What was taken within one part of the period."""

    __slots__ = ("ends_at", "live", "requests", "tokens")

    def __init__(self, ends_at: float) -> None:
        self.ends_at = ends_at
        """When the last of it leaves the window."""
        self.requests = 0
        self.tokens = 0
        self.live = True
        """Whether it still counts."""


class Window:
    """At most so many requests and tokens in any `period` seconds; None: any number.

    That is the narrowest reading of "so much a minute": whoever keeps to it passes a bucket that refills
    steadily, a count that starts anew with each minute, and one that slides. What was taken counts until
    the slot that it fell into has left the window as a whole.
    """

    __slots__ = (
        "_newest", "_newest_until", "_slots", "_width", "held", "line", "most_requests", "most_tokens",
        "period", "requests", "tokens",
    )  # fmt: skip

    def __init__(self, requests: int | None, tokens: int | None, period: float = 60.0) -> None:
        self.most_requests: float = inf if requests is None else requests
        self.most_tokens: float = inf if tokens is None else tokens
        self.period = period
        """Seconds."""
        self.requests = 0
        """Those that count just now."""
        self.tokens = 0
        """The same."""
        self.held = 0
        """Tokens that are taken and not settled, so that some of them may come back."""
        self.line = Line()
        """Those who wait for room, in the order in which they came."""
        self._slots: deque[Slot] = deque()
        self._width = period / _SLOTS
        self._newest = Slot(-inf)
        self._newest_until = -inf  # from then on, what is taken falls into the next one

    def has_room(self, tokens: int) -> bool:
        """Whether there is room for a request, even if nothing has come back since the last look."""
        return self.requests < self.most_requests and self.tokens + tokens <= self.most_tokens

    def wait(self, now: float, tokens: int) -> float:
        """Seconds until there is room for a request of so many tokens; 0 where there is now.

        More than all of the tokens counts as all of them.
        """
        self._forget(now)
        requests = self.requests + 1 - self.most_requests
        excess = self.tokens + min(tokens, self.most_tokens) - self.most_tokens
        if requests <= 0 and excess <= 0:
            return 0.0
        for slot in self._slots:
            requests -= slot.requests
            excess -= slot.tokens
            if requests <= 0 and excess <= 0:
                return slot.ends_at - now
        return self.period

    def take(self, now: float, tokens: int) -> Slot:
        """Take a request of so many tokens, whether or not there is room; it is settled or released once."""
        slot = self._newest if now < self._newest_until else self._next(now)
        slot.requests += 1
        slot.tokens += tokens
        self.requests += 1
        self.tokens += tokens
        self.held += tokens
        return slot

    def settle(self, now: float, slot: Slot, held: int, took: int) -> None:
        """Let a request that held so many tokens have taken so many."""
        self.held -= held
        back = held - took
        if back < 0:  # it was used later than the rest, so it counts for longer
            slot = self._newest if now < self._newest_until else self._next(now)
        elif not slot.live:
            return
        slot.tokens -= back
        self.tokens -= back

    def release(self, now: float, slot: Slot, held: int) -> None:
        """Give back a request that was not sent, and its tokens."""
        self.settle(now, slot, held, 0)
        if slot.live:
            slot.requests -= 1
            self.requests -= 1

    def _next(self, now: float) -> Slot:
        """A new slot for what is taken now."""
        self._forget(now)  # seldom enough, and nobody may have had to wait for a long time
        self._newest = slot = Slot((now // self._width + 1) * self._width + self.period)
        self._newest_until = slot.ends_at - self.period
        self._slots.append(slot)
        return slot

    def _forget(self, now: float) -> None:
        """Give back what has left the window."""
        slots = self._slots
        while slots and slots[0].ends_at <= now:
            slot = slots.popleft()
            slot.live = False
            self.requests -= slot.requests
            self.tokens -= slot.tokens
