"""Pools against simulated providers: who gets the calls, and who when somebody fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from turnout import BudgetExceededError, ManualClock, Router
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

MakeRouter = Callable[..., Router]
Conversation = list[dict[str, Any]]


def pool(*members: Any, strategy: str, **said: Any) -> dict[str, Any]:
    return {"pool": list(members), "strategy": strategy, **said}


def asked(simulator: Simulator) -> Counter[str | None]:
    """How many requests each model got."""
    return Counter(request.model for request in simulator.requests)


async def ask(router: Router, hello: Conversation, calls: int, **fields: Any) -> list[str]:
    """The models that answered, one call after another."""
    replies = [await router.complete(model="r", messages=hello, **fields) for _ in range(calls)]
    return [reply.trace.attempts[-1].model for reply in replies]


async def test_weights_are_shares_of_the_calls(make_router: MakeRouter, hello: Conversation) -> None:
    routes = {"r": [pool({"target": "a/x", "weight": 3}, "b/y", strategy="weighted")]}
    async with Simulator() as simulator, make_router(simulator, routes) as router:
        await ask(router, hello, 200)

    assert asked(simulator)["x"] == pytest.approx(150, abs=20)


async def test_turns_go_round_and_streams_take_theirs(make_router: MakeRouter, hello: Conversation) -> None:
    routes = {"r": [pool("a/x", "b/y", "a/z", strategy="round_robin")]}
    async with Simulator() as simulator, make_router(simulator, routes) as router:
        for _ in range(4):
            assert router.explain(model="r", messages=hello).steps[0].target == "a/x"
            async with router.stream(model="r", messages=hello) as stream:
                async for _ in stream:
                    pass
            await router.complete(model="r", messages=hello)

    assert [request.model for request in simulator.requests] == ["x", "y", "z"] * 2 + ["x", "y"]


async def test_a_crowd_is_spread_by_what_each_has_to_do(make_router: MakeRouter, hello: Conversation) -> None:
    """The one that takes three times as long gets about a third as much."""
    scripts = {"slow": [Reply(latency=0.06)], "quick": [Reply(latency=0.02)]}
    routes = {"r": [pool("a/slow", "b/quick", strategy="least_busy")]}
    async with Simulator(scripts) as simulator, make_router(simulator, routes) as router:

        async def caller() -> None:
            await ask(router, hello, 10)

        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(caller)

    assert asked(simulator).total() == 80
    assert 1.6 < asked(simulator)["quick"] / asked(simulator)["slow"] < 6


async def test_the_faster_member_gets_the_calls_and_the_slower_one_is_not_forgotten(
    make_router: MakeRouter, hello: Conversation
) -> None:
    clock = ManualClock()
    seconds = {"x": 2.0, "y": 0.5}
    routes = {"r": [pool("a/x", "b/y", strategy="least_latency")]}
    async with Simulator() as simulator, make_router(simulator, routes, options={"clock": clock}) as router:
        for planned in router._snapshot.planner.plan("r").targets:
            assert planned.standing is not None
            planned.standing.latency.observe_whole(clock.monotonic(), seconds[planned.target.model])
        assert set(await ask(router, hello, 5)) == {"y"}

        # two minutes on, while the quick one was heard of and the slow one was not
        clock.advance(120)
        [_, quick] = router._snapshot.planner.plan("r").targets
        assert quick.standing is not None
        quick.standing.latency.observe_whole(clock.monotonic(), 0.5)
        assert (await ask(router, hello, 1)) == ["x"]


async def test_a_member_that_fails_at_once_does_not_draw_all_calls(
    make_router: MakeRouter, hello: Conversation
) -> None:
    routes = {"r": {"chain": [pool("a/x", "b/y", strategy="least_latency")], "retry": {"attempts": 1}}}
    async with Simulator({"x": [Reply(status=500)]}) as simulator:
        async with make_router(simulator, routes) as router:
            answered = await ask(router, hello, 12)

    assert set(answered) == {"y"}
    assert asked(simulator)["x"] <= 2


async def test_every_user_stays_where_they_are(make_router: MakeRouter, hello: Conversation) -> None:
    routes = {"r": [pool("a/x", "b/y", "a/z", strategy="sticky", by="user")]}
    async with Simulator() as simulator, make_router(simulator, routes) as router:
        homes = {}
        for user in map(str, range(12)):
            [homes[user]] = set(await ask(router, hello, 3, user=user))

    assert len(set(homes.values())) == 3


async def test_when_a_member_fails_the_others_take_its_calls(
    make_router: MakeRouter, hello: Conversation
) -> None:
    routes = {
        "r": {
            "chain": [pool("a/x", "b/y", "a/z", strategy="round_robin"), "b/last"],
            "retry": {"attempts": 1},
        }
    }
    async with Simulator({"x": [Reply(status=503)], "y": [Reply(status=503)]}) as simulator:
        async with make_router(simulator, routes) as router:
            assert await ask(router, hello, 3) == ["z"] * 3
            simulator.script("z", Reply(status=503))
            assert await ask(router, hello, 1) == ["last"]

    trails = ["x", "y", "z"], ["y", "z"], ["z"], ["x", "y", "z", "last"]
    assert [request.model for request in simulator.requests] == [model for trail in trails for model in trail]


async def test_a_member_whose_breaker_is_open_goes_behind(
    make_router: MakeRouter, hello: Conversation
) -> None:
    clock = ManualClock()
    routes = {"r": {"chain": [pool("a/x", "b/y", strategy="ordered")], "retry": {"attempts": 1}}}
    more: dict[str, Any] = {
        "defaults": {"breaker": {"failures": 3, "pause": "10s"}},
        "options": {"clock": clock},
    }
    async with Simulator({"x": [Reply(status=500)]}) as simulator:
        async with make_router(simulator, routes, **more) as router:
            assert await ask(router, hello, 10) == ["y"] * 10
            assert asked(simulator)["x"] == 3

            simulator.script("y", Reply(status=500))
            simulator.script("x", Reply(text="Back"))
            [answer] = await ask(router, hello, 1)
            assert answer == "x"  # behind is not gone: it is tried when the others fail


async def test_what_costs_too_much_is_not_sent(make_router: MakeRouter, hello: Conversation) -> None:
    routes = {"r": [pool("b/dear", "a/cheap", strategy="least_cost", max_price="$0.001")]}
    async with Simulator() as simulator, make_router(simulator, routes) as router:
        assert await ask(router, hello, 2, max_tokens=100) == ["cheap"] * 2
        with pytest.raises(BudgetExceededError, match="lower max_tokens"):
            await router.complete(model="r", messages=hello, max_tokens=100_000)
        with pytest.raises(BudgetExceededError):
            router.stream(model="r", messages=hello, max_tokens=100_000)

    assert asked(simulator) == {"cheap": 2}


async def test_a_pool_is_explained_as_it_is_written(make_router: MakeRouter, hello: Conversation) -> None:
    members = ({"target": "a/x", "weight": 3}, "b/y", {"target": "a/old", "weight": 0})
    routes = {"r": ["b/first", pool(*members, strategy="weighted")]}
    async with Simulator() as simulator, make_router(simulator, routes) as router:
        explanation = router.explain(model="r", messages=hello, max_tokens=9)

    assert [(step.target, step.why) for step in explanation.steps] == [
        ("b/first", "route r"),
        ("a/x", "route r, weighted pool, weight 3 of 4"),
        ("b/y", "route r, weighted pool, weight 1 of 4"),
    ]
    assert explanation.cost is not None


async def test_what_is_known_of_members_outlives_a_reload(
    make_router: MakeRouter, hello: Conversation
) -> None:
    routes = {"r": [pool("a/x", "b/y", strategy="least_latency")]}
    async with Simulator() as simulator, make_router(simulator, routes) as router:
        [before, _] = router._snapshot.planner.plan("r").targets
        await router.reload(router.settings.model_copy(update={"routes": {**router.settings.routes}}))
        [after, _] = router._snapshot.planner.plan("r").targets

    assert before is not after
    assert before.standing is after.standing
