"""Requests in Cohere's words, rule by rule."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mixed_requests import target_of

from turnout.providers.chat import ChatCompletion, ChatResponse
from turnout.providers.dialect import WireRequest
from turnout.providers.dialects import dialect
from turnout.providers.errors import MalformedResponseError, UnsupportedError

COHERE = dialect("cohere")
PLAIN, THINKER = "command-a-03-2025", "command-a-reasoning-08-2025"
OLD, SEER = "command-r-08-2024", "command-a-vision-07-2025"
HI = [{"role": "user", "content": "Hi"}]
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
FORM = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}
LIST = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "array"}}}
DOCUMENTS = ["Oslo is cold."]


def tool(name: str = "now", **function: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **function}}


def encoded(model: str = PLAIN, *, drop: bool = False, **fields: Any) -> WireRequest:
    target = target_of("cohere", model, on_unsupported="drop" if drop else "refuse")
    return COHERE.encode(ChatCompletion.parse({"model": "m", "messages": HI, **fields}), target)


def body(model: str = PLAIN, *, drop: bool = False, **fields: Any) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(encoded(model, drop=drop, **fields).body)
    return sent


def reported(model: str = PLAIN, **fields: Any) -> dict[str, str]:
    return {one.field: one.action for one in encoded(model, drop=True, **fields).adaptations}


def refused(model: str = PLAIN, **fields: Any) -> str:
    with pytest.raises(UnsupportedError) as caught:
        encoded(model, **fields)
    return caught.value.field


def test_where_it_goes() -> None:
    wire = encoded()
    assert wire.url == "https://host.example/v2/chat"
    assert wire.headers["authorization"] == "Bearer k"
    assert json.loads(wire.body) == {"model": PLAIN, "messages": HI, "stream": False}
    assert not wire.adaptations


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"temperature": 0.5}, {"temperature": 0.5}),
        ({"temperature": 1.7}, {"temperature": 1}),
        ({"top_p": 1}, {"p": 0.99}),
        ({"top_p": 0}, {"p": 0.01}),
        ({"top_k": 900}, {"k": 500}),
        ({"frequency_penalty": -1}, {}),
        ({"frequency_penalty": 2}, {"frequency_penalty": 1}),
        ({"presence_penalty": 0.5}, {"presence_penalty": 0.5}),
        ({"frequency_penalty": 0.1, "presence_penalty": 0.2}, {"frequency_penalty": 0.1}),
        ({"seed": 7}, {"seed": 7}),
        ({"seed": -1}, {"seed": 2**63 - 1}),
        ({"logprobs": True}, {"logprobs": True}),
        ({"logprobs": False}, {}),
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"max_completion_tokens": 99999}, {"max_tokens": 8000}),
        ({"stop": "\n"}, {"stop_sequences": ["\n"]}),
        ({"stream": True}, {"stream": True}),
        ({"documents": []}, {}),
        ({"documents": DOCUMENTS, "priority": 1}, {"documents": DOCUMENTS, "priority": 1}),
        ({"user": "u", "metadata": {"a": "b"}, "service_tier": "flex", "min_p": 0.1}, {}),
    ],
)
def test_numbers_and_limits(given: dict[str, Any], sent: dict[str, Any]) -> None:
    plain = {"model": PLAIN, "messages": HI, "stream": False}
    assert body(**given) == plain | sent


def test_what_is_changed_is_told() -> None:
    assert reported(temperature=1.7, top_p=1, user="u", seed=-1) == {
        "temperature": "clamped", "top_p": "clamped", "user": "dropped", "seed": "emulated",
    }  # fmt: skip
    assert reported(frequency_penalty=0.1, presence_penalty=0.2) == {"presence_penalty": "dropped"}
    assert reported(max_tokens=99999) == {"max_tokens": "clamped"}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True, "top_logprobs": 2}, "top_logprobs"),
        ({"stop": ["a", "b", "c", ""]}, "stop"),
        ({"tools": [{"type": "custom", "custom": {"name": "sql"}}]}, "tools[0]"),
        ({"tools": [tool()], "tool_choice": {"type": "function", "function": {"name": "x"}}}, "tool_choice"),
        ({"response_format": FORM, "documents": DOCUMENTS}, "response_format"),
        ({"response_format": LIST}, "response_format"),
        ({"messages": [{"role": "user", "content": [
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}]}]},
         "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
         "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "https://pictures.example/a.png"}}]}]},
         "messages[0].content[0]"),
    ],
)  # fmt: skip
def test_what_shapes_the_answer_is_refused(given: dict[str, Any], field: str) -> None:
    assert refused(**given) == field
    assert field in reported(**given)


def test_what_older_models_cannot_do() -> None:
    assert refused(OLD, tools=[tool()], tool_choice="required") == "tool_choice"
    assert refused(OLD, tools=[tool()], response_format=FORM) == "response_format"
    assert refused(SEER, tools=[tool()]) == "tools"
    assert refused("command-light", response_format=FORM) == "response_format"
    muted = body(OLD, tools=[tool()], tool_choice="none")
    assert "tools" not in muted
    assert reported(OLD, tools=[tool()], tool_choice="none") == {"tool_choice": "emulated"}
    assert body(SEER, drop=True, tools=[tool()], tool_choice="required") == {
        "model": SEER, "messages": HI, "stream": False,
    }  # fmt: skip


def test_tools() -> None:
    sent = body(tools=[tool(description="The time")], tool_choice="none", parallel_tool_calls=True)
    empty = {"type": "object", "properties": {}}
    assert sent["tools"] == [tool(description="The time", parameters=empty)]
    assert sent["tool_choice"] == "NONE"
    assert "tool_choice" not in body(tools=[tool()], tool_choice="auto")
    marked = {**tool(), "cache_control": {"type": "ephemeral"}}
    assert reported(tools=[marked], parallel_tool_calls=False) == {
        "parallel_tool_calls": "dropped", "tools[0].cache_control": "dropped",
    }  # fmt: skip


def test_a_named_tool_is_the_only_one_and_required() -> None:
    choice = {"type": "function", "function": {"name": "now"}}
    sent = body(tools=[tool("x"), tool()], tool_choice=choice)
    assert [one["function"]["name"] for one in sent["tools"]] == ["now"]
    assert sent["tool_choice"] == "REQUIRED"
    assert reported(tools=[tool("x"), tool()], tool_choice=choice) == {"tool_choice": "emulated"}


def test_names_that_cohere_does_not_take_are_fitted() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "get-it", "arguments": "{}"}}
    messages = [*HI, {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c", "content": "1"}]  # fmt: skip
    given = [tool("get_it"), tool("get-it"), tool("2nd")]
    sent = body(tools=given, messages=messages)
    assert [one["function"]["name"] for one in sent["tools"]] == ["get_it", "get_it_", "_2nd"]
    assert sent["messages"][1]["tool_calls"][0]["function"]["name"] == "get_it_"
    told = reported(tools=given, messages=messages)
    assert told == {"tools[1].function.name": "renamed", "tools[2].function.name": "renamed"}


def test_strict_tools_are_strict_together() -> None:
    bounded = {**SCHEMA, "additionalProperties": False}
    sent = body(tools=[tool(parameters=bounded, strict=True), tool("x")])
    assert sent["strict_tools"] is True
    assert sent["tools"][0]["function"]["parameters"] == SCHEMA
    assert reported(tools=[tool(parameters=bounded, strict=True), tool("x")]) == {
        "tools": "emulated", "tools[0].function.parameters": "emulated",
    }  # fmt: skip
    loose = {"type": "object", "properties": {"n": {"type": "integer"}}}
    assert "strict_tools" not in body(tools=[tool(parameters=loose, strict=True)])
    assert reported(tools=[tool(parameters=loose, strict=True)]) == {"tools[0].function.strict": "dropped"}


def test_an_answer_in_a_form() -> None:
    described = {"type": "json_schema", "json_schema": {**FORM["json_schema"], "description": "A number"}}  # type: ignore[dict-item]
    sent = body(response_format=described, messages=[{"role": "user", "content": "In JSON, please"}])
    assert sent["response_format"] == {
        "type": "json_object",
        "json_schema": {**SCHEMA, "description": "A number"},
    }
    assert sent["messages"] == [{"role": "user", "content": "In JSON, please"}]
    plain = body(response_format={"type": "json_object"}, messages=[{"role": "system", "content": "Hm"}, *HI])
    assert plain["response_format"] == {"type": "json_object"}
    assert plain["messages"][0]["content"] == "Hm\n\nAnswer with a JSON object and nothing else."
    anything = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
    assert body(response_format=anything)["response_format"] == {"type": "json_object"}


def test_an_answer_in_a_form_beside_tools() -> None:
    sent = body(tools=[tool()], response_format=FORM)
    assert [one["function"]["name"] for one in sent["tools"]] == ["now", "give_answer"]
    assert sent["tools"][1]["function"]["parameters"] == SCHEMA
    assert sent["tool_choice"] == "REQUIRED"
    forced = body(tools=[tool()], response_format=FORM, tool_choice="required")
    assert [one["function"]["name"] for one in forced["tools"]] == ["now"]
    assert reported(tools=[tool()], response_format=FORM, tool_choice="required") == {
        "response_format": "dropped"
    }
    silent = body(tools=[tool()], response_format=FORM, tool_choice="none")
    assert "tools" not in silent
    assert silent["response_format"]["json_schema"] == SCHEMA


def test_instructions_stand_first() -> None:
    messages = [
        {"role": "system", "content": "A"},
        {"role": "developer", "content": [{"type": "text", "text": "B"}]},
        *HI,
        {"role": "assistant", "content": "Yes"},
        {"role": "system", "content": "C"},
        *HI,
    ]
    assert body(messages=messages)["messages"] == [
        {"role": "system", "content": "A\n\nB"},
        *HI,
        {"role": "assistant", "content": "Yes"},
        {"role": "user", "content": [{"type": "text", "text": "C"}, {"type": "text", "text": "Hi"}]},
    ]
    assert reported(messages=messages) == {"messages[4]": "emulated"}


def test_instructions_alone_are_said_by_the_user() -> None:
    alone = [{"role": "system", "content": "Say hello."}]
    assert body(messages=alone)["messages"] == [{"role": "user", "content": "Say hello."}]
    assert reported(messages=alone) == {"messages": "emulated"}


def results(*content: Any, **fields: Any) -> list[dict[str, Any]]:
    call = {"id": "c", "type": "function", "function": {"name": "now", "arguments": "[1]"}}
    said = {"role": "assistant", "content": "Hm", "tool_calls": [call]}
    return [*HI, said, *({"role": "tool", "tool_call_id": "c", "content": one, **fields} for one in content)]


def test_results_of_tools() -> None:
    def sent(messages: list[dict[str, Any]]) -> Any:
        return body(messages=messages, drop=True)["messages"][2]["content"]

    document = {"type": "document", "document": {"data": {"a": 1}}}
    texts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    picture = {"type": "image_url", "image_url": {"url": "https://pictures.example/a.png"}}
    assert sent(results("9")) == "9"
    assert sent(results("")) == "{}"
    assert sent(results(texts)) == texts
    assert sent(results([document])) == [document]
    assert sent(results([picture])) == "{}"
    assert sent(results("no network", is_error=True)) == '{"error": "no network"}'
    assert sent(results()) == "No result: the call was not carried out."
    assert refused(messages=results([picture])) == "messages[2].content[0]"
    assert body(messages=results("9"))["messages"][1] == {
        "role": "assistant",
        "content": "Hm",
        "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "now", "arguments": '{"arguments": "[1]"}'}}
        ],
    }


def test_ids_that_come_again_are_told_apart() -> None:
    sent = body(messages=[*results("1"), *results("2")])["messages"]
    assert [one.get("tool_call_id") for one in sent if one["role"] == "tool"] == ["c", "c_2"]
    assert [one["tool_calls"][0]["id"] for one in sent if one["role"] == "assistant"] == ["c", "c_2"]


def test_calls_of_custom_tools_become_function_calls() -> None:
    call = {"id": "c", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}
    messages = [*HI, {"role": "assistant", "content": None, "tool_calls": [call]}]
    function = body(messages=messages)["messages"][1]["tool_calls"][0]["function"]
    assert function == {"name": "sql", "arguments": '{"input": "select 1"}'}
    assert reported(messages=messages)["messages[1].tool_calls[0]"] == "emulated"


def test_parts() -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://pictures.example/a.png"}}
    note = {"type": "file", "file": {"file_data": "data:text/plain;base64,SGVsbG8=", "filename": "note.txt"}}
    marked = {"type": "text", "text": "Look", "cache_control": {"type": "ephemeral"}}
    messages = [{"role": "user", "content": [marked, picture, note]}]
    assert body(SEER, messages=messages)["messages"][0]["content"] == [
        {"type": "text", "text": "Look"}, picture, {"type": "text", "text": "Hello"},
    ]  # fmt: skip
    assert reported(SEER, messages=messages) == {
        "messages[0].content[0].cache_control": "dropped", "messages[0].content[2]": "emulated",
    }  # fmt: skip
    odd = [{"role": "system", "content": [picture]}, *HI]
    assert refused(SEER, messages=odd) == "messages[0].content[0]"


@pytest.mark.parametrize(
    ("model", "given", "thinking"),
    [
        (THINKER, {}, None),
        (THINKER, {"enable_thinking": True}, {"type": "enabled"}),
        (THINKER, {"enable_thinking": False}, {"type": "disabled"}),
        (THINKER, {"reasoning_effort": "none"}, {"type": "disabled"}),
        (THINKER, {"reasoning_effort": "medium"}, {"type": "enabled", "token_budget": 8192}),
        (THINKER, {"reasoning_effort": "max"}, {"type": "enabled", "token_budget": 31000}),
        (THINKER, {"thinking_budget": 500}, {"type": "enabled", "token_budget": 500}),
        (THINKER, {"thinking_budget": 50000}, {"type": "enabled", "token_budget": 31000}),
        (
            THINKER,
            {"thinking": {"token_budget": 7}, "enable_thinking": True},
            {"type": "enabled", "token_budget": 7},
        ),
        ("command-a-plus-05-2026", {"thinking_budget": 50000}, {"type": "enabled", "token_budget": 50000}),
        ("north-mini-code-1-0", {"enable_thinking": False}, {"type": "disabled"}),
        (PLAIN, {"enable_thinking": True}, None),
        (PLAIN, {"enable_thinking": False}, None),
        (OLD, {"reasoning_effort": "high"}, None),
        ("command-r7b-12-2024", {"thinking_budget": 5}, None),
        ("a-model-of-tomorrow", {}, None),
        ("a-model-of-tomorrow", {"enable_thinking": True}, {"type": "enabled"}),
    ],
)
def test_thinking_by_model(model: str, given: dict[str, Any], thinking: Any) -> None:
    assert body(model, drop=True, **given).get("thinking") == thinking


def answer(model: str = THINKER, **message: Any) -> ChatResponse:
    payload = {"id": "a", "message": {"role": "assistant", **message}, "finish_reason": "COMPLETE"}
    request = ChatCompletion.parse({"model": "m", "messages": HI})
    return COHERE.decode(json.dumps(payload).encode(), request, target_of("cohere", model))


def test_thinking_and_plans_go_back_to_where_they_came_from_alone() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    thought = [{"type": "thinking", "thinking": "First"}, {"type": "text", "text": "Hm"}]
    said = answer(content=thought, tool_plan="I will look.", tool_calls=[call]).message.as_message().wire()
    messages = [*HI, said, {"role": "tool", "tool_call_id": "c", "content": "9"}]
    at_home = body(THINKER, messages=messages)["messages"][1]
    assert at_home == {
        "role": "assistant",
        "content": thought,
        "tool_plan": "I will look.",
        "tool_calls": [call],
    }
    elsewhere = body(PLAIN, messages=messages)["messages"][1]
    assert elsewhere == {"role": "assistant", "content": "Hm", "tool_calls": [call]}
    assert "messages[1].reasoning_details" in reported(PLAIN, messages=messages)


def test_a_plan_without_calls_stays_behind() -> None:
    said = (
        answer(content=[{"type": "text", "text": "Hm"}], tool_plan="I will look.").message.as_message().wire()
    )
    assert body(THINKER, messages=[*HI, said])["messages"][1] == {"role": "assistant", "content": "Hm"}
    assert reported(THINKER, messages=[*HI, said]) == {"messages[1].reasoning_details": "dropped"}


def test_plain_reasoning_of_others_is_not_sent() -> None:
    said = {"role": "assistant", "content": "4", "reasoning": "Two and two"}
    assert body(THINKER, messages=[*HI, said])["messages"][1] == {"role": "assistant", "content": "4"}
    assert reported(THINKER, messages=[*HI, said]) == {"messages[1].reasoning": "dropped"}


def test_models() -> None:
    target = target_of("cohere", "")
    wire = COHERE.models_request(target)
    assert (wire.method, wire.url) == ("GET", "https://host.example/v1/models?endpoint=chat&page_size=1000")
    rows = {"models": [{"name": PLAIN, "context_length": 256000.0, "endpoints": ["chat"]}, {"name": None}]}
    listed = COHERE.models(json.dumps(rows).encode(), target)
    assert [model.wire() for model in listed.data] == [
        {
            "id": PLAIN,
            "object": "model",
            "owned_by": "cohere",
            "context_length": 256000.0,
            "endpoints": ["chat"],
        }
    ]
    with pytest.raises(MalformedResponseError):
        COHERE.models(b'{"data": []}', target)


@pytest.mark.parametrize(
    ("model", "images", "window", "most"),
    [
        ("command-a-plus-05-2026", True, 128000, 64000),
        (THINKER, False, 256000, 32000),
        (PLAIN, False, 256000, 8000),
        (SEER, True, 128000, 8000),
        ("command-r-plus-08-2024", False, 128000, 4096),
        ("command-r7b-12-2024", False, 128000, 4096),
        ("a-model-of-tomorrow", None, None, None),
    ],
)
def test_what_is_known_of_the_models(
    model: str, images: bool | None, window: int | None, most: int | None
) -> None:
    known = target_of("cohere", model).preset.capabilities_of(model)
    assert (known.images, known.context_window, known.output_limit) == (images, window, most)
    assert (known.audio, known.files) == (False, False)


@pytest.mark.parametrize(
    "usage", [{}, {"tokens": None}, {"tokens": {"input_tokens": "many"}}, {"cached_tokens": 3}, [], 7]
)
def test_counts_that_are_none(usage: Any) -> None:
    payload = {"id": "a", "message": {"content": "Hi"}, "finish_reason": "COMPLETE", "usage": usage}
    request = ChatCompletion.parse({"model": "m", "messages": HI})
    decoded = COHERE.decode(json.dumps(payload).encode(), request, target_of("cohere", PLAIN))
    assert (decoded.text, decoded.usage) == ("Hi", None)


def test_a_message_that_is_none_and_counts_of_another_kind() -> None:
    request, target = ChatCompletion.parse({"model": "m", "messages": HI}), target_of("cohere", PLAIN)
    with pytest.raises(MalformedResponseError, match="message is no object"):
        COHERE.decode(b'{"id": "a", "message": [1]}', request, target)
    tokens = {"input_tokens": 3, "output_tokens": 1, "image_tokens": 2}
    body = {"message": None, "finish_reason": "MAX_TOKENS", "meta": {"tokens": tokens}}
    decoded = COHERE.decode(json.dumps(body).encode(), request, target)
    assert decoded.id.startswith("chatcmpl-")
    assert decoded.finish_reason == "length"
    assert decoded.usage is not None
    assert decoded.usage.wire() == {
        "prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4, "tokens": tokens,
    }  # fmt: skip
