"""Which layers a call passes: those its route needs, and no others."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from turnout import Router

PROVIDER = {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1"}


@pytest.mark.parametrize(
    ("route", "retries", "falls_back"),
    [
        ({"chain": ["a/m"], "retry": {"attempts": 1}}, False, False),
        ({"chain": ["a/m"]}, True, False),
        ({"chain": ["a/m", "a/n"], "retry": {"attempts": 1}}, False, True),
        ({"chain": ["a/m"], "context_window": ["a/n"]}, True, True),
        ({"chain": ["a/m", "a/n"], "max_attempts": 1}, False, True),
    ],
)
def test_a_stack_holds_what_the_route_uses(route: dict[str, Any], retries: bool, falls_back: bool) -> None:
    router = Router({"providers": {"a": PROVIDER}, "routes": {"r": route}}, env={})
    plan = router._snapshot.planner.plan("r")

    assert (plan.retries, plan.falls_back) == (retries, falls_back)
    assert layers(router._snapshot.stacks.handler(plan)) == [
        "observe",
        "deadline",
        *(["fallback"] if falls_back else []),
        *(["retry"] if retries else []),
        "account",
    ]
    assert router._snapshot.stacks.handler(plan) is router._snapshot.stacks.handler(plan)


def layers(handler: Any) -> list[str]:
    """The names of the modules whose layers a handler consists of, outermost first."""
    found = []
    while (code := getattr(handler, "__code__", None)) is not None:
        found.append(handler.__module__.rpartition(".")[2])
        held = dict(zip(code.co_freevars, handler.__closure__, strict=True))
        handler = held["inner"].cell_contents
    return found


def test_a_call_that_goes_well_never_loads_tenacity() -> None:
    program = """
import sys, anyio
from turnout import Router
from turnout.testing import Simulator
async def main():
    async with Simulator() as simulator:
        provider = {"dialect": "openai", "base_url": simulator.url}
        async with Router({"providers": {"a": provider}, "routes": {"r": ["a/m", "a/n"]}}) as router:
            await router.complete(model="r", messages=[{"role": "user", "content": "Hi"}])
anyio.run(main)
print("tenacity" in sys.modules, "structlog" in sys.modules)
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout.split() == ["False", "False"]
