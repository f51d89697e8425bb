"""What each generation of Claude is sent: thinking, sampling, limits, caching and the fields around."""

from __future__ import annotations

import json

import pytest
from anthropic_requests import (
    ANTHROPIC,
    CALL,
    MARK,
    NEW,
    OLD,
    RESULT,
    TOOL,
    USER,
    Fields,
    adapted,
    at,
    encoded,
    sent,
)
from mixed_requests import target_of

from turnout.providers.catalogue import catalogue
from turnout.providers.chat import ChatCompletion
from turnout.providers.dialects.keeping import keep
from turnout.providers.errors import UnsupportedError


class TestThinking:
    """One row of each generation."""

    @pytest.mark.parametrize(
        ("model", "unset", "off"),
        [
            ("claude-3-5-haiku-20241022", None, None),
            ("claude-3-7-sonnet-20250219", None, "disabled"),
            ("claude-sonnet-4-20250514", None, "disabled"),
            ("claude-opus-4-1", None, "disabled"),
            ("claude-haiku-4-5@20251001", None, "disabled"),
            ("claude-opus-4-5", None, "disabled"),
            ("anthropic/claude-opus-4.6", None, "disabled"),
            ("claude-opus-4-8", None, "disabled"),
            ("claude-sonnet-5-20260630", "adaptive", "disabled"),
            ("claude-opus-5", "adaptive", "disabled"),
            ("claude-haiku-5-5", "adaptive", "disabled"),
            ("claude-sonnet-5-5", "adaptive", "between_tools"),
        ],
    )
    def test_unset_and_off(self, model: str, unset: str | None, off: str | None) -> None:
        assert (sent(model, max_tokens=9).get("thinking") or {}).get("type") == unset
        assert (sent(model, max_tokens=9, enable_thinking=False).get("thinking") or {}).get("type") == off

    @pytest.mark.parametrize(
        "model", ["claude-opus-5-5", "claude-fable-5", "claude-mythos-5-2", "claude-next"]
    )
    def test_always_on(self, model: str) -> None:
        with pytest.raises(UnsupportedError, match="cannot stop thinking"):
            encoded(model, enable_thinking=False)
        body = sent(model, enable_thinking=False, drop=True)
        assert body["thinking"] == {"type": "adaptive", "display": "summarized"}
        assert body["output_config"] == {"effort": "low"}

    @pytest.mark.parametrize(
        ("model", "effort", "word"),
        [
            ("claude-opus-4-6", "minimal", "low"),
            ("claude-opus-4-6", "xhigh", "max"),
            ("claude-opus-4-7", "xhigh", "xhigh"),
            ("claude-opus-5-5", "medium", "medium"),
        ],
    )
    def test_effort_where_thinking_is_adaptive(self, model: str, effort: str, word: str) -> None:
        body = sent(model, reasoning_effort=effort)
        assert body["thinking"] == {"type": "adaptive", "display": "summarized"}
        assert body["output_config"] == {"effort": word}

    @pytest.mark.parametrize(
        ("fields", "budget"),
        [
            ({"reasoning_effort": "minimal"}, 1024),
            ({"reasoning_effort": "low"}, 2048),
            ({"reasoning_effort": "high"}, 16384),
            ({"reasoning_effort": "max"}, 32768),
            ({"enable_thinking": True}, 8192),
            ({"thinking_budget": 5000}, 5000),
            ({"thinking_budget": 10}, 1024),
        ],
    )
    def test_budgets_up_to_4_5(self, fields: Fields, budget: int) -> None:
        wanted = {"type": "enabled", "budget_tokens": budget, "display": "summarized"}
        assert sent(OLD, **fields)["thinking"] == wanted

    def test_opus_4_5_takes_effort_beside_the_budget(self) -> None:
        body = sent("claude-opus-4-5", reasoning_effort="high")
        assert body["thinking"]["budget_tokens"] == 16384
        assert body["output_config"] == {"effort": "high"}

    def test_a_budget_leaves_room_for_the_answer(self) -> None:
        wire = encoded(OLD, thinking_budget=9000, max_tokens=4000)
        assert json.loads(wire.body)["thinking"]["budget_tokens"] == 3000
        assert adapted(wire) == {"thinking_budget": "clamped"}

    def test_too_little_room_switches_thinking_off(self) -> None:
        wire = encoded("claude-opus-4-5", reasoning_effort="low", max_tokens=1024)
        body = json.loads(wire.body)
        assert body["thinking"] == {"type": "disabled"}
        assert body["output_config"] == {"effort": "low"}
        assert adapted(wire) == {"reasoning_effort": "dropped"}

    def test_a_tool_loop_from_elsewhere_goes_on_without_thinking(self) -> None:
        loop = [USER, {"role": "assistant", "content": None, "tool_calls": [CALL]}, RESULT]
        wire = encoded(OLD, *loop, enable_thinking=True, tools=[TOOL])
        assert json.loads(wire.body)["thinking"] == {"type": "disabled"}
        assert adapted(wire)["enable_thinking"] == "dropped"
        assert sent("claude-opus-4-6", *loop, enable_thinking=True)["thinking"]["type"] == "adaptive"

    def test_one_known_thought_keeps_the_loop_thinking(self) -> None:
        block = {"type": "thinking", "thinking": "Hm", "signature": "s"}
        first = {"role": "assistant", "content": None, "tool_calls": [CALL],
                 "reasoning_details": [keep(at(OLD), "anthropic", "thinking", 0, block)]}  # fmt: skip
        again = {"role": "assistant", "content": None, "tool_calls": [{**CALL, "id": "call_2"}]}
        more = {**RESULT, "tool_call_id": "call_2"}
        wire = encoded(OLD, USER, first, RESULT, again, more, enable_thinking=True, tools=[TOOL])
        assert json.loads(wire.body)["thinking"]["type"] == "enabled"
        assert wire.headers["anthropic-beta"] == "interleaved-thinking-2025-05-14"

    def test_a_finished_loop_does_not_matter(self) -> None:
        done = [USER, {"role": "assistant", "content": None, "tool_calls": [CALL]}, RESULT,
                {"role": "assistant", "content": "Cold."}, USER]  # fmt: skip
        assert sent(OLD, *done, enable_thinking=True)["thinking"]["type"] == "enabled"

    def test_the_wires_own_field_wins(self) -> None:
        wire = encoded(NEW, thinking={"type": "disabled"}, output_config={"effort": "low"})
        body = json.loads(wire.body)
        assert body["thinking"] == {"type": "disabled"}
        assert body["output_config"] == {"effort": "low"}
        clash = encoded(NEW, thinking={"type": "adaptive"}, enable_thinking=False)
        assert json.loads(clash.body)["thinking"] == {"type": "adaptive"}
        assert adapted(clash)["enable_thinking"] == "dropped"

    def test_effort_stays_calm_while_thinking_is_off(self) -> None:
        wire = encoded("claude-opus-5", enable_thinking=False, output_config={"effort": "max"})
        assert json.loads(wire.body)["output_config"] == {"effort": "high"}
        assert adapted(wire)["output_config.effort"] == "clamped"

    def test_other_models_are_left_to_themselves(self) -> None:
        body = sent("deepseek-v4", temperature=0.3, top_p=0.5)
        assert "thinking" not in body
        assert (body["max_tokens"], body["temperature"], body["top_p"]) == (8192, 0.3, 0.5)


class TestSampling:
    def test_gone_from_4_7_on(self) -> None:
        wire = encoded("claude-opus-4-7", temperature=0.5, top_p=0.5, top_k=3)
        assert not {"temperature", "top_p", "top_k"} & json.loads(wire.body).keys()
        assert {"temperature", "top_p", "top_k"} <= adapted(wire).keys()

    def test_one_of_two_in_4_x(self) -> None:
        wire = encoded(OLD, temperature=1.6, top_p=0.5, top_k=3)
        body = json.loads(wire.body)
        assert (body["temperature"], body["top_k"], "top_p" in body) == (1, 3, False)
        assert adapted(wire)["temperature"] == "clamped"
        assert sent(OLD, top_p=0.5)["top_p"] == 0.5

    def test_both_before(self) -> None:
        body = sent("claude-3-5-haiku-20241022", temperature=0.1, top_p=0.5)
        assert (body["temperature"], body["top_p"]) == (0.1, 0.5)

    def test_none_while_thinking(self) -> None:
        wire = encoded(OLD, temperature=0.5, enable_thinking=True)
        assert adapted(wire)["temperature"] == "dropped"

    def test_top_k_is_a_whole_number(self) -> None:
        assert adapted(encoded(OLD, top_k="many"))["top_k"] == "dropped"


class TestLimits:
    @pytest.mark.parametrize(
        ("model", "limit"),
        [("claude-3-opus-20240229", 4096), ("claude-3-5-haiku-20241022", 8192), ("claude-opus-4-1", 32000),
         ("claude-sonnet-4-20250514", 64000), ("claude-opus-4-5", 64000), ("claude-opus-5-5", 128000)],
    )  # fmt: skip
    def test_max_tokens_is_always_sent(self, model: str, limit: int) -> None:
        wire = encoded(model)
        assert json.loads(wire.body)["max_tokens"] == limit
        assert wire.stream is (limit > 21_333)
        assert adapted(wire).get("stream") == ("emulated" if wire.stream else None)

    def test_more_than_the_model_writes_is_cut(self) -> None:
        wire = encoded(OLD, max_completion_tokens=100_000, stream=True)
        assert json.loads(wire.body)["max_tokens"] == 64000
        assert adapted(wire) == {"max_completion_tokens": "clamped"}


class TestCaching:
    def test_at_most_four_marks_the_last_ones(self) -> None:
        parts = [{"type": "text", "text": str(number), "cache_control": MARK} for number in range(4)]
        wire = encoded(NEW, {"role": "user", "content": parts}, tools=[{**TOOL, "cache_control": MARK}])
        assert adapted(wire)["tools[0].cache_control"] == "dropped"
        assert wire.body.count(b"cache_control") == 4

    def test_the_requests_own_mark_takes_a_place(self) -> None:
        parts = [{"type": "text", "text": str(number), "cache_control": MARK} for number in range(4)]
        wire = encoded(NEW, {"role": "user", "content": parts}, cache_control=MARK)
        assert wire.body.count(b"cache_control") == 4
        assert adapted(wire)["messages[0].content[0].cache_control"] == "dropped"


class TestTheRest:
    def test_who_asks_and_how_fast(self) -> None:
        assert sent(NEW, user="u")["metadata"] == {"user_id": "u"}
        wire = encoded(NEW, user="u", safety_identifier="s", metadata={"user_id": "m", "team": "t"})
        assert json.loads(wire.body)["metadata"] == {"user_id": "s"}
        assert adapted(wire).keys() >= {"user", "metadata", "metadata.user_id"}
        assert sent(NEW, service_tier="default")["service_tier"] == "standard_only"
        assert adapted(encoded(NEW, service_tier="flex"))["service_tier"] == "dropped"

    @pytest.mark.parametrize(
        "fields",
        [{"n": 2}, {"logprobs": True}, {"stop": [" "]},
         {"modalities": ["text", "audio"], "audio": {"format": "wav", "voice": "alloy"}}],
    )  # fmt: skip
    def test_what_shapes_the_answer_is_refused(self, fields: Fields) -> None:
        with pytest.raises(UnsupportedError):
            encoded(NEW, **fields)

    def test_hints_are_dropped_and_reported(self) -> None:
        wire = encoded(NEW, seed=1, presence_penalty=1, verbosity="low", prompt_cache_key="k", min_p=0.1)
        assert adapted(wire).keys() >= {"seed", "presence_penalty", "verbosity", "prompt_cache_key", "min_p"}

    def test_headers(self) -> None:
        target = at(NEW, headers={"Anthropic-Beta": "a, b"})
        given = {
            "model": "m",
            "messages": [USER],
            "anthropic_beta": "b,c",
            "betas": ["d"],
            "container": "c_1",
        }
        wire = ANTHROPIC.encode(ChatCompletion.parse(given), target)
        assert wire.url == "https://host.example/v1/messages"
        assert wire.headers["anthropic-beta"] == "a,b,c,d"
        assert wire.headers["anthropic-version"] == "2023-06-01"
        assert wire.headers["x-api-key"] == "k"
        assert json.loads(wire.body)["container"] == "c_1"
        assert "anthropic-beta" not in encoded(NEW).headers

    def test_vertex_has_the_model_in_the_path(self) -> None:
        place = {"location": "europe-west1", "project": "p-1"}
        target = target_of("vertex-anthropic", "claude-sonnet-4-5@20250929", base_url=None, options=place)
        given = {"model": "m", "messages": [USER], "max_tokens": 10}
        wire = ANTHROPIC.encode(ChatCompletion.parse(given), target)
        assert wire.url == (
            "https://europe-west1-aiplatform.googleapis.com/v1/projects/p-1/locations/europe-west1"
            "/publishers/anthropic/models/claude-sonnet-4-5%4020250929:rawPredict"
        )
        body = json.loads(wire.body)
        assert body["anthropic_version"] == "vertex-2023-10-16"
        assert "model" not in body
        assert wire.headers["authorization"] == "Bearer k"

    def test_claude_is_another_name(self) -> None:
        assert catalogue()["claude"] == catalogue()["anthropic"]
