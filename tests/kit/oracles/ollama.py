"""Ollama's own types of a request, made strict."""

from __future__ import annotations

import copy
from typing import Any

from mixed_requests import assert_understood
from ollama._types import ChatRequest as SDKRequest
from ollama._types import Message as SDKMessage
from ollama._types import Options as SDKOptions
from ollama._types import Tool as SDKTool
from pydantic import BaseModel, ConfigDict

Fields = dict[str, Any]

BEYOND_THE_SDK = {"draft_num_predict", "min_p"}
"""Options that api/types.go has and the SDK of that time lacks."""


class StrictCall(BaseModel):
    """A call as api/types.go has it; the SDK's own leaves the id out."""

    model_config = ConfigDict(extra="forbid", strict=True)
    id: str
    function: SDKMessage.ToolCall.Function


class StrictMessage(SDKMessage):
    """A message as api/types.go has it; the SDK's own leaves the call's id out."""

    model_config = ConfigDict(extra="forbid", strict=True)
    tool_call_id: str | None = None
    tool_calls: list[StrictCall] | None = None  # type: ignore[assignment]  # calls with ids


def check(body: Fields) -> None:
    """The body goes through the SDK's types and comes out again whole."""
    payload = copy.deepcopy(body)
    parsed = SDKRequest.model_validate(payload)
    assert_understood({**payload, "messages": []}, {**parsed.model_dump(by_alias=True), "messages": []})
    assert type(payload["stream"]) is bool
    assert payload["messages"]
    for message in payload["messages"]:
        images = message.pop("images", [])
        assert all(isinstance(image, str) and image for image in images)
        assert message["role"] in {"system", "user", "assistant", "tool"}
        assert_understood(message, StrictMessage.model_validate(message).model_dump())
        assert isinstance(message["content"], str)
    for tool in payload.get("tools", ()):
        assert_understood(tool, SDKTool.model_validate(tool).model_dump(by_alias=True))
    options = {
        name: value for name, value in payload.get("options", {}).items() if name not in BEYOND_THE_SDK
    }
    assert_understood(options, SDKOptions.model_validate(options).model_dump())
