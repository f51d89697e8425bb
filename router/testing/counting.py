"""Usage numbers that follow from the words of a request and its answer, so that a test can foretell them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .quirks import Quirks
from .script import Reply


def words(text: str | None) -> int:
    """Words of a text; the simulator counts each as one token."""
    return len(text.split()) if text else 0


def prompt_tokens(request: Mapping[str, Any]) -> int:
    """The words of all messages' texts, and one more for each message."""
    return sum(1 + words(text_of(message)) for message in request["messages"])


def text_of(message: Mapping[str, Any]) -> str:
    """A message's text, the text parts of a list joined by a space."""
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(str(part.get("text") or "") for part in content if isinstance(part, Mapping))
    return content if isinstance(content, str) else ""


def usage_of(request: Mapping[str, Any], reply: Reply, row: Quirks, *, thinks: bool) -> dict[str, Any] | None:
    """The usage of one answer as the host writes it; None where the reply leaves it out."""
    if reply.usage == "missing":
        return None
    if reply.usage is not None:
        return dict(reply.usage)
    choices = choice_count(request)
    reasoning = choices * words(reply.reasoning) if thinks else 0
    visible = words(reply.content) + words(reply.refusal)
    visible += sum(1 + words(call.arguments_text) for call in reply.calls)
    completion = choices * visible + reasoning
    prompt = prompt_tokens(request)
    usage: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion - reasoning if row.completion_excludes_reasoning else completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
    if row.reasoning_tokens:
        usage["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    return usage | _extra(row, prompt, completion)


def _extra(row: Quirks, prompt: int, completion: int) -> dict[str, Any]:
    match row.usage_extra:
        case "cache_hits":
            return {"prompt_cache_hit_tokens": 0, "prompt_cache_miss_tokens": prompt}
        case "times":
            return {"queue_time": 0.001, "prompt_time": 0.002, "completion_time": 0.003, "total_time": 0.005}
        case "cost":
            cost = round((prompt + 4 * completion) / 1_000_000, 9)
            return {"cost": cost, "cost_details": {"upstream_inference_cost": cost}, "is_byok": False}
        case _:
            return {}


def timings_of(usage: Mapping[str, Any] | None) -> dict[str, Any]:
    """llama.cpp's `timings` object for an answer of that usage."""
    counts = usage or {}
    return {
        "cache_n": 0,
        "prompt_n": counts.get("prompt_tokens", 0),
        "prompt_ms": 1.0,
        "predicted_n": counts.get("completion_tokens", 0),
        "predicted_ms": 2.0,
    }


def choice_count(request: Mapping[str, Any]) -> int:
    """How many choices the request asks for, at least one and at most 128."""
    asked = request.get("n")
    return min(max(asked, 1), 128) if isinstance(asked, int) and not isinstance(asked, bool) else 1
