"""What the headers of one model's answers tell of its allowances, and what is under way beside that.

As long as nothing has been heard of a model, a few attempts go ahead as scouts: they bring the first headers.

While plenty is left, headers are read in full only once in a while. Of the others only what is left is looked
at; what their attempts took is summed up, and subtracted as if no header had told of it before anything else
is made of what is known.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import TYPE_CHECKING

from turnout.providers.rate_limits import Now, RateLimits

from .told import Told

if TYPE_CHECKING:
    from .limiter import Reservation

SCOUTS = 8
"""Attempts at a time before the first answer has told what the provider allows."""
_AFTER_REFUSAL = 2  # the same, after the provider has refused one
_LOOK = 1.0  # seconds after which one who waits for scouts looks again, should nobody call
_REFUSED = 1.0  # seconds without attempts after a refusal that names no time
_OFTEN = 1.0  # seconds within which headers are read in full once, while plenty is left


class Listener:
    """What one model's provider tells of its allowances; who reserves, settles and releases tells it so."""

    __slots__ = (
        "_answer_ahead", "_answer_heard", "_answer_taken", "_closed_until", "_prompt_ahead", "_prompt_heard",
        "_prompt_taken", "_rate_limits", "_read_again_at", "_read_headers", "_requests_ahead",
        "_requests_heard", "_requests_taken", "_scouts", "_told", "counts_tokens",
    )  # fmt: skip

    def __init__(self) -> None:
        self.counts_tokens = True
        """Whether any header tells of tokens, as far as is known."""
        self._rate_limits = RateLimits()
        self._told: dict[str, Told] = {}
        self._read_again_at = float("-inf")  # when headers are read in full, whatever they tell
        self._read_headers = 0  # how many there were then: where there are more, one may tell something new
        self._scouts = SCOUTS  # 0: they have come back
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
        return {name: told.left - self._taken(told) for name, told in self._told.items()}

    def has_room(self, now: float, prompt: int, answer: int) -> bool:
        """Whether there is room by what is known, even if nothing has come back since the last look."""
        if self._scouts or now < self._closed_until:
            return False
        requests = self._requests_ahead + self._requests_taken + 1
        prompt += self._prompt_ahead + self._prompt_taken
        answer += self._answer_ahead + self._answer_taken
        for told in self._told.values():  # noqa: SIM110 - a generator would be twice as dear
            if told.left < told.share(requests, prompt, answer):
                return False
        return True

    def wait(self, now: float, prompt: int, answer: int) -> float:
        """Seconds until there may be room; 0 where there is now."""
        wait = self._wait(now, prompt, answer, self.ahead)
        return max(wait, _LOOK) if self._scouts and self._requests_ahead >= self._scouts else wait

    def soonest(self, now: float, prompt: int, answer: int) -> float:
        """Seconds until there may be room, even if nothing of what is under way were used."""
        return self._wait(now, prompt, answer, (0, 0, 0))

    def refused(self, now: float, retry_after: float | None) -> None:
        """The provider refused an attempt, since its allowance was used up; it named a time or did not."""
        seconds = _REFUSED if retry_after is None else retry_after
        self._closed_until = max(self._closed_until, now + seconds)
        self._subtract(now)
        self._told.clear()  # there was less than it told; what the next answer tells is a new beginning
        self._scouts = _AFTER_REFUSAL

    def began(self, one: Reservation, now: float) -> None:
        """An attempt has a reservation."""
        one.started = now
        one.was_heard = False
        one.before = self._requests_heard, self._prompt_heard, self._answer_heard
        self._requests_ahead += 1
        self._prompt_ahead += one.prompt
        self._answer_ahead += one.answer

    def hear(
        self, one: Reservation, now: float, headers: Mapping[str, str], clock: Now | None, *, closely: bool
    ) -> None:
        """Take note of what an answer's headers tell of what is left, `closely` where somebody waits."""
        prompt, answer = one.counted
        self._requests_ahead -= 1
        self._prompt_ahead -= one.prompt
        if closely or now >= self._read_again_at or self._scouts or not self._glance(one, headers):
            self._read(one, now, headers, clock)
        self._requests_heard += 1
        self._prompt_heard += prompt
        self._answer_heard += answer

    def settled(self, one: Reservation, now: float, prompt: int, answer: int) -> None:
        """An attempt took so many tokens."""
        self._answer_ahead -= one.answer
        if not one.was_heard:
            self._requests_ahead -= 1
            self._prompt_ahead -= one.prompt
            self._requests_heard += 1
            self._prompt_heard += prompt
            self._answer_heard += answer
            self._charge(now, prompt, answer)
            return
        more_prompt, more_answer = prompt - one.counted[0], answer - one.counted[1]
        for told in self._told.values():
            if told.late:
                told.charge(now, told.share(0, 0, answer))
            elif (more_prompt or more_answer) and (by := told.share(0, more_prompt, more_answer)):
                told.settle(now, one, one.heard_at, by)

    def released(self, one: Reservation) -> None:
        """An attempt was not sent."""
        self._answer_ahead -= one.answer
        if not one.was_heard:
            self._requests_ahead -= 1
            self._prompt_ahead -= one.prompt

    def _wait(self, now: float, prompt: int, answer: int, ahead: tuple[int, int, int]) -> float:
        """Seconds until there is room besides what is ahead."""
        self._subtract(now)
        self._read_again_at = now
        wait = self._closed_until - now
        for told in self._told.values():
            amount, unheard = told.share(1, prompt, answer), told.share(*ahead)
            if amount + unheard > told.left:
                wait = max(wait, told.wait(now, amount, unheard))
        return wait if wait > 0.0 else 0.0

    def _glance(self, one: Reservation, headers: Mapping[str, str]) -> bool:
        """Whether each allowance has plenty left, by what is known and by its header, after an attempt.

        If so, no more is made of it than that what the attempt took is still to be subtracted.
        """
        if len(headers) != self._read_headers:
            return False
        requests = self._requests_taken + 1
        prompt, answer = one.counted
        prompt += self._prompt_taken
        answer += self._answer_taken
        try:
            for name, told in self._told.items():
                taken = told.share(requests, prompt, 0 if told.late else answer)
                if not told.has_plenty(float(headers[name]), taken):
                    return False
        except (KeyError, ValueError):
            return False
        self._requests_taken, self._prompt_taken, self._answer_taken = requests, prompt, answer
        return True

    def _taken(self, told: Told) -> int:
        """What is still to be subtracted from an allowance."""
        return told.share(self._requests_taken, self._prompt_taken, 0 if told.late else self._answer_taken)

    def _subtract(self, now: float) -> None:
        """Subtract what was heard of by a glance."""
        if self._requests_taken:
            for told in self._told.values():
                told.charge(now, self._taken(told))
            self._requests_taken = self._prompt_taken = self._answer_taken = 0

    def _read(self, one: Reservation, now: float, headers: Mapping[str, str], clock: Now | None) -> None:
        """Take note of all that headers tell."""
        self._subtract(now)
        prompt, answer = one.counted
        readings = self._rate_limits.read(headers, clock)
        for reading in readings:
            told = self._told.get(reading.name)
            if told is None:
                told = self._told[reading.name] = Told(reading.name, reading.unit)
                self.counts_tokens = self.counts_tokens or reading.unit != "requests"
            amount = told.share(1, prompt, 0 if told.late else answer)
            told.hear(now, one, one.started, reading, amount, self._heard_since(one, told))
        if len(readings) != len(self._told):
            self._charge(now, prompt, answer, but={reading.name for reading in readings})
        if self._scouts:
            self._scouts = 0
            self.counts_tokens = any(told.unit != "requests" for told in self._told.values())
        self._read_again_at, self._read_headers = now + _OFTEN, len(headers)

    def _heard_since(self, one: Reservation, told: Told) -> int:
        """What others took that were heard of since a reservation was made."""
        requests, prompt, answer = one.before
        return told.share(
            self._requests_heard - requests, self._prompt_heard - prompt, self._answer_heard - answer
        )

    def _charge(self, now: float, prompt: int, answer: int, but: Container[str] = ()) -> None:
        """Take an attempt from what was told, where no header tells what it took."""
        for name, told in self._told.items():
            if name not in but:
                told.charge(now, told.share(1, prompt, answer))
