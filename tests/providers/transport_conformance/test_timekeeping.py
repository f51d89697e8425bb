"""Exchanges that are given a time: it ends every wait, and so does being cut short."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

import anyio
import pytest
from authority import Authority
from known_differences import tidy
from raw_server import SILENCE, Pause, Peer, by_connection, over_tls, raw_server, says
from roads import Answer, Road, asking, exchange, meeting, over
from waits import FINE, WAITS, deaf, nothing
from wire_cases import CHUNKED, END, HELLO, sized

from turnout.providers.dialect import WireRequest
from turnout.providers.errors import AttemptTimeoutError
from turnout.providers.timekeeping import Timekeeper, TimeUpError, timekeeper
from turnout.providers.transport import Transport

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def tidily(road_name: str) -> Iterator[None]:
    with tidy(road_name):
        yield


class Watch:
    """Sends requests with a time, and tells who keeps it."""

    def __init__(self, carrier: Transport) -> None:
        self._carrier = carrier
        self.keeper: Timekeeper | None = None
        self.body = b""

    async def exchange(
        self, request: WireRequest, seconds: float, *, connect_timeout: float | None = 5
    ) -> None:
        """One exchange, read to its end."""
        connection = self._carrier.send(request, connect_timeout=connect_timeout)
        self.keeper = timekeeper(connection)
        with self.keeper.within(seconds):
            async with connection as response:
                while piece := await response.read():
                    self.body += piece

    async def cut_after(self, seconds: float, *, waiting: bool = True) -> None:
        await anyio.sleep(seconds)
        assert self.keeper is not None
        assert self.keeper.cut() is waiting


@pytest.mark.parametrize("case", WAITS)
async def test_a_time_ends_every_wait(road: Road, case: str) -> None:
    script, body = WAITS[case]
    seconds = 0.05 if script is not nothing else 0.5  # so much has to be written first
    async with meeting(road, by_connection(script, says(FINE))) as (server, carrier):
        begun = monotonic()
        with pytest.raises(TimeUpError):
            await Watch(carrier).exchange(asking(server.url, body=body), seconds)
        assert seconds * 0.9 < monotonic() - begun < 2
        if script is not nothing:
            await server.until(lambda server: not server.peers[0].open)
        (await exchange(carrier, server.url)).check(Answer(b"hello"))
        assert server.accepted == 2


@pytest.mark.parametrize("case", WAITS)
async def test_every_wait_may_be_cut_short(road: Road, case: str) -> None:
    script, body = WAITS[case]
    async with meeting(road, by_connection(script, says(FINE))) as (server, carrier):
        watch = Watch(carrier)
        with anyio.fail_after(4):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(watch.cut_after, 0.05 if script is not nothing else 0.5)
                with pytest.raises(TimeUpError):
                    await watch.exchange(asking(server.url, body=body), 30)
        (await exchange(carrier, server.url)).check(Answer(b"hello"))


async def test_a_time_is_for_all_waits_together(road: Road) -> None:
    drip = [step for _ in range(20) for step in (Pause(0.03), HELLO)]
    async with meeting(road, says(CHUNKED, *drip, END)) as (server, carrier):
        watch, begun = Watch(carrier), monotonic()
        with pytest.raises(TimeUpError):
            await watch.exchange(asking(server.url), 0.15)
        assert 0.145 < monotonic() - begun < 0.5
        assert b"hello" in watch.body


async def test_an_answer_in_time_is_whole_and_its_connection_serves_again(road: Road) -> None:
    async with meeting(road, says(sized(5), Pause(0.02), b"hello")) as (server, carrier):
        for _ in range(3):
            watch = Watch(carrier)
            await watch.exchange(asking(server.url), 1)
            assert watch.body == b"hello"
        assert server.accepted == 1


async def test_a_time_holds_on_a_connection_that_served_before(road: Road) -> None:
    async with meeting(road, by_connection(says(FINE), says(FINE))) as (server, carrier):
        await Watch(carrier).exchange(asking(server.url), 0.2)
        await Watch(carrier).exchange(asking(server.url), 30)
        await anyio.sleep(0.3)  # the first time is long past
        watch = Watch(carrier)
        await watch.exchange(asking(server.url), 30)
        assert watch.body == b"hello"
        assert server.accepted == 1


@pytest.mark.parametrize("silent", ["the greeting", "the answer"])
async def test_over_tls(road: Road, authority: Authority, silent: str) -> None:
    quiet = Peer.gone if silent == "the greeting" else over_tls(authority.server("localhost"), says(SILENCE))
    fine = over_tls(authority.server("localhost"), says(FINE))
    async with meeting(road, by_connection(quiet, fine), scheme="https") as (server, carrier):
        url = f"https://localhost:{server.port}"
        with pytest.raises(TimeUpError):
            await Watch(carrier).exchange(asking(url), 0.3)
        (await exchange(carrier, url)).check(Answer(b"hello"))


@pytest.mark.parametrize("silent", ["the greeting", "the answer"])
async def test_cut_short_over_tls(road: Road, authority: Authority, silent: str) -> None:
    quiet = Peer.gone if silent == "the greeting" else over_tls(authority.server("localhost"), says(SILENCE))
    fine = over_tls(authority.server("localhost"), says(FINE))
    async with meeting(road, by_connection(quiet, fine), scheme="https") as (server, carrier):
        url, watch = f"https://localhost:{server.port}", Watch(carrier)
        with anyio.fail_after(3):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(watch.cut_after, 0.2)
                with pytest.raises(TimeUpError):
                    await watch.exchange(asking(url), 30)
        (await exchange(carrier, url)).check(Answer(b"hello"))


@pytest.mark.parametrize(("seconds", "connecting"), [(0.05, 5.0), (5.0, 0.05)])
async def test_connecting_has_a_time_of_its_own(road: Road, seconds: float, connecting: float) -> None:
    with deaf() as url:
        async with over(road) as carrier:
            request = asking(url)
            with pytest.raises(TimeUpError if seconds < connecting else AttemptTimeoutError):
                await Watch(carrier).exchange(request, seconds, connect_timeout=connecting)


async def test_once_cut_nothing_is_waited_for(road: Road) -> None:
    async with raw_server(says(CHUNKED + HELLO, SILENCE)) as server, over(road) as carrier:
        connection = carrier.send(asking(server.url), connect_timeout=5)
        keeper = timekeeper(connection)
        async with connection as response:
            assert await response.read() == b"hello"
            assert not keeper.cut()
            with anyio.fail_after(2), pytest.raises(TimeUpError):
                with keeper.within(30):
                    await response.read()
