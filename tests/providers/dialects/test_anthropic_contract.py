"""What we send to Anthropic is what its own SDK could have sent: no unknown key, no wrong type."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from mixed_requests import mixed_requests, target_of
from oracles import check_payload

from turnout.providers.chat import ChatCompletion
from turnout.providers.dialects import dialect
from turnout.providers.dialects.keeping import keep

Fields = dict[str, Any]

MODELS = [
    "claude-3-5-haiku-20241022", "claude-3-7-sonnet-20250219", "claude-opus-4-20250514", "claude-opus-4-1",
    "claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-5", "claude-opus-4-6", "claude-sonnet-4-6",
    "claude-opus-4-7", "claude-opus-4-8", "claude-sonnet-5", "claude-opus-5", "claude-haiku-5-5",
    "claude-sonnet-5-5", "claude-opus-5-5", "claude-fable-5", "claude-mythos-5-2", "claude-newest-9",
    "other-1",
]  # fmt: skip
EACH = 40
OWN: list[Fields] = [
    {"top_k": 5, "temperature": 0.4, "top_p": 0.9},
    {"thinking": {"type": "adaptive", "display": "omitted"}},
    {"thinking": {"type": "enabled", "budget_tokens": 2000}, "max_tokens": 4000},
    {"output_config": {"effort": "max"}},
    {"cache_control": {"type": "ephemeral", "ttl": "1h"}},
    {"container": "c_1", "inference_geo": "eu", "anthropic_beta": ["context-1m-2025-08-07"]},
    {"metadata": {"user_id": "u-1", "team": "t"}},
    {"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]},
    {"tools": [{"type": "web_search_20260209", "name": "web_search", "max_uses": 2}],
     "web_search_options": {}},
    {"web_search_options": {"user_location": {"type": "approximate", "approximate": {"city": "Oslo"}},
                            "filters": {"allowed_domains": ["fjord.example"]}}},
]  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
def test_payloads_are_what_the_sdk_could_send(model: str) -> None:
    target, random = target_of("anthropic", model), Random(model)
    own = [
        keep(target, "anthropic", "thinking", 0, {"type": "thinking", "thinking": "Hm", "signature": "s"}),
        keep(target, "anthropic", "server", 1, {"type": "server_tool_use", "id": "srvtoolu_1",
                                                "name": "web_search", "input": {"query": "q"}}),
    ]  # fmt: skip
    for number, request in enumerate(mixed_requests(EACH, MODELS.index(model))):
        fields = request.wire()
        if number % 2:
            extra = random.choice(OWN)
            thinking = {"enable_thinking", "reasoning_effort", "thinking_budget"}
            fields = {name: value for name, value in fields.items() if name not in thinking} | extra
            if "max_tokens" in extra:
                fields.pop("max_completion_tokens", None)
            if "tools" in extra:
                fields.pop("tool_choice", None)
            for message in fields["messages"]:
                if message["role"] == "assistant" and random.random() < 0.5:
                    message["reasoning_details"] = own
        sent = dialect("anthropic").encode(ChatCompletion.parse(fields), target)
        payload = json.loads(sent.body)
        assert payload.get("stream", False) == sent.stream
        check_payload("anthropic", payload)
