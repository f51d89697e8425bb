"""Tools, choices and formats in the words of generateContent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from gemini_requests import NEW, OLD, Fields, encoded, sent

from turnout.providers.errors import UnsupportedError


def function(name: str = "now", **more: Any) -> Fields:
    """A function tool."""
    return {"type": "function", "function": {"name": name, **more}}


CHOICE: Fields = {"type": "function", "function": {"name": "f"}}


def allowed(mode: str, name: str = "f") -> Fields:
    """A choice of one of the tools."""
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [function(name)]}}


class TestTools:
    @pytest.mark.parametrize(
        ("model", "choice", "strict", "calling"),
        [
            (NEW, None, False, None),
            (NEW, None, True, {"mode": "VALIDATED"}),
            (NEW, "auto", False, {"mode": "AUTO"}),
            (NEW, "none", True, {"mode": "NONE"}),
            (NEW, "required", True, {"mode": "ANY"}),
            (NEW, CHOICE, False, {"mode": "ANY", "allowedFunctionNames": ["f"]}),
            (NEW, allowed("required"), False, {"mode": "ANY", "allowedFunctionNames": ["f"]}),
            (NEW, allowed("auto"), False, {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}),
            ("gemini-2.0-flash", allowed("required"), False, {"mode": "ANY", "allowedFunctionNames": ["f"]}),
        ],
    )
    def test_choices(self, model: str, choice: Any, strict: bool, calling: Fields | None) -> None:
        given = {} if choice is None else {"tool_choice": choice}
        body, changes = sent(model, tools=[function("f", strict=strict), function("g")], **given)
        assert (body.get("toolConfig") or {}).get("functionCallingConfig") == calling
        assert [one["name"] for one in body["tools"][0]["functionDeclarations"]] == ["f", "g"]
        assert changes == []

    def test_the_oldest_models_get_the_allowed_tools_alone(self) -> None:
        tools = [function("f", strict=True), function("g")]
        body, changes = sent("gemini-2.0-flash", tools=tools, tool_choice=allowed("auto"))
        assert [one["name"] for one in body["tools"][0]["functionDeclarations"]] == ["f"]
        assert changes == ["tool_choice emulated", "tools dropped"]

    def test_googles_own_tools(self) -> None:
        own = [{"type": "google_search"}, {"type": "code_execution", "code_execution": {"a": 1}}]
        searching = {"web_search_options": {"search_context_size": "low"}}
        body, changes = sent(NEW, tools=[*own, function()], **searching)
        assert [list(tool)[0] for tool in body["tools"]] == [  # noqa: RUF015
            "functionDeclarations", "googleSearch", "googleSearch", "codeExecution",
        ]  # fmt: skip
        assert body["tools"][3] == {"codeExecution": {"a": 1}}
        assert changes == ["web_search_options emulated"]
        assert sent(OLD, web_search_options={})[0]["tools"] == [{"googleSearch": {}}]
        assert sent(OLD, tools=[function()], web_search_options={})[1] == ["web_search_options dropped"]

    @pytest.mark.parametrize(
        ("model", "tool", "field"),
        [
            (NEW, {"type": "custom", "custom": {"name": "sql"}}, "tools[0]"),
            (NEW, function("9lives"), "tools[0]"),
            ("gemma-3-27b-it", function(), "tools"),
        ],
    )
    def test_what_the_wire_cannot_say(self, model: str, tool: Fields, field: str) -> None:
        with pytest.raises(UnsupportedError) as error:
            sent(model, tools=[tool])
        assert error.value.field == field
        body, changes = sent(model, tools=[tool], drop=True)
        assert "tools" not in body
        assert changes == [f"{field} dropped"]

    def test_one_call_at_a_time_cannot_be_asked_for(self) -> None:
        assert sent(NEW, tools=[function()], parallel_tool_calls=False)[1] == ["parallel_tool_calls dropped"]


NODE: Fields = {"$ref": "#/definitions/Node"}


@pytest.mark.parametrize(
    ("given", "written", "dropped"),
    [
        ({"const": "a", "default": "a"}, {"enum": ["a"]}, "const, default"),
        ({"const": True}, {}, "const"),
        (
            {"allOf": [{"type": "integer", "minimum": 1}, {"maximum": 9}]},
            {"type": "integer", "minimum": 1, "maximum": 9},
            "",
        ),
        (
            {"required": ["a"], "properties": {"a": {}}, "allOf": [{"required": ["a", "b"]}, True]},
            {"required": ["a", "b"], "properties": {"a": {}}},
            "",
        ),
        (
            {"title": "x", "properties": {"a": {}}, "allOf": [{"title": "y", "properties": {"b": {}}}]},
            {"title": "x", "properties": {"b": {}, "a": {}}},
            "allOf",
        ),
        ({**NODE, "description": "d"}, {"description": "d", "anyOf": [{"$ref": "#/$defs/Node"}]}, ""),
        (NODE, {"$ref": "#/$defs/Node"}, ""),
        ({"type": ["string", "null"], "pattern": "^a"}, {"type": ["string", "null"]}, "pattern"),
        ({"items": [{"minLength": 1}]}, {"items": [{}]}, "minLength"),
    ],
)
def test_schemas_keep_what_is_known(given: Fields, written: Fields, dropped: str) -> None:
    schema = {
        "$schema": "x",
        "type": "object",
        "properties": {"default": given},
        "definitions": {"Node": {"type": "object"}},
        "additionalProperties": False,
    }
    tool = function("f", description="d", parameters=schema)
    wire = encoded(NEW, tools=[tool])
    declared = json.loads(wire.body)["tools"][0]["functionDeclarations"][0]
    assert declared["description"] == "d"
    assert declared["parametersJsonSchema"] == {
        "type": "object",
        "properties": {"default": written},
        "additionalProperties": False,
        "$defs": {"Node": {"type": "object"}},
    }
    said = [one.reason.rpartition(": ")[2] for one in wire.adaptations]
    assert said == ([dropped.removeprefix("const, ") if "enum" in written else dropped] if dropped else [])


SCHEMA: Fields = {"type": "object", "properties": {"n": {"type": "integer"}}}


def formatted(schema: Fields) -> Fields:
    """A format after a schema."""
    return {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}


class TestFormats:
    def test_asked_for_on_the_wire(self) -> None:
        body, changes = sent(OLD, response_format=formatted({**SCHEMA, "not": {}}))
        assert body["generationConfig"]["responseJsonSchema"] == SCHEMA
        assert changes == ["response_format.json_schema.schema dropped"]
        body, _ = sent(NEW, response_format={"type": "json_object"}, tools=[function()])
        assert body["generationConfig"]["responseMimeType"] == "application/json"

    def test_a_model_without_formats(self) -> None:
        with pytest.raises(UnsupportedError):
            sent("gemma-3-27b-it", response_format={"type": "json_object"})
        body, changes = sent("gemma-3-27b-it", response_format={"type": "json_object"}, drop=True)
        assert ("generationConfig" in body, changes) == (False, ["response_format dropped"])

    @pytest.mark.parametrize(
        ("choice", "names"),
        [(None, None), ("auto", None), (allowed("auto", "now"), ["now", "give_answer"])],
    )
    def test_an_answer_tool_beside_functions(self, choice: Any, names: list[str] | None) -> None:
        given = {} if choice is None else {"tool_choice": choice}
        body, changes = sent(OLD, response_format=formatted(SCHEMA), tools=[function()], **given)
        declared = body["tools"][0]["functionDeclarations"]
        assert [one["name"] for one in declared] == ["now", "give_answer"]
        calling = body["toolConfig"]["functionCallingConfig"]
        assert (calling["mode"], calling.get("allowedFunctionNames")) == ("ANY", names)
        assert "responseMimeType" not in body["generationConfig"]
        assert changes == ["response_format emulated"]

    def test_a_forbidden_tool_makes_room_for_the_format(self) -> None:
        wanted = {"response_format": {"type": "json_object"}, "tool_choice": "none"}
        body, changes = sent(OLD, tools=[function()], **wanted)
        assert "tools" not in body
        assert body["generationConfig"]["responseMimeType"] == "application/json"
        assert changes == ["tools emulated"]

    def test_a_forced_tool_leaves_none(self) -> None:
        _, changes = sent(OLD, response_format=formatted(SCHEMA), tools=[function()], tool_choice="required")
        assert changes == ["response_format dropped"]

    @pytest.mark.parametrize("wanted", [{"type": "json_object"}, formatted({"type": "array"})])
    def test_in_words_where_no_function_can_stand_for_it(self, wanted: Fields) -> None:
        body, changes = sent(OLD, response_format=wanted, tools=[function()])
        line = body["systemInstruction"]["parts"][0]["text"]
        assert "JSON" in line
        assert ('{"type": "array"}' in line) == ("json_schema" in wanted)
        assert changes == ["response_format emulated"]
