"""A breaker: leaves a target alone for a while, since it keeps failing.

    closed ──── too many failures ───▶ open ──── the pause is over ───▶ half-open
       ▲                                ▲                                   │
       │                                └──── the probe fails: a pause ─────┤
       └──────── the probe succeeds ────────── twice as long ───────────────┘

Half-open, exactly one attempt is let through: the probe. Once it succeeds the breaker is closed, and for a
while it lets only a share of the attempts through, drawn by chance, which grows evenly from a tenth to all
of them. The probe of a stream has succeeded as far as others are concerned when the stream has begun; if it
then breaks, that counts as a probe that failed.

Attempts that began before the breaker last opened, or before it last closed, say nothing of how the target
is now and change nothing when they end. An attempt that was forced through an open breaker closes it by its
success, and changes nothing by its failure.
"""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Literal

from turnout.config.policies import Breaker as BreakerSettings

State = Literal["closed", "open", "half-open"]

_PARTS = 10  # of the window, counted together: an attempt is forgotten a tenth of the window late at most
_LEAST_SHARE = 0.1  # of the traffic, right after a recovery
_PROBING = 1.0  # seconds to guess for a probe that is under way


class Permit:
    """One attempt that was let through: exactly one of succeeded, failed and released is called, once."""

    __slots__ = ("breaker",)
    tries = False
    """Whether the attempt finds out if a target that was left alone is there again."""

    def __init__(self, breaker: Breaker) -> None:
        self.breaker = breaker

    def began(self, now: float) -> None:
        """The target has begun to answer; may be called once, before the others."""

    def succeeded(self, now: float) -> None:
        """The target answered."""
        breaker = self.breaker
        if breaker._permit is self:
            breaker._row = 0
            tally = breaker._tally
            if now >= tally.ends:
                tally.turn(now)
            tally.good += 1

    def failed(self, now: float) -> None:
        """The target failed in a way that counts against it."""
        if self.breaker._permit is self:
            self.breaker._count_failure(now)

    def released(self, now: float) -> None:
        """The attempt was given up and says nothing of the target."""


class _Probe(Permit):
    """The one attempt of a half-open breaker."""

    __slots__ = ()
    tries = True

    def began(self, now: float) -> None:
        breaker = self.breaker
        if breaker._probe is self:
            breaker._recover(now)
            breaker._begun = self

    def succeeded(self, now: float) -> None:
        breaker = self.breaker
        if breaker._probe is self:
            breaker._recover(now)
        if breaker._begun is self:
            breaker._begun = None
            breaker._failed_probes = 0

    def failed(self, now: float) -> None:
        breaker = self.breaker
        if breaker._probe is self or breaker._begun is self:
            breaker._failed_probes += 1
            breaker._open(now)

    def released(self, now: float) -> None:  # noqa: ARG002 - all permits take it
        breaker = self.breaker
        if breaker._probe is self:
            breaker._probe = None
        if breaker._begun is self:  # it had begun, and nobody will hear how it would have ended
            breaker._begun = None
            breaker._failed_probes = 0


class _Forced(Permit):
    """An attempt that an open breaker let through because there was nowhere else to go."""

    __slots__ = ("_openings",)
    tries = True

    def __init__(self, breaker: Breaker) -> None:
        super().__init__(breaker)
        self._openings = breaker.openings

    def succeeded(self, now: float) -> None:
        breaker = self.breaker
        if breaker._permit is None and breaker.openings == self._openings:
            breaker._recover(now)

    def failed(self, now: float) -> None:
        """It was open already."""


class Breaker:
    """The state of one target's breaker."""

    __slots__ = (
        "_begun", "_failed_probes", "_permit", "_probe", "_ramp_ends", "_row", "_tally", "_until",
        "on", "openings", "recoveries", "settings",
    )  # fmt: skip

    def __init__(self, settings: BreakerSettings) -> None:
        self.settings = settings
        self.on = frozenset(settings.on)
        """Kinds of error that count."""
        self.openings = 0
        """How often it has opened, failed probes included."""
        self.recoveries = 0
        """How often it has closed again."""
        self._permit: Permit | None = Permit(self)  # what all attempts share while it is closed; else None
        self._row = 0  # failures since the last success
        self._tally = _Tally(settings.window)
        self._until = 0.0  # the end of the pause
        self._failed_probes = 0  # in a row
        self._probe: _Probe | None = None  # the one that is under way
        self._begun: _Probe | None = None  # the stream that closed it, as long as it goes on
        self._ramp_ends = 0.0

    def admit(self, now: float, random: Random, *, forced: bool = False) -> Permit | None:
        """A permit for one attempt, or None where it is turned away; `forced` lets it through in any case."""
        permit = self._permit
        if permit is not None:
            if self._ramp_ends and not forced and random.random() >= self._share(now):
                return None
            return permit
        if now >= self._until and self._probe is None:
            self._probe = probe = _Probe(self)
            return probe
        return _Forced(self) if forced else None

    def waits(self, now: float) -> float:
        """Seconds until an attempt may pass, a guess while a probe is under way; 0 where one may now."""
        if self._permit is not None:
            return 0.0
        return _PROBING if self._probe is not None else max(self._until - now, 0.0)

    def state(self, now: float) -> State:
        """Where in the picture above it stands."""
        if self._permit is not None:
            return "closed"
        return "open" if now < self._until else "half-open"

    def _share(self, now: float) -> float:
        """How much of the traffic may pass, from 0 to 1, after a recovery."""
        left = self._ramp_ends - now
        if left <= 0:
            self._ramp_ends = 0.0
            return 1.0
        return 1.0 - (1.0 - _LEAST_SHARE) * left / self.settings.ramp

    def _count_failure(self, now: float) -> None:
        settings = self.settings
        self._row += 1
        good, bad = self._tally.fail(now)
        total = good + bad
        if self._row >= settings.failures or (total >= settings.calls and bad / total >= settings.ratio):
            self._failed_probes = 0
            self._open(now)

    def _open(self, now: float) -> None:
        settings = self.settings
        self.openings += 1
        pause = settings.pause * 2.0 ** min(self._failed_probes, 64)
        self._until = now + min(pause, max(settings.longest_pause, settings.pause))
        self._permit = self._probe = self._begun = None

    def _recover(self, now: float) -> None:
        settings = self.settings
        self.recoveries += 1
        self._permit = Permit(self)
        self._probe = self._begun = None
        self._row = 0
        self._tally = _Tally(settings.window)
        self._ramp_ends = now + settings.ramp if settings.ramp else 0.0


class _Tally:
    """How the attempts of the last window ended, counted by parts of it; a part begins with an attempt."""

    __slots__ = ("_bad", "_past", "_window", "ends", "good")

    def __init__(self, window: float) -> None:
        self._window = window
        self._past: deque[tuple[float, int, int]] = deque()  # when each part ended, and its counts
        self.ends = float("-inf")
        """When the part that is being counted is over."""
        self.good = 0
        """Attempts of this part that succeeded."""
        self._bad = 0

    def turn(self, now: float) -> None:
        """Begin the next part."""
        if self.good or self._bad:
            self._past.append((self.ends, self.good, self._bad))
        self.good = self._bad = 0
        self.ends = now + self._window / _PARTS
        self._forget(now)

    def fail(self, now: float) -> tuple[int, int]:
        """Count a failure; how many of the window succeeded and failed."""
        if now >= self.ends:
            self.turn(now)
        else:
            self._forget(now)
        self._bad += 1
        past = self._past
        return (
            self.good + sum(part[1] for part in past),
            self._bad + sum(part[2] for part in past),
        )

    def _forget(self, now: float) -> None:
        oldest = now - self._window
        while self._past and self._past[0][0] <= oldest:
            self._past.popleft()
