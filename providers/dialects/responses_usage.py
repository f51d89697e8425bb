"""Token counts of a Responses answer, and what else it says about itself."""

from __future__ import annotations

from typing import Any

from ..chat import Usage
from ..dialect import Target
from .chunks import count, token_usage
from .draft import Json
from .openai_usage import reported_cost

_COUNTED = frozenset({"input_tokens", "output_tokens", "prompt_tokens", "completion_tokens", "total_tokens"})
_IN, _OUT = "input_tokens_details", "output_tokens_details"
_TAKEN = {_IN: frozenset({"cached_tokens", "cache_write_tokens"}), _OUT: frozenset({"reasoning_tokens"})}
_ECHOES = frozenset(
    {
        "id", "object", "created_at", "model", "status", "output", "output_text", "error", "usage",
        "instructions", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning", "temperature",
        "top_p", "top_logprobs", "presence_penalty", "frequency_penalty", "max_output_tokens",
        "max_tool_calls", "store", "background", "truncation", "user", "safety_identifier",
        "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "previous_response_id",
        "prompt", "include", "input", "stream", "completed_at", "incomplete_details",
    }
)  # fmt: skip
"""Fields that are read elsewhere, or that only repeat the request."""
_RENAMED = {"provider": "upstream_provider"}
_OURS = frozenset({"choices", "created", "cost", "trace", "reset", "responseStatus"})
_TYPED = frozenset({"metadata", "service_tier", "system_fingerprint"})


def usage_of(response: Json, target: Target) -> Usage | None:
    """The tokens in the contract's meaning, the host's own counts beside them; None where it tells none."""
    usage = response.get("usage")
    if not isinstance(usage, dict):
        return None
    prompt = _first(usage, "input_tokens", "prompt_tokens")
    completion = _first(usage, "output_tokens", "completion_tokens")
    if prompt is None and completion is None:
        return None
    rest = {name: value for name, value in usage.items() if name not in _COUNTED and name not in _TAKEN}
    for name, taken in _TAKEN.items():
        details = usage.get(name)
        told = details if isinstance(details, dict) else {}
        unknown = {key: value for key, value in told.items() if key not in taken}
        if any(value for value in unknown.values()):
            rest[name] = unknown
    cost = reported_cost(usage) if target.preset.cost_in_usage else None
    if cost is not None:
        rest["reported_cost"] = str(cost)
    return token_usage(
        prompt or 0,
        completion or 0,
        cached=count(usage, _IN, "cached_tokens"),
        cache_write=count(usage, _IN, "cache_write_tokens"),
        reasoning=count(usage, _OUT, "reasoning_tokens"),
        rest=rest,
    )


def _first(usage: Json, *names: str) -> int | None:
    return next((found for name in names if (found := count(usage, name)) is not None), None)


def more_of(response: Json) -> dict[str, Any]:
    """What the answer says besides, under names that are not ours."""
    more: dict[str, Any] = {}
    for name, value in response.items():
        if name in _ECHOES or value is None or value in ({}, []):
            continue
        ours = name in _OURS or (name in _TYPED and not _fits(name, value))
        more[_RENAMED.get(name) or (f"native_{name}" if ours else name)] = value
    return more


def _fits(name: str, value: Any) -> bool:
    """Whether a value is of the kind that the contract has under its name."""
    if name == "metadata":
        return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())
    return isinstance(value, str)
