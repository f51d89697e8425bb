"""How far our estimates of a prompt's tokens are from what a target counts, and how long its answers are.

An estimate is made of the bytes of a text. What a model's tokenizer makes of them depends on the model and
on the language, and hosts add words of their own; so the ratio of the two is learned from the answers.
"""

from __future__ import annotations

LEAST, MOST = 0.25, 4.0
"""A factor is never below or above these, whatever a target counts."""
LONG = 512
"""Tokens from which on a prompt says something about long ones: what a host adds to each is little of it."""
_KEPT = 0.95  # how much of what is known stays with each answer
_LONG_ONES = 8  # long prompts that have to be known before a window is judged by them
_RARELY = 16  # once enough is known, one long prompt in so many is looked at
_FIRST = 64  # answers that are all learned from
_THEN = 8  # of those after them, one in so many
_GUESS = 256  # tokens of an answer, as long as none is known
_FORGET = 0.02  # how fast the lowest ratio comes back to the usual one
_DOUBT = 2.0  # deviations that careful guesses are above the usual


class Calibration:
    """One target's ratio of counted to estimated tokens, learned from its answers."""

    __slots__ = (
        "_answer", "_answer_off", "_answers", "_careful", "_counted", "_estimated", "_long", "_lowest",
        "_off", "answer", "factor",
    )  # fmt: skip

    def __init__(self) -> None:
        self.factor = 1.0
        """What an estimate is multiplied with."""
        self.answer = _GUESS
        """About how many tokens an answer will have that has no limit, rather too many than too few."""
        self._careful = 1.0  # the same, for guesses that should rather be too high than too low
        self._counted = self._estimated = 0.0
        self._off = 0.0  # how far single prompts are from the factor, as a share
        self._long = 0
        self._lowest = 1.0
        self._answer = -1.0
        self._answer_off = 0.0
        self._answers = 0

    def learn(self, estimated: int, prompt: int, answer: int) -> None:
        """Learn from the tokens that were counted: of each of the first answers, and later of one in eight.

        Nothing of long prompts, for of those whoever keeps account learns.
        """
        self._answers = answers = self._answers + 1
        if answers <= _FIRST or answers % _THEN == 0:
            self.answered(answer)
            if prompt < LONG:
                self.observe(estimated, prompt)

    def observe(self, estimated: int, counted: int) -> None:
        """Learn from one answer how long its prompt was."""
        if estimated <= 0 or counted <= 0:
            return
        ratio = min(max(counted / estimated, LEAST), MOST)
        if self._estimated:
            self._off += (1 - _KEPT) * (abs(ratio - self.factor) - self._off)
        self._counted = self._counted * _KEPT + ratio * estimated
        self._estimated = self._estimated * _KEPT + estimated
        self.factor = min(max(self._counted / self._estimated, LEAST), MOST)
        self._careful = min(self.factor + _DOUBT * self._off, MOST)
        if counted >= LONG and estimated >= LONG // 2:
            lowest = self._lowest + _FORGET * (ratio - self._lowest) if self._long else ratio
            self._lowest = min(ratio, lowest)
            self._long += 1

    def answered(self, tokens: int) -> None:
        """Learn from one answer how long it was."""
        if self._answer < 0:
            self._answer, self._answer_off = float(tokens), tokens / 4
        else:
            away = tokens - self._answer
            self._answer += (1 - _KEPT) * away
            self._answer_off += (1 - _KEPT) * (abs(away) - self._answer_off)
        self.answer = int(self._answer + _DOUBT * self._answer_off) + 1

    def prompt(self, estimated: int) -> int:
        """About how many tokens the target will count, rather too many than too few."""
        return int(estimated * self._careful) + 1

    @property
    def least(self) -> float | None:
        """What an estimate has to be multiplied with at the least, by all that long prompts of late took.

        None as long as too few of them are known.
        """
        return self._lowest if self._long >= _LONG_ONES else None

    def wants(self, counted: int) -> bool:
        """Whether a prompt of so many tokens is worth estimating, only to learn from it."""
        if counted < LONG:
            return False
        if self._long < _LONG_ONES * 4:
            return True
        self._long += 1
        return self._long % _RARELY == 0
