"""A router sends each request over the wire of its host that can say it, without being told to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from turnout import Router
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

HI: list[Any] = [{"role": "user", "content": "What time is it?"}]
TOOL = {"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}
CALLS = Reply(text="One moment.", reasoning="Look at the clock", tool_calls=[{"name": "now"}])
CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(api_key="k") as simulator:
        yield simulator


@pytest.fixture
async def router(simulator: Simulator) -> AsyncIterator[Router]:
    provider = {"preset": "openai", "base_url": simulator.url, "api_key": "k"}
    async with Router({"providers": {"p": provider}}, env={}) as router:
        yield router


async def answer(router: Router, *, streamed: bool, **fields: Any) -> Any:
    """The answer, whole or put together from its stream."""
    request = {"model": "p/gpt-5.5", "messages": HI, **fields}
    if not streamed:
        return await router.complete(request)
    async with router.stream(request) as stream:
        async for _ in stream:
            pass
    return stream.response


@pytest.mark.parametrize("streamed", [False, True])
async def test_tools_go_to_responses_and_words_to_chat(
    simulator: Simulator, router: Router, streamed: bool
) -> None:
    simulator.script("gpt-5.5", CALLS, Reply(text="Nine."))
    first = await answer(router, streamed=streamed, tools=[TOOL])
    second = await answer(router, streamed=streamed)
    assert [one.path for one in simulator.requests] == [RESPONSES, CHAT]
    assert (first.choices[0].finish_reason, first.provider) == ("tool_calls", "p")
    assert second.choices[0].message.content == "Nine."


@pytest.mark.parametrize("streamed", [False, True])
async def test_reasoning_lives_through_a_tool_loop(
    simulator: Simulator, router: Router, streamed: bool
) -> None:
    simulator.script("gpt-5.5", CALLS, Reply(text="Nine.", reasoning="It is nine"), Reply(text="Yes."))
    message = (
        (await answer(router, streamed=streamed, tools=[TOOL], reasoning_effort="low")).choices[0].message
    )
    assert message.reasoning == "Look at the clock"
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "9"}
    history = [*HI, message, result]
    last = await answer(router, streamed=streamed, tools=[TOOL], messages=history)
    history += [last.choices[0].message, {"role": "user", "content": "Sure?"}]
    await answer(router, streamed=streamed, messages=history)
    kinds = [item.get("type", item.get("role")) for item in simulator.requests[-1].body["input"]]
    loop = ["user", "reasoning", "message", "function_call", "function_call_output"]
    assert kinds == [*loop, "reasoning", "message", "user"]
    assert {one.path for one in simulator.requests} == {RESPONSES}


async def test_models_without_a_chat_route_need_no_setting(simulator: Simulator, router: Router) -> None:
    response = await router.complete(model="p/o3-pro", messages=HI)
    assert simulator.requests[0].path == RESPONSES
    assert response.choices[0].message.content == "What time is it?"


async def test_explain_tells_the_wire(router: Router) -> None:
    for tools, path in (([TOOL], RESPONSES), ([], CHAT)):
        step = router.explain(model="p/gpt-5.5", messages=HI, tools=tools).steps[0]
        assert (step.url or "").endswith(path)


async def test_a_provider_may_be_kept_to_chat(simulator: Simulator) -> None:
    provider = {"preset": "openai", "base_url": simulator.url, "api_key": "k", "quirks": {"twins": {}}}
    async with Router({"providers": {"p": provider}}, env={}) as router:
        await router.complete(model="p/gpt-5.5", messages=HI, tools=[TOOL])
    assert simulator.requests[0].path == CHAT
    assert simulator.requests[0].body["reasoning_effort"] == "none"


async def test_a_provider_may_speak_responses_alone(simulator: Simulator) -> None:
    provider = {"preset": "responses", "base_url": simulator.url, "api_key": "k"}
    async with Router({"providers": {"p": provider}}, env={}) as router:
        await router.complete(model="p/gpt-4o", messages=HI)
        assert (await router.models("p")).data == []
    assert simulator.requests[0].path == RESPONSES
