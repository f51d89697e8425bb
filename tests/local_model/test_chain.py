"""A chain described in YAML, driven against llama.cpp's own server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from asking import ask

from turnout import Router
from turnout.providers.errors import AuthenticationError, ContextWindowError

pytestmark = [pytest.mark.anyio, pytest.mark.local_model]

ANSWER = "Hello from a tiny scripted model: café 🙂 done."
THOUGHT = "Let us look at this first."
HI = [{"role": "user", "content": "Hi"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
        },
    },
}
CHAIN = """
providers:
  small: {preset: llama-cpp, base_url: "${SMALL}/v1"}
  large: {preset: llama-cpp, base_url: "${LARGE}/v1"}
  locked: {preset: llama-cpp, base_url: "${LOCKED}/v1", api_key: "${LOCKED_KEY:-wrong}"}
  endless: {preset: llama-cpp, base_url: "${ENDLESS}/v1"}
routes:
  assistant: [large/tiny]
  growing: [small/tiny, large/tiny]
  guarded:
    chain: [locked/tiny, large/tiny]
    fallback_on: [authentication]
defaults: {deadline: 30s}
"""


@pytest.fixture(scope="session")
def environment(
    small_server: str, large_server: str, locked_server: str, endless_server: str
) -> dict[str, str]:
    return {"SMALL": small_server, "LARGE": large_server, "LOCKED": locked_server, "ENDLESS": endless_server}


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    path = tmp_path / "turnout.yaml"
    path.write_text(CHAIN)
    return path


@pytest.fixture
async def router(chain: Path, environment: dict[str, str]) -> AsyncIterator[Router]:
    async with Router.from_yaml(chain, env=environment) as router:
        yield router


async def test_a_whole_answer_with_its_thought_usage_and_trace(router: Router) -> None:
    reply = await router.complete(model="assistant", messages=HI)
    assert (reply.text, reply.reasoning, reply.choices[0].finish_reason) == (ANSWER, THOUGHT, "stop")
    assert (reply.provider, reply.model) == ("large", "tiny")
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert reply.cost is not None
    assert reply.cost.amount == Decimal(0)
    [attempt] = reply.trace.attempts
    assert (attempt.target, attempt.outcome, attempt.usage) == ("large/tiny", "ok", reply.usage)
    assert [(one.field, one.action) for one in attempt.adaptations] == [("stream", "emulated")]


async def test_a_stream_says_the_same_piece_by_piece(router: Router) -> None:
    whole = await router.complete(model="assistant", messages=HI)
    async with router.stream(model="assistant", messages=HI) as stream:
        chunks = [chunk async for chunk in stream]
    assert stream.state == "completed"
    assert "".join(chunk.text for chunk in chunks) == ANSWER
    assert "".join(chunk.reasoning for chunk in chunks) == THOUGHT
    assert len([chunk for chunk in chunks if chunk.text]) > 5
    assert (stream.response.text, stream.response.reasoning) == (ANSWER, THOUGHT)
    assert stream.response.usage is not None
    assert whole.usage is not None
    assert stream.response.usage.total_tokens == whole.usage.total_tokens


async def test_thinking_is_switched_by_the_request(router: Router) -> None:
    thinking = await router.complete(model="assistant", messages=HI, enable_thinking=True)
    silent = await router.complete(model="assistant", messages=HI, enable_thinking=False)
    assert (thinking.text, thinking.reasoning) == (ANSWER, THOUGHT)
    assert silent.text == ANSWER
    assert not silent.reasoning
    assert thinking.usage is not None
    assert silent.usage is not None
    assert silent.usage.completion_tokens < thinking.usage.completion_tokens
    async with router.stream(model="assistant", messages=HI, enable_thinking=False) as stream:
        async for chunk in stream:
            assert not chunk.reasoning
    assert stream.response.text == ANSWER


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_tool_loop_ends_with_an_answer(router: Router, streaming: bool) -> None:
    messages: list[Any] = list(HI)
    reply = await ask(router, streaming=streaming, model="assistant", messages=messages, tools=[WEATHER])
    [call] = reply.tool_calls
    assert reply.choices[0].finish_reason == "tool_calls"
    assert call.function is not None
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "ok", "days": 0}
    messages.append(reply.choices[0].message.as_message())
    messages.append({"role": "tool", "tool_call_id": call.id, "content": "sunny"})
    reply = await ask(router, streaming=streaming, model="assistant", messages=messages, tools=[WEATHER])
    assert (reply.text, reply.tool_calls) == (ANSWER, [])


async def test_an_answer_fits_its_schema(router: Router) -> None:
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "kind": {"enum": ["aa", "bb"]},
            "size": {"type": "number"},
        },
        "required": ["name", "kind", "size"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "thing", "strict": True, "schema": schema}}
    reply = await router.complete(model="assistant", messages=HI, response_format=wanted)
    assert json.loads(reply.text) == {"name": "ok", "kind": "aa", "size": 0}


async def test_token_probabilities_come_along(router: Router) -> None:
    reply = await router.complete(model="assistant", messages=HI, logprobs=True, top_logprobs=2)
    logprobs = reply.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content
    assert all(len(token.top_logprobs) == 2 and token.logprob <= 0 for token in logprobs.content)


async def test_stop_and_max_tokens_end_an_answer_early(router: Router) -> None:
    stopped = await router.complete(model="assistant", messages=HI, stop=[" tiny"], enable_thinking=False)
    assert (stopped.text, stopped.choices[0].finish_reason) == ("Hello from a", "stop")
    endless = [{"role": "user", "content": "<loop>"}]
    limited = await router.complete(model="assistant", messages=endless, max_completion_tokens=5)
    assert limited.text.split() == ["la"] * 5
    assert limited.choices[0].finish_reason == "length"


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_prompt_too_long_goes_to_the_larger_model(router: Router, streaming: bool) -> None:
    long = [{"role": "user", "content": "word " * 100}]
    reply = await ask(router, streaming=streaming, model="growing", messages=long)
    assert (reply.text, reply.provider) == (ANSWER, "large")
    first, second = reply.trace.attempts
    assert (first.target, first.outcome, first.error.kind) == ("small/tiny", "failed", "context_window")
    assert (second.target, second.outcome) == ("large/tiny", "ok")
    assert (await ask(router, streaming=streaming, model="growing", messages=HI)).provider == "small"


async def test_where_no_larger_model_is_left_the_error_says_so(router: Router) -> None:
    long = [{"role": "user", "content": "word " * 100}]
    with pytest.raises(ContextWindowError) as caught:
        await router.complete(model="small/tiny", messages=long)
    assert caught.value.status == 400


async def test_a_wrong_key_is_an_authentication_error(router: Router) -> None:
    with pytest.raises(AuthenticationError) as caught:
        await router.complete(model="locked/tiny", messages=HI)
    assert (caught.value.status, caught.value.provider) == (401, "locked")
    assert "wrong" not in str(caught.value)
    reply = await router.complete(model="guarded", messages=HI)
    assert [attempt.outcome for attempt in reply.trace.attempts] == ["failed", "ok"]


async def test_the_right_key_opens(chain: Path, environment: dict[str, str]) -> None:
    async with Router.from_yaml(chain, env={**environment, "LOCKED_KEY": "right"}) as router:
        assert (await router.complete(model="locked/tiny", messages=HI)).text == ANSWER


async def test_models_are_listed(router: Router) -> None:
    assert "tiny" in [model.id for model in (await router.models("large")).data]


async def busy(url: str, *, seconds: float = 5.0) -> bool:
    """Whether the server's only slot is still at work after that time; False as soon as it is not."""
    async with httpx.AsyncClient(verify=False) as client:
        for _ in range(round(seconds / 0.02)):
            if not (await client.get(f"{url}/slots")).json()[0]["is_processing"]:
                return False
            await anyio.sleep(0.02)
    return True


async def test_leaving_a_stream_frees_the_slot(router: Router, environment: dict[str, str]) -> None:
    endless = [{"role": "user", "content": "<loop>"}]
    async with router.stream(model="endless/tiny", messages=endless) as stream:
        async for chunk in stream:
            if chunk.text.strip() == "la":
                break
        assert await busy(environment["ENDLESS"], seconds=0.1)
    assert stream.state == "cancelled"
    assert not await busy(environment["ENDLESS"])
    assert [attempt.outcome for attempt in router.ledger.attempts()] == ["cancelled"]


async def test_cancelling_a_call_frees_the_slot(router: Router, environment: dict[str, str]) -> None:
    endless = [{"role": "user", "content": "<loop>"}]
    with anyio.move_on_after(0.3) as scope:
        # llama.cpp finishes a whole answer even for a client that has left, so its row asks for a stream
        await router.complete(model="endless/tiny", messages=endless)
    assert scope.cancelled_caught
    assert not await busy(environment["ENDLESS"])
    assert [attempt.outcome for attempt in router.ledger.attempts()] == ["cancelled"]


async def test_many_calls_at_once(router: Router) -> None:
    answers: list[str] = []

    async def one(streaming: bool) -> None:
        answers.append((await ask(router, streaming=streaming, model="assistant", messages=HI)).text)

    async with anyio.create_task_group() as tasks:
        for number in range(64):
            tasks.start_soon(one, number % 2 == 0)
    assert answers == [ANSWER] * 64
    total = router.ledger.total
    assert (total.calls, total.attempts, total.cost) == (64, 64, Decimal(0))
