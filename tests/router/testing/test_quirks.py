"""How each host departs from OpenAI's wire."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from turnout.testing import HOSTS, Reply, Simulator

pytestmark = pytest.mark.anyio

THOUGHT = Reply(text="Good day", reasoning="be kind")
CALL = Reply(tool_calls=[{"name": "now", "arguments": {"tz": "UTC"}}])
HI = [{"role": "user", "content": "hi"}]
LIMIT = "rate_limit_exceeded"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=5, verify=False) as client:
        yield client


async def whole(client: httpx.AsyncClient, host: str, reply: Reply, **fields: Any) -> Any:
    async with Simulator({"m": [reply]}, quirks=host) as simulator:
        body = {"model": "m", "messages": HI, **fields}
        response = await client.post(f"{simulator.url}/chat/completions", json=body)
        return response.json() | {"status": response.status_code}


async def streamed(
    client: httpx.AsyncClient, host: str, reply: Reply, **fields: Any
) -> tuple[str, list[Any]]:
    async with Simulator({"m": [reply]}, quirks=host) as simulator:
        body = {"model": "m", "messages": HI, "stream": True, **fields}
        text = (await client.post(f"{simulator.url}/chat/completions", json=body)).text
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return text, [json.loads(line) for line in lines if line != "[DONE]"]


def deltas(events: list[Any], name: str) -> list[Any]:
    found = [choice["delta"].get(name) for event in events for choice in event["choices"]]
    return [value for value in found if value]


@pytest.mark.parametrize("host", HOSTS)
async def test_every_host_says_its_text_word_by_word(client: httpx.AsyncClient, host: str) -> None:
    text, events = await streamed(client, host, Reply(text="one  two\n three "))
    assert "".join(deltas(events, "content")) == "one  two\n three "
    assert len(deltas(events, "content")) == 4
    assert text.endswith("data: [DONE]\n\n")
    assert events[0]["choices"][0]["delta"]["role"] == "assistant"


@pytest.mark.parametrize("host", HOSTS)
async def test_every_host_streams_calls_in_fragments(client: httpx.AsyncClient, host: str) -> None:
    _, events = await streamed(client, host, CALL)
    fragments = [call for calls in deltas(events, "tool_calls") for call in calls]
    assert fragments[0]["function"] == {"name": "now", "arguments": ""}
    assert all("id" not in fragment for fragment in fragments[1:])
    assert len(fragments) > 2
    joined = "".join(fragment["function"]["arguments"] for fragment in fragments)
    assert json.loads(joined) == {"tz": "UTC"}
    reasons = [choice["finish_reason"] for event in events for choice in event["choices"]]
    assert reasons[-1] == ("" if host == "xai" else "tool_calls")


async def test_refusals_and_more_choices_stream_too(client: httpx.AsyncClient) -> None:
    _, events = await streamed(client, "groq", Reply(text=None, refusal="I will not"), n=2)
    said = {0: "", 1: ""}
    for event in events:
        for choice in event["choices"]:
            said[choice["index"]] += choice["delta"].get("refusal", "")
    assert said == {0: "I will not", 1: "I will not"}
    reasons = [choice["finish_reason"] for event in events for choice in event["choices"]]
    assert reasons[-2:] == ["stop", "stop"]
    assert [event["x_groq"] for event in events if "usage" in event.get("x_groq", {})] == [
        events[-1]["x_groq"]
    ]


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("openai", "reasoning_content"),
        ("qwen", "reasoning_content"),
        ("groq", "reasoning"),
        ("llama-cpp", "reasoning_content"),
        ("vllm", "reasoning"),
        ("ollama", "reasoning"),
        ("deepseek", "reasoning_content"),
        ("xai", "reasoning_content"),
        ("openrouter", "reasoning"),
    ],
)
async def test_reasoning_has_the_host_s_own_name(client: httpx.AsyncClient, host: str, name: str) -> None:
    message = (await whole(client, host, THOUGHT))["choices"][0]["message"]
    assert (message["content"], message[name]) == ("Good day", "be kind")
    _, events = await streamed(client, host, THOUGHT)
    assert deltas(events, name) == ["be", " kind"]
    assert "".join(deltas(events, "content")) == "Good day"


async def test_openrouter_repeats_it_in_details(client: httpx.AsyncClient) -> None:
    answer = await whole(client, "openrouter", THOUGHT)
    detail = {"type": "reasoning.text", "text": "be kind", "index": 0}
    assert answer["choices"][0]["message"]["reasoning_details"] == [detail]
    assert answer["choices"][0]["native_finish_reason"] == "stop"
    assert answer["provider"] == "Simulated"
    hidden = await whole(client, "openrouter", THOUGHT, reasoning={"exclude": True})
    assert "reasoning" not in hidden["choices"][0]["message"]


async def test_minimax_thinks_inside_the_content_unless_split(client: httpx.AsyncClient) -> None:
    answer = await whole(client, "minimax", THOUGHT)
    assert answer["choices"][0]["message"]["content"] == "<think>\nbe kind\n</think>\n\nGood day"
    assert answer["base_resp"] == {"status_code": 0, "status_msg": ""}
    _, events = await streamed(client, "minimax", THOUGHT)
    assert "".join(deltas(events, "content")) == "<think>\nbe kind\n</think>\n\nGood day"
    message = (await whole(client, "minimax", THOUGHT, reasoning_split=True))["choices"][0]["message"]
    assert message["content"] == "Good day"
    assert message["reasoning_details"] == [{"text": "be kind"}]
    _, events = await streamed(client, "minimax", THOUGHT, reasoning_split=True)
    assert deltas(events, "reasoning_content") == ["be", " kind"]


async def test_mistral_thinks_in_parts(client: httpx.AsyncClient) -> None:
    content = (await whole(client, "mistral", THOUGHT))["choices"][0]["message"]["content"]
    assert content == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "be kind"}]},
        {"type": "text", "text": "Good day"},
    ]
    _, events = await streamed(client, "mistral", THOUGHT)
    parts = deltas(events, "content")
    assert parts[0] == [{"type": "thinking", "thinking": [{"type": "text", "text": "be"}]}]
    assert parts[2:] == ["Good", " day"]
    silent = await whole(client, "mistral", Reply(text=None, reasoning="hm"))
    assert len(silent["choices"][0]["message"]["content"]) == 1


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"reasoning_format": "parsed"}, "reasoning"),
        ({"reasoning_format": "raw"}, "content"),
        ({"reasoning_format": "hidden"}, None),
        ({"include_reasoning": False}, None),
    ],
)
async def test_groq_s_format_decides(
    client: httpx.AsyncClient, fields: dict[str, Any], shown: str | None
) -> None:
    answer = await whole(client, "groq", THOUGHT, **fields)
    message = answer["choices"][0]["message"]
    assert [name for name, value in message.items() if "be kind" in str(value)] == ([shown] if shown else [])
    assert answer["usage"]["completion_tokens_details"] == {"reasoning_tokens": 2}
    assert answer["x_groq"]["id"].startswith("req_")


@pytest.mark.parametrize(
    ("host", "fields"),
    [
        ("openai", {"reasoning_effort": "none"}),
        ("openai", {"enable_thinking": False}),
        ("qwen", {"enable_thinking": False}),
        ("groq", {"reasoning_effort": "none"}),
        ("llama-cpp", {"chat_template_kwargs": {"enable_thinking": False}}),
        ("vllm", {"chat_template_kwargs": {"thinking": False}}),
        ("vllm", {"reasoning_effort": "none"}),
        ("ollama", {"reasoning_effort": "none"}),
        ("deepseek", {"thinking": {"type": "disabled"}}),
        ("mistral", {"reasoning_effort": "none"}),
        ("xai", {"reasoning_effort": "none"}),
        ("openrouter", {"reasoning": {"enabled": False}}),
        ("openrouter", {"reasoning": {"effort": "none"}}),
        ("minimax", {"thinking": {"type": "disabled"}}),
    ],
)
async def test_thinking_can_be_switched_off(
    client: httpx.AsyncClient, host: str, fields: dict[str, Any]
) -> None:
    answer = await whole(client, host, THOUGHT, **fields)
    assert "be kind" not in str(answer)
    assert answer["usage"]["completion_tokens"] == 2


@pytest.mark.parametrize(
    ("host", "fields"),
    [
        ("ollama", {"chat_template_kwargs": {"enable_thinking": False}}),
        ("deepseek", {"enable_thinking": False}),
        ("qwen", {"thinking": {"type": "disabled"}}),
        ("llama-cpp", {"enable_thinking": False}),
        ("openai", {"reasoning_effort": "low"}),
    ],
)
async def test_another_host_s_switch_has_no_effect(
    client: httpx.AsyncClient, host: str, fields: dict[str, Any]
) -> None:
    assert "be kind" in str(await whole(client, host, THOUGHT, **fields))


async def test_qwen_thinks_only_in_streams(client: httpx.AsyncClient) -> None:
    refused = await whole(client, "qwen", THOUGHT, enable_thinking=True)
    assert refused["status"] == 400
    assert "non-streaming" in refused["error"]["message"]
    _, events = await streamed(client, "qwen", THOUGHT, enable_thinking=True)
    assert deltas(events, "reasoning_content") == ["be", " kind"]


async def test_some_qwen_models_think_in_whole_answers_and_some_never_answer_whole(
    client: httpx.AsyncClient,
) -> None:
    both = await whole(client, "qwen", Reply(), model="qwen3.7-plus", enable_thinking=True)
    assert both["status"] == 200
    never = await whole(client, "qwen", Reply(), model="qwq-plus")
    assert never["status"] == 400
    assert "only support stream mode" in never["error"]["message"]


ASKED = {"stream_options": {"include_usage": True}}


@pytest.mark.parametrize("host", HOSTS)
async def test_usage_in_a_stream_rides_where_the_host_puts_it(client: httpx.AsyncClient, host: str) -> None:
    fields = {} if host == "mistral" else ASKED
    _, events = await streamed(client, host, Reply(text="Good day"), **fields)
    carriers = [event for event in events if event.get("usage")]
    assert [event["usage"]["total_tokens"] for event in carriers] == [4]
    assert carriers[0] is events[-1]
    assert (carriers[0]["choices"] == []) is (host not in {"ollama", "mistral"})


@pytest.mark.parametrize("host", HOSTS)
async def test_usage_comes_unasked_from_some(client: httpx.AsyncClient, host: str) -> None:
    _, events = await streamed(client, host, Reply(text="Good day"))
    assert any("usage" in event for event in events) is (host in {"mistral", "openrouter"})


async def test_groq_s_own_object(client: httpx.AsyncClient) -> None:
    _, events = await streamed(client, "groq", Reply(text="Good day"))
    assert events[0]["x_groq"] == {"id": "req_1"}
    assert events[-1]["x_groq"]["usage"]["total_time"] > 0
    assert not any("x_groq" in event for event in events[1:-1])


async def test_llama_cpp_adds_timings(client: httpx.AsyncClient) -> None:
    reply = Reply(text="Good day")
    assert (await whole(client, "llama-cpp", reply))["timings"]["predicted_n"] == 2
    _, events = await streamed(client, "llama-cpp", reply)
    assert "timings" in events[-1]
    assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": None}
    _, events = await streamed(client, "llama-cpp", reply, **ASKED)
    assert ["timings" in event for event in events[-2:]] == [False, True]


async def test_deepseek_counts_cache_hits_and_keeps_alive(client: httpx.AsyncClient) -> None:
    async with Simulator(quirks="deepseek") as simulator:
        body = {"model": "m", "messages": HI}
        response = await client.post(f"{simulator.url}/chat/completions", json=body)
    assert response.text.startswith("\n\n{")
    usage = response.json()["usage"]
    assert usage["prompt_cache_hit_tokens"] + usage["prompt_cache_miss_tokens"] == usage["prompt_tokens"]
    text, _ = await streamed(client, "deepseek", Reply())
    assert text.startswith(": keep-alive\n\n")


async def test_openrouter_comments_and_prices(client: httpx.AsyncClient) -> None:
    text, events = await streamed(client, "openrouter", Reply())
    assert text.startswith(": OPENROUTER PROCESSING\n\n")
    assert events[-1]["usage"]["cost"] > 0


async def test_xai_leaves_reasoning_out_of_the_completion(client: httpx.AsyncClient) -> None:
    usage = (await whole(client, "xai", THOUGHT))["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (2, 2, 6)


@pytest.mark.parametrize(("host", "length"), [("openai", 29), ("llama-cpp", 32), ("mistral", 9)])
async def test_call_ids_have_the_host_s_style(client: httpx.AsyncClient, host: str, length: int) -> None:
    calls = (await whole(client, host, CALL))["choices"][0]["message"]["tool_calls"]
    assert len(calls[0]["id"]) == length


@pytest.mark.parametrize(
    ("host", "body"),
    [
        ("openai", {"error": {"message": "slow", "type": "requests", "param": None, "code": LIMIT}}),
        ("groq", {"error": {"message": "slow", "type": "requests", "code": LIMIT}}),
        ("llama-cpp", {"error": {"code": 429, "message": "slow", "type": "requests"}}),
        ("vllm", {"error": {"message": "slow", "type": "requests", "param": None, "code": 429}}),
        (
            "mistral",
            {"object": "error", "message": "slow", "type": "requests", "param": None, "code": LIMIT},
        ),
        ("xai", {"code": LIMIT, "error": "slow"}),
        (
            "openrouter",
            {
                "error": {
                    "code": 429,
                    "message": "slow",
                    "metadata": {"error_type": "rate_limit_exceeded", "provider_name": "Simulated"},
                }
            },
        ),
        ("minimax", {"base_resp": {"status_code": 1002, "status_msg": "slow"}}),
    ],
)  # fmt: skip
async def test_errors_stand_in_the_host_s_envelope(
    client: httpx.AsyncClient, host: str, body: dict[str, Any]
) -> None:
    assert await whole(client, host, Reply(status=429, error="slow")) == body | {"status": 429}


async def test_minimax_says_200_with_a_code_of_its_own(client: httpx.AsyncClient) -> None:
    answer = await whole(client, "minimax", Reply(error_in_200={"message": "sensitive", "code": 1026}))
    assert answer == {"base_resp": {"status_code": 1026, "status_msg": "sensitive"}, "status": 200}


@pytest.mark.parametrize(
    ("host", "status", "words"),
    [
        ("openai", 401, "Incorrect API key"),
        ("vllm", 401, '{"error":"Unauthorized"}'),
        ("xai", 400, "console.x.ai"),
        ("mistral", 401, "Unauthorized"),
        ("minimax", 200, "1004"),
        ("llama-cpp", 401, "authentication_error"),
    ],
)
async def test_a_wrong_key_is_refused_in_the_host_s_way(
    client: httpx.AsyncClient, host: str, status: int, words: str
) -> None:
    async with Simulator(quirks=host, api_key="right") as simulator:
        response = await client.post(f"{simulator.url}/chat/completions", json={"model": "m", "messages": []})
    assert response.status_code == status
    assert words in response.text


@pytest.mark.parametrize(
    ("host", "tail"),
    [
        ("openai", "\n\n"),
        ("vllm", "data: [DONE]\n\n"),
        ("openrouter", "\n\n"),
        ("mistral", "\n\n"),
        ("groq", "\n\n"),
    ],
)
async def test_errors_inside_a_stream(client: httpx.AsyncClient, host: str, tail: str) -> None:
    text, events = await streamed(client, host, Reply(error="broke", error_event_after=1))
    assert events[-1]["error"]["message"] == "broke"
    assert text.endswith(tail)
    if host == "openrouter":
        assert events[-1]["error"]["code"] == 502
        assert events[-1]["choices"][0]["finish_reason"] == "error"
    if host == "groq":
        assert events[-1]["x_groq"]["error"] == "broke"


async def test_mistral_refuses_what_it_does_not_know(client: httpx.AsyncClient) -> None:
    messages = [*HI, {"role": "assistant", "content": "hm", "reasoning_content": "x"}, *HI]
    refused = await whole(client, "mistral", Reply(), messages=messages, max_completion_tokens=5)
    assert refused["status"] == 422
    places = [fault["loc"] for fault in refused["message"]["detail"]]
    assert places == [
        ["body", "max_completion_tokens"],
        ["body", "messages", 1, "assistant", "reasoning_content"],
    ]


def called(identifier: str, **fields: Any) -> list[dict[str, Any]]:
    call = {"id": identifier, "type": "function", "function": {"name": "now", "arguments": "{}"}}
    return [
        *HI,
        {"role": "assistant", "content": None, "tool_calls": [call], **fields},
        {"role": "tool", "tool_call_id": identifier, "content": "noon"},
    ]


async def test_mistral_wants_ids_of_nine_characters(client: httpx.AsyncClient) -> None:
    refused = await whole(client, "mistral", Reply(), messages=called("call_123"))
    assert (refused["status"], refused["code"]) == (400, "3280")
    assert (await whole(client, "mistral", Reply(), messages=called("abc123XYZ")))["status"] == 200


async def test_deepseek_wants_its_reasoning_back(client: httpx.AsyncClient) -> None:
    refused = await whole(client, "deepseek", Reply(), messages=called("c1"))
    assert refused["status"] == 400
    assert "passed back" in refused["error"]["message"]
    replayed = called("c1", reasoning_content="")
    assert (await whole(client, "deepseek", Reply(), messages=replayed))["status"] == 200
    off = {"type": "disabled"}
    assert (await whole(client, "deepseek", Reply(), messages=called("c1"), thinking=off))["status"] == 200


async def test_one_reply_may_come_from_another_host(client: httpx.AsyncClient) -> None:
    answer = await whole(client, "openai", Reply(reasoning="be kind", quirks="groq"))
    assert answer["choices"][0]["message"]["reasoning"] == "be kind"
