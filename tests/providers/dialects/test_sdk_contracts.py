"""What we send is what the hosts' own SDKs could have sent: no unknown key, no wrong type."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from groq.types.chat.completion_create_params import CompletionCreateParams as GroqRequest
from mistralai.client.models import ChatCompletionRequest, ChatCompletionStreamRequest
from mixed_requests import STRICT, assert_understood, check_typed, target_of
from openai.types.chat import completion_create_params as openai_types
from pydantic import TypeAdapter

from turnout.providers.chat import ChatCompletion
from turnout.providers.dialects.openai_encoding import encode

Fields = dict[str, Any]

OPENAI = TypeAdapter(list[openai_types.CompletionCreateParamsNonStreaming], config=STRICT)
OPENAI_STREAM = TypeAdapter(list[openai_types.CompletionCreateParamsStreaming], config=STRICT)
GROQ = TypeAdapter(list[GroqRequest], config=STRICT)

FUNCTION: Fields = {
    "name": "now",
    "description": "The time",
    "parameters": {"type": "object", "properties": {}},
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "now", "arguments": "{}"}}
TEXT = {"type": "text", "text": "Look", "cache_control": {"type": "ephemeral"}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
SOUND = {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}
STRICT_SCHEMA = {"name": "a", "schema": {"type": "object"}, "strict": True}
LOOSE_SCHEMA = {"name": "a", "schema": {}, "description": "d"}
MESSAGES: list[list[Fields]] = [
    [{"role": "system", "content": "Be brief."}],
    [{"role": "developer", "content": [TEXT]}],
    [{"role": "user", "content": [TEXT, IMAGE]}],
    [{"role": "user", "name": "ann", "content": [SOUND]}],
    [{"role": "user", "content": [TEXT, {"type": "file", "file": {"file_id": "f1"}}]}],
    [{"role": "assistant", "content": "Hm", "reasoning": "Let me see", "name": "bot"}],
    [{"role": "assistant", "refusal": "No."}],
    [{"role": "assistant", "content": [TEXT, {"type": "refusal", "refusal": "No."}]}],
    [{"role": "assistant", "content": "x", "audio": {"id": "a"}}],
    [
        {"role": "assistant", "content": None, "tool_calls": [CALL], "reasoning": "Look it up",
         "reasoning_details": [{"type": "thinking", "signature": "s", "provider": "anthropic"}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "9", "name": "now"},
    ],
    [
        {"role": "assistant", "content": "y", "tool_calls": [CALL, {**CALL, "id": "call_2"}]},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "9"}]},
    ],
]  # fmt: skip
FEATURES: list[Fields] = [
    {"temperature": 0.5}, {"top_p": 0.9}, {"seed": 7}, {"n": 2}, {"stop": ["a", "b"]}, {"stop": "a"},
    {"max_tokens": 50}, {"max_completion_tokens": 50}, {"presence_penalty": 0.1, "frequency_penalty": -0.1},
    {"logit_bias": {"50": 3}}, {"logprobs": True, "top_logprobs": 2},
    {"user": "u"}, {"safety_identifier": "s"},
    {"store": True, "metadata": {"a": "b"}}, {"service_tier": "auto"},
    {"service_tier": "flex"}, {"verbosity": "low"},
    {"prompt_cache_key": "k"},
    {"prediction": {"type": "content", "content": [{"type": "text", "text": "x"}]}},
    {"web_search_options": {"search_context_size": "low"}}, {"modalities": ["text"]},
    {"modalities": ["text", "audio"], "audio": {"format": "wav", "voice": "alloy"}},
    {"tools": [{"type": "function", "function": {**FUNCTION, "strict": True}}], "tool_choice": "required"},
    {"tools": [{"type": "function", "function": {"name": "f"}}], "parallel_tool_calls": False},
    {"tools": [{"type": "custom", "custom": {"name": "sql"}}, {"type": "function", "function": FUNCTION}]},
    {"tools": [{"type": "function", "function": FUNCTION}],
     "tool_choice": {"type": "function", "function": {"name": "now"}}},
    {"tools": [{"type": "function", "function": FUNCTION}], "tool_choice": "none"},
    {"tools": []},
    {"functions": [FUNCTION], "function_call": "auto"},
    {"response_format": {"type": "text"}}, {"response_format": {"type": "json_object"}},
    {"response_format": {"type": "json_schema", "json_schema": STRICT_SCHEMA}},
    {"response_format": {"type": "json_schema", "json_schema": LOOSE_SCHEMA}},
    {"enable_thinking": True}, {"enable_thinking": False},
    {"reasoning_effort": "none"}, {"reasoning_effort": "minimal"},
    {"reasoning_effort": "medium"}, {"reasoning_effort": "max"}, {"thinking_budget": 2048},
    {"thinking_budget": 100, "reasoning_effort": "low"},
    {"stream": True}, {"stream": True, "stream_options": {"include_usage": False}}, {"stream": False},
    {"top_k": 4, "min_p": 0.1, "repetition_penalty": 1.1},
    {"chat_template_kwargs": {"enable_thinking": True}},
    {"tags": {"team": "x"}, "enable_search": True},
]  # fmt: skip


def requests(count: int, seed: int) -> list[ChatCompletion]:
    """Requests that mix features and kinds of messages, every feature in many of them."""
    random = Random(seed)
    made: list[ChatCompletion] = []
    while len(made) < count:
        fields: Fields = {}
        for feature in random.sample(FEATURES, random.randint(1, 8)):
            if (
                not feature.keys() & fields.keys()
                and not {"functions", "tools"} <= feature.keys() | fields.keys()
            ):
                fields.update(feature)
        thinking = {"enable_thinking", "reasoning_effort", "thinking_budget"}
        for name in sorted(thinking & fields.keys())[1:]:
            if fields.get("enable_thinking") is not None or fields.get("reasoning_effort") == "none":
                del fields[name]
        history = [message for group in random.sample(MESSAGES, random.randint(0, 3)) for message in group]
        made.append(
            ChatCompletion.parse(
                {"model": "m", **fields, "messages": [*history, {"role": "user", "content": "Go"}]}
            )
        )
    return made


@pytest.mark.parametrize("preset", ["openai", "azure"])
@pytest.mark.parametrize("model", ["gpt-4o", "o3", "gpt-5-mini", "gpt-5.1", "gpt-5.5", "gpt-6-astra"])
def test_openai(preset: str, model: str) -> None:
    for request in requests(250, seed=1):
        payload = json.loads(encode(request, target_of(preset, model)).body)
        check_typed(OPENAI_STREAM if payload.get("stream") else OPENAI, payload)


@pytest.mark.parametrize(
    "model", ["llama-3.3-70b-versatile", "qwen/qwen3-32b", "qwen/qwen3.8-27b", "openai/gpt-oss-20b"]
)
def test_groq(model: str) -> None:
    for request in requests(250, seed=2):
        check_typed(GROQ, json.loads(encode(request, target_of("groq", model)).body))


@pytest.mark.parametrize("model", ["mistral-large-latest", "mistral-medium-latest", "magistral-small"])
def test_mistral(model: str) -> None:
    for request in requests(250, seed=3):
        payload = json.loads(encode(request, target_of("mistral", model)).body)
        sdk = ChatCompletionStreamRequest if payload.get("stream") else ChatCompletionRequest
        understood = sdk.model_validate(payload).model_dump(mode="json", by_alias=True)
        assert_understood(payload, understood)


@pytest.mark.parametrize(
    "wrong",
    [{"top_k": 4}, {"messages": [{"role": "user", "content": "x", "mood": 1}]}, {"temperature": "hot"},
     {"tools": [{"type": "function", "function": {"name": "f", "color": 1}}]}],
    ids=str,
)  # fmt: skip
def test_the_check_itself_is_strict(wrong: Fields) -> None:
    payload: Fields = {"model": "m", "messages": [{"role": "user", "content": "x"}], **wrong}
    for adapter in (OPENAI, GROQ):
        with pytest.raises(pytest.fail.Exception):
            check_typed(adapter, payload)


def test_the_check_against_a_model_is_strict_too() -> None:
    payload: Fields = {"model": "m", "messages": [{"role": "user", "content": "x", "mood": 1}]}
    understood = ChatCompletionRequest.model_validate(payload).model_dump(mode="json", by_alias=True)
    with pytest.raises(AssertionError, match="mood is not known"):
        assert_understood(payload, understood)
