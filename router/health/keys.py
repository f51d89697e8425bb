"""Several keys of one provider: which is used next, and which are left alone.

A key that is refused, as such or for want of money, is *isolated* on all models of the provider; one that may
not use a model, on that model. After a pause, which grows with each further refusal, one attempt at a time
may try it again. A key at its rate limit is left alone on that model until its gate opens. An attempt that
began before the latest refusal of its key says nothing new about it, however it ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import cycle
from math import gcd

from turnout.config.sections import Kind

from .gate import Gate

OF_THE_KEY: frozenset[Kind] = frozenset(("authentication", "permission", "quota", "rate_limit"))
"""Kinds of error that another key of the same provider may not meet with."""

_PAUSE = 60.0  # seconds that a refused key is left alone, doubled each time…
_LONGEST = 3600.0  # …up to this
_LONG = 1000  # turns that are worked out once and for all; longer rounds, turn by turn
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
    """An attempt with a key; exactly one of its methods is called, once.

    All attempts with a key that was not refused of late share one: none of them can tell anything new by
    being accepted, for whatever is refused until then is refused after they began.
    """

    __slots__ = ("index", "key")

    def __init__(self, key: Key, index: int) -> None:
        self.key = key
        self.index = index
        """Where the key stands among those in use, from 0."""

    def accepted(self, began: float) -> None:
        """The provider took the key, in an attempt that began at `began`."""

    def refused(self, now: float, began: float, kind: Kind, retry_after: float | None) -> None:
        """The provider did not take the key, for one of the kinds `OF_THE_KEY`."""
        key = self.key
        if kind == "rate_limit":
            key.gate.limited(now, began=began, retry_after=retry_after)
        elif kind == "permission":
            key.isolation_here.refused(now, began, kind, retry_after)
        else:
            key.isolation.refused(now, began, kind, retry_after)
        self.released()

    def released(self) -> None:
        """The attempt ended in a way that says nothing of the key."""


class _Trial(Use):
    """An attempt with a key that has been refused."""

    __slots__ = ("_tries",)

    def __init__(self, key: Key, index: int) -> None:
        super().__init__(key, index)
        self._tries = [
            one for one in (key.isolation, key.isolation_here) if one.strikes and not one.trying
        ]  # what it finds out about, being the only one to do so
        for one in self._tries:
            one.trying = True

    def accepted(self, began: float) -> None:
        key = self.key
        key.isolation.accepted(began)
        key.isolation_here.accepted(began)
        key.gate.answered(began)
        self.released()

    def released(self) -> None:
        for one in self._tries:
            one.trying = False
        self._tries = []


class KeyRing:
    """The keys of one provider, as one of its models uses them."""

    __slots__ = ("_turns", "_uses", "keys")

    def __init__(self, keys: Iterable[Key]) -> None:
        self.keys = found = tuple(keys)
        self._uses = tuple(Use(key, index) for index, key in enumerate(found))
        self._turns = _turns(found)  # as long as none is left alone

    def take(self, now: float, *, but: int = 0, forced: bool = False) -> Use | None:
        """The key whose turn it is, or None where all are left alone.

        Turns go by weight, spread evenly; those of keys that are left alone go to the others, by weight as
        well. `but` are keys that the call has used already, a bit for each; `forced` gives the one that may
        be used soonest, where there is none that may be now.
        """
        if not but:
            index = next(self._turns)
            use = self._uses[index]
            key = use.key
            gate = key.gate
            if (
                gate.opens_at <= now
                and not gate.strikes
                and not key.isolation.strikes
                and not key.isolation_here.strikes
            ):
                return use
            if not key.waits(now):
                return _Trial(key, index)
        left = [index for index in range(len(self.keys)) if not but >> index & 1]
        free = [index for index in left if not self.keys[index].waits(now)]
        if free:
            index = _next(self.keys, free)
            return _Trial(self.keys[index], index)
        if not forced or not left:
            return None
        index = min(left, key=lambda index: self.keys[index].waits(now))
        return _Trial(self.keys[index], index)

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


def _turns(keys: Sequence[Key]) -> Iterator[int]:
    """Whose turn it is, again and again, where all take part."""
    everybody = range(len(keys))
    weights = [key.weight for key in keys]
    length = sum(weights) // gcd(*weights)  # after so many turns they repeat
    if length > _LONG:
        return iter(partial(_next, keys, everybody), None)
    return cycle([_next(keys, everybody) for _ in range(length)])


def _next(keys: Sequence[Key], among: Iterable[int]) -> int:
    """Whose turn it is among some keys: each saves up by its weight, and who has most pays for all."""
    best = total = 0
    most = float("-inf")
    for index in among:
        key = keys[index]
        key.credit += key.weight
        total += key.weight
        if key.credit > most:
            best, most = index, key.credit
    keys[best].credit -= total
    return best
