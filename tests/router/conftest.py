"""Routers over simulated providers, for the tests of the call path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
import pytest

from turnout import Router
from turnout.testing import Simulator

MakeRouter = Callable[..., Router]
Gone = Callable[[Simulator], Awaitable[None]]


def settings_for(simulator: Simulator, routes: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Settings with two providers, `a` and `b`, that both are the simulator, and quick retries."""
    provider = {"dialect": "openai", "base_url": simulator.url, "api_key": "sk-test-0123456789abcdef"}
    quick = {"base": "1ms", "rate_limit_base": "1ms"}
    return {
        "providers": {"a": dict(provider), "b": dict(provider)},
        "routes": dict(routes),
        "defaults": {"retry": quick, **more.pop("defaults", {})},
        "prices": {"a/*": {"input": 1, "output": 2}, "b/*": {"input": 10, "output": 20}},
        **more,
    }


@pytest.fixture
def make_router() -> MakeRouter:
    """Makes a router for `(simulator, routes, **settings)`; `options` are the Router's own."""

    def make(simulator: Simulator, routes: Mapping[str, Any], **more: Any) -> Router:
        options = more.pop("options", {})
        return Router(settings_for(simulator, routes, **more), env={}, **{"seed": 1, **options})

    return make


@pytest.fixture
def gone() -> Gone:
    """Waits until a simulator has noticed that its first client went away."""

    async def wait(simulator: Simulator) -> None:
        with anyio.fail_after(3):
            while not simulator.requests[0].disconnected:
                await anyio.sleep(0.01)

    return wait


@pytest.fixture
def hello() -> list[dict[str, Any]]:
    """The shortest conversation."""
    return [{"role": "user", "content": "Hello"}]
