"""What policies cost a call that goes well: `python -m benchmarks.policies`, or `make bench-policies`.

A router over a transport that costs nothing answers the same call under different settings: without any
policy, with each of them alone, and with all at once. Turns of a hundred calls alternate. Processor time
counts, of the tenth of all turns that was disturbed least: what other programs do to caches only ever adds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, Self

import anyio

from turnout import Router

from . import sections
from .adapters.turnout_alone import Nowhere, Ready

TARGET = 25.0
"""Microseconds that all policies together may cost."""
CALLS = 100
PAGE = "benchmarks-policies.md"

_LIMITS = {"requests_per_minute": 10**7, "tokens_per_minute": 10**10, "concurrency": 100}
_CHAIN = ["a/gpt-5-mini", "b/gpt-5-mini"]
_POOL = [{"pool": _CHAIN, "strategy": "least_latency"}]

Settings = Mapping[str, Mapping[str, Any]]
"""What is said of each provider, of the route, and of the defaults."""

SETTINGS: dict[str, Settings] = {
    "none": {},
    "breaker": {"defaults": {"breaker": True}},
    "retry_budget": {"defaults": {"retry_budget": True}},
    "limits": {"provider": {"limits": _LIMITS}},
    "api_keys (two)": {"provider": {"api_keys": ["sk-first-0123456789", "sk-second-0123456789"]}},
    "hedge after 5 s": {"route": {"hedge": {"after": "5s"}}},
    "hedge at p95": {"route": {"hedge": True}},
    "on_interrupt: continue": {"route": {"on_interrupt": "continue"}},
    "slow_stream": {"route": {"slow_stream": True}},
    "pool, least_latency": {"route": {"chain": _POOL}},
    "all, in a chain": {
        "provider": {"limits": _LIMITS, "api_keys": ["sk-first-0123456789", "sk-second-0123456789"]},
        "route": {"hedge": True, "on_interrupt": "continue", "slow_stream": True},
        "defaults": {"breaker": True, "retry_budget": True},
    },
    "all, in a pool": {
        "provider": {"limits": _LIMITS, "api_keys": ["sk-first-0123456789", "sk-second-0123456789"]},
        "route": {"hedge": True, "on_interrupt": "continue", "slow_stream": True, "chain": _POOL},
        "defaults": {"breaker": True, "retry_budget": True},
    },
}
"""What is measured, by name."""


class Told(Nowhere):
    """Answers with the headers that tell what is left of an allowance, as OpenAI's do."""

    def send(self, request: Any, *, connect_timeout: float | None, max_bytes: int | None = None) -> Ready:
        """The answer to any request."""
        ready = super().send(request, connect_timeout=connect_timeout, max_bytes=max_bytes)
        ready.headers = {
            **ready.headers,
            "x-ratelimit-limit-requests": "30000",
            "x-ratelimit-remaining-requests": "29999",
            "x-ratelimit-reset-requests": "2ms",
            "x-ratelimit-limit-tokens": "150000000",
            "x-ratelimit-remaining-tokens": "149999984",
            "x-ratelimit-reset-tokens": "6ms",
        }
        return ready


class Turn:
    """A router under some settings, and how long its calls took."""

    def __init__(self, said: Settings) -> None:
        base = {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1"}
        key = {} if "api_keys" in said.get("provider", {}) else {"api_key": "sk-only-0123456789"}
        provider = {**base, **key, **said.get("provider", {})}
        settings = {
            "providers": {"a": provider, "b": provider},
            "routes": {"r": {"chain": _CHAIN, **said.get("route", {})}},
            "defaults": dict(said.get("defaults", {})),
        }
        transport: Any = Told()
        self._router = Router(settings, env={}, transport=transport, seed=1)
        self.micros: list[float] = []

    async def __aenter__(self) -> Self:
        await self._router.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._router.aclose()

    async def calls(self) -> None:
        """Make some calls, and take down what one of them cost."""
        body = {"model": "r", "messages": messages()}
        begun = time.process_time()
        for _ in range(CALLS):
            await self._router.complete(body)
            await anyio.lowlevel.checkpoint()
        self.micros.append((time.process_time() - begun) / CALLS * 1e6)


def messages() -> list[dict[str, str]]:
    """A short conversation."""
    return [
        {"role": "system", "content": "You answer in one sentence."},
        {"role": "user", "content": "Why does a railway need a turnout?"},
    ]


async def measure(rounds: int) -> dict[str, float]:
    """Microseconds of a call without policies, under `none`, and what is added by each setting."""
    turns = {name: Turn(said) for name, said in SETTINGS.items()}
    async with AsyncExitStack() as stack:
        for turn in turns.values():
            await stack.enter_async_context(turn)
            await turn.calls()  # learns, and is not counted
            turn.micros.clear()
        for number in range(rounds):
            order = list(turns.values())
            for turn in order if number % 2 else reversed(order):
                await turn.calls()
    cost = {name: sorted(turn.micros)[len(turn.micros) // 10] for name, turn in turns.items()}
    plain = cost["none"]
    return {name: one if name == "none" else one - plain for name, one in cost.items()}


def page(found: Mapping[str, Mapping[str, float]]) -> str:
    """The section of the page."""
    engines = list(found)
    rows = [
        ["**without policies**" if name == "none" else name, *(_figure(found[one], name) for one in engines)]
        for name in SETTINGS
    ]
    return "\n\n".join(
        [
            sections.measured_on(),
            sections.table(["µs of CPU for a call that goes well", *engines], rows),
        ]
    )


def _figure(found: Mapping[str, float], name: str) -> str:
    return f"{found[name]:.1f}" if name == "none" else f"{found[name]:+.1f}"


def main() -> None:
    """Measure, show, and write the page's section if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--engines", default="asyncio,trio")
    parser.add_argument("--page", action="store_true", help=f"write the section of docs/{PAGE}")
    said = parser.parse_args()
    found = {one: anyio.run(measure, said.rounds, backend=one) for one in said.engines.split(",")}
    text = page(found)
    print(text)
    print(json.dumps(found))
    if said.page:
        sections.put(PAGE, "policies", text)


if __name__ == "__main__":
    main()
