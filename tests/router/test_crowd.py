"""A crowd of calls in flight while the network fails here and there: every call ends, and nothing is left."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from turnout import ProviderError, Router
from turnout.providers.http import FastTransport
from turnout.providers.transport import HttpxTransport
from turnout.testing import Reply, Script, Simulator

pytestmark = pytest.mark.anyio

ROADS: dict[str, tuple[type[Any], int]] = {"fast": (FastTransport, 1000), "httpx": (HttpxTransport, 200)}
"""Each road and the calls in flight over it; httpx takes longer for each call the more there are."""
LATENCY = 2.0  # seconds, so that all of them are there before the first is answered
FINE = Reply(text="All is well, and has been for a while.", latency=LATENCY)
RESETS = Reply(hang_up=True, latency=LATENCY), Reply(cut_after_events=2, latency=LATENCY)
STALL = Reply(stall_after_events=2, latency=LATENCY)
SCRIPTS = {
    "whole": Script(replies=(*[FINE] * 19, RESETS[0]), then="first"),
    "streamed": Script(replies=(*[FINE] * 17, STALL, RESETS[1], STALL), then="first"),
}
"""Of the two together, one reply among twenty is a reset and one is a stall.

Whole answers do not stall here: what ends that is the limit on the answer's beginning, which must leave room
for a thousand calls on a slow machine. A stalled stream is ended by the limit on silence.
"""


def descriptors() -> int:
    """How many descriptors this process holds; 0 where the system does not tell."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def settings_for(simulator: Simulator, *, retries: int = 0) -> Mapping[str, Any]:
    provider = {"dialect": "openai", "base_url": simulator.url, "api_key": "sk-test-0123456789abcdef"}
    return {
        "providers": {"a": provider},
        "routes": {"whole": ["a/whole"], "streamed": ["a/streamed"]},
        "defaults": {
            "retry": {"attempts": retries + 1, "base": "1ms"},
            "timeouts": {"connect": "30s", "first_token": "25s", "idle": "2s"},
            "deadline": "60s",
        },
    }


async def outcome(router: Router, number: int) -> str:
    """How one call ended: `fine`, or the error's kind."""
    messages = [{"role": "user", "content": f"Call {number}"}]
    try:
        if number % 2:
            text = (await router.complete(model="whole", messages=messages)).text
        else:
            async with router.stream(model="streamed", messages=messages) as stream:
                text = "".join([chunk.text async for chunk in stream])
    except ProviderError as error:
        return error.kind
    assert text == FINE.text
    return "fine"


async def crowd(router: Router, calls: int, *, watched: Simulator | None = None) -> Counter[str]:
    """How many calls ended how, all of them begun at once."""
    ended: Counter[str] = Counter()

    async def call(number: int) -> None:
        how = await outcome(router, number)
        if watched is not None and not ended:
            assert len(watched.requests) > calls // 20  # many were at the server before one came back
        ended[how] += 1

    async with anyio.create_task_group() as tasks:
        for number in range(calls):
            tasks.start_soon(call, number)
    return ended


@asynccontextmanager
async def leaving_nothing() -> AsyncIterator[None]:
    """Afterwards there is no task and no descriptor (connections of both ends, too) more than before."""
    await anyio.wait_all_tasks_blocked()
    tasks, held = len(anyio.get_running_tasks()), descriptors()
    yield
    gc.collect()
    with anyio.move_on_after(3):
        while descriptors() > held or len(anyio.get_running_tasks()) > tasks:
            await anyio.sleep(0.01)
    assert (descriptors(), len(anyio.get_running_tasks())) <= (held, tasks)


@pytest.mark.parametrize("road", ROADS)
async def test_every_call_of_a_crowd_ends_and_nothing_is_left(road: str) -> None:
    transport, calls = ROADS[road]
    async with Simulator(SCRIPTS) as simulator:
        async with leaving_nothing():
            async with Router(settings_for(simulator), env={}, transport=transport()) as router:
                with anyio.fail_after(30):
                    ended = await crowd(router, calls, watched=simulator)

    assert len(simulator.requests) == ended.total() == calls
    resets, stalls = calls // 20, calls // 20
    assert ended["fine"] == calls - resets - stalls
    assert ended["connection"] + ended["interrupted"] + ended["timeout"] == resets + stalls
    assert ended["connection"] >= resets // 2


@pytest.mark.parametrize("road", ROADS)
async def test_a_crowd_that_tries_again_comes_through(road: str) -> None:
    replies = [reply.model_copy(update={"latency": 0.05}) for reply in (FINE, *RESETS, FINE)]
    async with Simulator(dict.fromkeys(SCRIPTS, Script(replies=replies, then="first"))) as simulator:
        async with leaving_nothing():
            settings = settings_for(simulator, retries=5)
            async with Router(settings, env={}, transport=ROADS[road][0]()) as router:
                with anyio.fail_after(30):
                    ended = await crowd(router, 200)

    assert ended.total() == 200
    assert ended["fine"] >= 150  # a stream that broke off after it had begun is not repeated


@pytest.mark.parametrize("road", ROADS)
async def test_a_crowd_that_is_called_off_leaves_nothing(road: str) -> None:
    async with Simulator(SCRIPTS) as simulator:
        async with leaving_nothing():
            async with Router(settings_for(simulator), env={}, transport=ROADS[road][0]()) as router:
                with anyio.move_on_after(LATENCY + 0.2) as scope:
                    await crowd(router, 300)
                assert scope.cancelled_caught
                with anyio.fail_after(3):  # at both ends, whatever state they were in
                    while not all(request.disconnected or request.answered for request in simulator.requests):
                        await anyio.sleep(0.01)
