"""Tools, choices and formats for Anthropic, and the schemas that it compiles."""

from __future__ import annotations

import json

import pytest
from anthropic_requests import FORMAT, MARK, NEW, OLD, SCHEMA, TOOL, UNFORCED, USER, adapted, encoded, sent

from turnout.providers.dialects.anthropic_schema import compiled, open_ended
from turnout.providers.errors import UnsupportedError

OTHER = {"type": "function", "function": {"name": "now"}}
NAMED = {"type": "function", "function": {"name": "weather"}}


class TestTools:
    def test_choices(self) -> None:
        for choice, word in (("auto", "auto"), ("none", "none"), ("required", "any")):
            assert sent(NEW, tools=[TOOL], tool_choice=choice)["tool_choice"] == {"type": word}
        assert sent(NEW, tools=[TOOL], tool_choice=NAMED)["tool_choice"] == {
            "type": "tool",
            "name": "weather",
        }
        assert "tool_choice" not in sent(NEW, tools=[TOOL])

    def test_one_call_at_a_time(self) -> None:
        said = sent(NEW, tools=[TOOL], parallel_tool_calls=False)["tool_choice"]
        assert said == {"type": "auto", "disable_parallel_tool_use": True}
        none = sent(NEW, tools=[TOOL], parallel_tool_calls=False, tool_choice="none")["tool_choice"]
        assert none == {"type": "none"}

    @pytest.mark.parametrize("model", [UNFORCED, "claude-opus-5-5", "claude-fable-5-1", "claude-mythos-5-2"])
    def test_models_that_cannot_be_made_to_call(self, model: str) -> None:
        wire = encoded(model, tools=[TOOL, OTHER], tool_choice=NAMED)
        body = json.loads(wire.body)
        assert (body["tool_choice"], len(body["tools"])) == ({"type": "auto"}, 1)
        assert adapted(wire)["tool_choice"] == "emulated"
        assert len(sent(model, tools=[TOOL, OTHER], tool_choice="required")["tools"]) == 2

    @pytest.mark.parametrize("model", ["claude-fable-5", "claude-fable-5-20260801", "claude-haiku-5-5", NEW])
    def test_models_that_can(self, model: str) -> None:
        assert sent(model, tools=[TOOL], tool_choice="required")["tool_choice"] == {"type": "any"}

    def test_nobody_is_made_to_call_while_a_budget_thinks(self) -> None:
        body = sent(OLD, tools=[TOOL], tool_choice="required", enable_thinking=True)
        assert body["tool_choice"] == {"type": "auto"}

    def test_strict_schemas_are_cleaned(self) -> None:
        tool = {"type": "function", "function": {"name": "f", "strict": True, "parameters": SCHEMA}}
        wire = encoded(NEW, tools=[tool])
        written = json.loads(wire.body)["tools"][0]
        assert written["strict"] is True
        assert written["input_schema"] == {
            "type": "object",
            "properties": {"n": {"type": "integer", "description": "(minimum: 1)"}},
            "required": ["n"],
            "additionalProperties": False,
        }
        assert adapted(wire)["tools[0].function.parameters"] == "dropped"
        assert "strict" not in sent("claude-sonnet-4-0", tools=[tool])["tools"][0]

    def test_fields_of_its_own(self) -> None:
        tool = {**TOOL, "defer_loading": True, "shade": "blue", "cache_control": MARK}
        wire = encoded(NEW, tools=[tool])
        written = json.loads(wire.body)["tools"][0]
        assert (written["defer_loading"], written["cache_control"]) == (True, MARK)
        assert adapted(wire)["tools[0].shade"] == "dropped"

    def test_tools_of_its_own_pass_and_others_are_refused(self) -> None:
        own = {"type": "bash_20250124", "name": "bash", "cache_control": MARK}
        assert sent(NEW, tools=[own])["tools"] == [own]
        typed = {"type": "custom", "name": "c", "input_schema": {"type": "object"}}
        assert sent(NEW, tools=[typed])["tools"] == [typed]
        with pytest.raises(UnsupportedError, match="custom tool"):
            encoded(NEW, tools=[{"type": "custom", "custom": {"name": "sql"}}])

    def test_web_search(self) -> None:
        place = {"type": "approximate", "approximate": {"city": "Oslo"}}
        wire = encoded(NEW, web_search_options={"user_location": place, "search_context_size": "low",
                                                "filters": {"allowed_domains": ["a.example"]}})  # fmt: skip
        assert json.loads(wire.body)["tools"] == [
            {"type": "web_search_20250305", "name": "web_search", "allowed_domains": ["a.example"],
             "user_location": {"type": "approximate", "city": "Oslo"}}
        ]  # fmt: skip
        assert adapted(wire)["web_search_options.search_context_size"] == "dropped"
        own = {"type": "web_search_20260209", "name": "web_search"}
        assert sent(NEW, tools=[own], web_search_options={"max_uses": 1})["tools"] == [own]


class TestFormats:
    def test_a_schema_is_compiled(self) -> None:
        wire = encoded(NEW, response_format=FORMAT, reasoning_effort="low")
        config = json.loads(wire.body)["output_config"]
        assert config["effort"] == "low"
        assert config["format"]["schema"]["additionalProperties"] is False
        assert adapted(wire)["response_format.json_schema.schema"] == "dropped"

    def test_older_models_answer_through_a_tool(self) -> None:
        wire = encoded("claude-3-5-haiku-20241022", response_format=FORMAT)
        body = json.loads(wire.body)
        assert body["tools"][0]["input_schema"] == SCHEMA
        assert body["tool_choice"] == {"type": "tool", "name": "give_answer"}
        assert adapted(wire)["response_format"] == "emulated"
        beside = sent("claude-sonnet-4-0", response_format=FORMAT, tools=[TOOL])
        assert (beside["tool_choice"], len(beside["tools"])) == ({"type": "any"}, 2)

    def test_which_a_thinking_one_is_only_asked_for(self) -> None:
        body = sent("claude-sonnet-4-0", response_format=FORMAT, enable_thinking=True, tools=[TOOL],
                    tool_choice="none")  # fmt: skip
        assert body["tool_choice"] == {"type": "auto"}
        assert [tool["name"] for tool in body["tools"]] == ["give_answer"]
        assert "give_answer" in body["system"]

    def test_any_object(self) -> None:
        body = sent(OLD, response_format={"type": "json_object"})
        assert body["tools"][0]["input_schema"] == {"type": "object"}
        asked = sent(
            UNFORCED, {"role": "system", "content": "S"}, USER, response_format={"type": "json_object"}
        )
        assert asked["system"].startswith("S\n\nAnswer with one JSON object")
        loose = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
        assert "output_config" not in sent(NEW, response_format=loose)

    def test_a_forced_tool_is_the_answer_already(self) -> None:
        wire = encoded(OLD, response_format={"type": "json_object"}, tools=[TOOL], tool_choice="required")
        assert adapted(wire)["response_format"] == "dropped"


class TestSchemas:
    def test_what_the_compiler_reads(self) -> None:
        schema, changed = compiled(
            {
                "type": "object",
                "$defs": {
                    "x": {"type": "object", "properties": {"not": {"type": "string", "format": "isbn"}}}
                },
                "properties": {
                    "one": {"oneOf": [{"type": "string", "format": "date"}, {"$ref": "#/$defs/x"}]},
                    "two": {"type": ["array", "null"], "items": {"type": "string", "maxLength": 3},
                            "minItems": 2, "description": "Two"},
                    "three": {"type": ["string", "null"], "enum": ["a", None]},
                    "four": {"type": "array", "minItems": 1, "items": True},
                    "five": {"type": ["string", "null"], "anyOf": [{"const": "a"}, {"type": "null"}]},
                    "six": {"type": "object", "additionalProperties": {"type": "string"}},
                },
                "if": {"required": ["one"]},
            }
        )  # fmt: skip
        assert set(changed) == {"format", "oneOf", "maxLength", "minItems", "if", "additionalProperties"}
        assert schema["properties"] == {
            "one": {"anyOf": [{"type": "string", "format": "date"}, {"$ref": "#/$defs/x"}]},
            "two": {
                "description": "Two\n\n(minItems: 2)",
                "anyOf": [
                    {"type": "array", "items": {"type": "string", "description": "(maxLength: 3)"}},
                    {"type": "null"},
                ],
            },
            "three": {"enum": ["a", None]},
            "four": {"type": "array", "minItems": 1, "items": True},
            "five": {
                "anyOf": [{"const": "a"}, {"type": "null"}],
                "allOf": [{"anyOf": [{"type": "string"}, {"type": "null"}]}],
            },
            "six": {"type": "object", "additionalProperties": False},
        }
        assert "if" not in schema
        assert schema["$defs"]["x"]["additionalProperties"] is False

    def test_open_objects_cannot_be_compiled(self) -> None:
        assert open_ended({"type": "object"})
        assert open_ended({})
        assert not open_ended(SCHEMA)
