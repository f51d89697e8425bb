"""A silent target is hedged with the next one: who answers, and what becomes of the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import anyio
import httpx
import pytest

from turnout import (
    AllTargetsFailedError,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    Router,
    RouterClosedError,
)
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

MakeRouter = Callable[..., Router]
Conversation = list[dict[str, Any]]

AFTER = 0.025  # seconds of silence before a hedge
SILENT = Reply(text="too late", latency=30)
FAST = Reply(text="one two three")
DOWN = Reply(status=500)
SETTINGS: dict[str, Any] = {"defaults": {"retry": {"attempts": 1}}}


def hedged(*chain: str, **more: Any) -> dict[str, Any]:
    return {"r": {"chain": list(chain), "hedge": {"after": AFTER}, **more}}


def outcomes(router: Router) -> list[tuple[str, str]]:
    return sorted((attempt.target, attempt.outcome) for attempt in router.ledger)


@asynccontextmanager
async def quickly() -> AsyncIterator[None]:
    """Far below the 30 seconds of a silent target."""
    with anyio.fail_after(5):
        yield


async def until_gone(simulator: Simulator, model: str) -> None:
    """Until the simulator has seen that nobody waits for this model any more; 100 ms at the most."""
    [request] = [request for request in simulator.requests if request.model == model]
    with anyio.fail_after(0.1):
        while not request.disconnected:
            await anyio.sleep(0.002)


async def test_the_next_target_answers_for_a_silent_one(make_router: MakeRouter, hello: Conversation) -> None:
    async with Simulator({"silent": [SILENT]}) as simulator, quickly():
        async with make_router(simulator, hedged("a/silent", "b/fast"), **SETTINGS) as router:
            reply = await router.complete(model="r", messages=hello)
            await until_gone(simulator, "silent")

    assert (reply.provider, reply.text) == ("b", "Hello")
    assert outcomes(router) == [("a/silent", "cancelled"), ("b/fast", "ok")]
    called_off, answered = sorted(reply.trace.attempts, key=lambda attempt: attempt.target)
    assert (called_off.number, answered.number) == (1, 2)
    # the prompt was read, though nobody told how long it was
    assert called_off.cost.basis == "estimated"
    assert called_off.cost.amount
    assert answered.cost.basis == "priced"
    assert reply.trace.cost.amount == called_off.cost.amount + (answered.cost.amount or 0)


@pytest.mark.parametrize("given", [False, True], ids=["own-transport", "httpx-client"])
async def test_the_connection_of_the_winner_outlives_the_task_that_opened_it(
    make_router: MakeRouter, hello: Conversation, given: bool
) -> None:
    words = "one two three four five six"
    scripts = {"silent": [SILENT], "fast": [Reply(text=words, drip_delay=0.01)]}
    client = httpx.AsyncClient() if given else None
    async with Simulator(scripts) as simulator, quickly():
        settings = {**SETTINGS, "options": {"client": client}}
        async with make_router(simulator, hedged("a/silent", "b/fast"), **settings) as router:
            async with router.stream(model="r", messages=hello) as stream:
                assert stream.provider == "b"
                assert "".join([chunk.text async for chunk in stream]) == words
            async with router.stream(model="r", messages=hello) as stream:
                await anext(stream)  # and it is left early just as well
        if client is not None:
            await client.aclose()

    assert [attempt.outcome for attempt in router.ledger] == ["cancelled", "ok", "cancelled", "cancelled"]


async def test_a_quick_target_is_not_hedged(make_router: MakeRouter, hello: Conversation) -> None:
    async with Simulator() as simulator:
        async with make_router(
            simulator, {"r": {"chain": ["a/x", "b/y"], "hedge": {"after": "5s"}}}
        ) as router:
            assert (await router.complete(model="r", messages=hello)).provider == "a"
            async with router.stream(model="r", messages=hello) as stream:
                await anyio.sleep(2 * AFTER)  # it has begun, and may take its time
                assert stream.provider == "a"

    assert len(simulator.requests) == 2


async def test_the_first_may_still_win(make_router: MakeRouter, hello: Conversation) -> None:
    scripts = {"slow": [Reply(text="after all", latency=3 * AFTER)], "silent": [SILENT]}
    async with Simulator(scripts) as simulator, quickly():
        async with make_router(simulator, hedged("a/slow", "b/silent"), **SETTINGS) as router:
            reply = await router.complete(model="r", messages=hello)
            await until_gone(simulator, "silent")

    assert reply.text == "after all"
    assert outcomes(router) == [("a/slow", "ok"), ("b/silent", "cancelled")]


async def test_a_hedge_that_fails_is_no_failure(make_router: MakeRouter, hello: Conversation) -> None:
    for fault in (DOWN, Reply(status=400), Reply(hang_up=True)):
        scripts = {"slow": [Reply(text="after all", latency=3 * AFTER)], "down": [fault]}
        async with Simulator(scripts) as simulator, quickly():
            async with make_router(simulator, hedged("a/slow", "b/down"), **SETTINGS) as router:
                assert (await router.complete(model="r", messages=hello)).text == "after all"
        assert outcomes(router) == [("a/slow", "ok"), ("b/down", "failed")]


async def test_a_first_target_that_fails_leaves_the_call_to_its_hedge(
    make_router: MakeRouter, hello: Conversation
) -> None:
    scripts = {
        "slow": [Reply(status=500, latency=2 * AFTER)],
        "later": [Reply(text="here", latency=4 * AFTER)],
    }
    async with Simulator(scripts) as simulator, quickly():
        async with make_router(simulator, hedged("a/slow", "b/later"), **SETTINGS) as router:
            assert (await router.complete(model="r", messages=hello)).text == "here"

    assert outcomes(router) == [("a/slow", "failed"), ("b/later", "ok")]
    assert len(simulator.requests) == 2  # the fallback did not try the hedge's target again


async def test_both_runs_go_on_to_targets_that_the_other_has_not_taken(
    make_router: MakeRouter, hello: Conversation
) -> None:
    scripts = {"slow": [Reply(status=500, latency=3 * AFTER)], "down": [DOWN], "silent": [SILENT]}
    chain = ["a/slow", "b/down", "a/silent", "b/fast"]
    async with Simulator(scripts) as simulator, quickly():
        async with make_router(simulator, hedged(*chain), **SETTINGS) as router:
            reply = await router.complete(model="r", messages=hello)

    assert reply.model == "fast"
    assert [request.model for request in simulator.requests] == ["slow", "down", "silent", "fast"]


async def test_where_all_fail_the_error_tells_of_all(make_router: MakeRouter, hello: Conversation) -> None:
    for first, second in [(2, 4), (4, 0)]:
        scripts = {
            "x": [Reply(status=500, latency=first * AFTER)],
            "y": [Reply(status=503, latency=second * AFTER)],
        }
        async with Simulator(scripts) as simulator, quickly():
            async with make_router(simulator, hedged("a/x", "b/y"), **SETTINGS) as router:
                with pytest.raises(AllTargetsFailedError) as caught:
                    await router.complete(model="r", messages=hello)
        assert [attempt.target for attempt in caught.value.attempts] == ["a/x", "b/y"]
        assert {error.kind for error in caught.value.errors} == {"server", "overloaded"}


async def test_a_failure_that_the_route_does_not_go_on_after_ends_the_call(
    make_router: MakeRouter, hello: Conversation
) -> None:
    scripts = {"x": [Reply(status=400, latency=2 * AFTER)], "silent": [SILENT]}
    async with Simulator(scripts) as simulator, quickly():
        async with make_router(simulator, hedged("a/x", "b/silent"), **SETTINGS) as router:
            with pytest.raises(BadRequestError):
                await router.complete(model="r", messages=hello)
            await until_gone(simulator, "silent")

    assert outcomes(router) == [("a/x", "failed"), ("b/silent", "cancelled")]


async def test_the_error_of_a_call_that_was_not_hedged_is_as_ever(
    make_router: MakeRouter, hello: Conversation
) -> None:
    scripts = {"x": [Reply(status=401)]}
    routes = hedged("a/x", "b/silent", fallback_on=["server"])
    async with Simulator(scripts) as simulator:
        async with make_router(simulator, routes, **SETTINGS) as router:
            with pytest.raises(AuthenticationError) as caught:
                await router.complete(model="r", messages=hello)
    assert len(caught.value.attempts) == 1


async def test_a_target_that_fell_back_in_time_is_hedged_after_its_own_silence(
    make_router: MakeRouter, hello: Conversation
) -> None:
    scripts = {"down": [DOWN], "silent": [SILENT]}
    async with Simulator(scripts) as simulator, quickly():
        async with make_router(simulator, hedged("a/down", "b/silent", "b/fast"), **SETTINGS) as router:
            assert (await router.complete(model="r", messages=hello)).model == "fast"

    assert outcomes(router) == [("a/down", "failed"), ("b/fast", "ok"), ("b/silent", "cancelled")]


async def test_a_call_that_took_a_branch_is_not_hedged(make_router: MakeRouter, hello: Conversation) -> None:
    too_long = {
        "message": "This model's maximum context length is 5 tokens.",
        "code": "context_length_exceeded",
    }
    scripts = {
        "small": [Reply(status=400, error=too_long)],
        "large": [Reply(text="it fits", latency=3 * AFTER)],
    }
    async with Simulator(scripts) as simulator, quickly():
        routes = hedged("a/small", "b/small", context_window=["a/large"])
        async with make_router(simulator, routes, **SETTINGS) as router:
            assert (await router.complete(model="r", messages=hello)).text == "it fits"

    assert [request.model for request in simulator.requests] == ["small", "large"]


async def test_attempts_are_counted_together(make_router: MakeRouter, hello: Conversation) -> None:
    scripts = {"slow": [Reply(text="after all", latency=3 * AFTER)], "down": [DOWN]}
    for most, asked in [(1, ["slow"]), (2, ["slow", "down"])]:
        async with Simulator(scripts) as simulator, quickly():
            routes = hedged("a/slow", "b/down", "b/other", max_attempts=most)
            async with make_router(simulator, routes, **SETTINGS) as router:
                assert (await router.complete(model="r", messages=hello)).text == "after all"
        assert [request.model for request in simulator.requests] == asked


@pytest.mark.parametrize(
    ("most", "hedges"),
    [("$0.0001", False), ("$0.01", True)],
    ids=["too dear", "cheap enough"],
)
async def test_a_hedge_may_cost_so_much(
    make_router: MakeRouter, hello: Conversation, most: str, hedges: bool
) -> None:
    """100 tokens of provider b cost 0.2 cents."""
    scripts = {"slow": [Reply(text="after all", latency=8 * AFTER)]}
    route = {"chain": ["a/slow", "b/fast"], "hedge": {"after": AFTER, "max_cost": most}}
    async with Simulator(scripts) as simulator, quickly():
        async with make_router(simulator, {"r": route}, **SETTINGS) as router:
            reply = await router.complete(model="r", messages=hello, max_tokens=100)

    assert reply.provider == ("b" if hedges else "a")
    assert len(simulator.requests) == 1 + hedges


async def test_a_price_that_is_unknown_may_be_any(make_router: MakeRouter, hello: Conversation) -> None:
    scripts = {"slow": [Reply(text="after all", latency=3 * AFTER)]}
    route = {"chain": ["a/slow", "b/fast"], "hedge": {"after": AFTER, "max_cost": "$5"}}
    async with Simulator(scripts) as simulator, quickly():
        async with make_router(simulator, {"r": route}, **SETTINGS, prices={}) as router:
            assert (await router.complete(model="r", messages=hello)).provider == "a"


async def test_hedges_take_from_the_retry_budget(make_router: MakeRouter, hello: Conversation) -> None:
    scripts = {"slow": [Reply(text="after all", latency=8 * AFTER)]}
    budget = {"ratio": 0, "per_second": 0.2}  # two at first, and then one in five seconds
    async with Simulator(scripts) as simulator, quickly():
        settings = {"defaults": {"retry": {"attempts": 1}, "retry_budget": budget}}
        async with make_router(simulator, hedged("a/slow", "b/fast"), **settings) as router:
            providers = [(await router.complete(model="r", messages=hello)).provider for _ in range(4)]

    assert providers == ["b", "b", "a", "a"]


async def test_a_closed_gate_makes_no_hedge(make_router: MakeRouter, hello: Conversation) -> None:
    limited = Reply(status=429, headers={"Retry-After": "60"})
    scripts = {"slow": [Reply(text="after all", latency=8 * AFTER)], "limited": [limited]}
    async with Simulator(scripts) as simulator, quickly():
        settings = {"defaults": {"retry": {"attempts": 1}, "breaker": True}}
        async with make_router(simulator, hedged("a/slow", "b/limited", "b/fast"), **settings) as router:
            with pytest.raises(Exception, match="Rate limit"):
                await router.complete(model="b/limited", messages=hello)
            assert (await router.complete(model="r", messages=hello)).model == "fast"

    assert [request.model for request in simulator.requests] == ["limited", "slow", "fast"]


async def test_p95_is_that_of_the_latest_answers(make_router: MakeRouter, hello: Conversation) -> None:
    """20 answers have to be there first; afterwards no more than one call in ten is hedged."""
    quick = Reply(latency=0.001)
    stalls = Reply(text="after all", latency=0.1)
    scripts = {"x": [stalls, *[quick] * 20, *[stalls] * 9]}
    async with Simulator(scripts) as simulator:
        routes = {"r": {"chain": ["a/x", "b/y"], "hedge": True}}
        async with make_router(simulator, routes, **SETTINGS) as router:
            for _ in range(21):
                await router.complete(model="r", messages=hello)
            early = sum(request.model == "y" for request in simulator.requests)
            providers = [(await router.complete(model="r", messages=hello)).provider for _ in range(6)]

    assert early <= 1  # the stall came before 20 answers were known
    hedges = providers.count("b")
    assert providers[0] == "b"
    assert 1 <= hedges <= 4


async def test_events_tell_of_a_hedge(hello: Conversation) -> None:
    class Heard:
        def __init__(self) -> None:
            self.events: list[tuple[str, dict[str, Any]]] = []

        def log(self, _level: int, event: str, **fields: Any) -> None:
            self.events.append((event, fields))

    heard = Heard()
    async with Simulator({"silent": [SILENT]}) as simulator, quickly():
        provider = {"dialect": "openai", "base_url": simulator.url}
        settings = {"providers": {"a": provider}, "routes": hedged("a/silent", "a/fast")}
        async with Router(settings, logger=heard) as router:
            await router.complete(model="r", messages=hello)

    [fields] = [fields for event, fields in heard.events if event == "hedge.started"]
    assert fields == {
        "call_id": fields["call_id"], "target": "a/silent", "wait": AFTER, "next_target": "a/fast",
    }  # fmt: skip


async def test_a_logger_that_breaks_at_a_hedge_is_not_silenced(hello: Conversation) -> None:
    class Breaking:
        def log(self, _level: int, event: str, **_fields: Any) -> None:
            if event == "hedge.started":
                raise ZeroDivisionError

    async with Simulator({"silent": [SILENT]}) as simulator, quickly():
        provider = {"dialect": "openai", "base_url": simulator.url}
        settings = {"providers": {"a": provider}, "routes": hedged("a/silent", "a/fast")}
        async with Router(settings, logger=Breaking()) as router:
            with pytest.raises(ZeroDivisionError):
                await router.complete(model="r", messages=hello)
            await until_gone(simulator, "silent")


async def test_what_was_not_sent_costs_nothing(make_router: MakeRouter, hello: Conversation) -> None:
    """The first waits for its token when the hedge wins."""

    async def token() -> tuple[str, float]:
        await anyio.sleep(30)
        return "never", 60

    async with Simulator() as simulator, quickly():
        settings = {**SETTINGS, "options": {"tokens": {"a": token}}}
        async with make_router(simulator, hedged("a/x", "b/fast"), **settings) as router:
            reply = await router.complete(model="r", messages=hello)

    [waiting, _] = reply.trace.attempts
    assert (waiting.outcome, waiting.cost.amount) == ("cancelled", Decimal(0))
    assert len(simulator.requests) == 1


async def test_errors_of_the_providers_come_out_alone(make_router: MakeRouter, hello: Conversation) -> None:
    """Not in a group, whatever the engine makes of two tasks."""
    async with Simulator({"x": [Reply(status=500, latency=2 * AFTER)]}) as simulator, quickly():
        routes = hedged("a/x", "b/x", max_attempts=1)
        async with make_router(simulator, routes, **SETTINGS) as router:
            with pytest.raises(InternalServerError) as caught:
                await router.complete(model="r", messages=hello)
    assert caught.value.__cause__ is None


async def test_closing_the_router_ends_both_runs(make_router: MakeRouter, hello: Conversation) -> None:
    async with Simulator({"x": [SILENT], "y": [SILENT]}) as simulator, quickly():
        async with make_router(simulator, hedged("a/x", "b/y"), **SETTINGS) as router:

            async def call() -> None:
                with pytest.raises(RouterClosedError):
                    await router.complete(model="r", messages=hello)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(call)
                while len(simulator.requests) < 2:
                    await anyio.sleep(0.005)
                await router.aclose(drain=0)
            await until_gone(simulator, "x")
            await until_gone(simulator, "y")
