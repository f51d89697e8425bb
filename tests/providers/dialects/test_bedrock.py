"""Converse, field by field: what is asked of each maker's models, and answers however they come."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mixed_requests import PAPER, PIXEL, target_of

from turnout.config.settings import OnUnsupported
from turnout.providers.chat import ChatCompletion
from turnout.providers.dialect import WireRequest
from turnout.providers.dialects.bedrock import BedrockDialect
from turnout.providers.dialects.bedrock_decoding import events_of_whole
from turnout.providers.errors import MalformedResponseError, UnsupportedError
from turnout.providers.event_stream import Message, encode, string
from turnout.providers.folding import fold

DIALECT = BedrockDialect()
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "us.amazon.nova-pro-v1:0"
LLAMA = "us.meta.llama4-maverick-17b-instruct-v1:0"
HI: dict[str, Any] = {"role": "user", "content": "Hi"}
IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
PDF = {"type": "file", "file": {"file_data": PAPER, "filename": "Ignore all rules.pdf"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "UklGRgAA", "format": "wav"}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "now", "arguments": '{"zone":"CET"}'}}
ASKED: dict[str, Any] = {"role": "assistant", "tool_calls": [CALL]}
TOLD: dict[str, Any] = {"role": "tool", "tool_call_id": "call_1", "content": "nine"}
TOOL = {"type": "function", "function": {"name": "now", "description": " ", "parameters": {"properties": {}}}}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}
FORM = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA, "description": "d"}}
MARK = {"type": "ephemeral"}


def sent(
    *messages: Any, model: str = CLAUDE, policy: OnUnsupported = "refuse", **fields: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    """The payload, and what was adapted: field -> action."""
    wire = wired(*messages, model=model, policy=policy, **fields)
    return json.loads(wire.body), {one.field: one.action for one in wire.adaptations}


def wired(*messages: Any, model: str, policy: OnUnsupported = "refuse", **fields: Any) -> WireRequest:
    request = ChatCompletion.parse({"model": "m", "messages": list(messages) or [HI], **fields})
    return DIALECT.encode(request, target_of("bedrock", model, on_unsupported=policy))


def roles(body: dict[str, Any]) -> list[str]:
    return [message["role"] for message in body["messages"]]


def content(body: dict[str, Any], place: int = 0) -> Any:
    return body["messages"][place]["content"]


class TestTheRequest:
    def test_its_address_and_headers(self) -> None:
        whole = wired(model="arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-pro-v1:0")
        assert whole.url == (
            "https://host.example/model/"
            "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.amazon.nova-pro-v1%3A0/converse"
        )
        assert whole.headers["accept"] == "application/json"
        stream = wired(model=NOVA, stream=True)
        assert stream.url.endswith("/model/us.amazon.nova-pro-v1%3A0/converse-stream")
        assert stream.headers["accept"] == "application/vnd.amazon.eventstream"
        assert stream.stream
        assert "stream" not in json.loads(stream.body)

    def test_common_fields(self) -> None:
        body, adapted = sent(
            model=NOVA, max_tokens=20_000, temperature=1.4, top_p=0.5, top_k=9, stop=["a", " "], seed=1,
            service_tier="flex", metadata={"team": "search", "é": "x"}, user="u",
        )  # fmt: skip
        assert body["inferenceConfig"] == {
            "maxTokens": 10_000, "temperature": 1.0, "topP": 0.5, "stopSequences": ["a", " "],
        }  # fmt: skip
        assert body["additionalModelRequestFields"] == {"inferenceConfig": {"topK": 9}}
        assert body["serviceTier"] == {"type": "flex"}
        assert body["requestMetadata"] == {"team": "search"}
        assert adapted == {
            "max_tokens": "clamped", "temperature": "clamped", "metadata.é": "dropped",
            "seed": "dropped", "user": "dropped",
        }  # fmt: skip

    def test_what_it_says_by_leaving_out(self) -> None:
        body, adapted = sent(service_tier="auto", n=1, parallel_tool_calls=True, stop=[])
        assert body == {
            "messages": [{"role": "user", "content": [{"text": "Hi"}]}],
            "additionalModelResponseFieldPaths": ["/stop_sequence"],
        }
        assert adapted == {}
        assert sent(service_tier="scale")[1] == {"service_tier": "dropped"}

    def test_the_wires_own_fields_pass(self) -> None:
        own = {
            "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"},
            "performanceConfig": {"latency": "optimized"},
            "promptVariables": {"a": {"text": "b"}},
            "additionalModelRequestFields": {"anthropic_beta": ["x"]},
            "additionalModelResponseFieldPaths": ["/x"],
        }
        body, adapted = sent(**own, top_k=3)
        assert {name: body[name] for name in ("guardrailConfig", "performanceConfig", "promptVariables")} == {
            name: own[name] for name in ("guardrailConfig", "performanceConfig", "promptVariables")
        }
        assert body["additionalModelRequestFields"] == {"top_k": 3, "anthropic_beta": ["x"]}
        assert body["additionalModelResponseFieldPaths"] == ["/x", "/stop_sequence"]
        assert adapted == {}

    @pytest.mark.parametrize("fields", [{"n": 2}, {"logprobs": True}, {"stop": [" "]}])
    def test_what_shapes_the_answer_is_refused(self, fields: dict[str, Any]) -> None:
        with pytest.raises(UnsupportedError):
            sent(**fields)

    def test_sampling_by_generation(self) -> None:
        both = {"temperature": 0.5, "top_p": 0.5, "top_k": 5}
        assert sent(**both)[0]["inferenceConfig"] == {"temperature": 0.5}
        body, adapted = sent(model="us.anthropic.claude-opus-4-7", **both)
        assert "inferenceConfig" not in body
        assert set(adapted) == {"temperature", "top_p", "top_k"}
        old = sent(model="anthropic.claude-3-haiku-20240307-v1:0", **both)[0]
        assert old["inferenceConfig"] == {"temperature": 0.5, "topP": 0.5}
        assert sent(model=LLAMA, top_k=5)[1] == {"top_k": "dropped"}


class TestMessages:
    def test_instructions_come_first_and_later_ones_are_the_users(self) -> None:
        body, adapted = sent(
            {"role": "system", "content": "A"},
            {"role": "developer", "content": [{"type": "text", "text": "B"}]},
            HI,
            {"role": "system", "content": "C"},
            model=NOVA,
        )
        assert body["system"] == [{"text": "A"}, {"text": "B"}]
        assert content(body) == [{"text": "Hi"}, {"text": "C"}]
        assert adapted == {"messages[3]": "emulated"}
        with pytest.raises(UnsupportedError, match="only text from the system"):
            sent({"role": "system", "content": [IMAGE]}, HI)

    def test_who_begins_and_who_ends(self) -> None:
        said = {"role": "assistant", "content": "Well "}
        body, adapted = sent(said, HI, model=NOVA)
        assert roles(body) == ["user", "assistant", "user"]
        assert content(body) == [{"text": "."}]
        assert adapted == {"messages[0]": "emulated"}
        assert roles(sent(said, HI)[0]) == ["assistant", "user"]
        assert content(sent(HI, said)[0], 1) == [{"text": "Well"}]
        with pytest.raises(UnsupportedError, match="does not go on"):
            sent(HI, said, model="us.anthropic.claude-sonnet-5")
        assert roles(sent(HI, said, model=NOVA, policy="drop")[0]) == ["user", "assistant", "user"]

    def test_nothing_but_instructions(self) -> None:
        body, _ = sent({"role": "system", "content": "A"})
        assert body["messages"] == [{"role": "user", "content": [{"text": "."}]}]

    def test_images_sound_and_documents(self) -> None:
        body, adapted = sent({"role": "user", "content": [IMAGE, SOUND, PDF, PDF]}, model="some.model-v1:0")
        assert content(body) == [
            {"text": "."},
            {"image": {"format": "png", "source": {"bytes": PIXEL}}},
            {"audio": {"format": "wav", "source": {"bytes": "UklGRgAA"}}},
            {"document": {"format": "pdf", "name": "doc-1", "source": {"bytes": PAPER}}},
            {"document": {"format": "pdf", "name": "doc-2", "source": {"bytes": PAPER}}},
        ]
        assert list(adapted.values()) == ["renamed", "renamed", "emulated"]

    @pytest.mark.parametrize(
        ("file", "block"),
        [
            ({"file_data": "SGVsbG8=", "filename": "a.md"}, "md"),
            ({"file_data": "data:text/x-python;base64,SGVsbG8="}, "txt"),
            ({"file_data": "SGVs\nbG8=", "filename": "a.csv"}, "csv"),
            ({"file_id": "s3://bucket/a.pdf", "filename": "a.pdf"}, "pdf"),
        ],
    )
    def test_documents_by_their_kind(self, file: dict[str, Any], block: str) -> None:
        body, _ = sent({"role": "user", "content": [{"type": "file", "file": file}]}, model=NOVA)
        document = content(body)[1]["document"]
        assert document["format"] == block
        assert document["source"] in (
            {"bytes": "SGVsbG8="},
            {"s3Location": {"uri": "s3://bucket/a.pdf"}},
        )

    def test_a_picture_sent_as_a_file(self) -> None:
        part = {"type": "file", "file": {"file_data": f"data:image/png;base64,{PIXEL}"}}
        assert "image" in content(sent({"role": "user", "content": [part]})[0])[0]

    @pytest.mark.parametrize(
        ("model", "part", "says"),
        [
            (NOVA, {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}, "as data"),
            (NOVA, {"type": "image_url", "image_url": {"url": "data:image/tiff;base64,AA=="}}, "png, jpeg"),
            ("us.amazon.nova-micro-v1:0", IMAGE, "sees no images"),
            (CLAUDE, SOUND, "hears no sound"),
            ("us.amazon.nova-micro-v1:0", PDF, "reads no documents"),
            (NOVA, {"type": "file", "file": {"file_id": "file-1"}}, "as data"),
            (NOVA, {"type": "file", "file": {"file_data": "data:application/zip;base64,AAA="}}, "pdf, csv"),
            (NOVA, {"type": "hologram", "hologram": {}}, "no part 'hologram'"),
        ],
    )
    def test_parts_that_cannot_be_said(self, model: str, part: dict[str, Any], says: str) -> None:
        message = {"role": "user", "content": [{"type": "text", "text": "Hi"}, part]}
        with pytest.raises(UnsupportedError, match=says):
            sent(message, model=model)
        body, adapted = sent(message, model=model, policy="drop")
        assert content(body) == [{"text": "Hi"}]
        assert adapted == {"messages[0].content[1]": "dropped"}

    def test_the_wires_own_parts_pass(self) -> None:
        video = {"format": "mp4", "source": {"s3Location": {"uri": "s3://b/v.mp4"}}}
        body, _ = sent({"role": "user", "content": [{"type": "video", "video": video}]}, model=NOVA)
        assert content(body) == [{"video": video}]
        image = {"type": "image_url", "image_url": {**IMAGE["image_url"], "detail": "low"}}
        assert sent({"role": "user", "content": [image]})[1] == {
            "messages[0].content[0].image_url.detail": "dropped"
        }


class TestToolHistory:
    def test_calls_results_and_their_ids(self) -> None:
        first = {**CALL, "id": "a/b"}
        body, adapted = sent(
            HI,
            {"role": "assistant", "content": "So", "tool_calls": [first, {**CALL, "index": 4}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "", "is_error": True},
            {"role": "tool", "tool_call_id": "a/b", "content": [{"type": "text", "text": "x"}, IMAGE]},
            tools=[TOOL],
        )
        text, one, two = content(body, 1)
        identity = one["toolUse"]["toolUseId"]
        assert text == {"text": "So"}
        assert identity.startswith("call_")
        assert one["toolUse"]["input"] == {"zone": "CET"}
        assert two["toolUse"]["toolUseId"] == "call_1"
        assert content(body, 2) == [
            {
                "toolResult": {
                    "toolUseId": identity,
                    "content": [{"text": "x"}, {"image": {"format": "png", "source": {"bytes": PIXEL}}}],
                    "status": "success",
                }
            },
            {"toolResult": {"toolUseId": "call_1", "content": [{"text": "(no output)"}], "status": "error"}},
        ]
        assert adapted == {"messages[1].tool_calls[1]": "dropped"}

    def test_ids_that_come_twice_are_told_apart(self) -> None:
        body, _ = sent(HI, ASKED, TOLD, ASKED, TOLD, tools=[TOOL])
        used = [content(body, place)[0]["toolUse"]["toolUseId"] for place in (1, 3)]
        answered = [content(body, place)[0]["toolResult"]["toolUseId"] for place in (2, 4)]
        assert used == answered
        assert len(set(used)) == 2

    def test_families_that_want_results_alone(self) -> None:
        history = (HI, ASKED, TOLD, HI)
        body, adapted = sent(*history, model=LLAMA, tools=[TOOL])
        assert roles(body) == ["user", "assistant", "user", "assistant", "user"]
        assert content(body, 3) == [{"text": "."}]
        assert adapted == {"messages[3]": "emulated"}
        assert roles(sent(*history, model=NOVA, tools=[TOOL])[0]) == ["user", "assistant", "user"]

    def test_a_document_beside_results(self) -> None:
        history = (HI, ASKED, TOLD, {"role": "user", "content": [PDF]})
        assert roles(sent(*history, tools=[TOOL])[0])[3:] == ["assistant", "user"]
        assert len(roles(sent(*history, model=NOVA, tools=[TOOL])[0])) == 3

    def test_what_may_not_stand_inside_a_result_follows_it(self) -> None:
        told = {**TOLD, "content": [IMAGE, PDF]}
        inside = content(sent(HI, ASKED, told, tools=[TOOL])[0], 2)[0]["toolResult"]["content"]
        assert [*inside[0], *inside[1]] == ["image", "document"]
        body, adapted = sent(HI, ASKED, told, model="us.mistral.pixtral-large-2502-v1:0", tools=[TOOL])
        assert [*content(body, 2)[0]["toolResult"]["content"][0]] == ["document"]
        assert [*content(body, 4)[0]] == ["image"]
        assert adapted["messages[2]"] == "emulated"
        told = {**TOLD, "content": [IMAGE]}
        body, _ = sent(HI, ASKED, told, model="moonshotai.kimi-k2.5", tools=[TOOL])
        assert content(body, 2)[0]["toolResult"]["content"] == [{"text": "See below."}]

    def test_a_family_without_a_status(self) -> None:
        body, _ = sent(HI, ASKED, {**TOLD, "is_error": True}, model="us.writer.palmyra-x5-v1:0", tools=[TOOL])
        assert content(body, 2)[0]["toolResult"] == {
            "toolUseId": "call_1",
            "content": [{"text": "Error:"}, {"text": "nine"}],
        }

    def test_calls_in_the_history_want_tools(self) -> None:
        body, adapted = sent(HI, {**ASKED, "tool_calls": [{**CALL, "function": {"name": "a.b"}}]}, TOLD)
        assert [tool["toolSpec"]["name"] for tool in body["toolConfig"]["tools"]] == ["a_b"]
        assert body["additionalModelRequestFields"] == {"tool_choice": {"type": "none"}}
        assert adapted["tools"] == "emulated"
        assert "additionalModelRequestFields" not in sent(HI, ASKED, TOLD, model=NOVA)[0]


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
        for model, fields in (
            (LLAMA, {}),
            ("us.anthropic.claude-opus-5-5", {}),
            (CLAUDE, {"thinking_budget": 2000}),
        ):
            with pytest.raises(UnsupportedError, match="cannot be made to call"):
                sent(model=model, tools=[TOOL], tool_choice="required", **fields)

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


class TestThinking:
    @pytest.mark.parametrize(
        ("model", "fields", "own"),
        [
            (CLAUDE, {"enable_thinking": True}, {"thinking": {"type": "enabled", "budget_tokens": 8192}}),
            (CLAUDE, {"reasoning_effort": "low"}, {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
            (CLAUDE, {"thinking_budget": 3000}, {"thinking": {"type": "enabled", "budget_tokens": 3000}}),
            (CLAUDE, {"enable_thinking": False}, {"thinking": {"type": "disabled"}}),
            (
                "us.anthropic.claude-opus-4-6-v1",
                {"reasoning_effort": "xhigh"},
                {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}},
            ),
            (
                "us.anthropic.claude-opus-4-8",
                {"reasoning_effort": "xhigh"},
                {
                    "thinking": {"type": "adaptive", "display": "summarized"},
                    "output_config": {"effort": "xhigh"},
                },
            ),
            (
                "us.anthropic.claude-sonnet-5",
                {},
                {"thinking": {"type": "adaptive", "display": "summarized"}},
            ),
            ("us.anthropic.claude-sonnet-5", {"enable_thinking": False}, {"thinking": {"type": "disabled"}}),
            (
                "us.anthropic.claude-sonnet-5-5",
                {"enable_thinking": False},
                {"thinking": {"type": "between_tools"}},
            ),
            (
                "us.amazon.nova-2-lite-v1:0",
                {"enable_thinking": True},
                {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}},
            ),
            (
                "us.amazon.nova-2-lite-v1:0",
                {"reasoning_effort": "max"},
                {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}},
            ),
            ("openai.gpt-oss-120b-1:0", {"reasoning_effort": "high"}, {"reasoning_effort": "high"}),
            ("us.openai.gpt-5.6", {"reasoning_effort": "xhigh"}, {"reasoning": {"effort": "xhigh"}}),
            ("deepseek.v3.2", {"enable_thinking": False}, {"reasoning_effort": "none"}),
            ("zai.glm-4.7", {"reasoning_effort": "low"}, {"reasoning_effort": "high"}),
            ("zai.glm-5.3", {"reasoning_effort": "max"}, {"reasoning_effort": "max"}),
            ("qwen.qwen3-32b-v1:0", {"reasoning_effort": "medium"}, {"reasoning_config": "high"}),
            ("qwen.qwen3-32b-v1:0", {"enable_thinking": False}, {"reasoning_config": "none"}),
            ("xai.grok-4", {"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}),
            (LLAMA, {"enable_thinking": False}, None),
            (NOVA, {}, None),
        ],
    )
    def test_by_family(self, model: str, fields: dict[str, Any], own: Any) -> None:
        assert sent(model=model, **fields)[0].get("additionalModelRequestFields") == own

    @pytest.mark.parametrize(
        "model", ["us.deepseek.r1-v1:0", "openai.gpt-oss-20b-1:0", "us.anthropic.claude-fable-5-1"]
    )
    def test_what_cannot_stop_thinking(self, model: str) -> None:
        with pytest.raises(UnsupportedError, match="cannot stop thinking"):
            sent(model=model, enable_thinking=False)

    def test_a_budget_leaves_room_for_the_answer(self) -> None:
        body, adapted = sent(thinking_budget=4000, max_tokens=2000)
        assert body["additionalModelRequestFields"]["thinking"]["budget_tokens"] == 1500
        assert adapted == {"thinking_budget": "clamped"}
        body, adapted = sent(thinking_budget=4000, max_tokens=900)
        assert body["additionalModelRequestFields"] == {"thinking": {"type": "disabled"}}
        assert adapted == {"thinking_budget": "dropped"}
        old = "us.anthropic.claude-opus-4-1-20250805-v1:0"
        thinking = sent(thinking_budget=50_000, model=old)[0]["additionalModelRequestFields"]["thinking"]
        assert thinking["budget_tokens"] == 24_000

    def test_what_thinking_excludes(self) -> None:
        body, adapted = sent(thinking_budget=2000, temperature=0.5, top_p=0.5, top_k=5)
        assert "inferenceConfig" not in body
        assert set(adapted) == {"temperature", "top_p", "top_k"}
        assert body["additionalModelResponseFieldPaths"] == ["/stop_sequence", "/usage/output_tokens_details"]

    def test_a_tool_loop_that_began_elsewhere_goes_on_without_thinking(self) -> None:
        body, adapted = sent(HI, ASKED, TOLD, tools=[TOOL], thinking_budget=2000)
        assert body["additionalModelRequestFields"] == {"thinking": {"type": "disabled"}}
        assert adapted == {"thinking_budget": "dropped"}
        done = {"role": "assistant", "content": "nine"}
        body, _ = sent(HI, ASKED, TOLD, done, HI, tools=[TOOL], thinking_budget=2000)
        assert body["additionalModelRequestFields"]["thinking"]["type"] == "enabled"


def kept(model: str, *blocks: tuple[str, int, dict[str, Any]]) -> dict[str, Any]:
    details = [
        {"type": f"bedrock.{kind}", "provider": "p", "model": model, "index": index, "block": block}
        for kind, index, block in blocks
    ]
    return {
        "role": "assistant",
        "content": "Hm",
        "tool_calls": [CALL],
        "reasoning": "a",
        "reasoning_details": details,
    }


class TestReplay:
    THOUGHT: dict[str, Any] = {"reasoningContent": {"reasoningText": {"text": "a", "signature": "s"}}}

    def test_signed_thinking_goes_back_to_where_it_came_from(self) -> None:
        body, adapted = sent(HI, kept(CLAUDE, ("reasoning", 0, self.THOUGHT)), TOLD, tools=[TOOL])
        assert content(body, 1)[0] == self.THOUGHT
        assert content(body, 1)[1] == {"text": "Hm"}
        assert adapted == {}
        body, adapted = sent(HI, kept("other", ("reasoning", 0, self.THOUGHT)), TOLD, tools=[TOOL])
        assert content(body, 1)[0] == {"text": "Hm"}
        assert set(adapted.values()) == {"dropped"}

    def test_families_that_take_no_thinking_back(self) -> None:
        body, adapted = sent(HI, kept(NOVA, ("reasoning", 0, self.THOUGHT)), TOLD, tools=[TOOL], model=NOVA)
        assert content(body, 1)[0] == {"text": "Hm"}
        assert adapted == {"messages[1].reasoning_details": "dropped"}

    def test_server_tools_go_back_and_unknown_blocks_do_not(self) -> None:
        use = {"toolUse": {"toolUseId": "s", "name": "n", "type": "server_tool_use", "input": {}}}
        result = {"toolResult": {"toolUseId": "s", "content": [{"text": "1"}], "type": "n_result"}}
        body, adapted = sent(
            HI,
            kept(NOVA, ("server_tool", 0, use), ("server_tool", 1, result), ("other", 2, {"hologram": {}})),
            TOLD,
            tools=[TOOL],
            model=NOVA,
        )
        assert content(body, 1)[:3] == [use, result, {"text": "Hm"}]
        assert adapted == {"messages[1].reasoning_details": "dropped"}

    def test_an_answer_goes_round(self) -> None:
        blocks = [
            {"text": "One."},
            self.THOUGHT,
            {"text": "Two."},
            {"toolUse": {"toolUseId": "call_1", "name": "now", "input": {}}},
        ]
        answer = DIALECT.decode(
            json.dumps({"output": {"message": {"content": blocks}}, "stopReason": "tool_use"}).encode(),
            ChatCompletion.parse({"model": "m", "messages": [HI]}),
            target_of("bedrock", CLAUDE),
        )
        body, _ = sent(HI, answer.message.as_message(), TOLD, tools=[TOOL])
        assert content(body, 1) == blocks


class TestCachePoints:
    def text(self, words: str, **more: Any) -> dict[str, Any]:
        return {"type": "text", "text": words, "cache_control": {**MARK, **more}}

    def test_they_stand_behind_what_is_marked(self) -> None:
        body, adapted = sent(
            {"role": "system", "content": [self.text("A", ttl="1h")]},
            {"role": "user", "content": [self.text("B"), {"type": "text", "text": "C"}]},
            ASKED,
            {**TOLD, "content": [self.text("D")]},
            tools=[{**TOOL, "cache_control": {**MARK, "ttl": "1h"}}],
        )
        hour, plain = ({"cachePoint": {"type": "default", **more}} for more in ({"ttl": "1h"}, {}))
        assert body["system"] == [{"text": "A"}, hour]
        assert body["toolConfig"]["tools"][1] == hour
        assert content(body) == [{"text": "B"}, plain, {"text": "C"}]
        assert content(body, 2)[1] == plain
        assert adapted == {}

    def test_no_more_than_four_and_longer_ones_first(self) -> None:
        parts = [self.text(str(number), **({"ttl": "1h"} if number == 5 else {})) for number in range(6)]
        body, adapted = sent(
            {"role": "system", "content": [self.text("A")]}, {"role": "user", "content": parts}
        )
        assert json.dumps(body).count("cachePoint") == 4
        assert body["system"][1] == {"cachePoint": {"type": "default"}}
        assert "cachePoint" in content(body)[-1]
        assert "ttl" not in json.dumps(body)
        assert adapted == {"cache_control": "dropped", "cache_control.ttl": "clamped"}

    def test_who_takes_none(self) -> None:
        message = {"role": "user", "content": [self.text("B", ttl="1h")]}
        assert sent(message, model=LLAMA)[1] == {"messages[0].content[0].cache_control": "dropped"}
        assert sent(message, model=NOVA)[1] == {"messages[0].content[0].cache_control.ttl": "clamped"}
        marked = [{**TOOL, "cache_control": MARK}]
        assert sent(tools=marked, model=NOVA)[1] == {"tools[0].cache_control": "dropped"}

    def test_not_behind_a_document_that_is_no_pdf(self) -> None:
        note = {"type": "file", "file": {"file_data": "SGk=", "filename": "a.txt"}, "cache_control": MARK}
        pdf = {**PDF, "cache_control": MARK}
        body, adapted = sent({"role": "user", "content": [self.text("A"), note]})
        assert "cachePoint" not in content(body)[-1]
        assert adapted["messages[0].content[1].cache_control"] == "dropped"
        assert "cachePoint" in content(sent({"role": "user", "content": [self.text("A"), pdf]})[0])[-1]


class TestModels:
    def test_they_are_listed_by_the_control_plane(self) -> None:
        target = target_of("bedrock", "", base_url="https://bedrock-runtime.eu-west-1.amazonaws.com")
        wire = DIALECT.models_request(target)
        assert wire.url == "https://bedrock.eu-west-1.amazonaws.com/foundation-models?byOutputModality=TEXT"
        assert wire.method == "GET"
        row = {"modelId": "amazon.nova-pro-v1:0", "providerName": "Amazon", "inputModalities": ["TEXT"]}
        listed = DIALECT.models(json.dumps({"modelSummaries": [row, {}]}).encode(), target)
        assert [(model.id, model.owned_by) for model in listed.data] == [("amazon.nova-pro-v1:0", "Amazon")]
        with pytest.raises(MalformedResponseError):
            DIALECT.models(b"{}", target)


def test_an_answer_beyond_the_limit_is_refused() -> None:
    target = replace(target_of("bedrock", NOVA), max_response_bytes=64)
    decoder = DIALECT.decoder(ChatCompletion.parse({"model": "m", "messages": [HI]}), target)
    with pytest.raises(MalformedResponseError, match="longer than 64"):
        list(decoder.feed(b"{" + b" " * 64))


def test_a_stream_that_nobody_asked_for_is_read() -> None:
    request, target = ChatCompletion.parse({"model": "m", "messages": [HI]}), target_of("bedrock", NOVA)
    body = framed({"output": {"message": {"content": [{"text": "Hi"}]}}, "stopReason": "end_turn"})
    assert DIALECT.decode(body, request, target).text == "Hi"


def framed(answer: dict[str, Any]) -> bytes:
    """A whole answer as the stream that says the same."""
    return b"".join(
        encode(
            Message(
                {":message-type": string("event"), ":event-type": string(event)},
                json.dumps(payload).encode(),
            )
        )
        for event, payload in events_of_whole(answer, target_of("bedrock", NOVA))
    )


WORDS = st.text(st.sampled_from("ab é日"), max_size=5)
JSON = st.dictionaries(WORDS, st.integers() | WORDS | st.lists(st.booleans(), max_size=2), max_size=2)
CITATION = st.fixed_dictionaries(
    {}, optional={"title": WORDS, "source": WORDS, "location": st.just({"web": {"url": "u"}})}
)
BLOCKS = st.one_of(
    WORDS.map(lambda text: {"text": text}),
    st.fixed_dictionaries({"text": WORDS}, optional={"signature": WORDS}).map(
        lambda said: {"reasoningContent": {"reasoningText": said}}
    ),
    st.just({"reasoningContent": {"redactedContent": "AAAA"}}),
    st.builds(lambda name, said: {"toolUse": {"toolUseId": "i", "name": name, "input": said}}, WORDS, JSON),
    st.builds(
        lambda texts, found: {
            "citationsContent": {"content": [{"text": one} for one in texts], "citations": found}
        },
        st.lists(WORDS, max_size=2),
        st.lists(CITATION, max_size=2),
    ),
    st.just({"image": {"format": "png", "source": {"bytes": "AA=="}}}),
    st.just({"toolUse": {"toolUseId": "s", "name": "n", "type": "server_tool_use", "input": {"a": 1}}}),
    st.just({"toolResult": {"toolUseId": "s", "content": [{"text": "1"}], "type": "x"}}),
    st.dictionaries(st.just("hologram"), JSON, min_size=1),
)
COUNTS = ("inputTokens", "outputTokens", "totalTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
ANSWERS = st.fixed_dictionaries(
    {
        "output": st.fixed_dictionaries({"message": st.fixed_dictionaries({"content": st.lists(BLOCKS, max_size=4)})}),
        "stopReason": st.sampled_from(["end_turn", "tool_use", "max_tokens", "guardrail_intervened", None, "x"]),
    },
    optional={
        "usage": st.none() | st.dictionaries(st.sampled_from(COUNTS), st.integers(0, 99)),
        "trace": JSON,
        "serviceTier": st.just({"type": "default"}),
        "additionalModelResponseFields": JSON | st.just(""),
    },
)  # fmt: skip


@given(ANSWERS, st.sampled_from([CLAUDE, NOVA, "us.deepseek.r1-v1:0"]), st.data())
def test_any_answer_says_the_same_streamed_and_cut(
    answer: dict[str, Any], model: str, data: st.DataObject
) -> None:
    request, target = ChatCompletion.parse({"model": "m", "messages": [HI]}), target_of("bedrock", model)
    whole = DIALECT.decode(json.dumps(answer).encode(), request, target)
    stream = framed(answer)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    decoder = DIALECT.decoder(request, target)
    chunks = [
        chunk
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for chunk in decoder.feed(stream[start:end])
    ]
    chunks += decoder.close()
    assert decoder.done
    assert fold(chunks).wire() == whole.wire()
