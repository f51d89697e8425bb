"""Many calls at once: connections are reused, a limit is kept, and who came first is served first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio.lowlevel
import httpx
import pytest
from known_differences import unable
from raw_server import FIN, SILENCE, Peer, Script, by_connection, raw_server, says
from roads import ROADS, Answer, Failure, Road, asking, exchange, meeting
from wire_cases import CHUNKED, END, HELLO, sized

from turnout.providers.transport import NEVER_CONNECTED, HttpxTransport, Transport

pytestmark = pytest.mark.anyio

FINE = sized(5) + b"hello"
Narrow = Callable[[int], AbstractAsyncContextManager[Transport]]


async def echo(peer: Peer) -> None:
    """Answer each request with its own body."""
    while True:
        body = (await peer.request()).partition(b"\r\n\r\n")[2]
        await peer.send(sized(len(body)) + body)


async def test_calls_one_after_another_need_one_connection(road: Road) -> None:
    async with meeting(road, echo) as (server, carrier):
        for number in range(200):
            body = b"%d" % number
            (await exchange(carrier, asking(server.url, body=body))).check(Answer(body))
        assert server.accepted == 1


async def test_calls_at_once_need_one_each_and_each_gets_its_own_answer(road: Road) -> None:
    async with meeting(road, echo) as (server, carrier):

        async def call(body: bytes) -> None:
            (await exchange(carrier, asking(server.url, body=body))).check(Answer(body))

        for turn in range(4):
            async with anyio.create_task_group() as tasks:
                for number in range(50):
                    tasks.start_soon(call, b"%d of %d" % (number, turn))
        assert server.accepted <= 50
        assert len(server.requests) == 200


async def test_some_calls_fail_among_many(road: Road) -> None:
    """Every third connection dies after an answer or two; nobody gets another's answer."""

    async def script(peer: Peer) -> None:
        for _ in range(2 if peer.number % 3 == 0 else 1000):
            body = (await peer.request()).partition(b"\r\n\r\n")[2]
            await peer.send(sized(len(body)) + body)
        await peer.request()
        peer.reset()

    fine = 0
    async with meeting(road, script) as (server, carrier):

        async def calls(caller: int) -> None:
            nonlocal fine
            for number in range(10):
                body = b"%d of %d" % (number, caller)
                seen = await exchange(carrier, asking(server.url, body=body))
                assert seen.body == body or (seen.error is not None and seen.error.kind == "connection")
                fine += seen.error is None

        async with anyio.create_task_group() as tasks:
            for caller in range(20):
                tasks.start_soon(calls, caller)
    assert fine >= 150


async def test_only_so_many_idle_connections_are_kept(road: Road, road_name: str) -> None:
    most = {"httpx": 100}.get(road_name, 1000)
    calls = most + 30
    everybody = anyio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number == calls - 1:
            everybody.set()
        await everybody.wait()
        await peer.send(FINE)
        await peer.gone()

    async with meeting(road, script) as (server, carrier):
        async with anyio.create_task_group() as tasks:
            for _ in range(calls):
                tasks.start_soon(exchange, carrier, server.url)
        assert server.accepted == calls
        await server.until(lambda server: server.open <= most)


@pytest.fixture
def narrow(road_name: str) -> Narrow:
    """Makes a transport of that road that holds only so many connections."""

    @asynccontextmanager
    async def make(most: int) -> AsyncIterator[Transport]:
        if road_name == "httpx":
            limits = httpx.Limits(max_connections=most)
            async with httpx.AsyncClient(limits=limits) as client:
                yield HttpxTransport(client)
        else:
            fast: Any = ROADS[road_name]
            carrier: Transport = fast(max_connections=most)
            try:
                yield carrier
            finally:
                await carrier.aclose()

    return make


async def test_a_limit_is_kept(narrow: Narrow) -> None:
    most = 0

    async def script(peer: Peer) -> None:
        nonlocal most
        while True:
            await peer.request()
            most = max(most, server.open)
            await anyio.sleep(0.001)
            await peer.send(FINE)

    async with raw_server(script) as server, narrow(3) as carrier:
        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(exchange, carrier, server.url)
    assert (most, server.accepted, len(server.requests)) == (3, 3, 30)


async def test_who_comes_first_is_served_first(narrow: Narrow, road_name: str) -> None:
    async with raw_server(echo) as server, narrow(2) as carrier:
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(exchange, carrier, asking(server.url, body=b"%02d" % number))
                await anyio.lowlevel.checkpoint()
        served: list[list[int]] = [[int(request[-2:]) for request in peer.requests] for peer in server.peers]
    assert sorted(number for numbers in served for number in numbers) == list(range(20))
    if not unable(road_name, "first come, first served"):
        assert all(numbers == sorted(numbers) for numbers in served)
        assert min(map(len, served)) >= 5


WASTES: dict[str, Script] = {
    "a failure": says(FIN),
    "garbage": says(b"SSH-2.0\r\n\r\n", SILENCE),
    "an answer left early": says(CHUNKED + HELLO, SILENCE),
    "an answer that closes": says(sized(5, b"connection: close") + b"hello", FIN),
    "chunks": says(CHUNKED + HELLO + END),
}


@pytest.mark.parametrize("case", WASTES)
async def test_a_turn_is_given_back_however_a_call_ends(narrow: Narrow, case: str) -> None:
    async with raw_server(by_connection(*[WASTES[case]] * 4, says(FINE))) as server, narrow(1) as carrier:
        for _ in range(4):
            if case == "an answer left early":
                async with carrier.send(asking(server.url), connect_timeout=5) as response:
                    assert await response.read() == b"hello"
            else:
                await exchange(carrier, server.url)
        with anyio.fail_after(2):
            (await exchange(carrier, server.url)).check(Answer(b"hello"))


async def test_a_turn_is_given_back_by_calls_that_are_called_off_while_they_wait(narrow: Narrow) -> None:
    go_on = anyio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await go_on.wait()
        await peer.send(FINE)
        await echo(peer)

    async with raw_server(script) as server, narrow(1) as carrier:
        async with anyio.create_task_group() as first:
            first.start_soon(exchange, carrier, server.url)
            await server.until(lambda server: len(server.requests) == 1)
            async with anyio.create_task_group() as others:
                for _ in range(5):
                    others.start_soon(exchange, carrier, server.url)
                await anyio.sleep(0.01)
                others.cancel_scope.cancel()
            async with anyio.create_task_group() as last:
                last.start_soon(exchange, carrier, asking(server.url, body=b"last"))
                await anyio.sleep(0.01)
                assert len(server.requests) == 1
                go_on.set()
        assert [request[-4:] for request in server.requests][1:] == [b"last"]


async def test_waiting_for_a_turn_ends_with_the_limit_on_connecting(narrow: Narrow) -> None:
    async with raw_server(says(CHUNKED + HELLO, SILENCE)) as server, narrow(1) as carrier:
        async with carrier.send(asking(server.url), connect_timeout=5) as response:
            assert await response.read() == b"hello"
            seen = await exchange(carrier, server.url, connect_timeout=0.03)
            seen.check(Failure("timeout", r"no connection to the server within 0\.03 s", NEVER_CONNECTED))
        assert server.accepted == 1


async def test_a_crowd_over_a_few_connections_is_served_evenly(narrow: Narrow, road_name: str) -> None:
    """Callers who ask again and again over a limit get their turns one after another, none twice as many."""
    asked = dict.fromkeys(range(12), 0)

    async def caller(number: int) -> None:
        while sum(asked.values()) < 240:
            (await exchange(carrier, asking(server.url, body=b"x"))).check(Answer(b"x"))
            asked[number] += 1

    async with raw_server(echo) as server, narrow(4) as carrier:
        async with anyio.create_task_group() as tasks:
            for number in asked:
                tasks.start_soon(caller, number)
        assert server.accepted <= 4
    if not unable(road_name, "first come, first served"):
        assert max(asked.values()) <= 2 * min(asked.values())
