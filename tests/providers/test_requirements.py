"""What a request needs, and what becomes of it at a model that is known not to take that."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.providers.catalogue import CapabilityRule, Preset, catalogue
from turnout.providers.chat import ChatCompletion
from turnout.providers.dialect import Adaptation, Target
from turnout.providers.dialects import dialect
from turnout.providers.errors import UnsupportedError
from turnout.providers.requirements import fit_to_model, needs_of

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
PDF = {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}}
NOTE = {"type": "file", "file": {"file_data": "data:text/plain;base64,AAAA"}}
NAMED_NOTE = {"type": "file", "file": {"file_data": "AAAA", "filename": "a.md"}}
TEXT = {"type": "text", "text": "Look"}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}

FORCED = {"tools": "tools", "forced_tools": "tool_choice"}


def allowed(mode: str) -> dict[str, Any]:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [TOOL]}}


def request_with(*parts: dict[str, Any], **fields: Any) -> ChatCompletion:
    messages = fields.pop("messages", [{"role": "user", "content": list(parts) or "Hello"}])
    return ChatCompletion.parse({"model": "m", "messages": messages, **fields})


def target(on_unsupported: Any = "refuse", *, row: Any = "openai-compatible", **known: Any) -> Target:
    """A target of that row whose model is known to take, or not to take, these things."""
    rule = CapabilityRule(models=("*",), **known)
    preset = catalogue()[row].model_copy(update={"capabilities": (rule,)})
    return Target("house", "m", preset, "http://127.0.0.1:9", on_unsupported=on_unsupported)


def fitted(request: ChatCompletion, to: Target) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """What is left of the request, and what was reported."""
    left, changes = fit_to_model(request, to, needs_of(request).fields)
    return left.wire(), [(change.field, change.action) for change in changes]


@pytest.mark.parametrize(
    ("request_", "needs"),
    [
        (request_with(), {}),
        (request_with(TEXT), {}),
        (request_with(TEXT, IMAGE, IMAGE), {"images": "messages[0].content[1]"}),
        (request_with(SOUND), {"audio": "messages[0].content[0]"}),
        (request_with(PDF), {"files": "messages[0].content[0]"}),
        (request_with(NOTE), {"text_files": "messages[0].content[0]"}),
        (request_with(NAMED_NOTE), {"text_files": "messages[0].content[0]"}),
        (request_with({"type": "video_url", "video_url": {"url": "https://x/y"}}), {}),
        (request_with(tools=[TOOL]), {"tools": "tools"}),
        (request_with(tools=[TOOL], tool_choice="none"), {}),
        (request_with(tools=[TOOL], tool_choice="auto"), {"tools": "tools"}),
        (request_with(tools=[TOOL], tool_choice="required"), FORCED),
        (request_with(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "look"}}), FORCED),
        (request_with(tools=[TOOL], tool_choice=allowed("auto")), {"tools": "tools"}),
        (request_with(tools=[TOOL], tool_choice=allowed("required")), FORCED),
        (request_with(tools=[TOOL], tool_choice={"type": "allowed_tools", "mode": "required"}), FORCED),
        (request_with(response_format=SCHEMA), {"json_schema": "response_format"}),
        (request_with(response_format={"type": "json_object"}), {}),
        (request_with(enable_thinking=False), {"thinking_off": "enable_thinking"}),
        (request_with(reasoning_effort="none"), {"thinking_off": "reasoning_effort"}),
        (request_with(thinking_budget=0), {"thinking_off": "thinking_budget"}),
        (request_with(enable_thinking=True, thinking_budget=9), {}),
    ],
)  # fmt: skip
def test_what_a_request_needs(request_: ChatCompletion, needs: dict[str, str]) -> None:
    assert needs_of(request_).fields == needs


def test_every_message_counts_results_of_tools_too() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    request = request_with(
        messages=[
            {"role": "user", "content": "Look"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "1", "content": [TEXT, IMAGE]},
        ]
    )
    assert needs_of(request).fields == {"images": "messages[2].content[1]"}
    assert needs_of(request).characters == 8


@pytest.mark.parametrize(
    ("part", "lacking", "reason"),
    [(IMAGE, "images", "no images"), (SOUND, "audio", "no sound"), (PDF, "files", "no files")],
)
def test_what_a_model_is_known_not_to_take_is_refused(
    part: dict[str, Any], lacking: str, reason: str
) -> None:
    request = request_with(TEXT, part)
    with pytest.raises(UnsupportedError, match=f"{reason}; choose another target") as caught:
        fitted(request, target(**{lacking: False}))
    assert caught.value.field == "messages[0].content[1]"
    assert (caught.value.provider, caught.value.model) == ("house", "m")
    for known in ({lacking: True}, {}):  # what nobody knows is sent
        assert fitted(request, target(**known)) == (request.wire(), [])


def test_where_it_is_to_be_dropped_the_rest_is_sent_and_everything_is_told() -> None:
    request = request_with(messages=[
        {"role": "user", "content": [TEXT, IMAGE, SOUND]}, {"role": "user", "content": [IMAGE]}
    ])  # fmt: skip
    left, told = fitted(request, target("drop", images=False))
    assert left["messages"] == [
        {"role": "user", "content": [TEXT, SOUND]},
        {"role": "user", "content": ""},
    ]
    assert told == [("messages[0].content[1]", "dropped"), ("messages[1].content[0]", "dropped")]
    assert fitted(request, target("warn", images=False))[1] == told
    assert request.wire()["messages"][1]["content"] == [IMAGE]  # the caller's own is as it was


def test_tools_are_refused_or_dropped_with_the_choice_among_them() -> None:
    request = request_with(tools=[TOOL], tool_choice="required", parallel_tool_calls=False)
    with pytest.raises(UnsupportedError, match="tools: this model takes no tools"):
        fitted(request, target(tools=False))
    left, told = fitted(request, target("drop", tools=False))
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & left.keys()
    assert told == [("tools", "dropped"), ("tool_choice", "dropped")]
    assert fitted(request_with(tools=[TOOL]), target("drop", tools=False))[1] == [("tools", "dropped")]


def test_tools_that_are_not_to_be_called_are_simply_left_out() -> None:
    left, told = fitted(request_with(tools=[TOOL], tool_choice="none"), target(tools=False))
    assert "tools" not in left
    assert told == [("tools", "emulated")]


def test_where_nothing_stands_in_a_forced_call_and_a_schema_are_refused_too() -> None:
    forced = request_with(tools=[TOOL], tool_choice="required")
    with pytest.raises(UnsupportedError, match="cannot be made to call a tool"):
        fitted(forced, target(forced_tools=False))
    assert fitted(forced, target("drop", forced_tools=False))[1] == [("tool_choice", "dropped")]
    shaped = request_with(response_format=SCHEMA)
    with pytest.raises(UnsupportedError, match="follow no schema"):
        fitted(shaped, target(json_schema=False))
    left, told = fitted(shaped, target("drop", json_schema=False))
    assert left["response_format"] == {"type": "json_object"}
    assert told == [("response_format", "dropped"), ("response_format", "clamped")]
    left, told = fitted(shaped, target("drop", row="lm-studio", json_schema=False))
    assert "response_format" not in left
    assert told == [("response_format", "dropped")]


def test_what_another_dialect_stands_in_for_is_left_to_it() -> None:
    request = request_with(NOTE, tools=[TOOL], tool_choice="required", response_format=SCHEMA)
    known = {"files": False, "forced_tools": False, "json_schema": False}
    assert fitted(request, target(row="anthropic", **known)) == (request.wire(), [])
    with pytest.raises(UnsupportedError, match="no files"):
        fitted(request, target(**known))
    with pytest.raises(UnsupportedError, match="no files"):
        fitted(request_with(PDF), target(row="anthropic", **known))


def test_thinking_that_cannot_be_off_and_limits_of_the_answer_are_left_to_the_dialect() -> None:
    request = request_with(enable_thinking=False, max_completion_tokens=10**9)
    assert fitted(request, target(thinking_off=False)) == (request.wire(), [])


REQUESTS = st.builds(
    lambda parts, tools, choice, shape: request_with(
        *parts,
        **({"tools": [TOOL]} | ({"tool_choice": choice} if choice else {}) if tools else {}),
        **({"response_format": SCHEMA} if shape else {}),
    ),
    st.lists(st.sampled_from([TEXT, IMAGE, SOUND, PDF, NOTE]), max_size=4),
    st.booleans(),
    st.sampled_from([None, "auto", "none", "required"]),
    st.booleans(),
)
NAMES = ("images", "audio", "files", "tools", "forced_tools", "json_schema")


@given(REQUESTS, st.dictionaries(st.sampled_from(NAMES), st.booleans()))
def test_a_request_that_was_fitted_fits_and_is_still_a_request(
    request: ChatCompletion, known: dict[str, bool]
) -> None:
    drop, refuse = target("drop", **known), target(**known)
    left, changes = fit_to_model(request, drop, needs_of(request).fields)
    assert fit_to_model(left, refuse, needs_of(left).fields) == (left, ())
    assert ChatCompletion.parse(left.wire()).wire() == left.wire()
    assert dialect("openai").encode(left, drop).body
    assert all(isinstance(change, Adaptation) and change.reason for change in changes)
    refused = [change for change in changes if change.action != "emulated"]
    if refused:
        with pytest.raises(UnsupportedError) as caught:
            fit_to_model(request, refuse, needs_of(request).fields)
        assert caught.value.field == refused[0].field


def test_a_row_without_capabilities_is_never_asked_twice() -> None:
    bare = Preset(name="x", title="x", source="x", base_url="")
    request = request_with(IMAGE, tools=[TOOL])
    assert fit_to_model(request, Target("x", "m", bare, ""), needs_of(request).fields)[0] is request
