"""What a simulated provider has counted: requests, answers, and the tokens that it told of.

The numbers are read off the bytes that went out, so they are those that a client can know: an answer that was
cut off before its usage told nothing, however much of it was written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .answers import Answer
from .script import Reply

_PROMPT = re.compile(
    rb'"(?:prompt_tokens|input_tokens|inputTokens|promptTokenCount|prompt_eval_count)": ?(\d+)'
)
_COMPLETION = re.compile(
    rb'"(?:completion_tokens|output_tokens|outputTokens|candidatesTokenCount|eval_count)": ?(\d+)'
)
_THOUGHTS = re.compile(rb'"thoughtsTokenCount": ?(\d+)')
_TOTAL = re.compile(rb'"total_tokens": ?(\d+)')


@dataclass(slots=True)
class Tally:
    """Sums over what one model, or all of a simulator's, was asked and has answered."""

    requests: int = 0
    """Every request that came, refused and broken ones too."""
    told: int = 0
    """Answers whose tokens were told."""
    prompt_tokens: int = 0
    """Prompt tokens that were told."""
    completion_tokens: int = 0
    """Completion tokens that were told, reasoning included."""

    @property
    def total_tokens(self) -> int:
        """Both together."""
        return self.prompt_tokens + self.completion_tokens

    def add(self, counted: tuple[int, int] | None) -> None:
        """Take in one answer's prompt and completion tokens; None: it told none."""
        if counted is not None:
            self.told += 1
            self.prompt_tokens += counted[0]
            self.completion_tokens += counted[1]


def told_in(
    reply: Reply, reaction: Answer, written: Sequence[bytes], *, complete: bool
) -> tuple[int, int] | None:
    """Prompt and completion tokens told in what was written of an answer; None where the final count is not.

    Nobody reads a stream beyond an event that is broken, nor a whole answer that is not complete.
    """
    broken, parts = reply.malformed_event, reaction.parts
    final = max((place for place, part in enumerate(parts) if _COMPLETION.search(part)), default=None)
    if final is None:
        return None
    told = parts[: final + 1]
    got_out = len(reaction.preamble) + sum(map(len, told)) <= sum(map(len, written))
    if reaction.stream:
        got_out = got_out and (broken is None or broken > final)
    else:
        got_out = got_out and complete and broken is None
    return _counted(b"".join(told)) if got_out else None


def _counted(data: bytes) -> tuple[int, int]:
    prompt, completion, total = _last(_PROMPT, data), _last(_COMPLETION, data), _last(_TOTAL, data)
    # a host may leave the reasoning out of its completion tokens
    return prompt, max(completion + _last(_THOUGHTS, data), total - prompt)


def _last(pattern: re.Pattern[bytes], data: bytes) -> int:
    """The last count that is told under a name, which is the final one; 0 where none is told."""
    found = pattern.findall(data)
    return int(found[-1]) if found else 0
