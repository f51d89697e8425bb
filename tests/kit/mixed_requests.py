"""Requests that mix all that the contract can say, to check payloads against the providers' own types."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from pydantic import ConfigDict, TypeAdapter, ValidationError

from turnout.config.sections import OnUnsupported
from turnout.config.settings import ProviderSettings
from turnout.providers.chat import ChatCompletion
from turnout.providers.dialect import Target
from turnout.providers.targets import resolve

Fields = dict[str, Any]

STRICT = ConfigDict(extra="forbid", strict=True)
"""For a TypeAdapter over an SDK's TypedDict, so that unknown keys are refused at every depth."""

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
"""A PNG of one pixel."""
PAPER = "JVBERi0xLjQKJcOkw7zDtsOfCg=="
"""The first bytes of a PDF."""

FUNCTION: Fields = {
    "name": "now",
    "description": "The time",
    "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]},
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "now", "arguments": '{"zone": "CET"}'}}
MARKED = {"type": "text", "text": "Look", "cache_control": {"type": "ephemeral"}}
TEXT = {"type": "text", "text": "Look"}
IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "low"}}
REMOTE = {"type": "image_url", "image_url": {"url": "https://pictures.example/cat.png"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "UklGRgAAAABXQVZF", "format": "wav"}}
FILE = {"type": "file", "file": {"file_data": PAPER, "filename": "paper.pdf"}}
FILE_URL = {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PAPER}"}}
NOTE = {"type": "file", "file": {"file_data": "data:text/plain;base64,SGVsbG8=", "filename": "note.txt"}}
UPLOAD = {"type": "file", "file": {"file_id": "file-1"}}
STRICT_SCHEMA = {
    "name": "a",
    "schema": {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 1}},
        "required": ["n"],
        "additionalProperties": False,
    },
    "strict": True,
}
LOOSE_SCHEMA = {"name": "a", "schema": {"type": "object"}, "description": "d"}

MESSAGES: list[list[Fields]] = [
    [{"role": "system", "content": "Be brief."}],
    [{"role": "developer", "content": [MARKED]}],
    [{"role": "user", "content": [MARKED, IMAGE]}],
    [{"role": "user", "content": [TEXT, REMOTE]}],
    [{"role": "user", "content": ""}],
    [{"role": "user", "name": "ann", "content": [SOUND]}],
    [{"role": "user", "content": [TEXT, FILE]}, {"role": "user", "content": [FILE_URL, NOTE]}],
    [{"role": "user", "content": [TEXT, UPLOAD]}],
    [{"role": "assistant", "content": "Hm", "reasoning": "Let me see", "name": "bot"}],
    [{"role": "assistant", "content": "One."}, {"role": "assistant", "content": [TEXT]}],
    [{"role": "assistant", "refusal": "No."}],
    [{"role": "assistant", "content": [TEXT, {"type": "refusal", "refusal": "No."}]}],
    [{"role": "assistant", "content": "x", "audio": {"id": "a"}}],
    [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [CALL],
            "reasoning": "Look it up",
            "reasoning_details": [{"type": "thinking", "signature": "s", "provider": "another"}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "9", "name": "now"},
    ],
    [
        {"role": "assistant", "content": "y", "tool_calls": [CALL, {**CALL, "id": "call:2/é"}]},
        {"role": "tool", "tool_call_id": "call:2/é", "content": [TEXT, IMAGE]},
        {"role": "tool", "tool_call_id": "call_1", "content": ""},
        {"role": "user", "content": "And?"},
    ],
    [
        {"role": "assistant", "content": "", "tool_calls": [{**CALL, "id": "call_9" * 20}]},
        {"role": "user", "content": "Wait"},
    ],
    [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_7", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_7", "content": "1"},
    ],
]
FEATURES: list[Fields] = [
    {"temperature": 0.5}, {"temperature": 1.7}, {"top_p": 0.9}, {"top_p": 1.0}, {"seed": 7}, {"n": 2},
    {"stop": ["a", "b"]}, {"stop": "a"}, {"stop": ["\n"]},
    {"max_tokens": 50}, {"max_completion_tokens": 5000}, {"max_completion_tokens": 500_000},
    {"presence_penalty": 0.1, "frequency_penalty": -0.1},
    {"logit_bias": {"50": 3}}, {"logprobs": True, "top_logprobs": 2}, {"logprobs": True},
    {"user": "u"}, {"safety_identifier": "s"},
    {"store": True, "metadata": {"a": "b"}}, {"metadata": {"team": "search"}},
    {"service_tier": "auto"}, {"service_tier": "default"},
    {"service_tier": "flex"}, {"service_tier": "priority"}, {"verbosity": "low"},
    {"prompt_cache_key": "k"},
    {"prediction": {"type": "content", "content": [{"type": "text", "text": "x"}]}},
    {"web_search_options": {"search_context_size": "low"}}, {"modalities": ["text"]},
    {"modalities": ["text", "audio"], "audio": {"format": "wav", "voice": "alloy"}},
    {"tools": [{"type": "function", "function": {**FUNCTION, "strict": True}}], "tool_choice": "required"},
    {"tools": [{"type": "function", "function": {"name": "f"}}], "parallel_tool_calls": False},
    {"tools": [{"type": "custom", "custom": {"name": "sql"}}, {"type": "function", "function": FUNCTION}]},
    {"tools": [{"type": "function", "function": FUNCTION, "cache_control": {"type": "ephemeral"}}],
     "tool_choice": {"type": "function", "function": {"name": "now"}}},
    {"tools": [{"type": "function", "function": FUNCTION}, {"type": "function", "function": {"name": "f"}}],
     "tool_choice": {"type": "allowed_tools", "allowed_tools": {
         "mode": "required", "tools": [{"type": "function", "function": {"name": "now"}}]}}},
    {"tools": [{"type": "function", "function": FUNCTION}], "tool_choice": "none"},
    {"tools": [{"type": "function", "function": FUNCTION}], "tool_choice": "auto",
     "parallel_tool_calls": True},
    {"tools": []},
    {"functions": [FUNCTION], "function_call": "auto"},
    {"response_format": {"type": "text"}}, {"response_format": {"type": "json_object"}},
    {"response_format": {"type": "json_schema", "json_schema": STRICT_SCHEMA}},
    {"response_format": {"type": "json_schema", "json_schema": LOOSE_SCHEMA}},
    {"enable_thinking": True}, {"enable_thinking": False},
    {"reasoning_effort": "none"}, {"reasoning_effort": "minimal"}, {"reasoning_effort": "low"},
    {"reasoning_effort": "medium"}, {"reasoning_effort": "xhigh"}, {"reasoning_effort": "max"},
    {"thinking_budget": 2048}, {"thinking_budget": 100, "reasoning_effort": "low"},
    {"thinking_budget": 100_000}, {"thinking_budget": 0},
    {"stream": True}, {"stream": True, "stream_options": {"include_usage": False}}, {"stream": False},
    {"top_k": 4, "min_p": 0.1, "repetition_penalty": 1.1},
    {"chat_template_kwargs": {"enable_thinking": True}},
    {"tags": {"team": "x"}, "enable_search": True},
]  # fmt: skip
_THINKING = {"enable_thinking", "reasoning_effort", "thinking_budget"}


def mixed_requests(count: int, seed: int) -> list[ChatCompletion]:
    """Requests that mix features and kinds of messages, every feature in many of them."""
    random = Random(seed)
    return [_request(random) for _ in range(count)]


def _request(random: Random) -> ChatCompletion:
    fields: Fields = {}
    for feature in random.sample(FEATURES, random.randint(1, 8)):
        if (
            not feature.keys() & fields.keys()
            and not {"functions", "tools"} <= feature.keys() | fields.keys()
        ):
            fields.update(feature)
    if "max_tokens" in fields:
        fields.pop("max_completion_tokens", None)
    said = sorted(_THINKING & fields.keys())
    if len(said) > 1:  # keep one of them, so that they cannot contradict each other
        for name in said[1:]:
            del fields[name]
    history = [message for group in random.sample(MESSAGES, random.randint(0, 4)) for message in group]
    return ChatCompletion.parse(
        {"model": "m", **fields, "messages": [*history, {"role": "user", "content": "Go"}]}
    )


def target_of(preset: str, model: str, *, on_unsupported: OnUnsupported = "drop", **settings: Any) -> Target:
    """A target that drops what its wire cannot say, so that every mixed request can be encoded."""
    given = {"preset": preset, "base_url": "https://host.example", "api_key": "k", **settings}
    target = resolve("p", ProviderSettings.model_validate(given), model, env={})
    return dataclasses.replace(target, on_unsupported=on_unsupported)


def read_through(value: Any) -> None:
    """Go through all of a validated value: pydantic checks an SDK's Iterable only while it is read."""
    if isinstance(value, Mapping):
        for item in value.values():
            read_through(item)
    elif value is not None and not isinstance(value, (str, int, float, bytes)):
        for item in value:
            read_through(item)


def check_typed(adapter: TypeAdapter[Any], payload: Fields) -> None:
    """Validate a payload against `list[an SDK's TypedDict]` with STRICT; fails with the payload in words."""
    try:
        read_through(adapter.validate_python([payload]))
    except ValidationError as error:
        pytest.fail(f"{json.dumps(payload)}\n{error}")


def assert_understood(payload: Any, understood: Any, path: str = "") -> None:
    """Everything in a payload must come out of the SDK's own model again."""
    if isinstance(payload, dict):
        for name, value in payload.items():
            assert name in understood, f"{path}.{name} is not known to the SDK"
            assert_understood(value, understood[name], f"{path}.{name}")
    elif isinstance(payload, list):
        assert len(payload) == len(understood), path
        for place, (item, other) in enumerate(zip(payload, understood, strict=True)):
            assert_understood(item, other, f"{path}[{place}]")
    else:
        assert payload == understood, path
