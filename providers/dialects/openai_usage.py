"""Token counts and the price that a host reports, folded to one meaning.

Afterwards `prompt_tokens` includes cached tokens, `completion_tokens` includes reasoning, and the total is
their sum. Every field that the host sent and that has no place in the contract stays as an extra.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ..chat import CompletionTokensDetails, PromptTokensDetails, Usage
from ..dialect import Target

COUNT_LIMIT = 2**53
"""No answer has as many tokens; a larger count is a mistake that would spoil every sum it enters."""
_HEARD = frozenset(PromptTokensDetails.model_fields)
_SAID = frozenset(CompletionTokensDetails.model_fields)
_FIELDS = frozenset(Usage.model_fields)
_COUNTS = frozenset({int})


class UsageError(ValueError):
    """A usage object that is none; the message names the field."""


def usage_fields(payload: Mapping[str, Any], target: Target) -> dict[str, Any] | None:
    """The fields of a Usage out of a body or one chunk; None where it holds no counts.

    Read from `usage`, from Groq's `x_groq.usage`, or from llama.cpp's `timings`. Raises UsageError.
    """
    groq, timings = payload.get("x_groq"), payload.get("timings")
    usage = payload.get("usage") or (groq.get("usage") if isinstance(groq, dict) else None)
    if not timings and (plain := _plain(usage)) is not None:
        return plain
    timings = timings if isinstance(timings, dict) else {}
    if not usage:
        return _from_timings(timings)
    if not isinstance(usage, dict):
        raise UsageError(f"usage is {type(usage).__name__}, not an object")
    fields = dict(usage)
    prompt, completion = _prompt(usage), _count(usage, "completion_tokens", "eval_count")
    if prompt is None and completion is None:
        return None
    prompt_details = _details(usage, "prompt_tokens_details")
    completion_details = _details(usage, "completion_tokens_details")
    _first(prompt_details, "cached_tokens", usage, ("prompt_cache_hit_tokens", "cached_tokens"))
    _first(prompt_details, "cached_tokens", timings, ("cache_n",))
    _first(prompt_details, "cache_write_tokens", prompt_details, ("created_cache_tokens",))
    _first(completion_details, "reasoning_tokens", usage, ("reasoning_tokens",))
    reasoning, total = completion_details.get("reasoning_tokens"), _count(usage, "total_tokens")
    prompt, completion = prompt or 0, completion or 0
    if reasoning and _excluded(prompt, completion, reasoning, total, target):
        completion += reasoning
    fields |= {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": prompt_details or None,
        "completion_tokens_details": completion_details or None,
    }
    if total is not None and total != prompt + completion:
        fields["native_total_tokens"] = total
    cost = reported_cost(usage) if target.preset.cost_in_usage else None
    if cost is not None:
        fields["reported_cost"] = str(cost)
    return {name: value for name, value in fields.items() if value is not None}


def _plain(usage: Any) -> dict[str, Any] | None:
    """The fields of the counts that OpenAI itself sends, if they are whole and add up; None for all else."""
    if type(usage) is not dict or not usage.keys() <= _FIELDS:
        return None
    prompt: Any = usage.get("prompt_tokens")
    completion: Any = usage.get("completion_tokens")
    total: Any = usage.get("total_tokens")
    counts = [prompt, completion, total]
    fields = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
    if heard := usage.get("prompt_tokens_details"):
        if type(heard) is not dict or not heard.keys() <= _HEARD:
            return None
        counts += heard.values()
        fields["prompt_tokens_details"] = heard
    if said := usage.get("completion_tokens_details"):
        if type(said) is not dict or not said.keys() <= _SAID:
            return None
        counts += said.values()
        fields["completion_tokens_details"] = said
    if set(map(type, counts)) != _COUNTS or min(counts) < 0 or max(counts) > COUNT_LIMIT:
        return None
    return fields if total == prompt + completion else None


def reported_cost(usage: Mapping[str, Any]) -> Decimal | None:
    """What the host says the answer cost, in US dollars: `cost`, or the `total_cost` in it."""
    cost = usage.get("cost")
    if isinstance(cost, dict):
        cost = cost.get("total_cost")
    if isinstance(cost, bool) or not isinstance(cost, int | float) or not 0 <= cost < COUNT_LIMIT:
        return None
    return Decimal(str(cost))


def _excluded(prompt: int, completion: int, reasoning: int, total: int | None, target: Target) -> bool:
    """Whether `completion` leaves the reasoning out: the total tells, else the host's row."""
    if total is None:
        return target.preset.completion_excludes_reasoning
    if total == prompt + completion:
        return False
    return target.preset.completion_excludes_reasoning or total == prompt + completion + reasoning


def _from_timings(timings: Mapping[str, Any]) -> dict[str, Any] | None:
    """llama.cpp counts in `timings` even where no usage was asked for; `prompt_n` leaves the cache out."""
    fresh, completion = _count(timings, "prompt_n"), _count(timings, "predicted_n")
    if fresh is None or completion is None:
        return None
    cached = _count(timings, "cache_n") or 0
    prompt = fresh + cached
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def _prompt(usage: Mapping[str, Any]) -> int | None:
    prompt = _count(usage, "prompt_tokens", "prompt_eval_count")
    hit, miss = _count(usage, "prompt_cache_hit_tokens"), _count(usage, "prompt_cache_miss_tokens")
    return hit + miss if prompt is None and hit is not None and miss is not None else prompt


def _first(details: dict[str, Any], name: str, source: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """Fill `name` from `source` where the host's own details do not tell it."""
    if details.get(name) is None and (count := _count(source, *names)) is not None:
        details[name] = count


def _details(usage: Mapping[str, Any], name: str) -> dict[str, Any]:
    details = usage.get(name) or {}
    if not isinstance(details, dict):
        raise UsageError(f"usage.{name} is {type(details).__name__}, not an object")
    counts = {key: _count(details, key) for key in details if key.endswith("_tokens")}
    return {key: value for key, value in {**details, **counts}.items() if value is not None}


def _count(source: Mapping[str, Any], *names: str) -> int | None:
    """The first of `names` that holds a count; a negative one, sent for unknown by some, is none."""
    for name in names:
        value = source.get(name)
        if value is None:
            continue
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or value != value
            or abs(value) > COUNT_LIMIT
        ):
            raise UsageError(f"usage.{name} is no number of tokens")
        if value >= 0:
            return int(value)
    return None
