"""How much a provider still allows: what the user says of a minute, and what the provider's headers tell.

An attempt reserves a request and an estimate of its tokens, and settles with what the provider counted. What
it reserves is held twice: in the window of the user's own numbers, which all models may share, and, where
headers are listened to, against what those of earlier answers said was left to that model. Both must have
room. So attempts that are under way at the same time overshoot neither; only an answer that turns out longer
than its estimate can, and then those after it wait for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from turnout.config.policies import Limits
from turnout.providers.rate_limits import Now

from .listener import Listener
from .told import Sums
from .window import Slot, Window


class Limiter:
    """What one model allows; the user's numbers may be those of its provider, shared with other models."""

    __slots__ = ("counts_tokens", "line", "listener", "settings", "window")

    def __init__(self, settings: Limits, window: Window | None = None) -> None:
        self.settings = settings
        if window is None:
            window = Window(settings.requests_per_minute, settings.tokens_per_minute)
        self.window = window
        self.line = window.line
        """Those who wait for room, in the order in which they came."""
        self.listener = Listener() if settings.adaptive else None
        """What headers tell; None where nobody listens to them."""
        self.counts_tokens = settings.tokens_per_minute is not None or settings.adaptive
        """Whether the number of tokens makes a difference, as far as is known."""

    def soonest(self, now: float, prompt: int = 0, answer: int = 0) -> float:
        """Seconds that have to be waited in any case, however little those take who are under way."""
        window, listener = self.window, self.listener
        wait = window.wait(now, max(prompt + answer - window.held, 0))
        return wait if listener is None else max(wait, listener.soonest(now, prompt, answer))

    def refused(self, now: float, retry_after: float | None) -> None:
        """The provider refused an attempt, since its allowance was used up; it named a time or did not."""
        if self.listener is not None:
            self.listener.refused(now, retry_after)
            self.line.nudge()

    def note_counts(self, listener: Listener) -> None:
        """See whether the number of tokens makes a difference, by what headers tell."""
        self.counts_tokens = listener.counts_tokens or self.window.most_tokens < inf


class Reservation:
    """A part of the allowance that one attempt wants, holds once it has taken it, and settles or releases."""

    __slots__ = ("_slot", "answer", "before", "heard_at", "limiter", "prompt", "started")

    started: float  # this, and what follows, for the listener
    before: Sums  # what was heard of before it began
    heard_at: float | None  # None as long as it was not

    def __init__(self, limiter: Limiter | None, prompt: int = 0, answer: int = 0) -> None:
        self.limiter = limiter
        """None: nothing is limited, so there is nothing to take."""
        self.prompt = prompt
        """Tokens, about."""
        self.answer = answer
        """The same."""
        self._slot: Slot | None = None  # where it stands in the window; None as long as nothing is held

    def take_at_once(self, now: float) -> bool:
        """Take one request and the tokens, where there is room at a glance and nobody waits for it."""
        limiter = self.limiter
        if limiter is None:
            return True
        window, listener = limiter.window, limiter.listener
        prompt, answer = self.prompt, self.answer
        tokens = prompt + answer
        if limiter.line.places or not window.has_room(tokens):
            return False
        if listener is not None:
            if not listener.has_room(now, prompt, answer):
                return False
            listener.began(self, now)
        self._slot = window.take(now, tokens)
        return True

    def take(self, now: float) -> float:
        """The same, by a closer look and whoever waits: 0, or the seconds until there may be room.

        It may be worth looking again before: whoever settles or releases nudges the line.
        """
        limiter = self.limiter
        if limiter is None:
            return 0.0
        window, listener = limiter.window, limiter.listener
        wait = window.wait(now, self.prompt + self.answer)
        if listener is not None:
            wait = max(wait, listener.wait(now, self.prompt, self.answer))
        if wait <= 0:
            self._slot = window.take(now, self.prompt + self.answer)
            if listener is not None:
                listener.began(self, now)
        return wait

    def soonest(self, now: float) -> float:
        """Seconds that have to be waited in any case, however little those take who are under way."""
        return 0.0 if self.limiter is None else self.limiter.soonest(now, self.prompt, self.answer)

    def heard(self, now: float, headers: Mapping[str, str], clock: Now | None = None) -> None:
        """The answer has begun, with these headers; `clock` tells the time of day, should they need it."""
        limiter = self.limiter
        if self._slot is None or limiter is None or limiter.listener is None or self.heard_at is not None:
            return
        listener, line = limiter.listener, limiter.line
        if listener.hear(self, now, headers, clock, self.prompt, self.answer, closely=bool(line.places)):
            limiter.note_counts(listener)
        self.heard_at = now
        line.nudge()

    def answered(
        self, now: float, headers: Mapping[str, str], clock: Now | None, prompt: int, answer: int
    ) -> None:
        """The answer is there as a whole, before anything else was heard, and took so many tokens.

        That settles it; the rest is as for `heard`.
        """
        slot, limiter = self._slot, self.limiter
        if slot is None or limiter is None:
            return
        self._slot = None
        limiter.window.settle(now, slot, self.prompt + self.answer, prompt + answer)
        listener, line = limiter.listener, limiter.line
        if listener is not None:
            listener.ended(self, answer)
            if listener.hear(self, now, headers, clock, prompt, answer, closely=bool(line.places)):
                limiter.note_counts(listener)
        if line.places:
            line.nudge()

    def settle(self, now: float, prompt: int | None = None, answer: int | None = None) -> None:
        """The attempt took so many tokens; None: nobody knows, so the estimate stands."""
        slot, limiter = self._slot, self.limiter
        if slot is None or limiter is None:
            return
        self._slot = None
        if prompt is None:
            prompt = self.prompt
        if answer is None:
            answer = self.answer
        limiter.window.settle(now, slot, self.prompt + self.answer, prompt + answer)
        if limiter.listener is not None:
            limiter.listener.settled(self, now, prompt, answer)
        if limiter.line.places:
            limiter.line.nudge()

    def release(self, now: float) -> None:
        """Nothing was sent."""
        slot, limiter = self._slot, self.limiter
        if slot is None or limiter is None:
            return
        self._slot = None
        limiter.window.release(now, slot, self.prompt + self.answer)
        if limiter.listener is not None:
            limiter.listener.released(self)
        limiter.line.nudge()
