"""Short ways to write a request for Gemini and to look at what is sent."""

from __future__ import annotations

import json
from typing import Any

from mixed_requests import target_of

from turnout.providers.chat import ChatCompletion
from turnout.providers.dialects.gemini import GeminiDialect

Fields = dict[str, Any]


Sent = tuple[Fields, list[str]]


OLD, NEW = "gemini-2.5-flash", "gemini-3.8-flash"


HELLO: Fields = {"role": "user", "content": "Hello"}


def encoded(model: str, *, preset: str = "gemini", drop: bool = False, **fields: Any) -> Any:
    """The request as it is sent."""
    request = ChatCompletion.parse({"model": "m", "messages": [HELLO], **fields})
    target = target_of(preset, model, on_unsupported="drop" if drop else "refuse")
    return GeminiDialect().encode(request, target)


def sent(model: str, **fields: Any) -> Sent:
    """The body, and what had to change."""
    wire = encoded(model, **fields)
    return json.loads(wire.body), [f"{one.field} {one.action}" for one in wire.adaptations]


def said(model: str, *messages: Fields, **fields: Any) -> tuple[Any, list[str]]:
    """The contents of a conversation, and what had to change."""
    body, changes = sent(model, messages=list(messages), **fields)
    return body["contents"], changes
