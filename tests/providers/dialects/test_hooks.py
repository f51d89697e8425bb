"""What no row of data can say: the named hooks, each on the host that lists it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.sections import OnUnsupported
from turnout.config.settings import ProviderSettings
from turnout.providers.chat import ChatCompletion
from turnout.providers.dialect import Target
from turnout.providers.dialects.hooks import short_id
from turnout.providers.dialects.openai_encoding import encode
from turnout.providers.errors import UnsupportedError
from turnout.providers.targets import resolve

Fields = dict[str, Any]
TOOL = {"type": "function", "function": {"name": "now"}}
USER = {"role": "user", "content": "Hi"}


def target(preset: str, model: str = "m", on_unsupported: OnUnsupported = "refuse") -> Target:
    made = resolve("p", ProviderSettings.model_validate({"preset": preset, "api_key": "k"}), model, env={})
    return Target(
        **{name: getattr(made, name) for name in made.__slots__} | {"on_unsupported": on_unsupported}
    )


def sent(to: Target, **fields: Any) -> tuple[Fields, dict[str, str]]:
    wire = encode(ChatCompletion.parse({"model": "m", "messages": [USER], **fields}), to)
    return json.loads(wire.body), {change.field: change.action for change in wire.adaptations}


def called(*ids: str) -> list[Fields]:
    """A user's question, the calls it led to, and their results."""
    calls = [{"id": name, "type": "function", "function": {"name": "now", "arguments": "{}"}} for name in ids]
    results = [{"role": "tool", "tool_call_id": name, "content": "9"} for name in ids]
    return [USER, {"role": "assistant", "tool_calls": calls}, *results]


def test_mistral_gets_short_tool_ids_that_still_match() -> None:
    payload, changes = sent(target("mistral"), messages=called("call_abc", "AbCdEf123"))
    assistant, first, second = payload["messages"][1:]
    short = assistant["tool_calls"][0]["id"]
    assert re.fullmatch("[A-Za-z0-9]{9}", short)
    assert first["tool_call_id"] == short
    assert assistant["tool_calls"][1]["id"] == second["tool_call_id"] == "AbCdEf123"
    assert changes == {"messages[1].tool_calls[0].id": "renamed", "messages[2].tool_call_id": "renamed"}


@given(st.text(), st.text())
def test_short_ids_are_stable_and_their_own(one: str, other: str) -> None:
    assert re.fullmatch("[A-Za-z0-9]{9}", short_id(one))
    assert (short_id(one) == short_id(other)) is (one == other)


def test_mistral_gets_an_assistant_message_between_a_tools_and_a_users() -> None:
    payload, changes = sent(target("mistral"), messages=[*called("AbCdEf123"), USER, USER])
    assert [message["role"] for message in payload["messages"]] == [
        "user", "assistant", "tool", "assistant", "user", "user",
    ]  # fmt: skip
    assert changes == {"messages[3]": "emulated"}


def test_mistrals_parts() -> None:
    parts = [
        {"type": "text", "text": "Listen"},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "file", "file": {"file_id": "f1", "filename": "a.pdf"}},
        {"type": "document_url", "document_url": "https://x.example/a.pdf"},
    ]
    payload, changes = sent(target("mistral"), messages=[{"role": "user", "content": parts}])
    assert payload["messages"][0]["content"] == [
        parts[0],
        {"type": "input_audio", "input_audio": "AAAA"},
        {"type": "file", "file_id": "f1"},
        parts[3],
    ]
    assert changes == {}


def test_mistral_takes_no_files_by_value() -> None:
    parts = [{"type": "file", "file": {"file_data": "AAAA", "filename": "a.pdf"}}]
    with pytest.raises(UnsupportedError, match="files are taken by file_id only"):
        sent(target("mistral"), messages=[{"role": "user", "content": parts}])
    payload, changes = sent(
        target("mistral", on_unsupported="drop"), messages=[{"role": "user", "content": parts}]
    )
    assert (payload["messages"][0]["content"], changes) == ("", {"messages[0].content[0].file": "dropped"})


def test_mistrals_prediction_is_text() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    payload, _ = sent(target("mistral"), prediction={"type": "content", "content": parts})
    assert payload["prediction"]["content"] == "ab"


def test_mistrals_functions_have_parameters_and_its_formats_a_schema() -> None:
    payload, _ = sent(
        target("mistral"), tools=[TOOL], response_format={"type": "json_schema", "json_schema": {"name": "a"}}
    )
    assert payload["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {}}
    assert payload["response_format"]["json_schema"]["schema"] == {"type": "object"}


def test_zai_streams_tool_arguments_only_when_asked() -> None:
    assert sent(target("zai"), tools=[TOOL], stream=True)[0]["tool_stream"] is True
    assert sent(target("zai"), tools=[TOOL], stream=True, tool_stream=False)[0]["tool_stream"] is False
    assert "tool_stream" not in sent(target("zai"), tools=[TOOL])[0]
    assert "tool_stream" not in sent(target("zai"), stream=True)[0]


def test_groq_gets_one_word_about_the_form_of_reasoning() -> None:
    qwen = target("groq", "qwen/qwen3-32b")
    assert sent(qwen)[0]["reasoning_format"] == "parsed"
    assert sent(qwen, reasoning_format="hidden")[0]["reasoning_format"] == "hidden"
    payload, _ = sent(qwen, include_reasoning=False)
    assert ("reasoning_format" in payload, payload["include_reasoning"]) == (False, False)
    assert "reasoning_format" not in sent(target("groq", "llama-3.3"))[0]


@pytest.mark.parametrize("beside", [{"stream": True}, {"tools": [TOOL]}], ids=["stream", "tools"])
def test_groqs_schema_stands_alone(beside: Fields) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}
    assert sent(target("groq"), response_format=schema)[0]["response_format"] == schema
    with pytest.raises(UnsupportedError, match="neither with streaming nor with tools"):
        sent(target("groq"), response_format=schema, **beside)
    payload, changes = sent(target("groq", on_unsupported="drop"), response_format=schema, **beside)
    assert ("response_format" in payload, changes) == (False, {"response_format": "dropped"})


@pytest.mark.parametrize(
    ("fields", "number"),
    [
        ({"logprobs": True}, 1),
        ({"logprobs": True, "top_logprobs": 4}, 4),
        ({"logprobs": False}, None),
        ({}, None),
    ],
)
def test_togethers_logprobs_are_a_number(fields: Fields, number: int | None) -> None:
    payload, _ = sent(target("together"), **fields)
    assert payload.get("logprobs") == number
    assert "top_logprobs" not in payload
