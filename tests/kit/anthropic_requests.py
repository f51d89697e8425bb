"""Short ways to write a request for Anthropic and to look at what is sent."""

from __future__ import annotations

import json
from typing import Any

from mixed_requests import target_of

from turnout.providers.chat import ChatCompletion
from turnout.providers.dialect import Target, WireRequest
from turnout.providers.dialects import dialect

Fields = dict[str, Any]

ANTHROPIC = dialect("anthropic")
OLD, NEW, UNFORCED = "claude-sonnet-4-5", "claude-sonnet-5", "claude-sonnet-5-5"
"""A model that is given budgets, one that thinks adaptively, and one that cannot be made to call a tool."""

USER: Fields = {"role": "user", "content": "Hi"}
TOOL: Fields = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}
CALL: Fields = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
}
RESULT: Fields = {"role": "tool", "tool_call_id": "call_1", "content": "4 C"}
MARK: Fields = {"type": "ephemeral"}
SCHEMA: Fields = {
    "type": "object",
    "properties": {"n": {"type": "integer", "minimum": 1}},
    "required": ["n"],
}
FORMAT: Fields = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}
REQUEST = ChatCompletion.parse({"model": "m", "messages": [USER]})


def at(model: str, **settings: Any) -> Target:
    """The model at Anthropic; what cannot be said is refused unless the settings say otherwise."""
    return target_of("anthropic", model, **{"on_unsupported": "refuse", **settings})


def encoded(model: str, *messages: Fields, drop: bool = False, **fields: Any) -> WireRequest:
    """The request as it is sent; with `drop`, what cannot be said is dropped."""
    request = ChatCompletion.parse({"model": "m", "messages": list(messages) or [USER], **fields})
    return ANTHROPIC.encode(request, at(model, on_unsupported="drop" if drop else "refuse"))


def sent(model: str, *messages: Fields, drop: bool = False, **fields: Any) -> Fields:
    """Its body."""
    body: Fields = json.loads(encoded(model, *messages, drop=drop, **fields).body)
    return body


def adapted(wire: WireRequest) -> dict[str, str]:
    """Field -> what was done with it."""
    return {one.field: one.action for one in wire.adaptations}
