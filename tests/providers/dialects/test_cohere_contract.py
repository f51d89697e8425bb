"""What we send to Cohere is what its own SDK could have sent: no unknown key, none missing, no wrong type."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from mixed_requests import PIXEL, mixed_requests, target_of
from oracles import check_payload
from oracles.cohere import BODY
from pydantic import ValidationError

from turnout.providers.chat import ChatCompletion
from turnout.providers.dialects import dialect

COHERE = dialect("cohere")
MODELS = (
    "command-a-plus-05-2026",
    "command-a-reasoning-08-2025",
    "command-a-03-2025",
    "command-a-vision-07-2025",
    "command-r7b-12-2024",
    "command-r-08-2024",
    "north-mini-code-1-0",
    "a-model-of-tomorrow",
)
OWN: list[dict[str, Any]] = [
    {},
    {"documents": ["Oslo is cold.", {"id": "d1", "data": {"text": "Bergen is wet."}}]},
    {"citation_options": {"mode": "FAST"}},
    {"safety_mode": "STRICT", "priority": 3},
    {"top_k": 900},
    {"thinking": {"type": "enabled", "token_budget": 77}},
    {"strict_tools": True},
]
"""Fields of Cohere's own, as extras of a request."""


def own_history(model: str) -> list[dict[str, Any]]:
    """A conversation whose earlier answers came from this very model."""

    def kept(kind: str, index: int, block: dict[str, str]) -> dict[str, Any]:
        return {
            "type": f"cohere.{kind}",
            "provider": "p",
            "model": model,
            "index": index,
            "block": block,
        }

    return [
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": "Hm. ",
            "reasoning": "thinking",
            "reasoning_details": [
                kept("thinking", 0, {"type": "thinking", "thinking": "Let me see"}),
                kept("tool_plan", 2, {"tool_plan": "I will look."}),
            ],
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "get-it", "arguments": "{}"}}
            ],
        },
        {
            "role": "tool",
            "tool_call_id": "c",
            "content": [{"type": "document", "document": {"data": {"a": 1}}}],
        },
    ]


def payload_of(request: ChatCompletion, model: str) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(COHERE.encode(request, target_of("cohere", model)).body)
    return sent


@pytest.mark.parametrize("model", MODELS)
def test_mixed_requests_are_what_the_sdk_could_send(model: str) -> None:
    random = Random(model)
    for request in mixed_requests(130, seed=MODELS.index(model)):
        mixed = ChatCompletion.parse({**request.wire(), **random.choice(OWN)})
        check_payload("cohere", payload_of(mixed, model))


@pytest.mark.parametrize("model", MODELS)
def test_its_own_answers_go_back_in_its_own_types(model: str) -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "high"}}
    for own in OWN:
        last = {"role": "user", "content": [{"type": "text", "text": "And?"}, image]}
        request = ChatCompletion.parse({"model": "m", "messages": [*own_history(model), last], **own})
        payload = payload_of(request, model)
        check_payload("cohere", payload)
        answer = payload["messages"][1]
        assert answer["content"][0] == {"type": "thinking", "thinking": "Let me see"}
        assert answer["tool_plan"] == "I will look."


@pytest.mark.parametrize(
    "wrong",
    [
        {"top_p": 0.5},
        {"tool_choice": "auto"},
        {"thinking": {"token_budget": 5}},
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]},
        {"messages": [{"role": "tool", "content": "no id"}]},
        {"messages": [{"role": "user", "content": "x", "name": "ann"}]},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"max_tokens": 1.5},
    ],
)
def test_the_check_is_strict(wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {"model": "m", "stream": False, "messages": [{"role": "user", "content": "x"}]}
    BODY.model_validate(right)
    with pytest.raises(ValidationError):
        BODY.model_validate(right | wrong)
