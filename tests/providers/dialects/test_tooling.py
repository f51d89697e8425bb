"""Tools, choices and forms out of a request, as values for any wire."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixed_requests import target_of

from turnout.providers.chat import ChatCompletion
from turnout.providers.dialects.draft import Draft
from turnout.providers.dialects.tooling import (
    Format,
    Tooling,
    answer_tool,
    arguments_of,
    fitted_id,
    format_of,
    keyword_free,
    take_format,
    take_tools,
)
from turnout.providers.dialects.writing import begin
from turnout.providers.errors import UnsupportedError

TARGET = target_of("cohere", "m", on_unsupported="refuse")
HI = [{"role": "user", "content": "Hi"}]
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}


def drafted(**fields: Any) -> Draft:
    return begin(ChatCompletion.parse({"model": "m", "messages": HI, **fields}), TARGET)


def taken(**fields: Any) -> tuple[Tooling, dict[str, str]]:
    draft = drafted(**fields)
    tooling = take_tools(draft)
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & draft.payload.keys()
    return tooling, {one.field: one.action for one in draft.adaptations}


def function(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **more}}


NOW, SQL = function("now"), {"type": "custom", "custom": {"name": "sql"}}


def test_functions_and_others_apart() -> None:
    marked = {
        **function("now", description="d", parameters=SCHEMA, strict=True),
        "cache_control": {"type": "x"},
    }
    tooling, _ = taken(tools=[marked, SQL], parallel_tool_calls=False)
    (one,) = tooling.functions
    assert (one.path, one.name, one.description, one.strict) == ("tools[0]", "now", "d", True)
    assert (one.parameters, one.cache_control) == (SCHEMA, {"type": "x"})
    assert tooling.others == [("tools[1]", SQL)]
    assert (tooling.choice, tooling.parallel, tooling.chosen, tooling.forced) == ("auto", False, False, False)


@pytest.mark.parametrize(
    ("choice", "kind", "named", "forced"),
    [
        ("auto", "auto", "", False),
        ("none", "none", "", False),
        ("required", "required", "", True),
        ({"type": "function", "function": {"name": "now"}}, "named", "now", True),
    ],
)
def test_choices(choice: Any, kind: str, named: str, forced: bool) -> None:
    tooling, told = taken(tools=[NOW], tool_choice=choice)
    assert (tooling.choice, tooling.named, tooling.forced, tooling.chosen) == (kind, named, forced, True)
    assert not told


@pytest.mark.parametrize(("mode", "kind"), [("auto", "auto"), ("required", "required")])
def test_allowed_tools_are_all_that_is_left(mode: str, kind: str) -> None:
    allowed = {"mode": mode, "tools": [NOW, SQL]}
    tooling, told = taken(
        tools=[NOW, function("x"), SQL], tool_choice={"type": "allowed_tools", "allowed_tools": allowed}
    )
    assert [one.name for one in tooling.functions] == ["now"]
    assert len(tooling.others) == 1
    assert tooling.choice == kind
    assert told == {"tool_choice": "emulated"}


def test_a_choice_without_tools_is_told() -> None:
    assert taken(tool_choice="required")[1] == {"tool_choice": "dropped"}
    assert taken(tool_choice="none")[1] == {}
    assert taken()[0] == Tooling()


def test_an_unknown_choice_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="custom"):
        taken(tools=[NOW], tool_choice={"type": "custom", "custom": {"name": "sql"}})


@pytest.mark.parametrize(
    ("wanted", "form"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, Format("json_object")),
        (
            {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA, "strict": True}},
            Format("json_schema", "a", SCHEMA, True),
        ),
        (
            {"type": "json_schema", "json_schema": {"name": "a", "description": "d"}},
            Format("json_schema", "a", {"type": "object"}, None, "d"),
        ),
    ],
)
def test_forms(wanted: Any, form: Format | None) -> None:
    draft = drafted(response_format=wanted)
    assert format_of(ChatCompletion.parse({"model": "m", "messages": HI, "response_format": wanted})) == form
    assert take_format(draft) == form
    assert "response_format" not in draft.payload


def test_the_answers_tool_has_a_name_of_its_own() -> None:
    def named(*names: str) -> str:
        tools = [function(name) for name in names]
        return answer_tool(ChatCompletion.parse({"model": "m", "messages": HI, "tools": tools}))

    assert named() == named("now") == "give_answer"
    assert named("give_answer", "give_answer_") == "give_answer__"


@pytest.mark.parametrize(
    ("text", "value", "told"),
    [
        ('{"a": 1}', {"a": 1}, False),
        ("", {}, False),
        (" ", {}, False),
        ("[1]", {"arguments": "[1]"}, True),
        ("{", {"arguments": "{"}, True),
        ("[" * 100_000, {"arguments": "[" * 100_000}, True),
        ('{"a": NaN}', {"arguments": '{"a": NaN}'}, True),
        ('{"a": 1e999}', {"arguments": '{"a": 1e999}'}, True),
    ],
    ids=["object", "empty", "blank", "list", "broken", "deep", "no number", "infinite"],
)
def test_arguments(text: str, value: Any, told: bool) -> None:
    draft = drafted()
    assert arguments_of(text, "here", draft) == value
    assert [one.field for one in draft.adaptations] == (["here"] if told else [])


@given(st.text())
def test_arguments_can_always_be_sent(text: str) -> None:
    json.dumps(arguments_of(text, "here", drafted()), allow_nan=False)


@given(st.text(), st.sampled_from([9, 36, 64]))
def test_ids_fit_and_stay_apart(identity: str, most: int) -> None:
    fitted = fitted_id(identity, "a-zA-Z0-9_-", most)
    assert re.fullmatch("[a-zA-Z0-9_-]+", fitted)
    assert len(fitted) <= most
    assert fitted == fitted_id(identity, "a-zA-Z0-9_-", most)
    assert fitted_id(fitted, "a-zA-Z0-9_-", most) == fitted
    assert fitted_id(f"{identity}é", "a-zA-Z0-9_-", most) != fitted or most < 12


def test_an_id_that_fits_stays() -> None:
    assert fitted_id("call_1", "a-zA-Z0-9_-") == "call_1"
    assert fitted_id("", "a-z").startswith("call_")


def test_keywords_go_and_names_of_properties_stay() -> None:
    schema = {
        "type": "object",
        "minimum": 1,
        "properties": {"minimum": {"type": "integer", "minimum": 2}},
        "required": ["minimum"],
        "$defs": {"minimum": {"minimum": 1}},
        "anyOf": [{"minimum": 3}, True],
        "enum": [{"minimum": 1}],
    }
    assert keyword_free(schema, ("minimum",)) == {
        "type": "object",
        "properties": {"minimum": {"type": "integer"}},
        "required": ["minimum"],
        "$defs": {"minimum": {}},
        "anyOf": [{}, True],
        "enum": [{"minimum": 1}],
    }
