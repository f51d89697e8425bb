"""A call may be called off at any point where it waits, and leaves nothing behind.

Every policy is configured. Each story is told again and again, called off at its first wait, at its second,
and so on until it comes to its end: by a cancel scope, on asyncio by `Task.cancel` as well, and as the first
run of a hedged call is called off once the second has won. Each time there is afterwards no task, no
connection, no place in a queue, no reservation, no probe, no attempt in flight; the ledger has a line for
whatever the provider saw, and the provider has seen the client leave.
"""

from __future__ import annotations

import asyncio  # noqa: TID251 - its own way of cancelling is tried as well
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import pytest
from stepping import SteppedTransport, Steps

from turnout import Router, TurnoutError
from turnout.config.loading import parse_settings
from turnout.health.standing import Standing
from turnout.providers.http import FastTransport
from turnout.recalling import Recall, RecalledError
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

KEYS = ["sk-first-0123456789", "sk-second-0123456789"]
HEDGED = "6ms"
BOTH = (False, True)
NEVER = 10**6
HELLO = [{"role": "user", "content": "Hello"}]
FINE = Reply(text="one two three", drip_delay=0.001)
LATE = Reply(text="one two three", latency=0.06)
SCARCE = Reply(
    headers={
        "x-ratelimit-limit-requests": "5",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "500ms",
    }
)
SILENT = Reply(latency=30)
DOWN = Reply(status=500)
CUT = Reply(text="one two three four", cut_after_events=3)
HELD = Reply(text="one two three", stall_after_events=2)


@dataclass
class Story:
    """What the targets a/x, b/y and c/z do, and what is special about the settings."""

    ends: list[tuple[str, str]]
    """The attempts of the call where it is not called off, in the order in which they began."""
    scripts: Mapping[str, list[Reply]] = field(default_factory=dict)
    hedge: str | None = "5s"
    limits: Mapping[str, Any] = field(default_factory=dict)
    breaker: Mapping[str, Any] = field(default_factory=dict)
    keys: Sequence[str] = tuple(KEYS)
    streaming: tuple[bool, ...] = (True,)
    before: tuple[str, ...] = ()
    """Models that are called first, each time, without being called off; their failures are part of it."""
    key: str | None = None
    """The only key that the provider takes."""
    holding: bool = False
    """Whether another call keeps the only place at provider a meanwhile."""


STORIES = {
    "the first answers": Story([("a/x", "ok")], streaming=BOTH),
    "falls back after a retry": Story(
        [("a/x", "failed"), ("a/x", "failed"), ("b/y", "ok")], {"x": [DOWN, DOWN]}
    ),
    "the hedge wins": Story([("a/x", "cancelled"), ("b/y", "ok")], {"x": [SILENT]}, HEDGED, streaming=BOTH),
    "the hedge loses": Story(
        [("a/x", "ok"), ("b/y", "cancelled")],
        {"x": [Reply(latency=0.03)], "y": [SILENT]},
        HEDGED,
        streaming=BOTH,
    ),
    "both runs fail": Story(
        [("a/x", "failed"), ("b/y", "failed"), ("c/z", "ok")],
        {"x": [Reply(status=400, latency=0.03)], "y": [Reply(status=400)], "z": [LATE]},
        HEDGED,
    ),
    "is a probe": Story(
        [("a/x", "ok")],
        {"x": [DOWN, FINE]},
        breaker={"failures": 1, "pause": "2ms", "longest_pause": "2ms", "ramp": 0},
        before=("a/x",),
    ),
    "waits for its turn": Story([("b/y", "ok")], hedge=HEDGED, limits={"concurrency": 1}, holding=True),
    "waits for an allowance": Story([("b/y", "ok")], {"x": [SCARCE]}, HEDGED, keys=KEYS[:1], before=("a/x",)),
    "waits for a gate": Story(
        [("a/x", "failed"), ("a/x", "ok")],
        {"x": [Reply(status=429, headers={"retry-after-ms": "10"}), FINE]},
        keys=KEYS[:1],
    ),
    "changes the key": Story([("a/x", "failed"), ("a/x", "ok")], key=KEYS[1]),
    "goes on elsewhere": Story([("a/x", "failed"), ("b/y", "ok")], {"x": [CUT]}),
}


def settings_for(simulator: Simulator, story: Story) -> dict[str, Any]:
    limits = {"requests_per_minute": 10**6, "tokens_per_minute": 10**8, "concurrency": 5}
    provider = {
        "dialect": "openai", "base_url": simulator.url, "limits": limits, "api_keys": list(story.keys),
    }  # fmt: skip
    return {
        "providers": {"a": {**provider, "limits": {**limits, **story.limits}}, "b": provider, "c": provider},
        "routes": {
            "r": {
                "chain": [{"pool": ["a/x", "b/y"], "strategy": "ordered"}, "c/z"],
                "hedge": story.hedge is not None and {"after": story.hedge, "max_cost": "$1"},
                "on_interrupt": "restart",
                "slow_stream": {"tokens_per_second": 0.1, "window": "5s"},
                "fallback_on": ["server", "rate_limit", "invalid_request", "overloaded", "authentication"],
                "reject": ["stepping:takes_all"],
            }
        },
        "defaults": {
            "breaker": {"failures": 1000, "calls": 1000, **story.breaker},
            "retry_budget": {"per_second": 1000},
            "retry": {"attempts": 2, "base": "1ms"},
            "max_attempts": 6,
            "deadline": "2s",
        },
        "prices": {f"{name}/*": {"input": 1, "output": 2} for name in "abc"},
    }


class Stage:
    """A router and its provider, on which a story is told again and again."""

    def __init__(self, simulator: Simulator, story: Story, transport: SteppedTransport) -> None:
        self.simulator = simulator
        self.story = story
        self.transport = transport
        self._settings = parse_settings(settings_for(simulator, story), env={})
        self.sent = 0
        """Requests that a ledger has a line for."""

    async def tell(self, streaming: bool, call_off: int, how: str) -> bool:
        """Tell the story and call it off at that wait; whether it came to its end before."""
        self.router = Router(self._settings, env={}, transport=self.transport, seed=1)
        for model, replies in self.story.scripts.items():
            self.simulator.script(model, *replies)
        for model in self.story.before:
            await self._prepare(model)
        tasks = len(anyio.get_running_tasks())
        async with AsyncExitStack() as stack:
            if self.story.holding:
                self.simulator.script(
                    "held", SILENT.model_copy(update={"latency": 0.0, "stall_after_events": 2})
                )
                await stack.enter_async_context(self.router.stream(model="a/held", messages=HELLO))
            ended = await self._called_off(streaming, call_off, how)
        await self.check()
        assert len(anyio.get_running_tasks()) == tasks
        return ended

    async def _prepare(self, model: str) -> None:
        with suppress(TurnoutError):
            await self.router.complete(model=model, messages=HELLO, deadline=1)
        await anyio.sleep(0.003)  # the pause of a breaker

    async def _called_off(self, streaming: bool, at: int, how: str) -> bool:
        if how == "recall":
            return await self._by_recall(at)
        make = self._stream if streaming else self._complete
        if how == "task":
            return await self._by_task(make, at)
        with anyio.CancelScope() as scope:
            if not at:
                scope.cancel()
            self.transport.steps = steps = Steps(at, scope.cancel)
            await steps.counted(make())
        return not scope.cancelled_caught

    async def _by_task(self, make: Callable[[], Awaitable[None]], at: int) -> bool:
        task: asyncio.Task[None]

        async def make_it() -> None:
            self.transport.steps = steps = Steps(at, lambda: task.cancel())
            await steps.counted(make())

        task = asyncio.get_running_loop().create_task(make_it())
        if not at:
            task.cancel()
        await asyncio.wait([task])
        return not task.cancelled() and task.result() is None

    async def _by_recall(self, at: int) -> bool:
        recall = Recall()
        make = self.router._call

        def recallable(*args: Any, **more: Any) -> Any:
            call = make(*args, **more)
            call.recall = recall
            return call

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.router, "_call", recallable)
            if not at:
                recall.recall()
            self.transport.steps = steps = Steps(at, recall.recall)
            with suppress(RecalledError):
                await steps.counted(self._complete())
        return not recall.is_recalled

    async def _complete(self) -> None:
        await self.router.complete(model="r", messages=HELLO, tags={"told": "yes"})

    async def _stream(self) -> None:
        async with self.router.stream(model="r", messages=HELLO, tags={"told": "yes"}) as stream:
            async for _ in stream:
                pass

    async def check(self) -> None:
        """Nothing is left."""
        transport, router = self.transport, self.router
        assert transport.opened == transport.closed
        assert router._doors.inside == 0
        assert router._doors._attempts == {}
        for standing in self.standings():
            assert held_by(standing) == {}
        with anyio.fail_after(0.1):
            while not all(one.answered or one.disconnected for one in self.simulator.requests):
                await anyio.sleep(0.001)
        self.sent += sum(one.outcome not in ("rejected", "skipped") for one in router.ledger.attempts())
        assert self.sent >= len(self.simulator.requests)

    def attempts(self) -> list[tuple[str, str]]:
        """What the ledger knows of the story, in the order in which it began."""
        lines = [one for one in self.router.ledger.attempts() if one.tags]
        return [(one.target, one.outcome) for one in sorted(lines, key=lambda one: one.number)]

    def standings(self) -> Iterator[Standing]:
        """What the router knows of its targets."""
        for planned in self.router._snapshot.planner.plan("r").everything:
            assert planned.standing is not None
            yield planned.standing


def held_by(standing: Standing) -> dict[str, Any]:
    """What is still held of a target's guards."""
    limiter, turns, breaker, ring = standing.limiter, standing.turns, standing.breaker, standing.keys
    assert limiter is not None
    assert turns is not None
    assert breaker is not None
    found = {
        "in flight": standing.in_flight.count,
        "turns": turns.taken,
        "waiting for a turn": turns.waiting,
        "requests, prompts and answers ahead": 0 if limiter.listener is None else sum(limiter.listener.ahead),
        "tokens reserved": limiter.window.held,
        "waiting in line": len(limiter.line),
        "probe": breaker._probe or breaker._begun,
        "keys being tried": [
            key.place
            for key in (() if ring is None else ring.keys)
            if key.isolation.trying or key.isolation_here.trying
        ],
    }
    return {name: held for name, held in found.items() if held}


WAYS = [
    (backend, how) for backend, ways in (("asyncio", ("scope", "task")), ("trio", ("scope",))) for how in ways
]


@pytest.mark.parametrize(("anyio_backend", "how"), WAYS, ids=["asyncio", "asyncio-task", "trio"])
@pytest.mark.parametrize("name", STORIES)
async def test_a_call_that_is_called_off_anywhere_leaves_nothing(name: str, how: str) -> None:
    story = STORIES[name]
    await called_off_everywhere(story, story.streaming if how == "scope" else (True,), how)


@pytest.mark.parametrize(
    "name",
    ["the first answers", "falls back after a retry", "is a probe", "waits for a gate", "changes the key"],
)
async def test_a_first_run_that_is_called_off_anywhere_leaves_nothing(name: str) -> None:
    await called_off_everywhere(replace(STORIES[name], hedge=None), (False,), "recall")


async def called_off_everywhere(story: Story, streaming: Sequence[bool], how: str) -> None:
    transport = SteppedTransport(FastTransport())
    with Simulator(api_key=story.key).serving() as simulator:
        stage = Stage(simulator, story, transport)
        for pieces in streaming:
            number = 0
            while not await stage.tell(pieces, number, how):
                number += 1
            assert number > 2
        await anyio.sleep(
            0.02
        )  # a request that was called off may reach the simulator late, and take a reply
        await stage.tell(True, NEVER, how)
        await transport.aclose()
        assert stage.attempts() == story.ends
