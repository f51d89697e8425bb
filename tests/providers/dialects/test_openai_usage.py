"""Token counts of all hosts come to one meaning: prompts include the cache, completions include reasoning."""

# ruff: noqa: E501 - a table reads best with one case a line

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.providers.catalogue import catalogue
from turnout.providers.chat import Usage
from turnout.providers.dialect import Target
from turnout.providers.dialects.openai_usage import UsageError, reported_cost, usage_fields


def read(payload: dict[str, Any], preset: str = "openai-compatible") -> dict[str, Any] | None:
    fields = usage_fields(payload, Target("house", "m", catalogue()[preset], "https://llm.example/v1"))
    return None if fields is None else Usage.model_validate(fields).wire()


def counted(prompt: int, completion: int, **more: Any) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        **more,
    }


def cached(count: int) -> dict[str, Any]:
    return {"prompt_tokens_details": {"cached_tokens": count}}


def reasoned(count: int) -> dict[str, Any]:
    return {"completion_tokens_details": {"reasoning_tokens": count}}


@pytest.mark.parametrize(
    ("preset", "payload", "want"),
    [
        ("openai", {}, None),
        ("openai", {"usage": None}, None),
        ("openai", {"usage": {}}, None),
        ("openai", {"usage": {"num_search_queries": 1}}, None),
        ("openai", {"usage": counted(5, 3)}, counted(5, 3)),
        ("openai", {"usage": {"prompt_tokens": 5, "completion_tokens": 3}}, counted(5, 3)),
        ("openai", {"usage": {"prompt_tokens": 5, "completion_tokens": None}}, counted(5, 0)),
        ("openai", {"usage": {"prompt_tokens": 5.0, "completion_tokens": -1}}, counted(5, 0)),
        ("openai", {"usage": {"completion_tokens": 3}}, counted(0, 3)),
        ("openai", {"usage": {**counted(5, 3), "total_tokens": 9}}, counted(5, 3, native_total_tokens=9)),
        ("openai", {"usage": counted(5, 3, **cached(2), **reasoned(1))}, counted(5, 3, **cached(2), **reasoned(1))),
        ("ollama", {"usage": {"prompt_eval_count": 5, "eval_count": 3}}, counted(5, 3, prompt_eval_count=5, eval_count=3)),
        ("xai", {"usage": {**counted(5, 3, **reasoned(4)), "total_tokens": 12}}, counted(5, 7, **reasoned(4))),
        ("xai", {"usage": {"prompt_tokens": 5, "completion_tokens": 3, **reasoned(4)}}, counted(5, 7, **reasoned(4))),
        ("xai", {"usage": counted(5, 7, **reasoned(4))}, counted(5, 7, **reasoned(4))),
        ("openai", {"usage": {"prompt_tokens": 5, "completion_tokens": 3, **reasoned(2)}}, counted(5, 3, **reasoned(2))),
        ("groq", {"x_groq": {"usage": counted(5, 3)}}, counted(5, 3)),
        ("groq", {"x_groq": {"id": "req"}}, None),
        ("deepseek", {"usage": {"prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 1, "completion_tokens": 3}},
         counted(5, 3, prompt_cache_hit_tokens=4, prompt_cache_miss_tokens=1, **cached(4))),
        ("moonshot", {"usage": counted(5, 3, cached_tokens=2)}, counted(5, 3, cached_tokens=2, **cached(2))),
        ("sglang", {"usage": counted(5, 3, reasoning_tokens=2)}, counted(5, 3, reasoning_tokens=2, **reasoned(2))),
        ("sglang", {"usage": counted(5, 3, prompt_tokens_details=None)}, counted(5, 3)),
        ("llama-cpp", {"timings": {"prompt_n": 2, "cache_n": 3, "predicted_n": 4}}, counted(5, 4, **cached(3))),
        ("llama-cpp", {"timings": {"prompt_n": 2, "predicted_n": 4}}, counted(2, 4, **cached(0))),
        ("llama-cpp", {"timings": {"prompt_ms": 2}}, None),
        ("llama-cpp", {"timings": "fast"}, None),
        ("llama-cpp", {"usage": counted(5, 4), "timings": {"cache_n": 3}}, counted(5, 4, **cached(3))),
        ("openrouter", {"usage": counted(5, 3, cost=0.0012)}, counted(5, 3, cost=0.0012, reported_cost="0.0012")),
        ("openai", {"usage": counted(5, 3, cost=0.0012)}, counted(5, 3, cost=0.0012)),
        ("perplexity", {"usage": counted(5, 3, cost={"total_cost": 0.5})},
         counted(5, 3, cost={"total_cost": 0.5}, reported_cost="0.5")),
    ],
)  # fmt: skip
def test_counts(preset: str, payload: dict[str, Any], want: dict[str, Any] | None) -> None:
    assert read(payload, preset) == want


NO_COSTS: list[Any] = [None, True, "0.1", -1, float("nan"), float("inf"), {}, {"total_cost": "x"}, []]
COSTS: list[tuple[Any, str]] = [(0, "0"), (1, "1"), (0.1, "0.1"), ({"total_cost": 2}, "2"), (1e-7, "1E-7")]


@pytest.mark.parametrize(("cost", "amount"), [*COSTS, *((wrong, None) for wrong in NO_COSTS)])
def test_reported_costs(cost: Any, amount: str | None) -> None:
    assert reported_cost({"cost": cost}) == (None if amount is None else Decimal(amount))


@pytest.mark.parametrize("wrong", ["9", True, [], {}, 2**60, float("nan")])
def test_what_is_no_count_is_an_error(wrong: Any) -> None:
    with pytest.raises(UsageError, match="prompt_tokens"):
        read({"usage": {"prompt_tokens": wrong}})


COUNTS = st.integers(0, 4) | st.none()


@given(
    usage=st.fixed_dictionaries(
        {"prompt_tokens": COUNTS, "completion_tokens": COUNTS},
        optional={
            "total_tokens": st.integers(0, 8),
            "prompt_tokens_details": st.none()
            | st.dictionaries(st.sampled_from(["cached_tokens", "audio_tokens"]), COUNTS),
            "completion_tokens_details": st.none()
            | st.dictionaries(st.sampled_from(["reasoning_tokens", "audio_tokens"]), COUNTS),
        },
    ),
    preset=st.sampled_from(["openai", "openai-compatible", "xai"]),
)
def test_plain_counts_are_read_as_any_others(usage: dict[str, Any], preset: str) -> None:
    assert read({"usage": usage}, preset) == read({"usage": {**usage, "unknown": None}}, preset)
