"""Tools, the choice among them and answers of a given form, in Converse's words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bedrock_requests import ASKED, CLAUDE, FORM, HI, LLAMA, NOVA, SCHEMA, TOLD, TOOL, sent

from turnout.providers.errors import UnsupportedError


class TestTools:
    def test_their_form(self) -> None:
        strict = {"type": "function", "function": {"name": "f", "description": "d", "strict": True,
                                                   "parameters": SCHEMA}}  # fmt: skip
        body, adapted = sent(tools=[TOOL, strict])
        plain, held = (tool["toolSpec"] for tool in body["toolConfig"]["tools"])
        assert plain == {"name": "now", "inputSchema": {"json": {"type": "object", "properties": {}}}}
        assert held["strict"] is True
        assert held["inputSchema"]["json"]["additionalProperties"] is False
        assert "minimum" not in held["inputSchema"]["json"]["properties"]["n"]
        assert adapted == {"tools[1].function.parameters": "emulated"}
        assert sent(tools=[strict], model=NOVA)[1] == {"tools[0].function.strict": "dropped"}

    @pytest.mark.parametrize(
        ("choice", "wire"),
        [
            ("auto", None),
            ("required", {"any": {}}),
            ({"type": "function", "function": {"name": "now"}}, {"tool": {"name": "now"}}),
        ],
    )
    def test_the_choice(self, choice: Any, wire: Any) -> None:
        assert sent(tools=[TOOL], tool_choice=choice)[0]["toolConfig"].get("toolChoice") == wire

    def test_no_choice_at_all(self) -> None:
        body, adapted = sent(tools=[TOOL], tool_choice="none", model=NOVA)
        assert "toolConfig" not in body
        assert adapted == {"tool_choice": "emulated"}
        history = (HI, ASKED, TOLD)
        body, _ = sent(*history, tools=[TOOL], tool_choice="none")
        assert body["additionalModelRequestFields"] == {"tool_choice": {"type": "none"}}
        assert "toolChoice" not in body["toolConfig"]
        with pytest.raises(UnsupportedError, match="cannot be kept from calling"):
            sent(*history, tools=[TOOL], tool_choice="none", model=NOVA)

    def test_one_call_at_a_time(self) -> None:
        own = sent(tools=[TOOL], parallel_tool_calls=False)[0]["additionalModelRequestFields"]
        assert own == {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}
        body, _ = sent(tools=[TOOL], parallel_tool_calls=False, tool_choice="required")
        assert body["additionalModelRequestFields"] == {"tool_choice": {"disable_parallel_tool_use": True}}
        assert sent(tools=[TOOL], parallel_tool_calls=False, model=NOVA)[1] == {
            "parallel_tool_calls": "dropped"
        }

    def test_who_cannot_be_made_to_call(self) -> None:
        for model, budget in ((LLAMA, None), ("us.anthropic.claude-opus-5-5", None), (CLAUDE, 2000)):
            with pytest.raises(UnsupportedError, match="cannot be made to call"):
                sent(model=model, tools=[TOOL], tool_choice="required", thinking_budget=budget)

    def test_other_tools(self) -> None:
        system = {"type": "systemTool", "systemTool": {"name": "nova_code_interpreter"}}
        body, _ = sent(tools=[system], model=NOVA)
        assert body["toolConfig"]["tools"] == [{"systemTool": {"name": "nova_code_interpreter"}}]
        with pytest.raises(UnsupportedError, match="type 'custom'"):
            sent(tools=[{"type": "custom", "custom": {"name": "sql"}}])
        with pytest.raises(UnsupportedError, match="calls no tools"):
            sent(tools=[TOOL], model="anthropic.claude-v2")
        assert "toolConfig" not in sent(tools=[TOOL], model="anthropic.claude-v2", policy="drop")[0]


class TestAnswersOfAForm:
    def test_the_wires_own_way(self) -> None:
        body, adapted = sent(response_format=FORM)
        definition = body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
        schema = json.loads(definition.pop("schema"))
        assert definition == {"name": "a", "description": "d"}
        assert schema["additionalProperties"] is False
        assert adapted == {"response_format.json_schema.schema": "emulated"}

    def test_a_tool_stands_for_it(self) -> None:
        body, adapted = sent(response_format=FORM, model=NOVA)
        assert body["toolConfig"]["toolChoice"] == {"tool": {"name": "give_answer"}}
        assert body["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"] == SCHEMA
        assert adapted == {"response_format": "emulated"}
        body, _ = sent(response_format={"type": "json_object"}, tools=[TOOL])
        assert body["toolConfig"]["toolChoice"] == {"any": {}}
        assert body["additionalModelRequestFields"] == {"tool_choice": {"disable_parallel_tool_use": True}}
        body, _ = sent(response_format={"type": "json_object"}, tools=[TOOL], tool_choice="none", model=NOVA)
        assert [tool["toolSpec"]["name"] for tool in body["toolConfig"]["tools"]] == ["give_answer"]

    def test_words_stand_for_it_where_nothing_can_be_forced(self) -> None:
        body, adapted = sent(response_format={"type": "json_object"}, model=LLAMA)
        assert body["system"] == [{"text": "Answer with one JSON object and nothing else."}]
        assert adapted == {"response_format": "emulated"}
        with pytest.raises(UnsupportedError, match="hold the model to a schema"):
            sent(response_format=FORM, model=LLAMA)
        body, _ = sent(response_format=FORM, model=LLAMA, policy="drop")
        assert json.dumps(SCHEMA) in body["system"][0]["text"]

    def test_a_forced_call_is_no_answer(self) -> None:
        body, adapted = sent(response_format=FORM, model=NOVA, tools=[TOOL], tool_choice="required")
        assert len(body["toolConfig"]["tools"]) == 1
        assert adapted == {"response_format": "dropped"}
