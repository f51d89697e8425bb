"""Buckets are a partition: nothing counted twice, nothing lost, whatever a provider reports."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.accounting import Buckets
from turnout.providers.chat import CompletionTokensDetails, PromptTokensDetails, Usage

counts = st.integers(0, 10**9)
parts = st.integers(-10, 10**9)


def usage(
    prompt: int,
    completion: int,
    *,
    cached: int = 0,
    cache_write: int = 0,
    audio_in: int = 0,
    reasoning: int = 0,
    audio_out: int = 0,
) -> Usage:
    """A Usage that may say nonsense, as a body off the wire may."""
    return Usage.model_construct(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        prompt_tokens_details=PromptTokensDetails.model_construct(
            cached_tokens=cached, cache_write_tokens=cache_write, audio_tokens=audio_in
        ),
        completion_tokens_details=CompletionTokensDetails.model_construct(
            reasoning_tokens=reasoning, audio_tokens=audio_out
        ),
    )


def test_parts_are_taken_out_of_their_wholes() -> None:
    cut = Buckets.of(
        usage(1000, 200, cached=300, cache_write=100, audio_in=50, reasoning=120, audio_out=30),
    )
    assert cut == Buckets(
        input=550, cached=300, cache_write=100, audio_input=50, output=50, reasoning=120, audio_output=30
    )
    assert (cut.prompt, cut.completion, cut.total) == (1000, 200, 1200)


def test_writes_for_an_hour_are_told_apart_where_the_provider_does() -> None:
    both = usage(1000, 0, cached=100, cache_write=300)
    anthropic = {"cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200}}
    bedrock = {"cacheDetails": [{"ttl": "5m", "inputTokens": 100}, {"ttl": "1h", "inputTokens": 200}]}
    for told in (anthropic, bedrock):
        cut = Buckets.of(Usage(**{**both.wire(), **told}))
        assert cut == Buckets(input=600, cached=100, cache_write=100, cache_write_1h=200)
        assert cut.prompt == 1000
    assert Buckets.of(both).cache_write_1h == 0


@pytest.mark.parametrize(
    "told",
    [
        {"cache_creation": None},
        {"cache_creation": "much"},
        {"cache_creation": {"ephemeral_1h_input_tokens": None}},
        {"cache_creation": {"ephemeral_1h_input_tokens": -5}},
        {"cache_creation": {"ephemeral_1h_input_tokens": True}},
        {"cacheDetails": [None, {"ttl": "1h"}, {"inputTokens": 9}]},
        {"cacheDetails": {"ttl": "1h", "inputTokens": 9}},
    ],
)
def test_a_split_that_makes_no_sense_counts_as_none(told: dict[str, Any]) -> None:
    counted = Usage(prompt_tokens=10, prompt_tokens_details=PromptTokensDetails(cache_write_tokens=4), **told)
    assert Buckets.of(counted) == Buckets(input=6, cache_write=4)


def test_no_more_is_written_for_an_hour_than_is_written() -> None:
    told = {"cache_creation": {"ephemeral_1h_input_tokens": 100}}
    counted = Usage(**{**usage(50, 0, cache_write=30).wire(), **told})
    assert Buckets.of(counted) == Buckets(input=20, cache_write_1h=30)


def test_a_usage_without_details_is_plain_input_and_output() -> None:
    plain = Usage(prompt_tokens=7, completion_tokens=5, total_tokens=12)
    assert Buckets.of(plain) == Buckets(input=7, output=5)


def test_a_part_larger_than_its_whole_is_cut_down() -> None:
    cut = Buckets.of(usage(100, 10, cached=150, audio_in=20, reasoning=11, audio_out=1))
    assert cut == Buckets(cached=100, reasoning=10)


def test_negative_counts_are_none_at_all() -> None:
    assert Buckets.of(usage(-5, -1, cached=-3, reasoning=-9)) == Buckets()


@given(
    st.builds(
        usage,
        *[st.integers(-(10**6), 10**9)] * 2,
        **dict.fromkeys(
            ("cached", "cache_write", "audio_in", "reasoning", "audio_out"), st.integers(-10, 10**9)
        ),
    )
)
def test_every_token_is_in_exactly_one_bucket(reported: Usage) -> None:
    cut = Buckets.of(reported)
    assert all(count >= 0 for count in astuple(cut))
    assert cut.prompt == max(0, reported.prompt_tokens)
    assert cut.completion == max(0, reported.completion_tokens)
    assert cut.total == sum(astuple(cut))


@given(st.builds(Buckets, *[counts] * 8))
def test_cutting_what_was_put_together_changes_nothing(cut: Buckets) -> None:
    assert Buckets.of(cut.usage()) == cut


@given(st.builds(Buckets, *[counts] * 8), st.builds(Buckets, *[counts] * 8))
def test_adding_adds_each_bucket(one: Buckets, other: Buckets) -> None:
    assert astuple(one + other) == tuple(a + b for a, b in zip(astuple(one), astuple(other), strict=True))
