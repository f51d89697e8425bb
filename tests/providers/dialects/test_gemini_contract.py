"""What is sent must be what google-genai's own types know, at every depth."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from mixed_requests import mixed_requests, target_of
from oracles import check_payload

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


@pytest.mark.parametrize(("row", "model"), list(product(ROWS, MODELS)))
def test_mixed_requests_are_known_to_the_sdk(row: str, model: str) -> None:
    target, dialect = target_of(row, model), GeminiDialect()
    for number, request in enumerate(mixed_requests(70, seed=sum(map(ord, row + model)))):
        own = OWN[number % len(OWN)]
        if not own.keys() & request.model_fields_set:
            request = ChatCompletion.parse({**request.wire(), **own})
        check_payload("gemini", json.loads(dialect.encode(request, target).body))
