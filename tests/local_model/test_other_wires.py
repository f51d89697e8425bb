"""llama.cpp's server speaks Anthropic's and OpenAI's Responses wires too: turnout's dialects against both."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from asking import ask

from turnout import Router
from turnout.providers.chat import ChatResponse

pytestmark = [pytest.mark.anyio, pytest.mark.local_model]

ANSWER = "Hello from a tiny scripted model: café 🙂 done."
THOUGHT = "Let us look at this first."
HI = [{"role": "user", "content": "Hi"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture(params=["anthropic", "responses"])
async def router(request: pytest.FixtureRequest, large_server: str) -> AsyncIterator[Router]:
    """A router whose provider `local` speaks one of the two wires."""
    provider = {
        "anthropic": {"preset": "llama-cpp-messages", "base_url": large_server},
        "responses": {"preset": "llama-cpp-responses", "base_url": f"{large_server}/v1"},
    }[request.param]
    settings: dict[str, Any] = {"providers": {"local": provider}, "defaults": {"deadline": "30s"}}
    async with Router(settings, env={}) as router:
        yield router


async def asked(router: Router, *, streaming: bool, **fields: Any) -> ChatResponse:
    usual: dict[str, Any] = {"model": "local/tiny", "messages": HI, "max_completion_tokens": 500}
    return await ask(router, streaming=streaming, **{**usual, **fields})


@pytest.mark.parametrize("streaming", [False, True])
async def test_an_answer_with_its_thought_and_usage(router: Router, streaming: bool) -> None:
    reply = await asked(router, streaming=streaming)
    assert (reply.text, reply.reasoning, reply.finish_reason) == (ANSWER, THOUGHT, "stop")
    assert (reply.provider, reply.model) == ("local", "tiny")
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (21, 19)
    assert not reply.message.reasoning_details  # nothing is signed here


async def test_pieces_come_one_by_one(router: Router) -> None:
    async with router.stream(model="local/tiny", messages=HI, max_completion_tokens=500) as stream:
        chunks = [chunk async for chunk in stream]
    assert len([chunk for chunk in chunks if chunk.text]) > 5
    assert len([chunk for chunk in chunks if chunk.reasoning]) > 3
    assert stream.state == "completed"


@pytest.mark.parametrize("streaming", [False, True])
async def test_thinking_is_switched_by_the_request(router: Router, streaming: bool) -> None:
    reply = await asked(router, streaming=streaming, enable_thinking=False)
    assert (reply.text, reply.reasoning) == (ANSWER, None)
    reply = await asked(router, streaming=streaming, enable_thinking=True)
    assert (reply.text, reply.reasoning) == (ANSWER, THOUGHT)


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_tool_loop_ends_with_an_answer(router: Router, streaming: bool) -> None:
    messages: list[Any] = list(HI)
    reply = await asked(router, streaming=streaming, messages=messages, tools=[WEATHER])
    [call] = reply.tool_calls
    assert reply.finish_reason == "tool_calls"
    assert call.function is not None
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "ok"}
    messages += [reply.message.as_message(), {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    reply = await asked(router, streaming=streaming, messages=messages, tools=[WEATHER])
    assert (reply.text, reply.tool_calls) == (ANSWER, [])


@pytest.mark.parametrize("streaming", [False, True])
async def test_an_answer_ends_at_its_limit(router: Router, streaming: bool) -> None:
    endless = [{"role": "user", "content": "<loop>"}]
    reply = await asked(router, streaming=streaming, messages=endless, max_completion_tokens=16)
    assert reply.text.split() == ["la"] * 16
    if router.settings.providers["local"].preset == "llama-cpp-messages":
        assert reply.finish_reason == "length"  # on the other wire this server calls a cut answer completed


async def test_leaving_a_stream_ends_it(router: Router) -> None:
    endless = [{"role": "user", "content": "<loop>"}]
    with anyio.fail_after(5):
        async with router.stream(model="local/tiny", messages=endless, max_completion_tokens=1500) as stream:
            async for chunk in stream:
                if chunk.text:
                    break
    assert stream.state == "cancelled"
