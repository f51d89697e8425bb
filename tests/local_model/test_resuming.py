"""Streams that break on their way from llama.cpp's own server, and go on at another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import ByteStream, SocketAttribute

from turnout import Router

pytestmark = [pytest.mark.anyio, pytest.mark.local_model]

ANSWER = "Hello from a tiny scripted model: café 🙂 done."
THOUGHT = "Let us look at this first."
HI = [{"role": "user", "content": "Hi"}]


@asynccontextmanager
async def cut_off(url: str, behind: bytes) -> AsyncIterator[str]:
    """The address of a way to the server that breaks once `behind` has come through."""
    host, port = url.removeprefix("http://").split(":")

    async def carry(client: ByteStream) -> None:
        async with client, await anyio.connect_tcp(host, int(port)) as server:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(forward, client, server)
                seen = b""
                while behind not in seen:
                    data = await server.receive()
                    seen += data
                    end = seen.find(behind)
                    await client.send(
                        data if end < 0 else data[: len(data) - (len(seen) - end) + len(behind)]
                    )
                tasks.cancel_scope.cancel()

    async def forward(client: ByteStream, server: ByteStream) -> None:
        try:
            while True:
                await server.send(await client.receive())
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, carry, tasks)
        yield f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
        tasks.cancel_scope.cancel()


async def answered(server: str, behind: bytes, how: str, **fields: Any) -> tuple[str, Any]:
    async with cut_off(server, behind) as broken:
        settings = {
            "providers": {
                "broken": {"preset": "llama-cpp", "base_url": f"{broken}/v1"},
                "sound": {"preset": "llama-cpp", "base_url": f"{server}/v1"},
            },
            "routes": {"r": {"chain": ["broken/tiny", "sound/tiny"], "on_interrupt": how}},
        }
        text = ""
        async with Router(settings, env={}) as router:
            async with router.stream(model="r", messages=HI, **fields) as stream:
                async for chunk in stream:
                    text = "" if chunk.reset else text + chunk.text
    assert [attempt.outcome for attempt in stream.trace.attempts] == ["failed", "ok"]
    assert stream.response.text == text
    return text, stream.response


async def test_an_answer_begins_anew(large_server: str) -> None:
    text, response = await answered(large_server, b'" scripted"', "restart")
    assert (text, response.reasoning) == (ANSWER, THOUGHT)


async def test_an_answer_follows_on_half_a_thought(large_server: str) -> None:
    text, response = await answered(large_server, b'" at"', "continue")
    assert (text, response.reasoning) == (ANSWER, f"Let us look\n\n{THOUGHT}")


async def test_an_answer_is_gone_on_with(large_server: str) -> None:
    # the model ends an answer that it did not begin; its server takes the beginning, and does not repeat it
    text, response = await answered(large_server, b'" scripted"', "continue", max_tokens=50)
    assert ANSWER.startswith(text)
    assert text.startswith("Hello from a tiny")
    assert (response.reasoning, response.finish_reason) == (THOUGHT, "stop")
    assert response.usage is not None
    assert response.usage.completion_tokens > 5
