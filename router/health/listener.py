"""What the headers of one model's answers tell of its allowances, and what is under way beside that.

As long as nothing has been heard of a model, a few attempts go ahead as scouts: they bring the first headers.

While plenty is left, headers are read in full only once in a while, and the others are only compared. What
their attempts took is summed up, and subtracted as if no header had told of it before anything else is made
of what is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from turnout.providers.rate_limits import Now, RateLimits

from .plenty import Plenty
from .told import Sums, Told

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
        "_answer_ahead", "_closed_until", "_has_late", "_heard", "_plenty", "_prompt_ahead", "_rate_limits",
        "_read_again_at", "_read_headers", "_requests_ahead", "_scouts", "_subtracted", "_told",
        "counts_tokens",
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
        self._heard: Sums = (0, 0, 0, 0, 0, 0)  # all that was ever heard of,
        self._subtracted = self._heard  # and as much of it as has been subtracted from what was told
        self._has_late = True  # whether any allowance counts answers when they have ended
        self._plenty: Plenty | None = None  # None where nobody has looked, or there is none

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
        requests = self._requests_ahead + 1
        prompt += self._prompt_ahead
        answer += self._answer_ahead
        plenty = self._plenty or self._look(now)
        if plenty is not None and requests <= plenty.requests and prompt + answer <= plenty.tokens:
            return True
        if self._scouts or now < self._closed_until:
            return False
        for told in self._told.values():
            if told.left - self._taken(told) < told.share(requests, prompt, answer):
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
        one.heard_at = None
        one.before = self._heard
        self._requests_ahead += 1
        self._prompt_ahead += one.prompt
        self._answer_ahead += one.answer

    def hear(
        self,
        one: Reservation,
        now: float,
        headers: Mapping[str, str],
        clock: Now | None,
        prompt: int,
        answer: int,
        *,
        closely: bool,
    ) -> bool:
        """Take note of what an answer's headers tell of what is left, `closely` where somebody waits.

        `prompt` and `answer` are the tokens that the attempt took, as far as is known. Whether they were read
        in full.
        """
        self._requests_ahead -= 1
        self._prompt_ahead -= one.prompt
        requests, prompts, answers, ended, tokens, tokens_ended = self._heard
        heard = (
            requests + 1, prompts + prompt, answers + answer, ended,
            tokens + prompt + answer, tokens_ended + prompt,
        )  # fmt: skip
        if not closely and now < self._read_again_at:
            plenty = self._plenty or self._look(now)
            if plenty is not None and plenty.lasts(heard, headers):
                self._heard = heard
                return False
        self._read(one, now, headers, clock, prompt, answer)
        self._heard = self._subtracted = heard
        return True

    def ended(self, one: Reservation, answer: int) -> None:
        """An answer with so many tokens is there as a whole, and will be heard of next."""
        self._answer_ahead -= one.answer
        if self._has_late:
            self._count_ended(answer)

    def settled(self, one: Reservation, now: float, prompt: int, answer: int) -> None:
        """An attempt took so many tokens; of its answer no more was heard than that it began, if that."""
        self._answer_ahead -= one.answer
        if one.heard_at is None:
            self._requests_ahead -= 1
            self._prompt_ahead -= one.prompt
            requests, prompts, answers, ended, tokens, tokens_ended = self._heard
            self._heard = (
                requests + 1, prompts + prompt, answers + answer, ended + answer,
                tokens + prompt + answer, tokens_ended + prompt + answer,
            )  # fmt: skip
            self._subtract(now)
            return
        self._plenty = None
        more_prompt, more_answer = prompt - one.prompt, answer - one.answer
        for told in self._told.values():
            if not told.late and (by := told.share(0, more_prompt, more_answer)):
                told.settle(now, one, one.heard_at, by)
        if self._has_late:
            self._count_ended(answer)

    def released(self, one: Reservation) -> None:
        """An attempt was not sent."""
        self._answer_ahead -= one.answer
        if one.heard_at is None:
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

    def _count_ended(self, answer: int) -> None:
        """Count an answer for those allowances that are told of it late."""
        requests, prompts, answers, ended, tokens, tokens_ended = self._heard
        self._heard = (requests, prompts, answers, ended + answer, tokens, tokens_ended + answer)

    def _look(self, now: float) -> Plenty | None:
        """See whether there is plenty; None where there is not, or where something else is in the way."""
        if not self._scouts and now >= self._closed_until:
            self._plenty = Plenty.found(self._told, self._heard, self._subtracted, self._read_headers)
        return self._plenty

    def _taken(self, told: Told) -> int:
        """What is still to be subtracted from an allowance."""
        place = told.place
        return self._heard[place] - self._subtracted[place]

    def _subtract(self, now: float) -> None:
        """Subtract what was heard of and is not subtracted yet."""
        self._plenty = None
        if self._heard != self._subtracted:
            for told in self._told.values():
                told.charge(now, self._taken(told))
            self._subtracted = self._heard

    def _read(
        self,
        one: Reservation,
        now: float,
        headers: Mapping[str, str],
        clock: Now | None,
        prompt: int,
        answer: int,
    ) -> None:
        """Take note of all that headers tell."""
        self._subtract(now)
        readings = self._rate_limits.read(headers, clock)
        for reading in readings:
            told = self._told.get(reading.name)
            if told is None:
                told = self._told[reading.name] = Told(reading.name, reading.unit)
                self.counts_tokens = self.counts_tokens or reading.unit != "requests"
                self._has_late = self._has_late or told.late
            amount = told.share(1, prompt, 0 if told.late else answer)
            since = self._heard[told.place] - one.before[told.place]
            told.hear(now, one, one.started, reading, amount, since)
        if len(readings) != len(self._told):
            names = {reading.name for reading in readings}
            for name, told in self._told.items():
                if name not in names:
                    told.charge(now, told.share(1, prompt, 0 if told.late else answer))
        if self._scouts:
            self._scouts = 0
            self.counts_tokens = any(told.unit != "requests" for told in self._told.values())
            self._has_late = any(told.late for told in self._told.values())
        self._read_again_at, self._read_headers = now + _OFTEN, len(headers)
