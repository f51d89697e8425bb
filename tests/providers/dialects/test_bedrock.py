"""Converse, field by field: what is asked of each maker's models."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bedrock_requests import ASKED, CLAUDE, DIALECT, HI, LLAMA, NOVA, TOLD, TOOL, sent, wired
from mixed_requests import target_of

from turnout.providers.errors import MalformedResponseError, UnsupportedError


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
        own: dict[str, Any] = {
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
        both: dict[str, Any] = {"temperature": 0.5, "top_p": 0.5, "top_k": 5}
        assert sent(**both)[0]["inferenceConfig"] == {"temperature": 0.5}
        body, adapted = sent(model="us.anthropic.claude-opus-4-7", **both)
        assert "inferenceConfig" not in body
        assert set(adapted) == {"temperature", "top_p", "top_k"}
        old = sent(model="anthropic.claude-3-haiku-20240307-v1:0", **both)[0]
        assert old["inferenceConfig"] == {"temperature": 0.5, "topP": 0.5}
        assert sent(model=LLAMA, top_k=5)[1] == {"top_k": "dropped"}


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
