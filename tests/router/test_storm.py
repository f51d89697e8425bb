"""A bad day: three providers that all fail at random, and one that is down altogether."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Any

import anyio
import pytest

from turnout import Router
from turnout.config.errors import TurnoutError
from turnout.testing import Reply, Script, Simulator

pytestmark = pytest.mark.anyio

CALLS, AT_ONCE = 2_000, 100
DEADLINE = 30.0  # seconds
PROVIDERS = ("a", "b", "c")
FAULTS: tuple[Callable[[Random], Reply], ...] = (
    lambda _: Reply(status=500),
    lambda _: Reply(status=503),
    lambda _: Reply(status=529),
    lambda _: Reply(status=502, body=b"<html><title>Bad Gateway</title></html>"),
    lambda _: Reply(status=429, headers={"retry-after-ms": "30"}),
    lambda _: Reply(status=408),
    lambda _: Reply(hang_up=True),
    lambda chance: Reply(text=sentence(chance), cut_after_events=chance.randrange(4)),
    lambda chance: Reply(text=sentence(chance), end_after_events=chance.randrange(4)),
    lambda chance: Reply(text=sentence(chance), malformed_event=chance.randrange(4)),
    lambda chance: Reply(text=sentence(chance), error_event_after=chance.randrange(4), error="Gone."),
    lambda _: Reply(error_in_200=True, error="Overloaded."),
    lambda _: Reply(text=""),
    lambda _: Reply(body=b"<html>Sign in</html>"),
)
"""Makers of faults other than stalls; some are none where the answer comes whole."""


def sentence(chance: Random) -> str:
    return " ".join(["word"] * chance.randint(2, 6))


def weather(seed: int, *, stalls: float = 0.05, faults: float = 0.25) -> Script:
    """Replies of which so large a part stalls, and so large a part fails in some other way."""
    chance = Random(seed)
    replies = []
    for _ in range(1_000):
        drawn = chance.random()
        if drawn < stalls:
            replies.append(Reply(text=sentence(chance), stall_after_events=chance.randrange(4)))
        elif drawn < stalls + faults:
            replies.append(chance.choice(FAULTS)(chance))
        else:
            replies.append(Reply(text=sentence(chance)))
    return Script(replies=replies, then="first")


@asynccontextmanager
async def providers(scripts: Mapping[str, Script]) -> AsyncIterator[dict[str, Simulator]]:
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(Simulator({"m": script}))
            for name, script in scripts.items()
        }


WELL = Script(replies=[Reply(text="word " * number) for number in range(1, 9)], then="first")


async def patience() -> float:
    """Seconds after which a silent provider is given up: several times what a crowd takes on this machine."""
    seconds = 0.0
    for calls in (2, AT_ONCE):  # the first two find everything imported
        async with providers({"a": WELL}) as simulators:
            async with Router(settings_for(simulators, limit=30.0), env={}) as router:
                begun = time.monotonic()
                await crowd(router, calls)
                seconds = time.monotonic() - begun
    return min(max(1.5, 8 * seconds), DEADLINE / 4)


def settings_for(simulators: Mapping[str, Simulator], *, limit: float, **defaults: Any) -> dict[str, Any]:
    """A chain of all of them, with every policy that helps against such a day."""
    return {
        "providers": {
            name: {"dialect": "openai", "base_url": simulator.url, "api_key": "k"}
            for name, simulator in simulators.items()
        },
        "routes": {"r": [f"{name}/m" for name in simulators]},
        "defaults": {
            "retry": {"attempts": 2, "base": "5ms", "rate_limit_base": "20ms"},
            "timeouts": {"first_token": limit, "idle": limit},
            "deadline": DEADLINE,
            "max_attempts": 6,
            "on_interrupt": "restart",
            "breaker": True,
            "retry_budget": True,
            **defaults,
        },
    }


async def crowd(router: Router, calls: int = CALLS) -> tuple[Counter[str], float]:
    """How the calls ended, and how many seconds the longest took; half of them are streams."""
    ended: Counter[str] = Counter()
    longest = 0.0
    numbers = iter(range(calls))

    async def caller() -> None:
        nonlocal longest
        for number in numbers:
            begun = time.monotonic()
            ended[await outcome(router, number)] += 1
            longest = max(longest, time.monotonic() - begun)

    async with anyio.create_task_group() as tasks:
        for _ in range(AT_ONCE):
            tasks.start_soon(caller)
    return ended, longest


async def outcome(router: Router, number: int) -> str:
    messages = [{"role": "user", "content": f"Call {number}"}]
    try:
        if number % 2:
            text = (await router.complete(model="r", messages=messages)).text
        else:
            text = ""
            async with router.stream(model="r", messages=messages) as stream:
                async for chunk in stream:
                    text = "" if chunk.reset else text + chunk.text
            assert text == stream.response.text
    except TurnoutError as error:
        return type(error).__name__
    assert set(text.split()) == {"word"}
    return "fine"


def compare(router: Router, simulators: Mapping[str, Simulator]) -> None:
    """The ledger holds what the providers themselves have counted: every attempt, every token.

    A provider that hangs up on a connection that was kept alive, as if it had not known of the request yet,
    is asked once more by the transport; so it may count a few requests more than there were attempts.
    """
    rows = router.ledger.summary(["provider", "outcome"])
    for name, simulator in simulators.items():
        sent = [
            row
            for row in rows
            if row.group["provider"] == name and row.group["outcome"] not in ("rejected", "skipped")
        ]
        tally, attempts = simulator.tally, sum(row.attempts for row in sent)
        assert attempts <= tally.requests == len(simulator.requests) <= 1.05 * attempts + 1
        assert sum(row.usage.prompt for row in sent) == tally.prompt_tokens
        assert sum(row.usage.completion for row in sent) == tally.completion_tokens


async def test_three_providers_that_fail_at_random() -> None:
    limit = await patience()
    async with providers({name: weather(seed) for seed, name in enumerate(PROVIDERS)}) as simulators:
        async with Router(settings_for(simulators, limit=limit), env={}, seed=1) as router:
            ended, longest = await crowd(router)

    assert ended.total() == CALLS
    assert ended["fine"] >= 0.99 * CALLS, ended
    assert longest <= DEADLINE + 0.5
    assert router.ledger.total.calls == CALLS
    compare(router, simulators)


OUTAGES = {"errors": Reply(status=500), "hang-ups": Reply(hang_up=True), "silence": Reply(latency=60)}
"""What a provider does that is down."""


@pytest.mark.parametrize("outage", OUTAGES)
async def test_one_provider_is_down(outage: str) -> None:
    """Retries stay within their budget, and the provider is soon left alone."""
    scripts = {"a": Script(replies=[OUTAGES[outage]]), "b": WELL, "c": WELL}
    limit = await patience()
    async with providers(scripts) as simulators:
        async with Router(settings_for(simulators, limit=limit), env={}, seed=1) as router:
            ended, longest = await crowd(router)

    asked = sum(simulator.tally.requests for simulator in simulators.values())
    assert ended == {"fine": CALLS}
    assert longest <= DEADLINE
    assert asked <= 1.2 * CALLS + 30
    compare(router, simulators)
