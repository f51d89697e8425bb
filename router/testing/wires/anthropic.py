"""Anthropic's Messages as the simulator speaks it: events, signed thinking, and the refusals of the real one.

Source: response types and error objects of anthropic 2.12; Claude docs on streaming, errors and extended
thinking; texts of refusals as users have quoted them. Read 2026-11-21.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..script import Reply, ScriptedCall
from .base import Asked, Json, NamedInBody, arguments, counts, dump, fragments, pieces, sse

_TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
    404: "not_found_error", 409: "conflict_error", 413: "request_too_large", 429: "rate_limit_error",
    500: "api_error", 504: "timeout_error", 529: "overloaded_error",
}  # fmt: skip
_MESSAGES = {
    401: "invalid x-api-key",
    429: "This request would exceed your organization's rate limit.",
    500: "Internal server error",
    529: "Overloaded",
}
_FINISH = {
    "stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal",
}  # fmt: skip
_FIELDS = frozenset(
    {
        "model", "max_tokens", "messages", "system", "tools", "tool_choice", "thinking", "output_config",
        "stream", "stop_sequences", "temperature", "top_p", "top_k", "metadata", "service_tier",
        "cache_control", "container", "context_management", "mcp_servers", "inference_geo", "speed",
        "fallbacks", "diagnostics", "user_profile_id", "workspace_id",
    }
)  # fmt: skip
_ID = re.compile(r"[a-zA-Z0-9_-]+")
_LEAST_BUDGET = 1024
_MOST_MARKS = 4


def signature(thinking: str) -> str:
    """What the simulator signs its thinking with; altered thinking does not fit it any more."""
    return "sig-" + hashlib.sha256(f"turnout/{thinking}".encode()).hexdigest()[:32]


class AnthropicWire(NamedInBody):
    """Anthropic's wire."""

    name = "anthropic"
    stream_type = "text/event-stream"
    request_id_header = "request-id"
    wrong_key_status = 401

    def last_words(self, asked: Asked) -> str:
        """The text of the user's last message."""
        for message in reversed(asked.body["messages"]):
            if message["role"] == "user":
                return " ".join(block["text"] for block in _blocks(message) if block.get("type") == "text")
        return ""

    def refused(self, asked: Asked) -> tuple[int, Any] | None:
        """The 400 that the provider answers to a request against its rules; None: it takes this one."""
        text = next(_faults(asked), None)
        return None if text is None else (400, self.error(400, text))

    def whole(self, asked: Asked, reply: Reply, number: int) -> Json:
        """The body of a whole answer."""
        content = [block for block, _ in _content(asked, reply, number)]
        return {
            **_head(asked, number),
            "content": content,
            **_ending(reply),
            **_usage(asked, reply, last=True),
        }

    def events(self, asked: Asked, reply: Reply, number: int) -> Iterator[bytes]:
        """The events of a streamed answer."""
        begun: Json = {"content": [], "stop_reason": None, "stop_sequence": None}
        message = {**_head(asked, number), **begun, **_usage(asked, reply, last=False)}
        yield _event("message_start", message=message)
        yield _event("ping")
        for index, (block, deltas) in enumerate(_content(asked, reply, number)):
            yield _event("content_block_start", index=index, content_block=_emptied(block))
            for delta in deltas:
                yield _event("content_block_delta", index=index, delta=delta)
            yield _event("content_block_stop", index=index)
        yield _event("message_delta", delta=_ending(reply), **_usage(asked, reply, last=True))
        yield _event("message_stop")

    def error_events(self, asked: Asked, reply: Reply) -> Iterator[bytes]:  # noqa: ARG002 - the protocol's
        """The event of a stream that fails after it began."""
        inner = reply.error if isinstance(reply.error_in_200, bool) else reply.error_in_200
        yield sse(self.error(500, inner or reply.error), "error")

    def broken_event(self) -> bytes:
        """An event that cannot be read."""
        return b'event: content_block_delta\ndata: {"type": "content_block_del\n\n'

    def error(self, status: int, error: str | Mapping[str, Any] | None) -> Any:
        """The body of an error."""
        fields: Json = {
            "type": _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error"),
            "message": _MESSAGES.get(status, "The request was refused."),
        }
        said = {"message": error} if isinstance(error, str) else dict(error or {})
        return {"type": "error", "error": fields | said, "request_id": "req_simulated"}

    def models(self, names: list[str]) -> Any:
        """The list of models."""
        rows = [
            {
                "type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z",
                "lifecycle": "active", "max_input_tokens": 200000, "max_tokens": 64000,
            }
            for name in names
        ]  # fmt: skip
        first, last = (names[0], names[-1]) if names else (None, None)
        return {"data": rows, "has_more": False, "first_id": first, "last_id": last}


WIRE = AnthropicWire()
"""The wire as the simulator takes it."""


def _event(kind: str, **fields: Any) -> bytes:
    return sse({"type": kind, **fields}, kind)


def _head(asked: Asked, number: int) -> Json:
    return {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": asked.body["model"]}


def _ending(reply: Reply) -> Json:
    word = _FINISH.get(reply.ending or "", reply.ending)
    ending: Json = {"stop_reason": word, "stop_sequence": None}
    if word == "refusal":
        ending["stop_details"] = {"type": "refusal", "category": None, "explanation": reply.refusal}
    return ending


def _usage(asked: Asked, reply: Reply, *, last: bool) -> Json:
    """Cached tokens are counted apart; here that is the system text, if a part of it is marked."""
    if reply.usage == "missing":
        return {"usage": {"output_tokens": 0}} if last else {"usage": {"input_tokens": 0, "output_tokens": 0}}
    if reply.usage is not None:
        return {"usage": dict(reply.usage)}
    counted = counts(asked, reply, thinks=_thinks(asked))
    system = asked.body.get("system")
    cached = 0
    if isinstance(system, list) and any("cache_control" in block for block in system):
        cached = min(sum(len(block["text"].split()) for block in system), counted.prompt)
    usage: Json = {
        "input_tokens": counted.prompt - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": counted.completion if last else 1,
    }
    if last:
        usage["output_tokens_details"] = {"thinking_tokens": counted.reasoning}
    else:
        usage["service_tier"] = "standard"
    return {"usage": usage}


def _thinks(asked: Asked) -> bool:
    thinking = asked.body.get("thinking")
    return not isinstance(thinking, dict) or thinking.get("type") not in {"disabled", "between_tools"}


def _content(asked: Asked, reply: Reply, number: int) -> Iterator[tuple[Json, list[Json]]]:
    """The blocks of an answer, each with the deltas that it is streamed as."""
    if reply.reasoning and _thinks(asked):
        signed = signature(reply.reasoning)
        block: Json = {"type": "thinking", "thinking": reply.reasoning, "signature": signed}
        deltas: list[Json] = [
            {"type": "thinking_delta", "thinking": word} for word in pieces(reply.reasoning)
        ]
        yield block, [*deltas, {"type": "signature_delta", "signature": signed}]
    for text in filter(None, (reply.content, reply.refusal)):
        yield {"type": "text", "text": text}, [{"type": "text_delta", "text": word} for word in pieces(text)]
    for index, call in enumerate(reply.calls):
        yield (
            _call(call, number, index),
            [
                {"type": "input_json_delta", "partial_json": piece}
                for piece in ("", *fragments(call.arguments_text))
            ],
        )


def _call(call: ScriptedCall, number: int, index: int) -> Json:
    identity = call.id or "toolu_" + hashlib.sha256(f"{number}.{index}".encode()).hexdigest()[:24]
    return {"type": "tool_use", "id": identity, "name": call.name, "input": arguments(call.arguments_text)}


def _emptied(block: Json) -> Json:
    """A block as it is announced, before its deltas."""
    blank = {"thinking": "", "signature": "", "text": "", "input": {}}
    return {key: blank.get(key, value) for key, value in block.items()}


def _blocks(message: Mapping[str, Any]) -> list[Json]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content or () if isinstance(block, dict)]


def _faults(asked: Asked) -> Iterator[str]:
    """What is wrong with a request, in the provider's words."""
    body, messages = asked.body, asked.body.get("messages")
    if "anthropic-version" not in asked.headers and "anthropic_version" not in body:
        yield "anthropic-version: header is required"
    yield from (f"{name}: Extra inputs are not permitted" for name in sorted(body.keys() - _FIELDS))
    for name in ("model", "max_tokens", "messages"):
        if name not in body:
            yield f"{name}: Field required"
    if not isinstance(messages, list) or not messages:
        yield "messages: at least one message is required"
        return
    if messages[0].get("role") != "user":
        yield 'messages: first message must use the "user" role'
    for place, message in enumerate(messages):
        yield from _message_faults(place, message)
    yield from _pairing_faults(messages)
    yield from _thinking_faults(body, messages)
    found = dump(body).count(b'"cache_control":')
    if found > _MOST_MARKS:
        yield f"A maximum of {_MOST_MARKS} blocks with cache_control may be provided. Found {found}."


def _message_faults(place: int, message: Mapping[str, Any]) -> Iterator[str]:
    if message.get("role") not in {"user", "assistant", "system"}:
        yield f"messages.{place}.role: Input should be 'user', 'assistant' or 'system'"
    blocks = _blocks(message)
    if not blocks:
        yield f"messages.{place}: all messages must have non-empty content"
    for number, block in enumerate(blocks):
        where = f"messages.{place}.content.{number}"
        kind = block.get("type")
        if kind == "text" and not str(block.get("text")).strip():
            yield "messages: text content blocks must be non-empty"
        identity = block.get("id" if kind == "tool_use" else "tool_use_id")
        if kind in {"tool_use", "tool_result"} and not _ID.fullmatch(str(identity)):
            yield f"{where}.{kind}.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
        if kind == "thinking" and block.get("signature") != signature(str(block.get("thinking"))):
            yield f"{where}: Invalid `signature` in `thinking` block"


def _pairing_faults(messages: list[Json]) -> Iterator[str]:
    """Every call is answered in the very next message, and nothing else is."""
    open_calls: set[str] = set()
    for place, message in enumerate(messages):
        blocks = _blocks(message)
        answered = [str(block.get("tool_use_id")) for block in blocks if block.get("type") == "tool_result"]
        missing = sorted(open_calls - set(answered))
        if missing:
            yield (
                f"messages.{place - 1}: `tool_use` ids were found without `tool_result` blocks immediately "
                f"after: {', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` "
                "block in the next message."
            )
        orphans = [identity for identity in answered if identity not in open_calls]
        if orphans:
            yield (
                f"messages.{place}: unexpected `tool_use_id` found in `tool_result` blocks: "
                f"{', '.join(orphans)}. Each `tool_result` block must have a corresponding `tool_use` block "
                "in the previous message."
            )
        open_calls = {str(block.get("id")) for block in blocks if block.get("type") == "tool_use"}
    if open_calls:
        yield f"messages.{len(messages) - 1}: `tool_use` ids were found without `tool_result` blocks"
    last = _blocks(messages[-1])
    if (
        messages[-1].get("role") == "assistant"
        and last
        and str(last[-1].get("text", "")).endswith((" ", "\n"))
    ):
        yield "messages: final assistant content cannot end with trailing whitespace"


def _thinking_faults(body: Json, messages: list[Json]) -> Iterator[str]:
    thinking = body.get("thinking")
    if not isinstance(thinking, dict) or thinking.get("type") != "enabled":
        return
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int) or budget < _LEAST_BUDGET:
        yield "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
    elif isinstance(body.get("max_tokens"), int) and budget >= body["max_tokens"]:
        yield "`max_tokens` must be greater than `thinking.budget_tokens`"
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") in {"any", "tool"}:
        yield "Thinking may not be enabled when tool_choice forces tool use."
    for place in reversed(range(len(messages))):
        blocks = _blocks(messages[place])
        if messages[place].get("role") == "user" and not any(
            one.get("type") == "tool_result" for one in blocks
        ):
            return
        if messages[place].get("role") == "assistant" and blocks:
            kind = blocks[0].get("type")
            if kind not in {"thinking", "redacted_thinking"}:
                yield (
                    f"messages.{place}.content.0.type: Expected `thinking` or `redacted_thinking`, but found "
                    f"`{kind}`. When `thinking` is enabled, a final `assistant` message must start with a "
                    "thinking block."
                )
            return
