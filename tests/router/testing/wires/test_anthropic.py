"""Anthropic's own client takes the simulator for a server, and the router speaks to it in the same words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic.types import MessageParam, ToolParam

from turnout import ProviderError, Router
from turnout.testing import Reply, Simulator
from turnout.testing.wires.anthropic import signature

Fields = dict[str, Any]

HI: list[MessageParam] = [{"role": "user", "content": "Hi there"}]
TOOL: ToolParam = {"name": "weather", "input_schema": {"type": "object"}}
FUNCTION = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
CALL = {"name": "weather", "arguments": {"city": "Oslo"}, "id": "toolu_1"}
MARKED: Any = [{"type": "text", "text": "Be very brief", "cache_control": {"type": "ephemeral"}}]
OLD = "claude-sonnet-4-5"
LOOP = [Reply(text="One moment", reasoning="be quick", tool_calls=[CALL]), Reply(text="4 C")]
REPLIES = {
    "plain": [Reply(text="Good day to you", reasoning="be kind")],
    OLD: LOOP,
    "loop": LOOP,
    "calls": [Reply(tool_calls=[CALL, {"name": "now"}])],
    "short": [Reply(text="Good", finish_reason="length", usage={"input_tokens": 7, "output_tokens": 1})],
    "bare": [Reply(usage="missing")],
    "refusing": [Reply(text=None, refusal="I would rather not", finish_reason="content_filter")],
    "unknown": [Reply(status=404, error="model: unknown")],
    "busy": [Reply(status=529)],
    "odd": [Reply(status=418, error={"message": "tea"}), Reply(status=503)],
    "broken": [Reply(text="a b c", error={"type": "overloaded_error", "message": "Overloaded"},
                     error_event_after=2)],
    "soft": [Reply(error_in_200="it went wrong")],
    "cut": [Reply(text="a b c", end_after_events=5)],
    "garbled": [Reply(malformed_event=3)],
}  # fmt: skip


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(REPLIES, api_key="k").serving() as simulator:
        yield simulator


@pytest.fixture
def client(simulator: Simulator) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=simulator.root, api_key="k", max_retries=0) as client:
        yield client


class TestItsClient:
    def test_a_whole_answer(self, client: anthropic.Anthropic) -> None:
        answer = client.messages.create(model="plain", max_tokens=9, messages=HI, system=MARKED)
        thought, said = answer.content
        assert isinstance(thought, anthropic.types.ThinkingBlock)
        assert isinstance(said, anthropic.types.TextBlock)
        assert (thought.thinking, thought.signature) == ("be kind", signature("be kind"))
        assert (said.text, answer.stop_reason) == ("Good day to you", "end_turn")
        usage = answer.usage
        assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (2, 3, 6)

    def test_a_stream(self, client: anthropic.Anthropic) -> None:
        with client.messages.stream(model="loop", max_tokens=9, messages=HI, tools=[TOOL]) as stream:
            assert "".join(stream.text_stream) == "One moment"
            answer = stream.get_final_message()
        thought, _, call = answer.content
        assert isinstance(thought, anthropic.types.ThinkingBlock)
        assert isinstance(call, anthropic.types.ToolUseBlock)
        assert (call.id, call.name, call.input) == ("toolu_1", "weather", {"city": "Oslo"})
        assert (thought.signature, answer.stop_reason) == (signature("be quick"), "tool_use")
        again: list[MessageParam] = [
            *HI,
            answer.to_param(),
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "4"}]},
        ]
        thinking: Any = {"type": "enabled", "budget_tokens": 1024}
        back = client.messages.create(
            model="loop", max_tokens=2000, messages=again, tools=[TOOL], thinking=thinking
        )
        assert back.content[0].type == "text"

    def test_thinking_can_be_off(self, client: anthropic.Anthropic) -> None:
        off: Any = {"type": "disabled"}
        answer = client.messages.create(model="plain", max_tokens=9, messages=HI, thinking=off)
        assert [block.type for block in answer.content] == ["text"]

    def test_how_answers_end(self, client: anthropic.Anthropic) -> None:
        short = client.messages.create(model="short", max_tokens=9, messages=HI)
        assert (short.stop_reason, short.usage.input_tokens) == ("max_tokens", 7)
        refused = client.messages.create(model="refusing", max_tokens=9, messages=HI)
        assert refused.stop_reason == "refusal"
        assert refused.stop_details is not None
        assert refused.stop_details.explanation == "I would rather not"

    def test_errors(self, client: anthropic.Anthropic, simulator: Simulator) -> None:
        with pytest.raises(anthropic.NotFoundError, match="model: unknown") as missing:
            client.messages.create(model="unknown", max_tokens=9, messages=HI)
        assert missing.value.request_id == "req_1"
        with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
            client.messages.create(model="busy", max_tokens=9, messages=HI)
        with anthropic.Anthropic(base_url=simulator.root, api_key="x", max_retries=0) as other:
            with pytest.raises(anthropic.AuthenticationError):
                other.messages.create(model="plain", max_tokens=9, messages=HI)
        with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
            list(client.messages.create(model="broken", max_tokens=9, messages=HI, stream=True))

    def test_the_list_of_models(self, client: anthropic.Anthropic) -> None:
        assert [model.id for model in client.models.list()] == list(REPLIES)
        with Simulator().serving() as other, anthropic.Anthropic(base_url=other.root, api_key="k") as client:
            assert list(client.models.list()) == []

    def test_an_unscripted_model_repeats_the_last_words(self, client: anthropic.Anthropic) -> None:
        answer = client.messages.create(model="echo", max_tokens=9, messages=HI)
        assert answer.content[0].to_dict() == {"type": "text", "text": "Hi there"}


TURN: Fields = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]}
DONE: Fields = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1"}]}
ENABLED = {"type": "enabled", "budget_tokens": 1024}
MARK = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"messages": []}, "at least one message"),
        ({"seed": 1}, "seed: Extra inputs are not permitted"),
        ({"messages": [TURN, DONE]}, "first message"),
        ({"messages": [*HI, {"role": "tool", "content": "x"}]}, "messages.1.role"),
        ({"messages": [{"role": "user", "content": []}]}, "non-empty content"),
        ({"messages": [{"role": "user", "content": " "}]}, "text content blocks must be non-empty"),
        ({"messages": [*HI, TURN, *HI]}, "without `tool_result` blocks immediately after: t1"),
        ({"messages": [*HI, TURN]}, "without `tool_result` blocks"),
        ({"messages": [*HI, DONE]}, "unexpected `tool_use_id`"),
        ({"messages": [*HI, {"role": "assistant", "content": "Well "}]}, "trailing whitespace"),
        ({"messages": [*HI, {**TURN, "content": [{**TURN["content"][0], "id": "é"}]}]}, "pattern"),
        (
            {"messages": [*HI, {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "altered", "signature": signature("meant")}]}, *HI]},
            "Invalid `signature`",
        ),
        ({"messages": [{"role": "user", "content": [MARK] * 5}]}, "Found 5"),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, "greater than or equal to 1024"),
        ({"thinking": ENABLED, "max_tokens": 1024}, "must be greater than `thinking.budget_tokens`"),
        ({"thinking": ENABLED, "tool_choice": {"type": "any"}}, "forces tool use"),
        ({"thinking": ENABLED, "messages": [*HI, TURN, DONE]}, "Expected `thinking`"),
    ],
)  # fmt: skip
def test_what_the_provider_refuses(client: anthropic.Anthropic, fields: Fields, words: str) -> None:
    body = {"model": "plain", "max_tokens": 4000, "messages": HI, **fields}
    sent = {name: value for name, value in body.items() if value is not None}
    with pytest.raises(anthropic.BadRequestError, match=words.replace(".", r"\.")):
        client.post("/v1/messages", body=sent, cast_to=object)


def test_the_version_must_be_said(client: anthropic.Anthropic) -> None:
    body = {"model": "plain", "max_tokens": 9, "messages": HI}
    headers: Any = {"headers": {"anthropic-version": anthropic.Omit()}}
    with pytest.raises(anthropic.BadRequestError, match="anthropic-version: header is required"):
        client.post("/v1/messages", body=body, cast_to=object, options=headers)


def settings(simulator: Simulator) -> Fields:
    provider = {"preset": "anthropic", "base_url": simulator.root, "api_key": "k"}
    return {"providers": {"p": provider}, "defaults": {"retry": {"attempts": 1}}}


@pytest.mark.anyio
async def test_the_router_gets_whole_answers_and_streams() -> None:
    async with Simulator(REPLIES) as simulator, Router(settings(simulator)) as router:
        answer = await router.complete({"model": "p/plain", "messages": HI, "max_tokens": 50})
        message = answer.choices[0].message
        assert (message.content, message.reasoning) == ("Good day to you", "be kind")
        assert answer.usage is not None
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 6)

        first = {"model": f"p/{OLD}", "messages": HI, "tools": [FUNCTION], "enable_thinking": True}
        asked = await router.complete(first)  # a long answer, which is streamed and put together
        assert simulator.requests[-1].body["stream"] is True
        said = asked.choices[0].message
        assert said.tool_calls is not None
        assert (said.tool_calls[0].name, asked.choices[0].finish_reason) == ("weather", "tool_calls")
        result = {"role": "tool", "tool_call_id": said.tool_calls[0].id, "content": "4 C"}
        again = await router.complete({**first, "messages": [*HI, said, result]})
        assert again.choices[0].message.content == "4 C"
        sent = simulator.requests[-1].body
        assert sent["thinking"]["type"] == "enabled"
        assert [block["type"] for block in sent["messages"][1]["content"]] == ["thinking", "text", "tool_use"]

        both = await router.complete({"model": "p/calls", "messages": HI, "tools": [FUNCTION]})
        assert [call.name for call in both.choices[0].message.tool_calls or ()] == ["weather", "now"]
        assert (await router.complete({"model": "p/bare", "messages": HI})).choices[
            0
        ].message.content == "Hello"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("model", "kind"),
    [("unknown", "not_found"), ("busy", "overloaded"), ("odd", "invalid_request"), ("broken", "overloaded"),
     ("soft", "server"), ("cut", "interrupted"), ("garbled", "malformed")],
)  # fmt: skip
async def test_the_router_tells_failures_apart(model: str, kind: str) -> None:
    async with Simulator(REPLIES) as simulator, Router(settings(simulator)) as router:
        with pytest.raises(ProviderError) as failure:
            async with router.stream({"model": f"p/{model}", "messages": HI}) as stream:
                async for _ in stream:
                    pass
        assert failure.value.kind == kind
