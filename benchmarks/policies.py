"""What policies cost a call that goes well: `python -m benchmarks.policies`, or `make bench-policies`.

A router over a transport that costs nothing answers the same call under different settings: without any
policy, with each of them alone, and with all at once. Each setting takes turns of a hundred calls with none.
Processor time counts, of the tenth of all turns that was disturbed least: what other programs do to caches
only ever adds. Raw httpx is measured as well: microseconds alone say as much of a machine as of a library.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from statistics import median
from typing import Any, Self

import anyio

from turnout import Router

from . import machine, sections, upstream
from .adapters import Client, Task, raw_httpx
from .adapters.turnout_alone import Nowhere, Ready
from .reporting import thousandths

TARGET, HTTPX = 25.0, 500.0
"""Microseconds that all policies together may cost, where a call of raw httpx takes so many."""
GOAL = (
    f"All policies of a chain together are to cost {TARGET:.0f} µs at most where a call of raw httpx takes\n"
    f"{HTTPX:.0f} (with `sniffio` installed), on asyncio: {thousandths(TARGET / HTTPX)} of it."
)
CALLS, HTTPX_CALLS = 100, 10
WARM = 12
"""Turns that are not counted: policies learn, and the ledger fills up, so that it lets old attempts go."""
PAGE = "benchmarks-policies.md"

_LIMITS = {"requests_per_minute": 10**7, "tokens_per_minute": 10**10, "concurrency": 100}
_KEYS = ["sk-first-0123456789", "sk-second-0123456789"]
_CHAIN = ["a/gpt-5-mini", "b/gpt-5-mini"]
_POOL = [{"pool": _CHAIN, "strategy": "least_latency"}]

Settings = Mapping[str, Mapping[str, Any]]
"""What is said of each provider, of the route, and of the defaults."""
_ALL: Settings = {
    "provider": {"limits": _LIMITS},
    "route": {"hedge": True, "on_interrupt": "continue", "slow_stream": True},
    "defaults": {"breaker": True, "retry_budget": True},
}
_ALL_AND_KEYS: Settings = {**_ALL, "provider": {"limits": _LIMITS, "api_keys": _KEYS}}

SETTINGS: dict[str, Settings] = {
    "none": {},
    "breaker": {"defaults": {"breaker": True}},
    "retry_budget": {"defaults": {"retry_budget": True}},
    "limits": {"provider": {"limits": _LIMITS}},
    "api_keys (two)": {"provider": {"api_keys": _KEYS}},
    "hedge after 5 s": {"route": {"hedge": {"after": "5s"}}},
    "hedge at p95": {"route": {"hedge": True}},
    "on_interrupt: continue": {"route": {"on_interrupt": "continue"}},
    "slow_stream": {"route": {"slow_stream": True}},
    "pool, least_latency": {"route": {"chain": _POOL}},
    "all, in a chain, two keys": _ALL_AND_KEYS,
    "all, in a chain, one key": _ALL,
    "all, in a pool, two keys": {**_ALL_AND_KEYS, "route": {**_ALL["route"], "chain": _POOL}},
}
"""What is measured, by name."""
ALL = ("all, in a chain, two keys", "all, in a chain, one key")
"""All that a chain can have. Headers tell of one key's allowance, so with several nobody listens to them."""


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


class HttpxTurn:
    """Calls of raw httpx, where httpx finds `sniffio` installed, and how long they took."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.micros: list[float] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def calls(self) -> None:
        """Make some calls, and take down what one of them cost."""
        begun = time.process_time()
        for _ in range(HTTPX_CALLS):
            await self._client.complete()
        self.micros.append((time.process_time() - begun) / HTTPX_CALLS * 1e6)


def messages() -> list[dict[str, str]]:
    """A short conversation."""
    return [
        {"role": "system", "content": "You answer in one sentence."},
        {"role": "user", "content": "Why does a railway need a turnout?"},
    ]


async def measure(rounds: int, url: str) -> dict[str, float]:
    """Microseconds of a call without policies, under `none`, what is added by each setting, and under `httpx`
    those of a call of raw httpx to a server at `url`."""
    found, without = {}, []
    for name, said in SETTINGS.items():
        if name != "none":
            async with Turn(SETTINGS["none"]) as plain, Turn(said) as turn:
                await _alternate(rounds, plain, turn)
            without.append(_undisturbed(plain.micros))
            found[name] = _undisturbed(turn.micros) - without[-1]
    async with HttpxTurn(await raw_httpx.connect(Task(f"{url}/ok/v1"))) as yardstick:
        await _alternate(rounds, yardstick)
    return {"none": median(without), **found, "httpx": _undisturbed(yardstick.micros)}


async def _alternate(rounds: int, *turns: Turn | HttpxTurn) -> None:
    """Let them take turns: two at most, for hardly a program has more routers, and each throws out of the
    caches what others have there."""
    for turn in turns:
        for _ in range(WARM):
            await turn.calls()
        turn.micros.clear()
    for number in range(rounds):
        for turn in turns if number % 2 else turns[::-1]:
            await turn.calls()


def _undisturbed(micros: list[float]) -> float:
    return sorted(micros)[len(micros) // 10]


def page(found: Mapping[str, Mapping[str, float]]) -> str:
    """The section of the page."""
    engines = list(found)
    rows = [
        ["**without policies**" if name == "none" else name, *(_figure(found[one], name) for one in engines)]
        for name in SETTINGS
    ]
    calls = {one: found[one]["httpx"] for one in engines}
    rows.append(["*a call of raw httpx*", *(f"{calls[one]:.0f}" for one in engines)])
    rows += [
        [f"*{name} ÷ that*", *(thousandths(found[one][name] / calls[one]) for one in engines)] for name in ALL
    ]
    return "\n\n".join(
        [
            sections.measured_on(),
            sections.table(["µs of CPU for a call that goes well", *engines], rows),
            GOAL,
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
    core, other = machine.cores()
    upstream.pin(core)
    with upstream.running(other) as roots:
        engines, url = said.engines.split(","), roots["http"]
        found = {one: anyio.run(measure, said.rounds, url, backend=one) for one in engines}
    text = page(found)
    print(text)
    print(json.dumps(found))
    if said.page:
        sections.put(PAGE, "policies", text)


if __name__ == "__main__":
    main()
