"""The simulator as a server: what it answers to whom, and how it starts and stops."""

from __future__ import annotations

import gc
import socket
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from itertools import count
from typing import Any

import anyio
import httpx
import pytest

from turnout.config.errors import ConfigError
from turnout.testing import Reply, Script, Simulator, demo_scripts, serve

pytestmark = pytest.mark.anyio

HI = [{"role": "user", "content": "Hi there"}]


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=5, verify=False) as client:
        yield client


async def ask(
    client: httpx.AsyncClient, simulator: Simulator, model: str = "m", **fields: Any
) -> httpx.Response:
    body = {"model": model, "messages": HI, **fields}
    return await client.post(f"{simulator.url}/chat/completions", json=body)


def said(response: httpx.Response) -> Any:
    return response.json()["choices"][0]["message"]["content"]


async def test_a_model_answers_its_script_and_then_repeats_the_last_reply(client: httpx.AsyncClient) -> None:
    async with Simulator({"m": [Reply(text="one"), Reply(text="two")]}) as simulator:
        assert [said(await ask(client, simulator)) for _ in range(4)] == ["one", "two", "two", "two"]


async def test_a_script_can_begin_again(client: httpx.AsyncClient) -> None:
    script = Script(replies=[Reply(text="one"), Reply(text="two")], then="first")
    async with Simulator({"m": script}) as simulator:
        assert [said(await ask(client, simulator)) for _ in range(4)] == ["one", "two", "one", "two"]


async def test_models_count_their_requests_apart(client: httpx.AsyncClient) -> None:
    scripts = {name: [Reply(text=f"{name}1"), Reply(text=f"{name}2")] for name in ("a", "b")}
    async with Simulator(scripts) as simulator:
        assert [said(await ask(client, simulator, name)) for name in "aabb"] == ["a1", "a2", "b1", "b2"]


@pytest.mark.parametrize(
    ("messages", "echo"),
    [
        (HI, "Hi there"),
        ([*HI, {"role": "assistant", "content": "Yes?"}], "Hi there"),
        ([{"role": "user", "content": [{"type": "text", "text": "part"}]}], "part"),
        ([{"role": "system", "content": "be kind"}], "Hello"),
    ],
)
async def test_an_unscripted_model_echoes(
    client: httpx.AsyncClient, messages: list[dict[str, Any]], echo: str
) -> None:
    async with Simulator() as simulator:
        assert said(await ask(client, simulator, messages=messages)) == echo


async def test_a_script_can_change_while_it_runs(client: httpx.AsyncClient) -> None:
    async with Simulator() as simulator:
        simulator.script("m", Reply(text="new"), Reply(text="newer"))
        assert [said(await ask(client, simulator)) for _ in range(2)] == ["new", "newer"]
        simulator.script("m", Reply(text="newest"))
        assert said(await ask(client, simulator)) == "newest"
        simulator.script("m")
        assert said(await ask(client, simulator)) == "Hi there"


async def test_a_whole_answer_has_openai_s_shape_and_counts_words(client: httpx.AsyncClient) -> None:
    reply = Reply(text="Good day", reasoning="they greet me")
    async with Simulator({"m": [reply]}) as simulator:
        response = await ask(client, simulator)
    answer = response.json()
    assert answer["object"] == "chat.completion"
    assert answer["model"] == "m"
    assert answer["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Good day", "reasoning_content": "they greet me"},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert answer["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 5,
        "total_tokens": 8,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    assert response.headers["x-request-id"] == "req_1"


async def test_tool_calls_a_refusal_and_more_choices(client: httpx.AsyncClient) -> None:
    nested = {"id": "c9", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    calls = Reply(tool_calls=[{"name": "weather", "arguments": {"city": "Oslo"}}, nested])
    async with Simulator({"calls": [calls], "no": [Reply(text=None, refusal="I will not")]}) as simulator:
        choice = (await ask(client, simulator, "calls")).json()["choices"][0]
        refusal = (await ask(client, simulator, "no", n=2)).json()
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    first, second = choice["message"]["tool_calls"]
    assert first["function"] == {"name": "weather", "arguments": '{"city": "Oslo"}'}
    assert first["id"].startswith("call_")
    assert second == nested
    assert [choice["index"] for choice in refusal["choices"]] == [0, 1]
    assert refusal["choices"][1]["message"]["refusal"] == "I will not"
    assert refusal["usage"]["completion_tokens"] == 6


async def test_usage_can_be_scripted_or_missing(client: httpx.AsyncClient) -> None:
    replies = [Reply(usage={"prompt_tokens": 7}), Reply(usage="missing")]
    async with Simulator({"m": replies}) as simulator:
        assert (await ask(client, simulator)).json()["usage"] == {"prompt_tokens": 7}
        assert "usage" not in (await ask(client, simulator)).json()


@pytest.mark.parametrize("prefix", ["", "/v1", "/api/paas/v4", "/openai/deployments/gpt"])
async def test_any_prefix_will_do(client: httpx.AsyncClient, prefix: str) -> None:
    async with Simulator() as simulator:
        root = simulator.url.removesuffix("/v1")
        url = f"{root}{prefix}/chat/completions?api-version=1"
        assert (await client.post(url, json={"model": "m", "messages": HI})).status_code == 200
        assert simulator.requests[0].path == f"{prefix}/chat/completions?api-version=1"


async def test_models_are_listed(client: httpx.AsyncClient) -> None:
    async with Simulator({"a": [Reply()], "org/b": [Reply()]}) as simulator:
        listed = (await client.get(f"{simulator.url}/models")).json()
        one = await client.get(f"{simulator.url}/models/org%2Fb")
        none = await client.get(f"{simulator.url}/models/c")
    assert listed["object"] == "list"
    assert [row["id"] for row in listed["data"]] == ["a", "org/b"]
    assert one.json()["id"] == "org/b"
    assert none.status_code == 404


async def test_a_wrong_key_is_refused_and_uses_up_no_reply(client: httpx.AsyncClient) -> None:
    async with Simulator({"m": [Reply(text="one"), Reply(text="two")]}, api_key="right") as simulator:
        refused = await ask(client, simulator)
        assert refused.status_code == 401
        assert refused.json()["error"]["code"] == "invalid_api_key"
        client.headers["authorization"] = "Bearer wrong"
        assert (await ask(client, simulator)).status_code == 401
        client.headers["authorization"] = "Bearer right"
        assert said(await ask(client, simulator)) == "one"
        client.headers["authorization"] = ""
        client.headers["api-key"] = "right"
        assert said(await ask(client, simulator)) == "two"


async def test_bad_requests_get_an_error_envelope(client: httpx.AsyncClient) -> None:
    async with Simulator() as simulator:
        chat = f"{simulator.url}/chat/completions"
        answers = [
            await client.post(chat, content=b"{not json"),
            await client.post(chat, json={"messages": HI}),
            await client.post(chat, json={"model": "m", "messages": "hi"}),
            await client.post(chat, json={"model": "m", "messages": ["hi"]}),
            await client.get(chat),
            await client.post(f"{simulator.url}/embeddings", json={}),
        ]
        assert [answer.status_code for answer in answers] == [400, 400, 400, 400, 405, 404]
        assert all(answer.json()["error"]["message"] for answer in answers)
        assert [request.body for request in simulator.requests[:2]] == [None, {"messages": HI}]
        assert simulator.requests[0].model is None
        assert simulator.requests[0].raw == b"{not json"


async def test_requests_are_kept_with_their_headers(client: httpx.AsyncClient) -> None:
    async with Simulator() as simulator:
        client.headers["X-Team"] = "search"
        await ask(client, simulator, temperature=0.5)
        received = simulator.requests[0]
    assert (received.method, received.path, received.model) == ("POST", "/v1/chat/completions", "m")
    assert received.headers["x-team"] == "search"
    assert received.body["temperature"] == 0.5
    assert received.answered
    assert not received.disconnected
    assert "search" not in repr(received)


async def test_a_connection_is_kept_for_the_next_request() -> None:
    async with Simulator() as simulator:
        host, port = "127.0.0.1", int(simulator.url.split(":")[2].split("/")[0])
        async with await anyio.connect_tcp(host, port) as stream:
            request = b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n"
            await stream.send(request + request)
            text = b""
            while text.count(b'"list"') < 2:
                text += await stream.receive()
            await stream.send(b"GET /v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            async for piece in stream:
                text += piece
    assert text.count(b"HTTP/1.1 200") == 3


async def test_what_is_no_http_is_hung_up_on() -> None:
    async with Simulator() as simulator:
        port = int(simulator.url.split(":")[2].split("/")[0])
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(b"\x16\x03\x01 this is no request\r\n\r\n")
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                await stream.receive()
        assert simulator.requests == []


async def test_a_client_that_waits_for_leave_to_send_its_body_gets_it() -> None:
    async with Simulator() as simulator:
        port = int(simulator.url.split(":")[2].split("/")[0])
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n")
            await stream.send(b"content-length: 29\r\nexpect: 100-continue\r\n\r\n")
            assert b"100" in await stream.receive()
            await stream.send(b'{"model": "m", "messages":[]}')
            assert b"200 OK" in await stream.receive()


async def until(condition: Callable[[], bool]) -> float:
    """Seconds until the condition holds; fails after five."""
    started = time.monotonic()
    with anyio.fail_after(5):
        for _ in count():
            if condition():
                break
            await anyio.sleep(0.005)
    return time.monotonic() - started


@pytest.mark.parametrize(
    "reply", [Reply(latency=60), Reply(drip=1, drip_delay=0.05), Reply(stall_after_events=2)]
)
async def test_disconnects_are_noticed_at_once(client: httpx.AsyncClient, reply: Reply) -> None:
    async with Simulator({"m": [reply]}) as simulator:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(ask, client, simulator, stream=True))
            await until(lambda: bool(simulator.requests))
            await anyio.sleep(0.05)
            tasks.cancel_scope.cancel()
        # Far less than what the reply still sleeps, with room for a busy machine.
        assert await until(lambda: simulator.requests[0].disconnected) < 1
        assert not simulator.requests[0].answered


async def test_a_client_that_has_its_whole_answer_did_not_disconnect() -> None:
    async with Simulator() as simulator:
        for _ in range(20):
            async with httpx.AsyncClient(verify=False) as client:
                await ask(client, simulator, stream=True)
        assert not any(request.disconnected for request in simulator.requests)


async def test_leaving_cancels_what_is_being_answered_and_closes_every_connection() -> None:
    started = time.monotonic()
    async with anyio.create_task_group() as tasks, Simulator({"m": [Reply(latency=60)]}) as simulator:
        port = int(simulator.url.split(":")[2].split("/")[0])

        async def left_alone() -> None:
            async with httpx.AsyncClient(verify=False, timeout=5) as client:
                await ask(client, simulator, "other")
                with pytest.raises(httpx.RemoteProtocolError):
                    await ask(client, simulator)

        tasks.start_soon(left_alone)
        await until(lambda: [request.model for request in simulator.requests] == ["other", "m"])
    gc.collect()  # a socket left open would warn here
    assert time.monotonic() - started < 5
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_an_error_inside_its_context_comes_out_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with Simulator():
            _ = 1 / 0


async def test_its_url_needs_it_to_run() -> None:
    simulator = Simulator()
    with pytest.raises(RuntimeError, match="async with"):
        _ = simulator.url
    async with simulator:
        assert simulator.url.startswith("http://127.0.0.1:")


async def test_it_can_be_entered_again(client: httpx.AsyncClient) -> None:
    simulator = Simulator({"m": [Reply(text="again")]})
    for _ in range(2):
        async with simulator:
            assert said(await ask(client, simulator)) == "again"


async def test_an_unknown_host_s_quirks_are_refused() -> None:
    with pytest.raises(ConfigError, match="choose one of openai, qwen"):
        Simulator(quirks="opnai")


async def test_sixty_four_requests_at_once(client: httpx.AsyncClient) -> None:
    async with Simulator({"m": [Reply(text="ok", latency=0.05)]}) as simulator:
        responses: list[httpx.Response] = []

        async def one() -> None:
            responses.append(await ask(client, simulator))

        async with anyio.create_task_group() as tasks:
            for _ in range(64):
                tasks.start_soon(one)
    assert [said(response) for response in responses] == ["ok"] * 64
    assert len({response.json()["id"] for response in responses}) == 64


async def test_serve_runs_until_it_is_cancelled(client: httpx.AsyncClient) -> None:
    ready = anyio.Event()
    running: list[Simulator] = []

    def on_ready(simulator: Simulator) -> None:
        running.append(simulator)
        ready.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve, "127.0.0.1", 0, demo_scripts(), "openai", on_ready)
        await ready.wait()
        limited = await ask(client, running[0], "rate-limited")
        assert limited.status_code == 429
        assert limited.headers["retry-after"] == "1"
        with pytest.raises(httpx.RemoteProtocolError):
            await ask(client, running[0], "cut-short")
        assert said(await ask(client, running[0], "anything")) == "Hi there"
        tasks.cancel_scope.cancel()


async def test_serve_needs_nobody_to_be_told() -> None:
    with anyio.move_on_after(0.05) as scope:
        await serve(port=0)
    assert scope.cancelled_caught


async def test_the_demo_story_streams_thoughts_and_then_words(client: httpx.AsyncClient) -> None:
    story = demo_scripts()["story"].replies[0].model_copy(update={"drip_delay": 0})
    async with Simulator({"story": [story]}) as simulator:
        text = (await ask(client, simulator, "story", stream=True)).text
    assert text.index("reasoning_content") < text.index('"content":"The"')
    assert text.endswith("data: [DONE]\n\n")
