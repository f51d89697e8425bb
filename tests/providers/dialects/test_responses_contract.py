"""What we send is what OpenAI's own SDK could have sent: no unknown key, none missing, no wrong type."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from mixed_requests import mixed_requests, target_of
from oracles import check_payload

from turnout.providers.chat import ChatCompletion
from turnout.providers.dialects import dialect

RESPONSES = dialect("responses")
MODELS = (
    "gpt-4o", "o3-pro", "gpt-5-mini", "gpt-5.1", "gpt-5.4", "gpt-5.5", "gpt-5.6-sol", "gpt-6-astra",
    "o4-mini-deep-research",
)  # fmt: skip
OWN: list[dict[str, Any]] = [
    {},
    {"reasoning": {"summary": "detailed", "context": "all_turns"}},
    {"reasoning": {"summary": None}},
    {"include": ["web_search_call.results"]},
    {"max_tool_calls": 4},
    {"prompt_cache_options": {"mode": "explicit", "ttl": "12h"}, "prompt_cache_retention": "24h"},
    {"moderation": {"model": "m"}},
]
"""The wire's own fields, which a request carries as extras."""
REPLAYED: list[dict[str, Any]] = [
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA1", "status": "completed"},
    {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "q"},
    },
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "phase": "final_answer",
        "content": [{"type": "output_text", "text": "Nine.", "annotations": [], "logprobs": []}],
    },
]


@pytest.mark.parametrize("preset", ["openai-responses", "azure-responses"])
@pytest.mark.parametrize("model", MODELS)
def test_mixed_requests(preset: str, model: str) -> None:
    random = Random(model)
    target = target_of(preset, model)
    for request in mixed_requests(40, seed=MODELS.index(model)):
        mixed = ChatCompletion.parse({**request.wire(), **random.choice(OWN)})
        body = json.loads(RESPONSES.encode(mixed, target).body)
        check_payload("responses", body)
        assert body["store"] == (mixed.store is True)


@pytest.mark.parametrize("model", MODELS)
def test_replayed_answers(model: str) -> None:
    target = target_of("openai-responses", model)
    hi = {"role": "user", "content": "Hi"}
    answer = json.dumps({"id": "resp_1", "status": "completed", "output": REPLAYED}).encode()
    request = ChatCompletion.parse({"model": "x", "messages": [hi]})
    message = RESPONSES.decode(answer, request, target).choices[0].message.as_message()
    again = ChatCompletion.parse({"model": "x", "messages": [hi, message, hi]})
    body = json.loads(RESPONSES.encode(again, target).body)
    check_payload("responses", body)
    assert [item.get("id") for item in body["input"]] == [None, "rs_1", "ws_1", "msg_1", None]
