"""What is sent is what Ollama's own client would send: every payload fits the SDK's types, strictly."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mixed_requests import FUNCTION, PIXEL, assert_understood, mixed_requests, target_of
from ollama._types import ChatRequest as SDKRequest
from ollama._types import Message as SDKMessage
from ollama._types import Options as SDKOptions
from ollama._types import Tool as SDKTool
from pydantic import BaseModel, ConfigDict

from turnout.providers.chat import ChatCompletion
from turnout.providers.dialects.ollama import OllamaDialect

Fields = dict[str, Any]
OLLAMA = OllamaDialect()

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


def check(payload: Fields) -> None:
    """The payload goes through the SDK's types and comes out again whole."""
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


@pytest.mark.parametrize(
    ("preset", "model"),
    [
        ("ollama-native", "qwen3:8b"),
        ("ollama-native", "gpt-oss:20b"),
        ("ollama-native", "llama3.2"),
        ("ollama-native", "house/own-model"),
        ("ollama-cloud", "deepseek-v4-pro"),
    ],
)
def test_mixed_requests_fit_the_sdk(preset: str, model: str) -> None:
    target = target_of(preset, model)
    for request in mixed_requests(160, seed=sum(model.encode())):
        check(json.loads(OLLAMA.encode(request, target).body))


OWN: list[Fields] = [
    {"keep_alive": "5m"}, {"keep_alive": -1}, {"keep_alive": 0.5},
    {"think": "low"}, {"think": False}, {"format": "json"}, {"format": {"type": "object"}},
    {"options": {"num_ctx": 8192, "num_gpu": 1}}, {"num_ctx": 4096, "top_k": 3, "typical_p": 0.5},
    {"repeat_last_n": 64, "num_keep": 5, "num_thread": 2, "use_mmap": True, "main_gpu": 0, "num_batch": 8},
    {"draft_num_predict": 4},
    {"logprobs": True, "top_logprobs": 20},
    {"tools": [{"type": "function", "function": {**FUNCTION, "parameters": {
        "type": "object", "$defs": {"a": {"type": "string"}}, "required": ["x"],
        "properties": {"x": {"type": ["string", "null"], "enum": ["a", None], "description": "d"}}}}}]},
    {"messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}] * 3}]},
]  # fmt: skip


@pytest.mark.parametrize("own", OWN, ids=str)
def test_the_wires_own_features_fit_the_sdk(own: Fields) -> None:
    request = ChatCompletion.parse({"model": "m", "messages": [{"role": "user", "content": "Hi"}], **own})
    wire = OLLAMA.encode(request, target_of("ollama-native", "qwen3:8b", on_unsupported="refuse"))
    assert wire.adaptations == ()
    check(json.loads(wire.body))
