"""What a request accepts beyond OpenAI's own shape, and what it makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from turnout.providers.chat import (
    ChatCompletion,
    ChatResponse,
    ImagePart,
    ImageURL,
    Message,
    NamedToolChoice,
    TextPart,
    ToolCall,
    UnknownPart,
)

HELLO = {"role": "user", "content": "Hello"}
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


def parse(**fields: Any) -> ChatCompletion:
    return ChatCompletion.parse({"model": "m", "messages": [HELLO], **fields})


def test_only_what_was_set_is_written() -> None:
    assert parse(temperature=0, n=None).wire() == {"model": "m", "messages": [HELLO], "temperature": 0}


def test_unknown_fields_are_written_as_given() -> None:
    extra = {"top_k": 20, "chat_template_kwargs": {"enable_thinking": False}, "empty": None}
    assert parse(**extra).wire() == {"model": "m", "messages": [HELLO], **extra}
    assert parse(**extra).model_extra == extra


def test_a_request_does_not_change_what_it_was_made_of() -> None:
    call = {"role": "assistant", "function_call": {"name": "f"}}
    given = {"model": "m", "messages": [HELLO, call, {"role": "function", "name": "f", "content": None}]}
    before = repr(given)
    ChatCompletion.parse(given)
    assert repr(given) == before


def test_a_request_cannot_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        parse().temperature = 1


@pytest.mark.parametrize(
    ("given", "limit"),
    [
        ({}, None),
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6}, 6),
        ({"max_tokens": 7, "max_completion_tokens": 7}, 7),
    ],
)
def test_either_name_limits_the_answer(given: dict[str, int], limit: int | None) -> None:
    assert parse(**given).max_output_tokens == limit


@pytest.mark.parametrize("kind", ["text", "json_object"])
def test_the_nested_spelling_of_a_response_format(kind: str) -> None:
    assert parse(response_format={"response_format": kind}).wire()["response_format"] == {"type": kind}


def test_a_json_schema_keeps_its_name_on_the_wire() -> None:
    wanted = {
        "type": "json_schema",
        "json_schema": {"name": "city", "schema": {"type": "object"}, "strict": True},
    }
    request = parse(response_format=wanted)
    assert request.wire()["response_format"] == wanted
    assert request.response_format is not None
    assert request.response_format.json_schema is not None
    assert request.response_format.json_schema.schema_ == {"type": "object"}


def test_token_ids_may_be_numbers() -> None:
    assert parse(logit_bias={50256: -100, "11": 0.5}).wire()["logit_bias"] == {"50256": -100, "11": 0.5}


@pytest.mark.parametrize("stop", ["END", ["a", "b", "c", "d"], []])
def test_one_stop_or_several(stop: Any) -> None:
    assert parse(stop=stop).wire()["stop"] == stop


@pytest.mark.parametrize(
    "choice",
    ["none", "auto", "required", {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}],
)
def test_tool_choices_are_kept(choice: Any) -> None:
    assert parse(tool_choice=choice).wire()["tool_choice"] == choice


def test_custom_tools_are_kept() -> None:
    tool = {"type": "custom", "custom": {"name": "grep", "format": {"type": "text"}}}
    call = {"id": "c1", "type": "custom", "custom": {"name": "grep", "input": "TODO"}}
    history = [HELLO, {"role": "assistant", "content": None, "tool_calls": [call]}]
    request = parse(tools=[tool], messages=history)
    assert request.wire()["tools"] == [tool]
    assert request.wire()["messages"] == history


def test_parts_are_told_apart_by_their_type() -> None:
    content = [
        {"type": "text", "text": "What is this?", "cache_control": {"type": "ephemeral"}},
        {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "low"}},
        {"type": "video_url", "video_url": {"url": "https://x.example/a.mp4"}},
    ]
    request = parse(messages=[{"role": "user", "content": content}])
    parts = request.messages[0].content
    assert isinstance(parts, list)
    assert [type(part) for part in parts] == [TextPart, ImagePart, UnknownPart]
    assert request.wire()["messages"][0]["content"] == content


def test_messages_can_be_written_as_python() -> None:
    call = ToolCall.model_validate(CALL)
    request = ChatCompletion(
        model="m",
        messages=[
            Message.system("Be brief."),
            Message.developer("And kind."),
            Message.user(
                [
                    TextPart(text="What is "),
                    ImagePart(image_url=ImageURL(url="data:,")),
                    {"type": "text", "text": "this?"},
                ]
            ),
            Message.assistant(tool_calls=[call]),
            Message.tool("c1", "A cat."),
            Message.assistant("A cat."),
        ],
    )
    assert [message.role for message in request.messages] == [
        "system", "developer", "user", "assistant", "tool", "assistant",
    ]  # fmt: skip
    assert [message.text for message in request.messages] == [
        "Be brief.", "And kind.", "What is this?", "", "A cat.", "A cat.",
    ]  # fmt: skip
    assert ChatCompletion.parse(request.wire()) == request


@pytest.mark.parametrize(
    ("given", "name", "arguments"),
    [
        ("look", "look", "{}"),
        ('{"name": "look", "arguments": "{\\"at\\": 1}"}', "look", '{"at": 1}'),
        ('{"name": "look", "arguments": {"at": 1}}', "look", '{"at": 1}'),
        ('{"name": "look"}', "look", ""),
        ("{not json", "{not json", "{}"),
        ('{"at": 1}', '{"at": 1}', "{}"),
        ({"name": "look", "arguments": {"at": 1}}, "look", '{"at": 1}'),
        ({"name": "look", "arguments": None}, "look", ""),
    ],
)
def test_a_call_may_be_bare_text(given: Any, name: str, arguments: str) -> None:
    call = ToolCall.model_validate({"id": "c1", "function": given})
    assert call.type == "function"
    assert (call.name, call.arguments) == (name, arguments)


def test_any_call_has_a_name_and_arguments() -> None:
    custom = ToolCall.model_validate({"id": "c", "type": "custom", "custom": {"name": "grep", "input": "x"}})
    assert (custom.name, custom.arguments) == ("grep", "x")
    assert (ToolCall(id="c", type="other").name, ToolCall(id="c", type="other").arguments) == ("", "")


class TestDeprecatedFunctions:
    """`functions`, `function_call` and role `function` become tools."""

    def test_functions_become_tools(self) -> None:
        function = {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}
        request = parse(functions=[function], function_call={"name": "look"})
        assert request.wire() == {
            "model": "m",
            "messages": [HELLO],
            "tools": [{"type": "function", "function": function}],
            "tool_choice": {"type": "function", "function": {"name": "look"}},
        }
        assert request.functions is None
        assert request.function_call is None
        assert isinstance(request.tool_choice, NamedToolChoice)

    @pytest.mark.parametrize("word", ["none", "auto"])
    def test_words_stay_words(self, word: str) -> None:
        assert parse(functions=[], function_call=word).wire()["tool_choice"] == word

    def test_calls_and_answers_get_ids_that_match(self) -> None:
        request = parse(
            messages=[
                HELLO,
                {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": "{}"}},
                {"role": "function", "name": "look", "content": "Rain."},
                {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": "{}"}},
                {"role": "function", "name": "look", "content": None},
            ]
        )
        assert request.wire()["messages"] == [
            HELLO,
            {"role": "assistant", "content": None, "tool_calls": [{**CALL, "id": "call_1"}]},
            {"role": "tool", "name": "look", "tool_call_id": "call_1", "content": "Rain."},
            {"role": "assistant", "content": None, "tool_calls": [{**CALL, "id": "call_3"}]},
            {"role": "tool", "name": "look", "tool_call_id": "call_3", "content": ""},
        ]

    def test_new_ids_avoid_those_in_use(self) -> None:
        request = parse(
            messages=[
                {"role": "assistant", "function_call": {"name": "look"}},
                {"role": "function", "name": "look", "content": "Rain."},
                {"role": "assistant", "tool_calls": [{**CALL, "id": "call_0"}]},
                {"role": "tool", "tool_call_id": "call_0", "content": "Sun."},
            ]
        )
        assert [message.tool_call_id for message in request.messages] == [None, "call_0_", None, "call_0"]

    def test_both_forms_of_one_call_are_one_call(self) -> None:
        request = parse(
            messages=[
                {"role": "assistant", "tool_calls": [CALL], "function_call": CALL["function"]},
                {"role": "function", "name": "look", "content": "Rain."},
            ]
        )
        assert request.messages[0].tool_calls == [ToolCall.model_validate(CALL)]
        assert request.messages[1].tool_call_id == "c1"

    def test_a_request_given_as_python_is_turned_too(self) -> None:
        request = ChatCompletion(
            model="m",
            messages=[
                Message(role="assistant", function_call="look"),  # type: ignore[arg-type]
                Message(role="function", name="look", content="Rain."),
            ],
        )
        assert [message.role for message in request.messages] == ["assistant", "tool"]


def test_an_answer_goes_back_into_the_conversation() -> None:
    answer = ChatResponse.model_validate(
        {
            "choices": [
                {
                    "message": {
                        "content": None,
                        "refusal": None,
                        "reasoning": "Let me look.",
                        "annotations": [],
                        "tool_calls": [CALL],
                        "audio": {"id": "a1", "data": "AA==", "transcript": "hm"},
                    }
                }
            ]
        }
    )
    request = parse(messages=[HELLO, answer.message, Message.tool("c1", "Rain.")])
    assert request.wire()["messages"][1] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [CALL],
        "audio": {"id": "a1"},
        "reasoning": "Let me look.",
    }


def test_an_empty_answer_goes_back_as_empty_text() -> None:
    request = parse(messages=[HELLO, ChatResponse().message, HELLO])
    assert request.messages[1].content == ""
