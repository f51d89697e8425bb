"""What is sent is what Ollama's own client would send: every payload fits the SDK's types, strictly."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mixed_requests import FUNCTION, PIXEL, mixed_requests, target_of
from oracles import check_payload

from turnout.providers.chat import ChatCompletion
from turnout.providers.dialects.ollama import OllamaDialect

Fields = dict[str, Any]
OLLAMA = OllamaDialect()


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
        check_payload("ollama", json.loads(OLLAMA.encode(request, target).body))


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
    check_payload("ollama", json.loads(wire.body))
