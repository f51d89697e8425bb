"""Calls that are called off at every await, or left early: the connection goes, and the next call is fine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import anyio.lowlevel
import pytest
from authority import Authority
from known_differences import tidy, unable
from raw_server import SILENCE, Pause, Peer, Script, by_connection, over_tls, raw_server, says
from roads import Answer, Road, asking, exchange, meeting, over
from waits import FINE, WAITS, deaf, nothing
from wire_cases import CHUNKED, END, HELLO, OK, sized

from turnout.providers.dialect import WireRequest
from turnout.providers.errors import ProviderError

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def tidily(road_name: str) -> Iterator[None]:
    with tidy(road_name):
        yield


async def called_off(call: Callable[[], Awaitable[object]], once: Callable[[], bool] = lambda: True) -> None:
    """Make a call and call it off a moment after something has become so."""
    async with anyio.create_task_group() as tasks:

        async def cancel() -> None:
            while not once():
                await anyio.sleep(0.001)
            await anyio.sleep(0.02)
            scope.cancel()

        with anyio.CancelScope() as scope:
            tasks.start_soon(cancel)
            await call()
    assert scope.cancelled_caught


@pytest.mark.parametrize("case", WAITS)
async def test_a_call_may_be_called_off_while_it_waits(road: Road, case: str) -> None:
    script, body = WAITS[case]
    async with meeting(road, by_connection(script, says(FINE))) as (server, carrier):
        request = asking(server.url, body=body)
        await called_off(
            lambda: exchange(carrier, request),
            once=lambda: server.accepted > 0 and (script is nothing or server.peers[0].taken > 0),
        )
        if script is not nothing:
            await server.until(lambda server: not server.peers[0].open)
        (await exchange(carrier, server.url)).check(Answer(b"hello"))
        assert server.accepted == 2


async def test_a_call_may_be_called_off_while_it_connects(road: Road) -> None:
    with deaf() as url:
        async with over(road) as carrier:
            await called_off(lambda: exchange(carrier, url))


async def test_a_call_may_be_called_off_while_hands_are_shaken(
    road: Road, road_name: str, authority: Authority
) -> None:
    fine = over_tls(authority.server("localhost"), says(FINE))
    async with meeting(road, by_connection(Peer.gone, fine), scheme="https") as (server, carrier):
        url = f"https://localhost:{server.port}"
        await called_off(lambda: exchange(carrier, url), once=lambda: server.accepted > 0)
        if not unable(road_name, "nothing is left to the garbage collector"):
            await server.until(lambda server: not server.peers[0].open)
        (await exchange(carrier, url)).check(Answer(b"hello"))


async def test_a_call_may_be_called_off_while_a_tunnel_is_dug(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with raw_server(says(SILENCE)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        async with over(road) as carrier:
            await called_off(
                lambda: exchange(carrier, "https://nobody.invalid"), once=lambda: len(proxy.requests) > 0
            )
            await proxy.until(lambda proxy: proxy.open == 0)


ANSWERS = {
    "length": sized(5) + b"hello",
    "chunked": b"HTTP/1.1 100 Continue\r\n\r\n" + CHUNKED + HELLO + END,
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
async def test_at_every_single_step(road: Road, authority: Authority, answer: str, secured: bool) -> None:
    """The call is called off after one turn of the event loop, after two, and so on, over the same road."""
    script: Script = says(*halves(ANSWERS[answer]))
    if secured:
        script = over_tls(authority.server("localhost"), script)
    async with meeting(road, script, scheme="https" if secured else "http") as (server, carrier):
        url = f"{server.scheme}://localhost:{server.port}" if secured else server.url
        finished = 0
        for steps in range(60):
            if await cancelled_after(steps, lambda: exchange(carrier, url)):
                (await exchange(carrier, url)).check(Answer(b"hello"))
            else:
                finished += 1
        assert finished < 60
        (await exchange(carrier, url)).check(Answer(b"hello"))
        await server.until(lambda server: server.open <= 2)


def halves(data: bytes) -> list[bytes | Pause | str]:
    return [data[: len(data) // 2], Pause(0), data[len(data) // 2 :]]


async def cancelled_after(steps: int, call: Callable[[], Awaitable[object]]) -> bool:
    """Whether the call was called off before its end."""
    async with anyio.create_task_group() as tasks:

        async def cancel() -> None:
            for _ in range(steps):
                await anyio.lowlevel.checkpoint()
            scope.cancel()

        with anyio.CancelScope() as scope:
            tasks.start_soon(cancel)
            await call()
        tasks.cancel_scope.cancel()
    return scope.cancelled_caught


async def test_a_call_that_is_called_off_before_it_begins_sends_nothing(road: Road) -> None:
    async with meeting(road, says(FINE)) as (server, carrier):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await exchange(carrier, server.url)
        (await exchange(carrier, server.url)).check(Answer(b"hello"))
        assert server.accepted <= 2


@pytest.mark.parametrize("read", [0, 1])
async def test_leaving_while_called_off_closes_all_the_same(road: Road, read: int) -> None:
    async with meeting(road, by_connection(says(CHUNKED + HELLO, SILENCE), says(FINE))) as (server, carrier):
        with anyio.CancelScope() as scope:
            async with carrier.send(asking(server.url), connect_timeout=5) as response:
                for _ in range(read):
                    assert await response.read() == b"hello"
                scope.cancel()
        await server.until(lambda server: server.open == 0)
        (await exchange(carrier, server.url)).check(Answer(b"hello"))


async def endless(peer: Peer) -> None:
    await peer.request()
    await peer.send(CHUNKED)
    while True:
        await peer.send(HELLO)
        await anyio.sleep(0.001)


LEFT: dict[str, Script] = {
    "an endless answer": endless,
    "a long answer": says(sized(5_000_000), bytes(5_000_000)),
    "an answer that stalls": says(sized(9) + b"hello", SILENCE),
    "an answer without end": says(OK + b"\r\nhello", SILENCE),
    "a packed answer": says(sized(90, b"content-encoding: gzip") + b"\x1f\x8b\x08\0", SILENCE),
}


@pytest.mark.parametrize("case", LEFT)
@pytest.mark.parametrize("read", [0, 1])
async def test_leaving_early_hangs_up_and_the_next_call_is_fine(road: Road, case: str, read: int) -> None:
    async with meeting(road, by_connection(LEFT[case], LEFT[case], says(FINE))) as (server, carrier):
        for _ in range(2):
            async with carrier.send(asking(server.url), connect_timeout=5) as response:
                if read and case != "a packed answer":
                    assert await response.read()
            await server.until(lambda server: server.open == 0)
        (await exchange(carrier, server.url)).check(Answer(b"hello"))
        assert server.accepted == 3


async def test_an_error_of_the_callers_hangs_up_too(road: Road) -> None:
    async with meeting(road, by_connection(endless, says(FINE))) as (server, carrier):
        with pytest.raises(ZeroDivisionError):
            async with carrier.send(asking(server.url), connect_timeout=5) as response:
                assert await response.read() == b"hello"
                raise ZeroDivisionError
        await server.until(lambda server: server.open == 0)
        (await exchange(carrier, server.url)).check(Answer(b"hello"))


async def test_an_answer_that_is_dropped_hangs_up_too(road: Road, road_name: str) -> None:
    """Its context was entered by hand and never left."""
    if unable(road_name, "nothing is left to the garbage collector"):
        return
    async with meeting(road, by_connection(endless, says(FINE))) as (server, carrier):
        context = carrier.send(asking(server.url), connect_timeout=5)
        response = await context.__aenter__()
        assert await response.read()
        del context, response
        await server.until(lambda server: server.open == 0)
        (await exchange(carrier, server.url)).check(Answer(b"hello"))


async def test_a_small_answer_left_unread_is_never_the_next_ones(road: Road) -> None:
    turns = iter(range(100))

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(sized(3) + b"%03d" % next(turns))

    async with meeting(road, script) as (server, carrier):
        for number in range(20):
            async with carrier.send(asking(server.url), connect_timeout=5) as response:
                if number % 2:
                    assert await response.read() == b"%03d" % number


async def test_the_road_may_be_closed_while_calls_are_under_way(road: Road) -> None:
    """They end somehow, soon, and leave nothing."""
    go_on = anyio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(sized(10) + b"hello")
        await go_on.wait()
        await peer.send(b"hello")
        await peer.gone()

    async with meeting(road, script) as (server, carrier):
        async with anyio.create_task_group() as tasks:

            async def call() -> None:
                seen = await exchange(carrier, server.url)
                assert seen.error is not None or seen.body == b"hellohello"

            for _ in range(3):
                tasks.start_soon(call)
            await server.until(lambda server: len(server.requests) == 3)
            await anyio.sleep(0.01)
            await carrier.aclose()
            go_on.set()
        await carrier.aclose()
        await server.until(lambda server: server.open == 0)


def test_nothing_is_left_to_the_next_event_loop(road: Road) -> None:
    """A road outlives an event loop that ended under it, as in a program that calls `run` twice."""
    carrier = road()

    async def once(url: str) -> None:
        with suppress(ProviderError):
            async with carrier.send(WireRequest("POST", url, {}, b"{}"), connect_timeout=5) as response:
                assert await response.read() == b"hello"
        await carrier.aclose()

    async def main() -> None:
        async with raw_server(says(FINE)) as server:
            await once(server.url)

    for backend in ("asyncio", "trio", "asyncio"):
        anyio.run(main, backend=backend)
