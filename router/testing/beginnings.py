"""Answers whose beginning the request brings along, as models write them that go on with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .script import Reply


def rest_of(reply: Reply, request: Mapping[str, Any]) -> Reply:
    """What is left to say of a reply that goes on with the request's last message."""
    begun = _beginning(request)
    text = reply.content
    if reply.goes_on == "never" or not begun or text is None or not text.startswith(begun):
        return reply
    # a copy without validation, so that what was set by hand stays told apart from what was not
    said = text if reply.goes_on == "echo" else text[len(begun) :]
    return reply.model_copy(update={"text": said, "reasoning": None})


def _beginning(request: Mapping[str, Any]) -> str:
    """The text of the last message, where it is the assistant's."""
    messages = request.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    if not isinstance(last, Mapping) or last.get("role") != "assistant":
        return ""
    content = last.get("content")
    if isinstance(content, list):
        return "".join(str(block.get("text") or "") for block in content if isinstance(block, Mapping))
    return content if isinstance(content, str) else ""
