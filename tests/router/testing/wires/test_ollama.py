"""Ollama's own client takes the simulator for a server, and the router speaks to it in Ollama's words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import ollama
import pytest

from turnout import ProviderError, Router
from turnout.testing import Reply, Simulator

HI = [{"role": "user", "content": "Hi there"}]
CALL = {"name": "weather", "arguments": {"city": "Oslo"}}
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
TEXT_FOR_ARGUMENTS = {"function": {"name": "f", "arguments": "{}"}}
REPLIES = {
    "plain": [Reply(text="Good day to you", reasoning="be kind")],
    "gpt-oss": [Reply(text="Good day", reasoning="always")],
    "calls": [Reply(text="One moment", tool_calls=[CALL, {**CALL, "id": "call_mine"}])],
    "short": [Reply(text="Good", finish_reason="length", usage={"prompt_eval_count": 7, "eval_count": 1})],
    "cached": [Reply(usage="missing")],
    "refusing": [Reply(text="", refusal="I would rather not")],
    "missing": [Reply(status=404, error="model 'missing' not found")],
    "busy": [Reply(status=503)],
    "broken": [Reply(text="a b c", error={"message": "out of memory"}, error_event_after=2)],
    "failing": [Reply(text="a b c", error_event_after=1)],
    "soft": [Reply(error_in_200="llama runner process has terminated")],
    "cut": [Reply(text="a b c", cut_after_events=2)],
    "endless": [Reply(text="a b", finish_reason=None)],
    "garbled": [Reply(malformed_event=1)],
}


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(REPLIES).serving() as simulator:
        yield simulator


@pytest.fixture
def client(simulator: Simulator) -> Iterator[ollama.Client]:
    with ollama.Client(host=simulator.root) as client:
        yield client


def test_a_whole_answer(client: ollama.Client) -> None:
    answer = client.chat("plain", messages=HI, think=True)
    assert (answer.message.content, answer.message.thinking) == ("Good day to you", "be kind")
    assert (answer.done_reason, answer.prompt_eval_count, answer.eval_count) == ("stop", 2, 6)


def test_thinking_can_be_off_but_not_for_gpt_oss(client: ollama.Client) -> None:
    assert client.chat("plain", messages=HI, think=False).message.thinking is None
    assert client.chat("gpt-oss", messages=HI, think=False).message.thinking == "always"


def test_a_stream(client: ollama.Client) -> None:
    parts = list(client.chat("plain", messages=HI, stream=True, think="high"))
    assert "".join(part.message.content or "" for part in parts) == "Good day to you"
    assert "".join(part.message.thinking or "" for part in parts) == "be kind"
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]


def test_tool_calls(client: ollama.Client) -> None:
    whole = [client.chat("calls", messages=HI, tools=[TOOL])]
    stream = list(client.chat("calls", messages=HI, tools=[TOOL], stream=True))
    for parts in (whole, stream):
        calls = [call.function for part in parts for call in part.message.tool_calls or ()]
        assert [(call.name, call.arguments) for call in calls] == [("weather", {"city": "Oslo"})] * 2


def test_errors(client: ollama.Client) -> None:
    with pytest.raises(ollama.ResponseError, match="not found") as missing:
        client.chat("missing", messages=HI)
    assert missing.value.status_code == 404
    with pytest.raises(ollama.ResponseError, match="server busy"):
        client.chat("busy", messages=HI)
    with pytest.raises(ollama.ResponseError, match="out of memory"):
        list(client.chat("broken", messages=HI, stream=True))
    with pytest.raises(ollama.ResponseError, match="while running the model"):
        list(client.chat("failing", messages=HI, stream=True))


def test_without_messages_the_model_is_loaded(client: ollama.Client) -> None:
    assert client.chat("plain").done_reason == "load"


def test_a_model_without_a_script_repeats_what_it_hears(client: ollama.Client) -> None:
    assert client.chat("any", messages=HI).message.content == "Hi there"


def test_the_list_of_models(client: ollama.Client) -> None:
    assert [model.model for model in client.list().models] == list(REPLIES)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"model": ""}, "model is required"),
        ({"messages": "Hi"}, "ChatRequest.messages"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, "messages.content"),
        ({"messages": [{"role": "user", "content": "x", "images": ["data:image/png;base64,AA"]}]}, "base64"),
        ({"messages": [{"role": "assistant", "tool_calls": [TEXT_FOR_ARGUMENTS]}]}, "arguments"),
        ({"think": "xhigh"}, "invalid think value"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"format": "yaml"}, "invalid format"),
    ],
)  # fmt: skip
def test_what_the_server_does_not_take(simulator: Simulator, change: dict[str, Any], complaint: str) -> None:
    answer = httpx.post(f"{simulator.root}/api/chat", json={"model": "m", "messages": HI, **change})
    assert answer.status_code == 400
    assert complaint in answer.json()["error"]


def test_a_key_that_is_wrong() -> None:
    with Simulator(api_key="right").serving() as guarded:
        answer = httpx.post(f"{guarded.root}/api/chat", json={"model": "m", "messages": HI})
    assert (answer.status_code, answer.json()["error"]) == (401, "The API key is not valid.")


def router(simulator: Simulator) -> Router:
    provider = {"preset": "ollama-native", "base_url": simulator.root, "api_key": "k"}
    return Router({"providers": {"p": provider}, "defaults": {"retry": {"attempts": 1}}})


@pytest.mark.anyio
async def test_the_router_reads_a_whole_answer() -> None:
    async with Simulator(REPLIES) as simulator, router(simulator) as turnout:
        answer = await turnout.complete(model="p/plain", messages=HI, enable_thinking=True, max_tokens=9)
        sent = json.loads(simulator.requests[0].raw)
        assert (sent["think"], sent["options"], sent["stream"]) == (True, {"num_predict": 9}, False)
        assert (answer.text, answer.choices[0].message.reasoning) == ("Good day to you", "be kind")
        assert answer.usage is not None
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 6)
        assert answer.created == 1767225600
        short = await turnout.complete(model="p/short", messages=HI)
        assert short.choices[0].finish_reason == "length"
        assert (await turnout.complete(model="p/cached", messages=HI)).text == "Hello"
        assert (await turnout.complete(model="p/refusing", messages=HI)).text == "I would rather not"


@pytest.mark.anyio
async def test_the_router_goes_a_whole_round_with_tools() -> None:
    async with Simulator(REPLIES) as simulator, router(simulator) as turnout:
        asked = await turnout.complete(model="p/calls", messages=HI, tools=[TOOL])
        message = asked.choices[0].message
        assert asked.choices[0].finish_reason == "tool_calls"
        assert message.tool_calls is not None
        assert [call.id for call in message.tool_calls][1] == "call_mine"
        results = [
            {"role": "tool", "tool_call_id": call.id, "content": "rain"} for call in message.tool_calls
        ]
        await turnout.complete(
            model="p/any", messages=[*HI, message.as_message().wire(), *results], tools=[TOOL]
        )
        told = json.loads(simulator.requests[1].raw)["messages"]
        assert [one["role"] for one in told] == ["user", "assistant", "tool", "tool"]
        assert [one["tool_name"] for one in told[2:]] == ["weather", "weather"]


@pytest.mark.anyio
async def test_the_router_streams() -> None:
    async with Simulator(REPLIES) as simulator, router(simulator) as turnout:
        async with turnout.stream(model="p/plain", messages=HI) as stream:
            chunks = [chunk async for chunk in stream]
    assert "".join(chunk.text for chunk in chunks) == "Good day to you"
    assert "".join(chunk.reasoning for chunk in chunks) == "be kind"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("model", "stream", "kind"),
    [
        ("missing", False, "not_found"),
        ("busy", True, "overloaded"),
        ("soft", False, "server"),
        ("soft", True, "server"),
        ("cut", True, "interrupted"),
        ("endless", True, "interrupted"),
        ("broken", True, "interrupted"),
        ("garbled", True, "interrupted"),
        ("garbled", False, "malformed"),
    ],
)
async def test_the_router_tells_what_went_wrong(model: str, stream: bool, kind: str) -> None:
    async with Simulator(REPLIES) as simulator, router(simulator) as turnout:
        with pytest.raises(ProviderError) as failure:
            if stream:
                async with turnout.stream(model=f"p/{model}", messages=HI) as answer:
                    async for _ in answer:
                        pass
            else:
                await turnout.complete(model=f"p/{model}", messages=HI)
    assert failure.value.kind == kind
