"""The same faults where policies stand between: what one call after another tries, and what it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from fault_matrix import FINE, KEY, PRICES, line_of

from turnout import ManualClock, Router
from turnout.config.errors import TurnoutError
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

DOWN = Reply(status=500)
FAILS = "a server 500 unknown"
SHUT = "a rejected:overloaded free"
LIMITED = "a rate_limit 429 free"
WAITING = "a rejected:rate_limit free"


@dataclass(frozen=True)
class Day:
    """What `a` does all day, what was configured against it, and what each call tries in turn."""

    does: Sequence[Reply]
    calls: Sequence[Sequence[str]]
    """The attempts of each call."""
    provider: Mapping[str, Any] = field(default_factory=dict)
    """Of `a`."""
    route: Mapping[str, Any] = field(default_factory=dict)
    pauses: float = 0.0
    """Seconds between two calls."""
    request: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the request."""
    streamed: Sequence[Sequence[str]] | None = None
    """The attempts where the caller reads along, if they are others: what was shown cannot be taken back."""


DAYS = {
    "a breaker opens, and tries again": Day(
        [DOWN, DOWN, DOWN, Reply(text="Hello")],
        [[FAILS, FAILS, FINE], [SHUT, FINE], [SHUT, FINE], [FAILS, FINE], [SHUT, FINE]],
        {"breaker": {"failures": 2, "pause": "10s"}}, pauses=4,
    ),
    "a refused request opens no breaker": Day(
        [Reply(status=400)], [["a invalid_request 400 free"]] * 4, {"breaker": {"failures": 2}}
    ),
    "a gate stays closed for as long as the server says": Day(
        [Reply(status=429, headers={"retry-after": "30"}), Reply(text="Hello")],
        [[LIMITED, FINE], [WAITING, FINE], [WAITING, FINE], ["a ok 2+1"]],
        {"breaker": True}, pauses=12,
    ),
    "an empty budget allows no retry": Day(
        [DOWN], [[FAILS, FINE]] * 3, {"retry_budget": {"ratio": 0, "per_second": 0}}
    ),
    "a budget allows so many retries": Day(
        [DOWN], [[FAILS, FAILS, FINE], [FAILS, FINE], [FAILS, FAILS, FINE], [FAILS, FINE]],
        {"retry_budget": {"ratio": 0.5, "per_second": 0.05}},
    ),
    "another key is used at once": Day(
        [Reply(status=401), Reply(text="Hello")], [["a authentication 401 free", "a ok 2+1"], ["a ok 2+1"]],
        {"api_key": None, "api_keys": [KEY, f"{KEY}2"]},
    ),
    "a refusal, where the route goes on after one": Day(
        [Reply(text=None, refusal="No.")], [["a refusal 2+1", FINE]],
        route={"fallback_on": ["refusal"]},
    ),
    "an answer cut by the limit": Day(
        [Reply(text="Hello", finish_reason="length")], [["a truncated 2+1", FINE]],
        route={"fallback_on": ["truncated"]}, streamed=[["a ok 2+1"]],
    ),
    "an answer that is no JSON": Day(
        [Reply(text="Hello")], [["a invalid_json 2+1", "b ok 2+4"]],
        route={"fallback_on": ["invalid_json"]}, request={"response_format": {"type": "json_object"}},
        streamed=[["a ok 2+1"]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("streaming", [False, True], ids=["complete", "stream"])
@pytest.mark.parametrize("name", DAYS)
async def test_day(name: str, streaming: bool) -> None:
    day = DAYS[name]
    clock = ManualClock()
    text = '{"is": "fine", "ok": 1}' if day.request else "Fine"
    async with Simulator({"m": day.does}) as simulator, Simulator({"m": [Reply(text=text)]}) as well:
        async with Router(settings_for(day, simulator, well), env={}, clock=clock, seed=1) as router:
            seen = []
            for _ in day.calls:
                seen.append(await call(router, day.request, streaming=streaming))
                clock.advance(day.pauses)

    assert seen == (day.calls if day.streamed is None or not streaming else day.streamed)
    sent = [line for lines in seen for line in lines if not line.startswith("a rejected")]
    assert len(simulator.requests) + len(well.requests) == len(sent)
    assert router.ledger.total.calls == len(day.calls)


def settings_for(day: Day, simulator: Simulator, well: Simulator) -> dict[str, Any]:
    first = {"dialect": "openai", "base_url": simulator.url, "api_key": KEY, **day.provider}
    return {
        "providers": {
            "a": {name: value for name, value in first.items() if value is not None},
            "b": {"dialect": "openai", "base_url": well.url, "api_key": KEY},
        },
        "routes": {"r": {"chain": ["a/m", "b/m"], **day.route}},
        "defaults": {"retry": {"base": 0, "rate_limit_base": 0}},
        "prices": {f"{name}/*": {"input": row[0], "output": row[1]} for name, row in PRICES.items()},
    }


async def call(router: Router, request: Mapping[str, Any], *, streaming: bool) -> list[str]:
    """What a call tried."""
    fields = {"model": "r", "messages": [{"role": "user", "content": "Hello"}], **request}
    try:
        if not streaming:
            trace = (await router.complete(**fields)).trace
        else:
            async with router.stream(**fields) as stream:
                async for _ in stream:
                    pass
            trace = stream.trace
    except TurnoutError as error:
        return [line_of(attempt) for attempt in getattr(error, "attempts", ())]
    assert trace is not None
    return [line_of(attempt) for attempt in trace.attempts]
