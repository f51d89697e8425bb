"""The simulator is real enough for OpenAI's own client."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionMessageFunctionToolCall, ChatCompletionMessageParam

from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

HI: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi there"}]
CALL = {"name": "weather", "arguments": {"city": "Oslo"}}
REPLIES = {
    "plain": [Reply(text="Good day to you", reasoning="be kind")],
    "calls": [Reply(tool_calls=[CALL, CALL])],
    "limited": [Reply(status=429, headers={"Retry-After": "0"}), Reply(text="now it works")],
    "broken": [Reply(error="out of memory", error_event_after=2)],
    "bad": [Reply(status=400, error={"message": "too long", "code": "context_length_exceeded"})],
    "cut": [Reply(cut_after_events=2)],
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # the SDK's client knows no other


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(REPLIES, api_key="key") as simulator:
        yield simulator


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key="key", base_url=simulator.url, max_retries=0) as client:
        yield client


async def test_a_whole_answer(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="plain", messages=HI)
    assert answer.choices[0].message.content == "Good day to you"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 9


async def test_a_stream(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="plain", messages=HI, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    text = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(text) == "Good day to you"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 6


async def test_tool_calls_whole_and_streamed(client: openai.AsyncOpenAI) -> None:
    whole = (await client.chat.completions.create(model="calls", messages=HI)).choices[0]
    async with client.chat.completions.stream(model="calls", messages=HI) as stream:
        folded = (await stream.get_final_completion()).choices[0]
    for choice in (whole, folded):
        assert choice.finish_reason == "tool_calls"
        calls = choice.message.tool_calls or []
        assert len({call.id for call in calls}) == 2
        for call in calls:
            assert isinstance(call, ChatCompletionMessageFunctionToolCall)
            assert (call.function.name, call.function.arguments) == ("weather", '{"city": "Oslo"}')


async def test_models(client: openai.AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == list(REPLIES)
    assert (await client.models.retrieve("plain")).id == "plain"


async def test_errors_have_their_types(client: openai.AsyncOpenAI) -> None:
    completions = client.chat.completions
    with pytest.raises(openai.BadRequestError) as bad:
        await completions.create(model="bad", messages=HI)
    assert bad.value.code == "context_length_exceeded"
    with pytest.raises(openai.RateLimitError):
        await completions.create(model="limited", messages=HI)
    with pytest.raises(openai.AuthenticationError):
        await client.with_options(api_key="wrong").chat.completions.create(model="plain", messages=HI)


async def test_it_retries_and_gets_the_next_reply(client: openai.AsyncOpenAI) -> None:
    patient = client.with_options(max_retries=1)
    answer = await patient.chat.completions.create(model="limited", messages=HI)
    assert answer.choices[0].message.content == "now it works"


async def test_streams_that_break(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.APIError, match="out of memory"):
        async for _ in await client.chat.completions.create(model="broken", messages=HI, stream=True):
            pass
    with pytest.raises((openai.APIConnectionError, httpx.RemoteProtocolError)):
        async for _ in await client.chat.completions.create(model="cut", messages=HI, stream=True):
            pass
