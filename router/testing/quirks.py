"""How hosts depart from OpenAI's wire, as rows of data that the simulator renders by.

The facts are the provider catalogue's: the hosts' own documentation, SDKs and server sources.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from turnout.config.errors import ConfigError

ReasoningStyle = Literal[
    "reasoning_content",
    "reasoning",
    "reasoning_details",  # OpenRouter: the text, and the same in typed details
    "split_details",  # MiniMax with reasoning_split
    "think_tags",  # inside the content
    "thinking_parts",  # Mistral: content is a list
]
Switch = Literal["enable_thinking", "effort", "type", "template", "object"]
_ALL_SWITCHES: tuple[Switch, ...] = ("enable_thinking", "effort", "type", "template", "object")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """One host's row; every default is OpenAI's own way."""

    name: str
    reasoning: ReasoningStyle = "reasoning_content"
    """Where reasoning text stands. OpenAI itself never sends any; a scripted one is shown all the same."""
    switches: tuple[Switch, ...] = _ALL_SWITCHES
    """The request fields that this host reads to turn thinking off."""
    stream_usage: Literal["own_chunk", "finish_chunk"] = "own_chunk"
    """The chunk of a stream that carries usage."""
    usage_always: bool = False
    """Whether streams carry usage without being asked."""
    envelope: Literal["nested", "flat", "string", "base_resp"] = "nested"
    """Shape of an error's body."""
    numeric_code: bool = False
    """Whether an error's code is the HTTP status as a number."""
    error_fields: tuple[str, ...] = ("message", "type", "param", "code")
    """What stands in an error by default, in order."""
    error_types: Mapping[int, str] = field(default_factory=dict)
    """HTTP status -> the host's own word for the error's type."""
    wrong_key_status: int = 401
    wrong_key: str = "Incorrect API key provided. You can find your API key in your account's settings."
    wrong_key_body: Mapping[str, Any] | None = None
    """The whole body for a wrong key, where it is unlike the host's other errors."""
    error_then_done: bool = False
    """Whether `[DONE]` follows an error inside a stream."""
    comment: bytes = b""
    """Sent before the first event of a stream."""
    leading: bytes = b""
    """Sent before the body of a whole answer."""
    request_id_header: str = "x-request-id"
    tool_call_id: Literal["call", "letters", "nine"] = "call"
    """Style of generated tool-call ids: `call_…`, 32 characters without a prefix, or exactly 9."""
    tool_finish: str = "tool_calls"
    """The finish reason of an answer that calls tools."""
    silent_content: str | None = None
    """The content of an answer that has none."""
    completion_excludes_reasoning: bool = False
    """Whether `completion_tokens` leaves the reasoning tokens out."""
    reasoning_tokens: bool = True
    """Whether usage counts reasoning tokens apart."""
    usage_extra: Literal["none", "cache_hits", "times", "cost"] = "none"
    """Fields of the host's own in usage."""
    timings: bool = False
    """llama.cpp's `timings` beside the usage."""
    x_groq: bool = False
    """Groq's own object on the first and the last chunk, usage in the latter."""
    base_resp: bool = False
    """MiniMax's status object on every answer."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Top-level fields of every answer and chunk."""
    native_finish_reason: bool = False
    """OpenRouter's second finish reason."""
    stream_only: tuple[str, ...] = ()
    """Models (fnmatch) that answer in streams alone."""
    stream_only_thinking: bool = False
    """Whether a whole answer is refused while `enable_thinking` is true."""
    whole_thinking: tuple[str, ...] = ()
    """Models (fnmatch) that this does not hold for."""
    replay_reasoning: bool = False
    """Whether an earlier tool call without its reasoning is refused while thinking is not off."""
    request_fields: frozenset[str] | None = None
    """The only fields taken; any other is refused with 422. None: all pass."""
    message_fields: frozenset[str] | None = None
    """The same for an assistant message."""


_MISTRAL_FIELDS = frozenset(
    {
        "model", "messages", "temperature", "top_p", "max_tokens", "stream", "stop", "random_seed",
        "metadata", "response_format", "tools", "tool_choice", "presence_penalty",
        "frequency_penalty", "n", "prediction", "parallel_tool_calls", "prompt_mode",
        "reasoning_effort", "guardrails", "safe_prompt", "min_tokens", "top_k",
        "repetition_penalty", "prompt_logprobs", "prompt_cache_key", "service_tier",
    }
)  # fmt: skip

_ROWS = (
    Quirks(name="openai", extra={"system_fingerprint": "fp_simulated", "service_tier": "default"}),
    Quirks(
        name="qwen",
        switches=("enable_thinking", "effort"),
        extra={"system_fingerprint": None},
        stream_only=("qwq*", "qvq*", "*-thinking*"),
        stream_only_thinking=True,
        whole_thinking=("qwen3.[5-9]-plus*", "qwen3.[5-9]-max*", "qwen3.[5-9]-flash*"),
        error_types={429: "limit_requests"},
    ),
    Quirks(
        name="groq",
        reasoning="reasoning",
        switches=("effort",),
        x_groq=True,
        usage_extra="times",
        error_fields=("message", "type", "code"),
        extra={"system_fingerprint": "fp_simulated"},
    ),
    Quirks(
        name="llama-cpp",
        switches=("template", "effort"),
        numeric_code=True,
        error_fields=("code", "message", "type"),
        error_types={
            401: "authentication_error", 403: "permission_error", 404: "not_found_error", 500: "server_error",
            501: "not_supported_error", 503: "unavailable_error",
        },
        wrong_key="Invalid API Key",
        tool_call_id="letters",
        silent_content="",
        reasoning_tokens=False,
        timings=True,
        extra={"system_fingerprint": "b0-simulated"},
    ),
    Quirks(
        name="vllm",
        reasoning="reasoning",
        switches=("template", "effort"),
        numeric_code=True,
        error_types={
            400: "BadRequestError", 404: "NotFoundError", 422: "UnprocessableEntityError",
            500: "InternalServerError", 501: "NotImplementedError", 503: "ServiceUnavailableError",
        },
        wrong_key_body={"error": "Unauthorized"},
        error_then_done=True,
    ),
    Quirks(
        name="ollama",
        reasoning="reasoning",
        switches=("effort",),
        stream_usage="finish_chunk",
        error_types={400: "invalid_request_error", 404: "not_found_error", 429: "api_error", 500: "api_error",
                     503: "api_error"},
        reasoning_tokens=False,
        extra={"system_fingerprint": "fp_ollama"},
    ),
    Quirks(
        name="deepseek",
        switches=("type",),
        comment=b": keep-alive\n\n",
        leading=b"\n\n",
        usage_extra="cache_hits",
        replay_reasoning=True,
    ),
    Quirks(
        name="mistral",
        reasoning="thinking_parts",
        switches=("effort",),
        stream_usage="finish_chunk",
        usage_always=True,
        envelope="flat",
        wrong_key="Unauthorized",
        wrong_key_body={"message": "Unauthorized"},
        request_id_header="mistral-correlation-id",
        tool_call_id="nine",
        reasoning_tokens=False,
        request_fields=_MISTRAL_FIELDS,
        message_fields=frozenset({"role", "content", "tool_calls", "prefix"}),
    ),
    Quirks(
        name="xai",
        switches=("effort",),
        envelope="string",
        wrong_key_status=400,
        wrong_key="Incorrect API key provided: xa***. You can obtain an API key from https://console.x.ai.",
        tool_finish="",
        completion_excludes_reasoning=True,
    ),
    Quirks(
        name="openrouter",
        reasoning="reasoning_details",
        switches=("object", "effort"),
        usage_always=True,
        numeric_code=True,
        error_fields=("code", "message", "metadata"),
        error_types={
            400: "invalid_request", 401: "authentication", 402: "payment_required", 403: "permission_denied",
            404: "not_found", 408: "timeout", 413: "payload_too_large", 422: "unprocessable",
            429: "rate_limit_exceeded", 500: "server", 502: "provider_unavailable",
            503: "provider_overloaded", 529: "provider_overloaded",
        },
        wrong_key="No auth credentials found",
        comment=b": OPENROUTER PROCESSING\n\n",
        request_id_header="X-Generation-Id",
        usage_extra="cost",
        native_finish_reason=True,
        extra={"provider": "Simulated"},
    ),
    Quirks(
        name="minimax",
        reasoning="think_tags",
        switches=("type",),
        envelope="base_resp",
        wrong_key_status=200,
        wrong_key="login fail: please check the API key",
        base_resp=True,
    ),
)  # fmt: skip

HOSTS: tuple[str, ...] = tuple(row.name for row in _ROWS)
"""The names that `quirks` takes."""


def quirks(name: str) -> Quirks:
    """The row of a host; ConfigError for a name that there is no row for."""
    for row in _ROWS:
        if row.name == name:
            return row
    raise ConfigError(f"the simulator has no quirks named {name!r}; choose one of {', '.join(HOSTS)}")


def thinking_off(request: Mapping[str, Any], row: Quirks) -> bool:
    """Whether the request switches thinking off in a way that this host reads."""
    return any(_OFF[switch](request) for switch in row.switches)


def _is(request: Mapping[str, Any], outer: str, inner: str, value: object) -> bool:
    part = request.get(outer)
    return isinstance(part, Mapping) and inner in part and part[inner] == value


_OFF: Mapping[Switch, Callable[[Mapping[str, Any]], bool]] = {
    "enable_thinking": lambda request: request.get("enable_thinking") is False,
    "effort": lambda request: request.get("reasoning_effort") == "none",
    "type": lambda request: _is(request, "thinking", "type", "disabled"),
    "template": lambda request: (
        _is(request, "chat_template_kwargs", "enable_thinking", False)
        or _is(request, "chat_template_kwargs", "thinking", False)
    ),
    "object": lambda request: (
        _is(request, "reasoning", "enabled", False) or _is(request, "reasoning", "effort", "none")
    ),
}


def reasoning_style(request: Mapping[str, Any], row: Quirks) -> ReasoningStyle | None:
    """Where this answer's reasoning stands; None: it is not shown."""
    if thinking_off(request, row) or request.get("include_reasoning") is False:
        return None
    if _is(request, "reasoning", "exclude", True) and row.name == "openrouter":
        return None
    if row.name == "groq" and request.get("reasoning_format") in {"hidden", "raw"}:
        return None if request["reasoning_format"] == "hidden" else "think_tags"
    if row.name == "minimax" and request.get("reasoning_split") is True:
        return "split_details"
    return row.reasoning
