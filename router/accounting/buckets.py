"""Token counts cut into kinds that do not overlap, so that each token is priced exactly once."""

from __future__ import annotations

from dataclasses import dataclass

from turnout.providers.chat import CompletionTokensDetails, PromptTokensDetails, Usage


@dataclass(frozen=True, slots=True)
class Buckets:
    """Tokens by kind. No token is in two of them; all counts are zero or more.

    A `Usage` counts wholes and parts: `prompt_tokens` includes what was cached, written to the cache or
    heard, `completion_tokens` includes what was thought or spoken. Here parts are taken out of the wholes.
    """

    input: int = 0
    """Prompt tokens that are in no other bucket."""
    cached: int = 0
    """Prompt tokens read from the provider's cache."""
    cache_write: int = 0
    """Prompt tokens written to the provider's cache."""
    audio_input: int = 0
    """Prompt tokens of sound, as far as they are neither cached nor written to the cache."""
    output: int = 0
    """Completion tokens that are in no other bucket."""
    reasoning: int = 0
    """Completion tokens spent on thinking."""
    audio_output: int = 0
    """Completion tokens of sound."""

    @classmethod
    def of(cls, usage: Usage) -> Buckets:
        """Cut `usage` apart.

        The wholes win over the parts: a negative count is taken as 0, and a part larger than what is left of
        its whole is cut down to that, so `prompt` and `completion` always equal the provider's own totals.
        """
        prompt, completion = _count(usage.prompt_tokens), _count(usage.completion_tokens)
        heard = usage.prompt_tokens_details or PromptTokensDetails()
        said = usage.completion_tokens_details or CompletionTokensDetails()
        cached, left = _take(prompt, heard.cached_tokens)
        cache_write, left = _take(left, heard.cache_write_tokens)
        audio_input, plain_input = _take(left, heard.audio_tokens)
        reasoning, left = _take(completion, said.reasoning_tokens)
        audio_output, plain_output = _take(left, said.audio_tokens)
        return cls(plain_input, cached, cache_write, audio_input, plain_output, reasoning, audio_output)

    @property
    def prompt(self) -> int:
        """All prompt tokens."""
        return self.input + self.cached + self.cache_write + self.audio_input

    @property
    def completion(self) -> int:
        """All completion tokens."""
        return self.output + self.reasoning + self.audio_output

    @property
    def total(self) -> int:
        """Prompt and completion together."""
        return self.prompt + self.completion

    def __add__(self, other: Buckets) -> Buckets:
        return Buckets(
            self.input + other.input,
            self.cached + other.cached,
            self.cache_write + other.cache_write,
            self.audio_input + other.audio_input,
            self.output + other.output,
            self.reasoning + other.reasoning,
            self.audio_output + other.audio_output,
        )

    def usage(self) -> Usage:
        """The same counts as a `Usage`; `Buckets.of` gives them back unchanged."""
        return Usage(
            prompt_tokens=self.prompt,
            completion_tokens=self.completion,
            total_tokens=self.total,
            prompt_tokens_details=PromptTokensDetails(
                cached_tokens=self.cached, cache_write_tokens=self.cache_write, audio_tokens=self.audio_input
            ),
            completion_tokens_details=CompletionTokensDetails(
                reasoning_tokens=self.reasoning, audio_tokens=self.audio_output
            ),
        )


def _count(value: int | None) -> int:
    return max(0, value or 0)


def _take(whole: int, part: int | None) -> tuple[int, int]:
    taken = min(whole, _count(part))
    return taken, whole - taken
