"""How a plan is walked, and which error ends a call that found no answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from turnout import AllTargetsFailedError, InternalServerError, Router, UnsupportedError
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

MakeRouter = Callable[..., Router]
Conversation = list[dict[str, Any]]


async def test_where_only_one_target_could_be_tried_its_own_error_says_it_best(
    make_router: MakeRouter, hello: Conversation
) -> None:
    routes = {"r": {"chain": ["a/x", "b/y"], "max_attempts": 1}}
    async with Simulator({"x": [Reply(status=500)]}) as simulator:
        async with make_router(simulator, routes) as router:
            with pytest.raises(InternalServerError) as caught:
                await router.complete(model="r", messages=hello)

    assert len(simulator.requests) == len(caught.value.attempts) == 1


async def test_attempts_run_out_before_targets_do(make_router: MakeRouter, hello: Conversation) -> None:
    routes = {"r": {"chain": ["a/x", "b/x", "a/good"], "max_attempts": 2}}
    async with Simulator({"x": [Reply(status=500)]}) as simulator:
        async with make_router(simulator, routes) as router:
            with pytest.raises(AllTargetsFailedError) as caught:
                await router.complete(model="r", messages=hello)

    assert [attempt.target for attempt in caught.value.attempts] == ["a/x", "b/x"]


async def test_a_route_that_must_not_go_on_after_unsupported_stops_there(hello: Conversation) -> None:
    async with Simulator() as simulator:
        provider = {"dialect": "openai", "base_url": simulator.url}
        settings = {
            "providers": {"plain": {**provider, "quirks": {"unsupported": ["stop"]}}, "full": provider},
            "routes": {"r": {"chain": ["plain/m", "full/m"], "fallback_on": ["server"]}},
        }
        async with Router(settings) as router:
            with pytest.raises(UnsupportedError, match="stop") as caught:
                await router.complete(model="r", messages=hello, stop="x")

    assert caught.value.provider == "plain"
    assert simulator.requests == []
