"""OpenAI's own types of a request on Chat Completions."""

from __future__ import annotations

from typing import Any

from mixed_requests import STRICT, check_typed
from openai.types.chat import completion_create_params as types
from pydantic import TypeAdapter

WHOLE = TypeAdapter(list[types.CompletionCreateParamsNonStreaming], config=STRICT)
STREAM = TypeAdapter(list[types.CompletionCreateParamsStreaming], config=STRICT)
OTHER_HOSTS = frozenset({"reasoning_content", "thinking"})
"""What hosts that think take besides, on messages and at the top."""


def check(body: dict[str, Any]) -> None:
    """The body is what the SDK could have sent, but for the words of hosts that think."""
    known = {name: value for name, value in body.items() if name not in OTHER_HOSTS}
    known["messages"] = [
        {name: value for name, value in message.items() if name not in OTHER_HOSTS}
        for message in body["messages"]
    ]
    check_typed(STREAM if body.get("stream") else WHOLE, known)
