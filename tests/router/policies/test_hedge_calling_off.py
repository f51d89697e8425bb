"""Wherever the first target of a call keeps it waiting, a hedge that answers calls it off at once."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx
import pytest
from anyio.abc import ByteStream
from file_server import serving
from raw_server import SILENCE, raw_server, says

from turnout import RateLimitError, Router
from turnout.fetching import Fetcher
from turnout.testing import Reply, Simulator

pytestmark = pytest.mark.anyio

LONG = 30.0
"""Seconds that a place would keep the call."""
HELLO = [{"role": "user", "content": "Hello"}]
FINE = Reply(text="one two three")


@dataclass
class Place:
    """A place where the first target, a/slow, keeps a call."""

    replies: list[Reply] = field(default_factory=list)
    """What its simulator does."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What is special about its provider."""
    route: Mapping[str, Any] = field(default_factory=dict)
    streaming: bool = False
    before: bool = False
    """Whether another call of the target's was made before."""
    holding: bool = False
    """Whether another call holds its only place meanwhile."""
    token: bool = False
    """Whether its provider's key is a token that does not come."""
    outcome: str | None = "cancelled"
    """How its attempt ends in the ledger; None where none began."""
    sent: bool = True
    """Whether the simulator sees a client leave."""


PLACES = {
    "before the headers": Place([Reply(latency=LONG)]),
    "before a body": Place([Reply(stall_after_events=0)]),
    "within a body": Place([Reply(drip=1, drip_delay=LONG)]),
    "before a stream's first word": Place([Reply(stall_after_events=1)], streaming=True),
    "within an error's body": Place([Reply(status=500, drip=1, drip_delay=LONG)]),
    "between two tries": Place(
        [Reply(status=500, headers={"retry-after": "20"})],
        route={"retry": {"attempts": 2, "max_server_wait": "1m"}, "deadline": "2m"},
        outcome="failed",
        sent=False,
    ),
    "before its turn": Place(settings={"limits": {"concurrency": 1}}, holding=True, outcome=None, sent=False),
    "before its allowance": Place(
        [FINE],
        settings={"limits": {"requests_per_minute": 1}},
        route={"deadline": "5m"},
        before=True,
        outcome=None,
        sent=False,
    ),
    "before its token": Place(token=True, sent=False),
    "at a function's judgement": Place([FINE], route={"reject": ["tastes:ponders"]}, sent=False),
}


async def token() -> tuple[str, float]:
    """A token that does not come."""
    await anyio.sleep(LONG)
    return "never", 60.0


def settings_for(url: str, place: Place) -> dict[str, Any]:
    base = {"dialect": "openai", "base_url": url, "api_key": "sk-test-0123456789"}
    route = {"chain": ["a/slow", "b/fast"], "hedge": {"after": "20ms"}, "deadline": "1m"}
    return {
        "providers": {"a": {**base, **place.settings}, "b": base},
        "routes": {"r": {**route, "retry": {"attempts": 1}, **place.route}},
    }


async def ask(router: Router, *, streaming: bool) -> str | None:
    """Who answers."""
    if not streaming:
        return (await router.complete(model="r", messages=HELLO)).provider
    async with router.stream(model="r", messages=HELLO) as stream:
        async for _ in stream:
            pass
        return stream.provider


@pytest.mark.parametrize("given", [False, True], ids=["own-transport", "httpx-client"])
@pytest.mark.parametrize("name", PLACES)
async def test_the_first_run_is_called_off(name: str, given: bool) -> None:
    place = PLACES[name]
    client = httpx.AsyncClient() if given else None
    async with Simulator({"held": [Reply(stall_after_events=2)]}) as simulator:
        settings = settings_for(simulator.url, place)
        options: dict[str, Any] = {"tokens": {"a": token}} if place.token else {}
        async with AsyncExitStack() as stack:
            router = await stack.enter_async_context(Router(settings, env={}, client=client, **options))
            if place.before:
                await router.complete(model="a/slow", messages=HELLO)
            if place.holding:
                await stack.enter_async_context(router.stream(model="a/held", messages=HELLO))
            simulator.script("slow", *place.replies)
            with anyio.fail_after(5):
                assert await ask(router, streaming=place.streaming) == "b"
            attempts = [(one.target, one.outcome) for one in router.ledger if one.route == "r"]
            with anyio.fail_after(0.1):
                while place.sent and not any(one.disconnected for one in simulator.requests):
                    await anyio.sleep(0.002)
    if client is not None:
        await client.aclose()

    first = [] if place.outcome is None else [("a/slow", place.outcome)]
    assert sorted(attempts) == [*first, ("b/fast", "ok")]


async def test_a_connection_that_is_being_made_is_called_off() -> None:
    """The server takes the connection, and then says nothing of TLS."""
    async with Simulator() as simulator, raw_server(says(SILENCE), scheme="https") as silent:
        settings = settings_for(simulator.url, Place(settings={"base_url": f"{silent.url}/v1"}))
        async with Router(settings, env={}) as router:
            with anyio.fail_after(5):
                assert await ask(router, streaming=False) == "b"
            with anyio.fail_after(0.1):
                await silent.until(lambda server: not server.open)
        attempts = sorted((one.target, one.outcome) for one in router.ledger)
    assert attempts == [("a/slow", "cancelled"), ("b/fast", "ok")]


async def test_a_last_hope_that_waits_for_its_gate_is_called_off() -> None:
    """The first target fails while the hedge is on its way, and the only other one has asked for patience."""
    scripts = {
        "failing": [Reply(status=500, latency=0.06)],
        "limited": [Reply(status=429, headers={"retry-after": "20"})],
        "fast": [Reply(latency=0.3)],
    }
    async with Simulator(scripts) as simulator:
        settings = settings_for(simulator.url, Place(route={"chain": ["a/failing", "a/limited", "b/fast"]}))
        settings["defaults"] = {"breaker": True, "retry": {"attempts": 1}}
        async with Router(settings, env={}) as router:
            with pytest.raises(RateLimitError):
                await router.complete(model="a/limited", messages=HELLO)
            with anyio.fail_after(5):
                assert await ask(router, streaming=False) == "b"
        attempts = sorted((one.target, one.outcome) for one in router.ledger if one.route == "r")
    assert attempts == [("a/failing", "failed"), ("a/limited", "rejected"), ("b/fast", "ok")]


async def test_an_image_that_is_being_fetched_is_called_off() -> None:
    async def silent(_: ByteStream) -> None:
        await anyio.sleep(LONG)

    quirks = {"unsupported": ["messages.image_url.remote"]}
    place = Place(settings={"fetch_media": True, "quirks": quirks})
    async with Simulator() as simulator, serving({"/it": silent}) as files:
        async with Router(settings_for(simulator.url, place), env={}) as router:
            router._snapshot.wire._fetcher = Fetcher(router._transport, allowed=lambda one: one.is_loopback)
            picture = {"type": "image_url", "image_url": {"url": f"{files.url}/it"}}
            with anyio.fail_after(5):
                reply = await router.complete(model="r", messages=[{"role": "user", "content": [picture]}])
        attempts = sorted((one.target, one.outcome) for one in router.ledger)
    assert (reply.provider, files.paths) == ("b", ["/it"])
    assert attempts == [("a/slow", "cancelled"), ("b/fast", "ok")]
