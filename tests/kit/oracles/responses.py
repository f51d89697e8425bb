"""OpenAI's own types of a request on the Responses wire."""

from __future__ import annotations

from typing import Any

from mixed_requests import STRICT, check_typed
from openai.types.responses import response_create_params as types
from pydantic import TypeAdapter

WHOLE = TypeAdapter(list[types.ResponseCreateParamsNonStreaming], config=STRICT)
STREAM = TypeAdapter(list[types.ResponseCreateParamsStreaming], config=STRICT)


def check(body: dict[str, Any]) -> None:
    """Check a body against the SDK's types, which know earlier answers only with their ids.

    The API takes them without: recorded exchanges have a refusal or text of an assistant without an id.
    """
    known = [
        {
            "type": "message",
            "id": "msg_0",
            "status": "completed",
            **item,
            "content": list(map(noted, content)),
        }
        if item.get("role") == "assistant" and isinstance(content := item["content"], list)
        else item
        for item in body["input"]
    ]
    check_typed(STREAM if body.get("stream") else WHOLE, {**body, "input": known})


def noted(part: dict[str, Any]) -> dict[str, Any]:
    return {"annotations": [], **part} if part["type"] == "output_text" else part
