"""Token counts cut into kinds that do not overlap, so that each token is priced exactly once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from turnout.providers.chat import CompletionTokensDetails, PromptTokensDetails, Usage

Counts = tuple[int, int, int, int, int, int, int, int]
"""Tokens by kind, in the order of the fields of `Buckets`."""


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
    """Prompt tokens written to the provider's cache, as far as they are not in `cache_write_1h`."""
    cache_write_1h: int = 0
    """Prompt tokens written to the provider's cache to stay there for an hour, where it tells them apart."""
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
        return cls(*cut(usage))

    @property
    def counts(self) -> Counts:
        """The tokens of each kind."""
        return (
            self.input,
            self.cached,
            self.cache_write,
            self.cache_write_1h,
            self.audio_input,
            self.output,
            self.reasoning,
            self.audio_output,
        )

    @property
    def prompt(self) -> int:
        """All prompt tokens."""
        return self.input + self.cached + self.cache_write + self.cache_write_1h + self.audio_input

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
            self.cache_write_1h + other.cache_write_1h,
            self.audio_input + other.audio_input,
            self.output + other.output,
            self.reasoning + other.reasoning,
            self.audio_output + other.audio_output,
        )

    def usage(self) -> Usage:
        """The same counts as a `Usage`; `Buckets.of` gives them back unchanged."""
        split = {
            "ephemeral_5m_input_tokens": self.cache_write,
            "ephemeral_1h_input_tokens": self.cache_write_1h,
        }
        extra: dict[str, Any] = {"cache_creation": split} if self.cache_write_1h else {}
        return Usage(
            **extra,
            prompt_tokens=self.prompt,
            completion_tokens=self.completion,
            total_tokens=self.total,
            prompt_tokens_details=PromptTokensDetails(
                cached_tokens=self.cached,
                cache_write_tokens=self.cache_write + self.cache_write_1h,
                audio_tokens=self.audio_input,
            ),
            completion_tokens_details=CompletionTokensDetails(
                reasoning_tokens=self.reasoning, audio_tokens=self.audio_output
            ),
        )


def total_usage(usages: Iterable[Usage]) -> Usage:
    """Several usages as one."""
    total, accepted, rejected = Buckets(), 0, 0
    for usage in usages:
        total += Buckets.of(usage)
        details = usage.completion_tokens_details
        if details is not None:
            accepted += details.accepted_prediction_tokens or 0
            rejected += details.rejected_prediction_tokens or 0
    usage = total.usage()
    if not (accepted or rejected):
        return usage
    parts = (usage.completion_tokens_details or CompletionTokensDetails()).model_copy(
        update={"accepted_prediction_tokens": accepted, "rejected_prediction_tokens": rejected}
    )
    return usage.model_copy(update={"completion_tokens_details": parts})


def cut(usage: Usage) -> Counts:
    """The tokens of a usage by kind; see `Buckets.of`."""
    # whole objects of fields, for reading them one by one takes ten times as long; most parts are 0 or None
    whole = usage.__dict__
    left, said = whole["prompt_tokens"], whole["completion_tokens"]
    if not left or left < 0:
        left = 0
    if not said or said < 0:
        said = 0
    cached = cache_write = cache_write_1h = heard = thought = spoken = 0
    details = whole["prompt_tokens_details"]
    if details is not None:
        parts = details.__dict__
        if part := parts["cached_tokens"]:
            cached, left = _take(left, part)
        if part := parts["cache_write_tokens"]:
            cache_write, left = _take(left, part)
            cache_write_1h, cache_write = _take(cache_write, _for_an_hour(usage))
        if part := parts["audio_tokens"]:
            heard, left = _take(left, part)
    details = whole["completion_tokens_details"]
    if details is not None:
        parts = details.__dict__
        if part := parts["reasoning_tokens"]:
            thought, said = _take(said, part)
        if part := parts["audio_tokens"]:
            spoken, said = _take(said, part)
    return left, cached, cache_write, cache_write_1h, heard, said, thought, spoken


def _for_an_hour(usage: Usage) -> int:
    """How much of what was written to the cache stays for an hour.

    Anthropic's API tells it in `cache_creation`, Bedrock's Converse in `cacheDetails`; both are kept on a
    usage as they came, so they may hold anything.
    """
    kept = usage.model_extra or {}
    split, details = kept.get("cache_creation"), kept.get("cacheDetails")
    if isinstance(split, Mapping):
        return _whole(split.get("ephemeral_1h_input_tokens"))
    if isinstance(details, (list, tuple)):
        entries = [entry for entry in details if isinstance(entry, Mapping) and entry.get("ttl") == "1h"]
        return sum(_whole(entry.get("inputTokens")) for entry in entries)
    return 0


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _take(whole: int, part: int) -> tuple[int, int]:
    if part < 0:
        return 0, whole
    return (whole, 0) if part > whole else (part, whole - part)
