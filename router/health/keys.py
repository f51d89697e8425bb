"""Several keys of one provider: which is used next, and which are left alone.

A key that is refused, as such or for want of money, is *isolated* on all models of the provider; one that may
not use a model, on that model. After a pause, which grows with each further refusal, one attempt at a time
may try it again. A key at its rate limit is left alone on that model until its gate opens. An attempt that
began before the latest refusal of its key says nothing new about it, however it ends.
"""

from __future__ import annotations

from collections.abc import Iterable

from turnout.config.sections import Kind

from .gate import Gate

OF_THE_KEY: frozenset[Kind] = frozenset(("authentication", "permission", "quota", "rate_limit"))
"""Kinds of error that another key of the same provider may not meet with."""

_PAUSE = 60.0  # seconds that a refused key is left alone, doubled each time…
_LONGEST = 3600.0  # …up to this
_SOON = 1.0  # seconds in which an attempt that tries an isolated key is expected to know more


class Isolation:
    """Whether a key that was refused is left alone."""

    __slots__ = ("ends_at", "kind", "since", "strikes", "trying")

    def __init__(self) -> None:
        self.strikes = 0
        """Refusals in a row; 0: it is in use."""
        self.ends_at = 0.0
        """When it may be tried again."""
        self.since = float("-inf")
        """When it was last refused."""
        self.kind: Kind = "authentication"
        self.trying = False
        """Whether an attempt is trying it just now."""

    def waits(self, now: float) -> float:
        """Seconds until it may be used; 0: now."""
        if not self.strikes:
            return 0.0
        return max(self.ends_at - now, _SOON if self.trying else 0.0)

    def refused(self, now: float, began: float, kind: Kind, retry_after: float | None) -> None:
        """An attempt that began at `began` was refused."""
        if began < self.since:
            return
        self.strikes += 1
        pause = min(_PAUSE * 2.0 ** min(self.strikes - 1, 16), _LONGEST)
        self.ends_at = now + max(pause, min(retry_after or 0.0, _LONGEST))
        self.since, self.kind = now, kind

    def accepted(self, began: float) -> None:
        """An attempt that began at `began` was not refused."""
        if began >= self.since:
            self.strikes = 0


class Key:
    """One key, as one model of its provider uses it."""

    __slots__ = ("credit", "gate", "isolation", "isolation_here", "place", "weight")

    def __init__(
        self, place: int, weight: int, *, isolation: Isolation, isolation_here: Isolation, gate: Gate
    ) -> None:
        self.place = place
        """Its place in the settings, from 1: what it is called wherever it must be named."""
        self.weight = weight
        self.isolation = isolation
        """Whether it is left alone; shared by all models of the provider."""
        self.isolation_here = isolation_here
        """The same for this model."""
        self.gate = gate
        """Closed as long as its rate limit for this model holds."""
        self.credit = 0
        """What it has saved up towards its next turn."""

    def waits(self, now: float) -> float:
        """Seconds until it may be used; 0: now."""
        wait = self.gate.opens_at - now
        if self.isolation.strikes or self.isolation_here.strikes:
            wait = max(wait, self.isolation.waits(now), self.isolation_here.waits(now))
        return wait if wait > 0 else 0.0

    def why(self, now: float) -> Kind:
        """What it is left alone for."""
        causes = [
            (self.gate.opens_at - now, self.gate.kind),
            (self.isolation.waits(now), self.isolation.kind),
            (self.isolation_here.waits(now), self.isolation_here.kind),
        ]
        return max(causes)[1]


class Use:
    """One attempt with a key; exactly one of its methods is called, once."""

    __slots__ = ("_began", "_tries", "index", "key")

    def __init__(self, key: Key, index: int, now: float) -> None:
        self.key = key
        self.index = index
        """Where the key stands among those in use, from 0."""
        self._began = now
        self._tries: list[Isolation] | None = None
        if key.isolation.strikes or key.isolation_here.strikes:
            isolations = (key.isolation, key.isolation_here)
            self._tries = [one for one in isolations if one.strikes and not one.trying]
            for one in self._tries:
                one.trying = True

    def accepted(self) -> None:
        """The provider took the key."""
        key, began = self.key, self._began
        if key.isolation.strikes:
            key.isolation.accepted(began)
        if key.isolation_here.strikes:
            key.isolation_here.accepted(began)
        if key.gate.strikes:
            key.gate.answered(began)
        if self._tries is not None:
            self.released()

    def refused(self, now: float, kind: Kind, retry_after: float | None) -> None:
        """The provider did not take the key, for one of the kinds `OF_THE_KEY`."""
        key = self.key
        if kind == "rate_limit":
            key.gate.limited(now, began=self._began, retry_after=retry_after)
        elif kind == "permission":
            key.isolation_here.refused(now, self._began, kind, retry_after)
        else:
            key.isolation.refused(now, self._began, kind, retry_after)
        self.released()

    def released(self) -> None:
        """The attempt ended in a way that says nothing of the key."""
        for one in self._tries or ():
            one.trying = False
        self._tries = None


class KeyRing:
    """The keys of one provider, as one of its models uses them."""

    __slots__ = ("keys",)

    def __init__(self, keys: Iterable[Key]) -> None:
        self.keys = tuple(keys)

    def take(self, now: float, *, but: int = 0, forced: bool = False) -> Use | None:
        """The key whose turn it is, or None where all are left alone.

        Turns go by weight, spread evenly. `but` are keys that the call has used already, a bit for each;
        `forced` gives the one that may be used soonest, where there is none that may be now.
        """
        best: Key | None = None
        found = total = 0
        for index, key in enumerate(self.keys):
            if but >> index & 1:
                continue
            refused = key.isolation.strikes or key.isolation_here.strikes
            if (refused or key.gate.opens_at > now) and key.waits(now):
                continue
            key.credit += key.weight
            total += key.weight
            if best is None or key.credit > best.credit:
                best, found = key, index
        if best is not None:
            best.credit -= total
            return Use(best, found, now)
        if not forced:
            return None
        left = [index for index in range(len(self.keys)) if not but >> index & 1]
        if not left:
            return None
        found = min(left, key=lambda index: self.keys[index].waits(now))
        return Use(self.keys[found], found, now)

    def waits(self, now: float) -> float:
        """Seconds until any key may be used; 0: now."""
        soonest = float("inf")
        for key in self.keys:
            wait = key.waits(now)
            if not wait:
                return 0.0
            soonest = min(soonest, wait)
        return soonest

    def soonest(self, now: float) -> Key:
        """The key that may be used first."""
        return min(self.keys, key=lambda key: key.waits(now))
