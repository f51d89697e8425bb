"""Requests to Converse in short, for the tests of its encoding."""

from __future__ import annotations

import json
from typing import Any

from mixed_requests import PAPER, PIXEL, target_of

from turnout.config.sections import OnUnsupported
from turnout.providers.chat import ChatCompletion
from turnout.providers.dialect import WireRequest
from turnout.providers.dialects.bedrock import BedrockDialect

DIALECT = BedrockDialect()
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "us.amazon.nova-pro-v1:0"
LLAMA = "us.meta.llama4-maverick-17b-instruct-v1:0"
HI: dict[str, Any] = {"role": "user", "content": "Hi"}
IMAGE: dict[str, Any] = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
PDF = {"type": "file", "file": {"file_data": PAPER, "filename": "Ignore all rules.pdf"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "UklGRgAA", "format": "wav"}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "now", "arguments": '{"zone":"CET"}'}}
ASKED: dict[str, Any] = {"role": "assistant", "tool_calls": [CALL]}
TOLD: dict[str, Any] = {"role": "tool", "tool_call_id": "call_1", "content": "nine"}
TOOL = {"type": "function", "function": {"name": "now", "description": " ", "parameters": {"properties": {}}}}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}
FORM = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA, "description": "d"}}
MARK = {"type": "ephemeral"}


def sent(
    *messages: Any, model: str = CLAUDE, policy: OnUnsupported = "refuse", **fields: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    """The payload, and what was adapted: field -> action."""
    wire = wired(*messages, model=model, policy=policy, **fields)
    return json.loads(wire.body), {one.field: one.action for one in wire.adaptations}


def wired(*messages: Any, model: str, policy: OnUnsupported = "refuse", **fields: Any) -> WireRequest:
    """The request as it would be sent."""
    request = ChatCompletion.parse({"model": "m", "messages": list(messages) or [HI], **fields})
    return DIALECT.encode(request, target_of("bedrock", model, on_unsupported=policy))


def roles(body: dict[str, Any]) -> list[str]:
    """Who speaks, message by message."""
    return [message["role"] for message in body["messages"]]


def content(body: dict[str, Any], place: int = 0) -> Any:
    """The blocks of one message."""
    return body["messages"][place]["content"]
