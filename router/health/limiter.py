"""How much a provider still allows: what the user says of a minute, and what the provider's headers tell.

An attempt reserves a request and an estimate of its tokens, and settles with what the provider counted. What
it reserves is held twice: in the windows of the user's own numbers, which all models may share, and, until
the answer's headers are heard, against what the headers of earlier answers said was left to that model. Both
must have room. So attempts that are under way at the same time overshoot neither; only an answer that turns
out longer than its estimate can, and then those after it wait for that.

As long as nothing has been heard of a model, a few attempts go ahead as scouts: they bring the first headers.

While plenty is left, headers are read in full only once in a while. Of the others only what is left is looked
at; what their attempts took is summed up, and subtracted as if no header had told of it before anything else
is made of what is known.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

from turnout.config.policies import Limits
from turnout.providers.rate_limits import Now, RateLimits, Unit

from .told import Told
from .turns import Line
from .window import Slot, Window

SCOUTS = 8
"""Attempts at a time before the first answer has told what the provider allows."""
_AFTER_REFUSAL = 2  # the same, after the provider has refused one
_LOOK = 1.0  # seconds after which one who waits for scouts looks again, should nobody call
_REFUSED = 1.0  # seconds without attempts after a refusal that names no time
_OFTEN = 1.0  # seconds within which headers are read in full once, while plenty is left
_LATE = "anthropic-"  # where answers are counted as they are written; others count what is asked for


class Windows:
    """The user's own numbers, for a provider or for one of its models."""

    __slots__ = ("held", "line", "requests", "tokens")

    def __init__(self, settings: Limits) -> None:
        requests, tokens = settings.requests_per_minute, settings.tokens_per_minute
        self.requests = None if requests is None else Window(requests)
        self.tokens = None if tokens is None else Window(tokens)
        self.held = 0
        """Tokens that are reserved and not settled, so that some of them may come back."""
        self.line = None if requests is None and tokens is None else Line()
        """Those who wait for room in them; None where there are no numbers."""

    def have_room(self, tokens: int) -> bool:
        """Whether there is room for a request, even if nothing has come back since the last look."""
        requests, window = self.requests, self.tokens
        return (requests is None or requests.used < requests.limit) and (
            window is None or window.used + tokens <= window.limit
        )


class Limiter:
    """What one model allows; the user's numbers may be those of its provider, shared with other models."""

    __slots__ = (
        "_answer_ahead", "_answer_heard", "_answer_taken", "_closed_until", "_prompt_ahead", "_prompt_heard",
        "_prompt_taken", "_rate_limits", "_read_again_at", "_read_headers", "_requests_ahead",
        "_requests_heard", "_requests_taken", "_scouts", "_told", "_windows", "counts_tokens", "line",
        "settings",
    )  # fmt: skip

    def __init__(self, settings: Limits, windows: Windows | None = None) -> None:
        self.settings = settings
        self._windows = windows = Windows(settings) if windows is None else windows
        self.line = Line() if windows.line is None else windows.line
        """Those who wait for room, in the order in which they came."""
        self.counts_tokens = windows.tokens is not None or settings.adaptive
        """Whether the number of tokens makes a difference, as far as is known."""
        self._rate_limits = RateLimits()
        self._told: dict[str, tuple[Unit, Told]] = {}
        self._read_again_at = float("-inf")  # when headers are read in full, whatever they tell
        self._read_headers = 0  # how many there were then: where there are more, one may tell something new
        self._scouts = SCOUTS if settings.adaptive else 0  # 0: they have come back
        self._closed_until = float("-inf")
        # reserved, and not in any header that was heard: requests, tokens of prompts, tokens of answers
        self._requests_ahead = self._prompt_ahead = self._answer_ahead = 0
        # heard of, and not subtracted from what was told
        self._requests_taken = self._prompt_taken = self._answer_taken = 0
        # all that was ever heard of
        self._requests_heard = self._prompt_heard = self._answer_heard = 0

    @property
    def ahead(self) -> tuple[int, int, int]:
        """What is reserved and not heard of yet: requests, tokens of prompts, tokens of answers."""
        return self._requests_ahead, self._prompt_ahead, self._answer_ahead

    @property
    def scouting(self) -> bool:
        """Whether only a few attempts may go ahead, since nothing has been heard yet."""
        return self._scouts > 0

    @property
    def left(self) -> dict[str, float]:
        """What the provider told was left of each of its allowances, by the header that tells it."""
        return {name: told.left - self._taken(unit, told) for name, (unit, told) in self._told.items()}

    def reserve(self, now: float, prompt: int = 0, answer: int = 0) -> Reservation | float:
        """A reservation of one request and so many tokens, or the seconds until there may be one.

        It may be worth looking again before: whoever settles or releases nudges the line.
        """
        tokens = prompt + answer
        if not self._scouts and now >= self._closed_until and self._windows.have_room(tokens):
            requests = self._requests_ahead + self._requests_taken + 1
            tokens += self._prompt_ahead + self._answer_ahead + self._prompt_taken + self._answer_taken
            for unit, told in self._told.values():
                if told.left < (requests if unit == "requests" else tokens):
                    break
            else:
                return Reservation(self, now, prompt, answer)
        wait = self._wait(now, prompt, answer, certain=False)
        if self._scouts and self._requests_ahead >= self._scouts:
            wait = max(wait, _LOOK)
        return wait if wait > 0 else Reservation(self, now, prompt, answer)

    def soonest(self, now: float, prompt: int = 0, answer: int = 0) -> float:
        """Seconds that have to be waited in any case, however little those take who are under way."""
        return self._wait(now, prompt, answer, certain=True)

    def refused(self, now: float, retry_after: float | None) -> None:
        """The provider refused an attempt, since its allowance was used up; it named a time or did not."""
        if not self.settings.adaptive:
            return
        seconds = _REFUSED if retry_after is None else retry_after
        self._closed_until = max(self._closed_until, now + seconds)
        self._subtract(now)
        self._told.clear()  # there was less than it told; what the next answer tells is a new beginning
        self._scouts = _AFTER_REFUSAL
        self.line.nudge()

    def _wait(self, now: float, prompt: int, answer: int, *, certain: bool) -> float:
        """Seconds until there is room; `certain`: even if nothing of what is under way were used."""
        self._subtract(now)
        self._read_again_at = now
        windows = self._windows
        wait = self._closed_until - now
        if windows.requests is not None and (found := windows.requests.wait(now, 1)) > wait:
            wait = found
        if windows.tokens is not None:
            tokens = prompt + answer
            if certain:
                tokens = max(tokens - windows.held, 0)
            if (found := windows.tokens.wait(now, tokens)) > wait:
                wait = found
        for unit, told in self._told.values():
            amount = _amount(unit, 1, prompt, answer)
            ahead = 0
            if not certain:
                ahead = _amount(unit, self._requests_ahead, self._prompt_ahead, self._answer_ahead)
            if amount + ahead > told.left:
                wait = max(wait, told.wait(now, amount, ahead))
        return wait if wait > 0.0 else 0.0

    def _hear(self, one: Reservation, now: float, headers: Mapping[str, str], clock: Now | None) -> None:
        """Take note of what an answer's headers tell of what is left."""
        prompt, answer = one.counted
        self._requests_ahead -= 1
        self._prompt_ahead -= one.prompt
        if self.settings.adaptive:
            closely = now >= self._read_again_at or self._scouts or self.line.places
            if closely or not self._glance(one, headers):
                self._read(one, now, headers, clock)
            self._requests_heard += 1
            self._prompt_heard += prompt
            self._answer_heard += answer
        if self.line.places:
            self.line.nudge()

    def _glance(self, one: Reservation, headers: Mapping[str, str]) -> bool:
        """Whether each allowance has plenty left, by what is known and by its header, after an attempt."""
        if len(headers) != self._read_headers:
            return False
        prompt, answer = one.counted
        self._requests_taken += 1
        self._prompt_taken += prompt
        self._answer_taken += answer
        try:
            for name, (unit, told) in self._told.items():
                if not told.has_plenty(float(headers[name]), self._taken(unit, told)):
                    break
            else:
                return True
        except (KeyError, ValueError):
            pass
        self._requests_taken -= 1
        self._prompt_taken -= prompt
        self._answer_taken -= answer
        return False

    def _taken(self, unit: Unit, told: Told) -> int:
        """What is still to be subtracted from an allowance."""
        answer = 0 if told.late else self._answer_taken
        return _amount(unit, self._requests_taken, self._prompt_taken, answer)

    def _subtract(self, now: float) -> None:
        """Subtract what was heard of by a glance."""
        if self._requests_taken:
            for unit, told in self._told.values():
                told.charge(now, self._taken(unit, told))
            self._requests_taken = self._prompt_taken = self._answer_taken = 0

    def _read(self, one: Reservation, now: float, headers: Mapping[str, str], clock: Now | None) -> None:
        """Take note of all that headers tell."""
        self._subtract(now)
        prompt, answer = one.counted
        readings = self._rate_limits.read(headers, clock)
        for reading in readings:
            unit, told = self._told.get(reading.name) or self._new(reading.name, reading.unit)
            amount = _amount(unit, 1, prompt, 0 if told.late else answer)
            told.hear(now, one, one.started, reading, amount, self._heard_since(one, unit))
        if len(readings) != len(self._told):
            self._charge(now, prompt, answer, but={reading.name for reading in readings})
        if self._scouts:
            self._scouts = 0
            telling = any(unit != "requests" for unit, _ in self._told.values())
            self.counts_tokens = telling or self._windows.tokens is not None
        self._read_again_at, self._read_headers = now + _OFTEN, len(headers)

    def _new(self, name: str, unit: Unit) -> tuple[Unit, Told]:
        """An allowance that is told for the first time."""
        self._told[name] = made = unit, Told(late=name.startswith(_LATE))
        self.counts_tokens = self.counts_tokens or unit != "requests"
        return made

    def _heard_since(self, one: Reservation, unit: Unit) -> int:
        """What others took that were heard of since a reservation was made."""
        requests, prompt, answer = one.before
        return _amount(
            unit,
            self._requests_heard - requests,
            self._prompt_heard - prompt,
            self._answer_heard - answer,
        )

    def _charge(self, now: float, prompt: int, answer: int, but: Container[str] = ()) -> None:
        """Take an attempt from what was told, where no header tells what it took."""
        for name, (unit, told) in self._told.items():
            if name not in but:
                told.charge(now, _amount(unit, 1, prompt, answer))

    def _end(self, one: Reservation, now: float, tokens: int) -> None:
        """Give back what a reservation held ahead; it took so many tokens."""
        self._answer_ahead -= one.answer
        if not one.was_heard:
            self._requests_ahead -= 1
            self._prompt_ahead -= one.prompt
        windows, slot = self._windows, one.token_slot
        if slot is not None and windows.tokens is not None:
            held = one.prompt + one.answer
            windows.held -= held
            windows.tokens.correct(now, slot, tokens - held)

    def _settle(self, one: Reservation, now: float, prompt: int, answer: int) -> None:
        if not one.was_heard:
            self._requests_heard += 1
            self._prompt_heard += prompt
            self._answer_heard += answer
            if self._told:
                self._charge(now, prompt, answer)
        elif self._told:
            for unit, told in self._told.values():
                if told.late:
                    told.charge(now, _amount(unit, 0, 0, answer))
                elif unit != "requests":
                    by = _amount(unit, 0, prompt - one.counted[0], answer - one.counted[1])
                    if by:
                        told.settle(now, one, one.heard_at, by)
        self._end(one, now, prompt + answer)
        if self.line.places:
            self.line.nudge()

    def _release(self, one: Reservation, now: float) -> None:
        if self._windows.requests is not None and one.request_slot is not None:
            self._windows.requests.correct(now, one.request_slot, -1)
        self._end(one, now, 0)
        self.line.nudge()


class Reservation:
    """A part of the allowance that one attempt holds, until it is settled or released."""

    __slots__ = (
        "_limiter", "answer", "before", "counted", "heard_at", "prompt", "request_slot", "started",
        "token_slot", "was_heard",
    )  # fmt: skip

    before: tuple[int, int, int]  # what was heard of before it began, where headers are listened to
    counted: tuple[int, int]  # tokens of prompt and answer that the headers count, once they are heard
    heard_at: float

    def __init__(self, limiter: Limiter, now: float, prompt: int, answer: int) -> None:
        self._limiter: Limiter | None = limiter
        self.was_heard = False
        self.started = now
        self.prompt = prompt
        self.answer = answer
        if limiter.settings.adaptive:
            self.before = limiter._requests_heard, limiter._prompt_heard, limiter._answer_heard
        windows = limiter._windows
        self.request_slot: Slot | None = None
        self.token_slot: Slot | None = None
        if windows.requests is not None:
            self.request_slot = windows.requests.take(now, 1)
        if windows.tokens is not None:
            self.token_slot = windows.tokens.take(now, prompt + answer)
            windows.held += prompt + answer
        limiter._requests_ahead += 1
        limiter._prompt_ahead += prompt
        limiter._answer_ahead += answer

    def heard(
        self,
        now: float,
        headers: Mapping[str, str],
        clock: Now | None = None,
        took: tuple[int, int] | None = None,
    ) -> None:
        """The answer has begun, with these headers, or is there as a whole, and `took` so many tokens.

        `clock` tells the time of day, should the headers need it.
        """
        if self._limiter is not None and not self.was_heard:
            self.was_heard = True
            self.heard_at = now
            self.counted = (self.prompt, self.answer) if took is None else took
            self._limiter._hear(self, now, headers, clock)

    def settle(self, now: float, prompt: int | None = None, answer: int | None = None) -> None:
        """The attempt took so many tokens; None: nobody knows, so the estimate stands."""
        limiter, self._limiter = self._limiter, None
        if limiter is not None:
            prompt = self.prompt if prompt is None else prompt
            limiter._settle(self, now, prompt, self.answer if answer is None else answer)

    def release(self, now: float) -> None:
        """Nothing was sent."""
        limiter, self._limiter = self._limiter, None
        if limiter is not None:
            limiter._release(self, now)


def _amount(unit: Unit, requests: int, prompt: int, answer: int) -> int:
    """How much of an attempt, or of several, such an allowance counts."""
    if unit == "requests":
        return requests
    if unit == "prompt":
        return prompt
    return answer if unit == "answer" else prompt + answer
