"""A crowd of hedged calls, some of them called off: every call ends as it should, and nothing is left."""

from __future__ import annotations

import gc
from collections import Counter
from random import Random
from typing import Any

import anyio
import pytest

from turnout import DeadlineExceededError, Router
from turnout.providers.http import FastTransport
from turnout.providers.transport import HttpxTransport
from turnout.testing import Reply, Script, Simulator

pytestmark = pytest.mark.anyio

CALLS = 120
FINE = [Reply(text="All is well.", latency=0.005 * number, drip_delay=0.001) for number in range(8)]
STALL = Reply(latency=30)
DOWN = Reply(status=500, latency=0.02)


def settings_for(simulator: Simulator) -> dict[str, Any]:
    provider = {"dialect": "openai", "base_url": simulator.url, "limits": {"concurrency": 100}}
    return {
        "providers": {"a": provider, "b": provider},
        "routes": {"r": {"chain": ["a/x", "b/y", "b/z"], "hedge": {"after": "30ms"}}},
        "defaults": {
            "breaker": {"failures": 1000, "calls": 1000},
            "retry": {"attempts": 1},
            "deadline": "4s",
        },
    }


async def asked(router: Router, number: int) -> str | None:
    """The answer to one of the calls; every other one is streamed."""
    messages = [{"role": "user", "content": f"Call {number}"}]
    if number % 2:
        return (await router.complete(model="r", messages=messages)).text
    async with router.stream(model="r", messages=messages) as stream:
        return "".join([chunk.text async for chunk in stream])


# httpx drops the generator of a request's body that was being sent, of which trio complains
@pytest.mark.filterwarnings("ignore:Exception ignored in. <async_generator object ByteStream")
@pytest.mark.parametrize("road", [FastTransport, HttpxTransport])
async def test_a_crowd_of_hedged_calls(road: Any) -> None:
    scripts = {name: Script(replies=[*FINE, STALL, *FINE, DOWN], then="first") for name in "xyz"}
    ended: Counter[str] = Counter()
    random = Random(7)

    async def call(number: int) -> None:
        leaves = random.uniform(0, 0.05) if number % 5 == 0 else 25
        how = "fine"
        with anyio.move_on_after(leaves) as scope:
            try:
                assert await asked(router, number) == "All is well."
            except DeadlineExceededError:  # where all three stalled
                how = "late"
        ended["left" if scope.cancelled_caught else how] += 1

    with Simulator(scripts).serving() as simulator:
        tasks = len(anyio.get_running_tasks())
        async with Router(settings_for(simulator), env={}, transport=road(), seed=1) as router:
            async with anyio.create_task_group() as crowd:
                for number in range(CALLS):
                    crowd.start_soon(call, number)
            for planned in router._snapshot.planner.plan("r").everything:
                assert planned.standing is not None
                assert planned.standing.in_flight.count == 0
                assert planned.standing.turns is not None
                assert planned.standing.turns.taken == 0
            assert router._doors.inside == 0
            sent = sum(one.outcome not in ("rejected", "skipped") for one in router.ledger.attempts())
        gc.collect()
        assert len(anyio.get_running_tasks()) == tasks
        with anyio.fail_after(2):
            while not all(one.answered or one.disconnected for one in simulator.requests):
                await anyio.sleep(0.01)

    assert ended.total() == CALLS
    assert ended["fine"] >= CALLS * 3 // 4  # a fifth leaves, and a few meet three stalls
    assert len(simulator.requests) <= sent <= 2 * CALLS
    assert any(one.model == "y" for one in simulator.requests)
