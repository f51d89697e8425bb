"""OpenAI's own client takes the simulator for the Responses API, and the router speaks to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import (
    ResponseCustomToolCall,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseReasoningItem,
)

from turnout import ProviderError, Router
from turnout.testing import Reply, Simulator
from turnout.testing.wires.responses_checks import opened, sealed

HI: Any = [{"role": "user", "content": "Hi there"}]
CALL = {"name": "weather", "arguments": {"city": "Oslo"}}
TOOL: Any = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}
CUSTOM: Any = {"type": "custom", "name": "weather"}
BLOB: Any = ["reasoning.encrypted_content"]
REPLIES = {
    "plain": [Reply(text="Good day to you", reasoning="be kind")],
    "calls": [Reply(text="One moment", reasoning="ask", tool_calls=[CALL, {**CALL, "id": "call_mine"}])],
    "short": [Reply(text="Good", finish_reason="length", usage={"input_tokens": 7, "output_tokens": 1})],
    "filtered": [Reply(text="Go", finish_reason="content_filter", usage="missing")],
    "refusing": [Reply(text="", refusal="I would rather not")],
    "bad": [Reply(status=400, error={"message": "too long", "code": "context_length_exceeded"})],
    "limited": [Reply(status=429, headers={"Retry-After": "3"})],
    "broken": [Reply(text="a b c", error="out of memory", error_event_after=7)],
    "failing": [Reply(text="a b c", error_event_after=1)],
    "soft": [Reply(error_in_200="no memory left")],
    "cut": [Reply(text="a b c", cut_after_events=6)],
    "endless": [Reply(text="a b", finish_reason=None)],
    "garbled": [Reply(text="a b", malformed_event=6)],
}


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(REPLIES, api_key="k").serving() as simulator:
        yield simulator


@pytest.fixture
def client(simulator: Simulator) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=simulator.url, api_key="k", max_retries=0) as client:
        yield client


# -- OpenAI's client


def test_a_whole_answer(client: openai.OpenAI) -> None:
    answer = client.responses.create(model="plain", input="Hi there", store=False)
    assert (answer.output_text, answer.status) == ("Good day to you", "completed")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == (1, 6, 7)
    assert answer.usage.output_tokens_details.reasoning_tokens == 2


def test_reasoning_is_shown_and_sealed_where_it_is_asked_for(client: openai.OpenAI) -> None:
    bare = client.responses.create(model="plain", input=HI).output[0]
    assert isinstance(bare, ResponseReasoningItem)
    assert (bare.summary, bare.encrypted_content) == ([], None)
    full = client.responses.create(
        model="plain", input=HI, include=BLOB, reasoning={"summary": "auto"}
    ).output[0]
    assert isinstance(full, ResponseReasoningItem)
    assert (full.summary[0].text, opened(full.encrypted_content or "")) == ("be kind", "be kind")
    off = client.responses.create(model="plain", input=HI, reasoning={"effort": "none"})
    assert [item.type for item in off.output] == ["message"]


@pytest.mark.parametrize("model", ["plain", "calls", "refusing", "short"])
def test_a_stream_ends_in_what_the_whole_answer_is(client: openai.OpenAI, model: str) -> None:
    asked: dict[str, Any] = {"model": model, "input": HI, "include": BLOB, "reasoning": {"summary": "auto"}}
    whole = client.responses.create(**asked)
    with client.responses.stream(**asked) as stream:
        kinds = [event.type for event in stream]
    with client.responses.create(**asked, stream=True) as raw:
        last = list(raw)[-1]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == last.type == f"response.{whole.status}"
    assert last.response.output_text == whole.output_text
    assert [item.type for item in last.response.output] == [item.type for item in whole.output]


def test_tool_calls(client: openai.OpenAI) -> None:
    calls = client.responses.create(model="calls", input=HI, tools=[TOOL]).output[2:]
    assert [call.type for call in calls] == ["function_call", "function_call"]
    assert isinstance(calls[1], ResponseFunctionToolCall)
    assert (calls[1].call_id, calls[1].arguments) == ("call_mine", '{"city": "Oslo"}')
    with client.responses.create(model="calls", input=HI, tools=[CUSTOM], stream=True) as stream:
        custom = list(stream)[-1].response.output[2]  # type: ignore[union-attr]
    assert isinstance(custom, ResponseCustomToolCall)
    assert custom.input == '{"city": "Oslo"}'


def test_answers_that_are_cut_or_refused(client: openai.OpenAI) -> None:
    short = client.responses.create(model="short", input=HI)
    assert short.incomplete_details is not None
    assert short.incomplete_details.reason == "max_output_tokens"
    assert client.responses.create(model="filtered", input=HI).usage is None
    message = client.responses.create(model="refusing", input=HI).output[0]
    assert isinstance(message, ResponseOutputMessage)
    assert message.content[0].type == "refusal"


def test_errors_have_their_types(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as bad:
        client.responses.create(model="bad", input=HI)
    assert bad.value.code == "context_length_exceeded"
    with pytest.raises(openai.RateLimitError):
        client.responses.create(model="limited", input=HI)
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").responses.create(model="plain", input=HI)
    with pytest.raises(openai.APIError, match="out of memory"):
        list(client.responses.create(model="broken", input=HI, stream=True))


def test_the_list_of_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == list(REPLIES)


def test_an_unscripted_model_repeats_what_was_said(client: openai.OpenAI) -> None:
    said: Any = [
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "One"}, {"type": "input_text", "text": "two"}],
        }
    ]
    assert client.responses.create(model="echo", input=said).output_text == "One two"
    assert client.responses.create(model="echo", input="Three").output_text == "Three"
    assert (
        client.responses.create(model="echo", input=[{"role": "system", "content": "x"}]).output_text
        == "Hello"
    )


# -- what is refused

DONE = {"type": "function_call_output", "call_id": "call_1", "output": "9"}
ASKED = {"type": "function_call", "call_id": "call_1", "name": "now", "arguments": "{}"}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": sealed("Hm")}


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({"model": None}, 400, "'model'"),
        ({"input": []}, 400, "'input'"),
        ({"stop": "a"}, 400, "Unknown parameter: 'stop'"),
        ({"max_output_tokens": 15}, 400, "Expected a value >= 16"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, 400, r"tools\[0\].name"),
        (
            {"text": {"format": {"type": "json_object"}}, "instructions": "JSON"},
            400,
            "contain the word 'json'",
        ),
        ({"input": [{**ASKED, "id": "call_1"}, DONE]}, 400, "begins with 'fc'"),
        ({"input": [{**ASKED, "call_id": "x" * 65}, DONE]}, 400, "maximum length 64"),
        ({"input": [{**THOUGHT, "status": None}]}, 400, "status"),
        (
            {"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]},
            400,
            "'output_text' and 'refusal'",
        ),
        ({"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, 400, "'input_text'"),
        ({"input": [ASKED]}, 400, "No tool output found for function call call_1"),
        ({"input": [DONE]}, 400, "No tool call found for function call output with call_id call_1"),
        ({"input": [THOUGHT]}, 400, "without its required following item"),
        ({"input": [THOUGHT, {"role": "assistant", "content": "Hm"}]}, 400, "required following item"),
        ({"input": [{**ASKED, "id": "fc_1r_0"}, DONE]}, 400, "without its required 'reasoning' item: 'rs_1'"),
        ({"input": [{**THOUGHT, "encrypted_content": None}, ASKED, DONE]}, 404, "Items are not persisted"),
        (
            {"input": [{**THOUGHT, "encrypted_content": sealed("Hm") + "A"}, ASKED, DONE]},
            400,
            "could not be verified",
        ),
    ],
)
def test_what_openai_never_takes(
    simulator: Simulator, fields: dict[str, Any], status: int, text: str
) -> None:
    body = {"model": "plain", "input": HI, "store": False, **fields}
    answer = httpx.post(f"{simulator.url}/responses", json=body, headers={"authorization": "Bearer k"})
    assert answer.status_code == status
    assert re.search(text, answer.json()["error"]["message"])


def test_reasoning_goes_back_before_what_it_led_to(simulator: Simulator) -> None:
    message = {"type": "message", "id": "msg_1r", "role": "assistant", "content": [], "status": "completed"}
    for following in ({**ASKED, "id": "fc_1r_0"}, message):
        items = [THOUGHT, following, *([DONE] if following is not message else []), *HI]
        body = {"model": "plain", "input": items, "store": False}
        answer = httpx.post(f"{simulator.url}/responses", json=body, headers={"authorization": "Bearer k"})
        assert answer.status_code == 200


# -- turnout's router

ROUTED: dict[str, Any] = {
    "enable_thinking": True,
    "tools": [
        {"type": "function", "function": {"name": "weather"}},
        {"type": "custom", "custom": {"name": "sql"}},
    ],
}


def router_for(simulator: Simulator) -> Router:
    provider = {
        "preset": "openai-responses",
        "base_url": simulator.url,
        "api_key": "k",
        "quirks": {"thinking": {"style": "effort", "efforts": ["low"], "effort_field": "reasoning.effort"}},
    }
    retry = {"attempts": 1}
    return Router({"providers": {"p": provider}, "defaults": {"retry": retry}}, env={})


async def folded(router: Router, model: str, *, streamed: bool, **fields: Any) -> Any:
    """The answer, whole or put together from its stream."""
    request = {"model": f"p/{model}", "messages": HI, **fields}
    if not streamed:
        return await router.complete(request)
    async with router.stream(request) as stream:
        async for _ in stream:
            pass
    return stream.response


@pytest.mark.anyio
@pytest.mark.parametrize("streamed", [False, True])
async def test_the_router_reads_answers(simulator: Simulator, streamed: bool) -> None:
    async with router_for(simulator) as router:
        answer = await folded(router, "calls", streamed=streamed, **ROUTED)
        message = answer.choices[0].message
        assert (message.content, message.reasoning) == ("One moment", "ask")
        assert [call.name for call in message.tool_calls or ()] == ["weather", "weather"]
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 9)
        for model, reason in (("plain", "stop"), ("short", "length"), ("filtered", "content_filter")):
            assert (await folded(router, model, streamed=streamed)).choices[0].finish_reason == reason
        refused = (await folded(router, "refusing", streamed=streamed)).choices[0].message
        assert (refused.content, refused.refusal) == (None, "I would rather not")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("model", "streamed", "kind"),
    [
        ("bad", False, "context_window"),
        ("limited", True, "rate_limit"),
        ("broken", True, "interrupted"),
        ("failing", True, "server"),
        ("soft", True, "server"),
        ("soft", False, "server"),
        ("cut", True, "interrupted"),
        ("endless", True, "interrupted"),
        ("garbled", True, "interrupted"),
        ("garbled", False, "malformed"),
    ],
)
async def test_the_router_tells_failures(simulator: Simulator, model: str, streamed: bool, kind: str) -> None:
    async with router_for(simulator) as router:
        with pytest.raises(ProviderError) as failure:
            await folded(router, model, streamed=streamed)
    cause: BaseException = failure.value
    assert isinstance(cause, ProviderError)
    assert cause.kind == kind
