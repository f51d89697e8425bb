"""What is sent must be what google-genai's own types know, at every depth."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from google.genai import types
from mixed_requests import assert_understood, mixed_requests, target_of

from turnout.providers.chat import ChatCompletion
from turnout.providers.dialects.gemini import GeminiDialect

Fields = dict[str, Any]

ROWS = ("gemini", "vertex-express")
MODELS = (
    "gemini-2.0-flash", "gemini-2.5-pro", "gemini-2.5-flash", "gemini-3-flash-preview",
    "gemini-3.1-pro-preview", "gemini-3.8-flash", "gemini-4-neon", "gemma-3-27b-it",
)  # fmt: skip
OWN: list[Fields] = [
    {"safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]},
    {"cached_content": "cachedContents/x"},
    {"generationConfig": {"thinkingConfig": {"thinkingBudget": 5}, "topP": 0.1}},
    {"responseModalities": ["TEXT", "IMAGE"], "imageConfig": {"aspectRatio": "1:1"}},
    {"labels": {"team": "search"}},
    {"tools": [{"type": "google_search"}, {"type": "code_execution", "code_execution": {}}]},
    {"tools": [{"type": "url_context"}, {"type": "function", "function": {"name": "now"}}]},
]


def understood(model: Any, value: Any) -> None:
    """The value is what the SDK's model writes again."""
    again = model.model_validate(value).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert_understood(plain(value), plain(again))


def plain(value: Any) -> Any:
    """The value with base64 in its usual letters; the SDK writes those that are safe in URLs."""
    if isinstance(value, dict):
        return {name: letters(inner) if name == "data" else plain(inner) for name, inner in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def letters(data: str) -> str:
    return data.replace("-", "+").replace("_", "/")


def check(body: Fields) -> None:
    """Every part of a body is known to the SDK."""
    body = dict(body)
    assert body["contents"]
    for content in body.pop("contents"):
        assert content["parts"]
        understood(types.Content, content)
    image = body.get("generationConfig", {}).pop("imageConfig", None)
    understood(types.ImageConfig, image or {})
    single = {
        "systemInstruction": types.Content,
        "toolConfig": types.ToolConfig,
        "generationConfig": types.GenerationConfig,
    }
    for name, model in single.items():
        if name in body:
            understood(model, body.pop(name))
    for name, listed in (("tools", types.Tool), ("safetySettings", types.SafetySetting)):
        for value in body.pop(name, []):
            understood(listed, value)
    assert body.keys() <= {"cachedContent", "labels", "serviceTier", "store"}
    assert body.get("serviceTier", "flex") in {tier.value for tier in types.ServiceTier}


@pytest.mark.parametrize(("row", "model"), list(product(ROWS, MODELS)))
def test_mixed_requests_are_known_to_the_sdk(row: str, model: str) -> None:
    target, dialect = target_of(row, model), GeminiDialect()
    for number, request in enumerate(mixed_requests(70, seed=sum(map(ord, row + model)))):
        own = OWN[number % len(OWN)]
        if not own.keys() & request.model_fields_set:
            request = ChatCompletion.parse({**request.wire(), **own})
        check(json.loads(dialect.encode(request, target).body))
